"""From text to token ids: the tokeniser, and the token files of one domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.files import replacing, write_text
from ecotone.data.splits import FEW_DOCS, SPLITS, Survey, document_hash

END = "<|end|>"


def make_tokenizer(texts: Iterable[str], *, vocab: int, given: str | None, folder: Path) -> Any:
    """Load the tokeniser `given`, or train a BPE on `texts`; write it to ``tokenizer.json``.

    It reads text as text: what a document says is never a special token, not even `END`.
    """
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ModuleNotFoundError:
        raise MissingExtra.of("lm", "tokenizers", "reading text as tokens") from None
    if given is not None:
        try:
            tokenizer = Tokenizer.from_file(given)
        except Exception as error:  # noqa: BLE001  the package raises bare Exception
            raise BadInput(f"{given}: not a tokenizer.json ({error}).") from None
        added = tokenizer.get_added_tokens_decoder().values()
        if END not in {token.content for token in added if token.special}:
            tokenizer.add_special_tokens([END])
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab,
            special_tokens=[END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    tokenizer.encode_special_tokens = True  # as text; not kept in the file
    if tokenizer.token_to_id(END) in tokenizer.encode(END, add_special_tokens=False).ids:
        raise BadInput(
            f"{given}: {END} is a word of the model's own vocabulary.",
            why="a document that holds it could not be told from two documents.",
            cure=f"rename {END} in the vocabulary of {given}, or leave --tokenizer out",
        )
    return tokenizer


def token_type(tokenizer: Any) -> str:
    """Return the smallest type of integer that holds every id."""
    return "uint16" if tokenizer.get_vocab_size() <= 1 << 16 else "uint32"


@dataclass
class _Tally:
    """What a pass over a domain has seen: documents left out, bytes of training text."""

    left_out: int = 0
    train_bytes: int = 0


def write_domain(
    docs: Iterable[Doc],
    survey: Survey,
    side_of: Callable[[int], str],
    tokenizer: Any,
    folder: Path,
    *,
    limit: int | None,
    seed: int,
) -> dict[str, Any]:
    """Tokenise one domain into its three files; return their counts.

    `side_of` names the split of a document by its hash, or "" where it must be left out.
    """
    # about 2.5 bytes to a token of a small vocabulary: a first guess, used only for sampling
    keep = 1.0 if limit is None else min(1.0, limit * 2.5 / max(survey.bytes, 1))
    thin = SPLITS if survey.documents >= FEW_DOCS else ("train",)  # few held-out ones: all kept
    end = tokenizer.token_to_id(END)
    dtype = token_type(tokenizer)
    count = {s: {"tokens": 0, "bytes": 0, "documents": 0} for s in SPLITS}
    tally = _Tally()
    with ExitStack() as stack:
        files = {}
        for split in SPLITS:
            path = stack.enter_context(replacing(folder / f"{survey.name}.{split}.bin"))
            files[split] = stack.enter_context(path.open("wb"))
        for batch in _batches(_kept(docs, side_of, dict.fromkeys(thin, keep), seed, tally)):
            texts = [doc.text for doc, _ in batch]
            encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            for (doc, side), found in zip(batch, encoded, strict=True):
                ids = np.array([*found.ids, end], dtype=dtype)
                files[side].write(ids.tobytes())
                part = count[side]
                part["tokens"] += len(ids)
                part["bytes"] += len(doc.text.encode()) + 1
                part["documents"] += 1
    part = count["train"]
    return {
        "documents": survey.documents,
        "bytes": survey.bytes,
        "left_out": tally.left_out,
        "sampled": keep,
        # by bytes, of which the whole is known: far closer than the share of documents
        "train_tokens": round(part["tokens"] * tally.train_bytes / max(part["bytes"], 1)),
        "splits": count,
    }


def _kept(
    docs: Iterable[Doc],
    side_of: Callable[[int], str],
    keep: Mapping[str, float],
    seed: int,
    tally: _Tally,
) -> Iterator[tuple[Doc, str]]:
    """Stream the documents that are written, with their splits; `keep` is the share of a split."""
    for doc in docs:
        code = document_hash(doc.text, seed)
        side = side_of(code)
        if not side:
            tally.left_out += 1
            continue
        if side == "train":
            tally.train_bytes += len(doc.text.encode()) + 1
        # the low bits are independent of the high ones that decide the side
        if (code & 0xFFFFFF) < keep.get(side, 1.0) * 0x1000000:
            yield doc, side


def _batches(
    docs: Iterable[tuple[Doc, str]], size: int = 1 << 20
) -> Iterator[list[tuple[Doc, str]]]:
    """Group documents into batches of about a million characters: memory stays bounded."""
    batch: list[tuple[Doc, str]] = []
    held = 0
    for doc, side in docs:
        batch.append((doc, side))
        held += len(doc.text)
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
