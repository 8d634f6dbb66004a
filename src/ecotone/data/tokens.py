"""From documents to memory-mapped token files, split by document.

The side a document falls on is decided by a hash of its text, so exact copies always share a side,
in one domain or across domains; a copy of held-out text that would still enter training (the
target is split in other proportions) is left out and reported.
"""

from __future__ import annotations

import array
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus, Doc
from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.files import fingerprint, replacing, write_json, write_text
from ecotone.core.verdict import Finding

SPLITS = ("train", "dev", "test")
END = "<|end|>"
SMALL_TARGET = 5_000_000  # bytes: below, most of the target's text is kept for measuring
FEW_DOCS = 200  # below, documents are split by the rank of their hash: exact shares


@dataclass(frozen=True)
class TokenOptions:
    """How a corpus becomes tokens.

    Attributes
    ----------
    vocab : int
        Size of the BPE vocabulary that is trained when no tokeniser is given.
    tokenizer : str or None
        Path of a Hugging Face ``tokenizer.json``.
    limit : int
        Most training tokens kept of a source domain; a larger domain is sampled by document and
        its full number of tokens estimated.
    source_split, target_split : tuple of float
        Shares of train, dev and test text. A target of 5 MB or more is split like a source.
    sample : int
        Bytes per domain that the BPE is trained on.
    """

    vocab: int = 1024
    tokenizer: str | None = None
    limit: int = 20_000_000
    source_split: tuple[float, float, float] = (0.9, 0.05, 0.05)
    target_split: tuple[float, float, float] = (0.3, 0.2, 0.5)
    sample: int = 1_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("source_split", "target_split"):
            shares = getattr(self, name)
            if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
                raise BadInput(
                    f"{name} is {tuple(shares)}.",
                    why="train, dev and test text each get a share of the documents.",
                    cure="give three shares above 0 that sum to 1, such as (0.9, 0.05, 0.05)",
                )


@dataclass(frozen=True)
class Survey:
    """What one pass over a domain's documents found."""

    name: str
    documents: int
    bytes: int
    copies: int
    hashes: NDArray[np.uint64]
    sample: tuple[str, ...]


@dataclass(frozen=True)
class TokenStore:
    """Token files of a corpus: one per domain and split, memory-mapped.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @cached_property
    def meta(self) -> dict[str, Any]:
        """Counts, options and findings, as `prepare` wrote them."""
        return json.loads((self.path / "tokens.json").read_text())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the domains, in the order of the corpus."""
        return tuple(self.meta["domains"])

    @property
    def target(self) -> str | None:
        """Name of the target domain."""
        return self.meta["target"]

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the domains other than the target."""
        return tuple(n for n in self.names if n != self.target)

    @property
    def vocab(self) -> int:
        """Number of token ids."""
        return int(self.meta["vocab"])

    @property
    def fingerprint(self) -> str:
        """Hash of corpus and options."""
        return str(self.meta["fingerprint"])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed while reading."""
        return tuple(Finding(**f) for f in self.meta["findings"])

    def tokens(self, domain: str, split: str = "train") -> NDArray[Any]:
        """Map the tokens of one split, shape (n,), uint16 or uint32; documents end with END."""
        file = self.path / f"{domain}.{split}.bin"
        dtype = np.dtype(self.meta["dtype"])
        if file.stat().st_size == 0:
            return np.empty(0, dtype)
        return np.memmap(file, dtype=dtype, mode="r")

    def count(self, domain: str, split: str = "train") -> int:
        """Return the number of tokens on disk."""
        return int(self.meta["domains"][domain]["splits"][split]["tokens"])

    def full_count(self, domain: str) -> int:
        """Return the number of training tokens the whole domain has (estimated if sampled)."""
        return int(self.meta["domains"][domain]["train_tokens"])

    def bytes_per_token(self, domain: str, split: str) -> float:
        """Return UTF-8 bytes per token, to turn nats per token into bits per byte."""
        part = self.meta["domains"][domain]["splits"][split]
        return part["bytes"] / max(part["tokens"], 1)

    def counted(self, corpus: Corpus) -> Corpus:
        """Return the corpus with the size and tokens of every domain filled in."""
        facts = self.meta["domains"]
        domains = tuple(
            replace(d, size=facts[d.name]["documents"], tokens=facts[d.name]["train_tokens"])
            for d in corpus.domains
        )
        return replace(corpus, domains=domains, tokenizer=self.meta["tokenizer"])


def prepare(
    corpus: Corpus,
    folder: Path | str,
    options: TokenOptions | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> TokenStore:
    """Split and tokenise a corpus into `folder`; return at once when that was done before.

    Parameters
    ----------
    corpus : Corpus
        Every domain must have text.
    folder : Path
        Written file by file, ``tokens.json`` last: a killed run starts over where files lack.
    options : TokenOptions, optional
        How.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    BadInput
        A domain without text, or too small to be split.
    """
    options = options or TokenOptions()
    folder = Path(folder)
    identity = _identity(corpus, options)
    store = TokenStore(folder)
    if (folder / "tokens.json").exists() and store.fingerprint == identity:
        return store
    folder.mkdir(parents=True, exist_ok=True)
    surveys = {}
    for name in corpus.names:
        progress(f"reading {name}")
        surveys[name] = _survey(corpus, name, options)
    cuts = {n: _cuts(s, n == _target(corpus), options) for n, s in surveys.items()}
    held_out = _held_out(surveys, cuts)
    progress("training the tokeniser" if options.tokenizer is None else "loading the tokeniser")
    tokenizer = _tokenizer(surveys, options, folder)
    domains: dict[str, Any] = {}
    for name in corpus.names:
        progress(f"tokenising {name}")
        domains[name] = _write(
            corpus.docs(name), surveys[name], cuts[name], held_out, tokenizer, folder,
            None if name == _target(corpus) else options.limit, options.seed,
        )  # fmt: skip
    meta = {
        "fingerprint": identity,
        "vocab": tokenizer.get_vocab_size(),
        "dtype": _dtype(tokenizer),
        "tokenizer": fingerprint(tokenizer.to_str()),
        "target": _target(corpus),
        "domains": domains,
    }
    _check_not_empty(domains)
    meta["findings"] = [vars(f) for f in _findings(surveys, domains, _target(corpus))]
    store = TokenStore(folder)
    vars(store)["meta"] = meta  # not on disk yet: that file says that the folder is complete
    meta["findings"] += [vars(f) for f in overlap(store)]
    write_json(folder / "tokens.json", meta)
    return TokenStore(folder)


def _identity(corpus: Corpus, options: TokenOptions) -> str:
    given = Path(options.tokenizer).read_text() if options.tokenizer else None
    return fingerprint([corpus.fingerprint, {**vars(options), "tokenizer": given}])


def _target(corpus: Corpus) -> str | None:
    return corpus.target.name if corpus.has_target else None


@dataclass(frozen=True, eq=False)
class Sides:
    """The side of the split that every document of a corpus falls on, as `prepare` decides it.

    Attributes
    ----------
    cuts : dict of str to (int, int)
        Per domain: hashes below the first are train, below the second dev, the rest test.
    held_out : ndarray of uint64
        Sorted hashes of the documents that are dev or test text somewhere.
    seed : int
        Of the hashes.
    """

    cuts: Mapping[str, tuple[int, int]]
    held_out: NDArray[np.uint64]
    seed: int

    @classmethod
    def of(cls, corpus: Corpus, store: TokenStore, options: TokenOptions) -> Sides:
        """Read every document once and find the cuts again; refuses a corpus that has changed."""
        if _identity(corpus, options) != store.fingerprint:
            raise BadInput(
                "the corpus is not the one these tokens were made from.",
                why="which documents may be trained on depends on all documents.",
                cure="run ecotone mix on the corpus as it is now",
            )
        quick = replace(options, sample=0)  # no text is kept: the tokeniser is there already
        surveys = {name: _survey(corpus, name, quick) for name in corpus.names}
        cuts = {n: _cuts(s, n == _target(corpus), options) for n, s in surveys.items()}
        return cls(cuts, _held_out(surveys, cuts), options.seed)

    def train_docs(self, corpus: Corpus, name: str) -> Iterator[tuple[int, Doc]]:
        """Stream the hashes and documents of a domain that are training text, in order.

        All of them: also those that `prepare` left out of a sampled domain.
        """
        for doc in corpus.docs(name):
            code = document_hash(doc.text, self.seed)
            if code < self.cuts[name][0] and not _contains(self.held_out, code):
                yield code, doc


def document_hash(text: str, seed: int) -> int:
    """Return 64 bits that depend on the text (without the space around it) and the seed."""
    digest = hashlib.blake2b(text.strip().encode(), digest_size=8, salt=str(seed).encode()[:16])
    return int.from_bytes(digest.digest(), "big")


def _survey(corpus: Corpus, name: str, options: TokenOptions) -> Survey:
    """Read a domain once: hashes of its documents, its size, and text to train a BPE on."""
    hashes = array.array("Q")
    size = 0
    sample: list[str] = []
    room = options.sample
    for doc in corpus.docs(name):
        code = document_hash(doc.text, options.seed)
        hashes.append(code)
        size += len(doc.text.encode())
        # every third document by its hash (not the first megabyte, which may be one author)
        if room > 0 and code % 3 == 0:
            sample.append(doc.text[:room])
            room -= len(sample[-1])
    if not hashes:
        raise BadInput(
            f"the domain {name} has no text.",
            cure=f"remove {name} from the corpus or put documents into it",
        )
    codes = np.frombuffer(hashes, dtype=np.uint64)
    copies = len(codes) - len(np.unique(codes))
    return Survey(name, len(codes), size, copies, codes, tuple(sample))


def _cuts(survey: Survey, is_target: bool, options: TokenOptions) -> tuple[int, int]:
    """Return two hash values: below the first is train, below the second dev, the rest test."""
    small = is_target and survey.bytes < SMALL_TARGET
    train, dev, _ = options.target_split if small else options.source_split
    codes = np.unique(survey.hashes)
    if len(codes) < 3:
        raise BadInput(
            f"the domain {survey.name} has {len(codes)} different document(s).",
            why="train, dev and test text are split by document; each needs at least one.",
            cure=f"cut {survey.name} into at least 3 documents (better 30), one per line of a "
            ".jsonl file",
        )
    if len(codes) >= FEW_DOCS:
        return int(train * 2.0**64), int((train + dev) * 2.0**64)
    first = min(max(round(train * len(codes)), 1), len(codes) - 2)
    second = min(max(round((train + dev) * len(codes)), first + 1), len(codes) - 1)
    return int(codes[first]), int(codes[second])


def _held_out(
    surveys: Mapping[str, Survey], cuts: Mapping[str, tuple[int, int]]
) -> NDArray[np.uint64]:
    """Return the sorted hashes of documents that are dev or test text somewhere."""
    parts = [s.hashes[s.hashes >= np.uint64(cuts[n][0])] for n, s in surveys.items()]
    return np.unique(np.concatenate(parts))


def _tokenizer(surveys: Mapping[str, Survey], options: TokenOptions, folder: Path) -> Any:
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ModuleNotFoundError:
        raise MissingExtra.of("lm", "tokenizers", "reading text as tokens") from None
    if options.tokenizer is not None:
        try:
            tokenizer = Tokenizer.from_file(options.tokenizer)
        except Exception as error:  # noqa: BLE001  the package raises bare Exception
            raise BadInput(f"{options.tokenizer}: not a tokenizer.json ({error}).") from None
        if tokenizer.token_to_id(END) is None:
            tokenizer.add_special_tokens([END])
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=options.vocab,
            special_tokens=[END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        texts = (t for s in surveys.values() for t in s.sample)
        tokenizer.train_from_iterator(texts, trainer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    return tokenizer


def _dtype(tokenizer: Any) -> str:
    return "uint16" if tokenizer.get_vocab_size() <= 1 << 16 else "uint32"


def _write(
    docs: Iterable[Doc],
    survey: Survey,
    cuts: tuple[int, int],
    held_out: NDArray[np.uint64],
    tokenizer: Any,
    folder: Path,
    limit: int | None,
    seed: int,
) -> dict[str, Any]:
    """Tokenise one domain into its three files; return their counts."""
    many = survey.documents >= FEW_DOCS  # of few documents, all held-out ones are kept
    # about 2.5 bytes to a token of a small vocabulary: a first guess, used only for sampling
    keep = 1.0 if limit is None else min(1.0, limit * 2.5 / max(survey.bytes, 1))
    end = tokenizer.token_to_id(END)
    dtype = _dtype(tokenizer)
    count = {s: {"tokens": 0, "bytes": 0, "documents": 0} for s in SPLITS}
    left_out = whole = 0
    with (
        replacing(folder / f"{survey.name}.train.bin") as train,
        replacing(folder / f"{survey.name}.dev.bin") as dev,
        replacing(folder / f"{survey.name}.test.bin") as test,
        train.open("wb") as f1, dev.open("wb") as f2, test.open("wb") as f3,
    ):  # fmt: skip
        files = dict(zip(SPLITS, (f1, f2, f3), strict=True))
        for batch in _batches(docs):
            sides = []
            for doc in batch:
                code = document_hash(doc.text, seed)
                side = "train" if code < cuts[0] else "dev" if code < cuts[1] else "test"
                if side == "train" and _contains(held_out, code):
                    left_out += 1
                    side = ""
                elif side == "train":
                    whole += len(doc.text.encode()) + 1
                # the low bits are independent of the high ones that decide the side
                if side and (many or side == "train") and (code & 0xFFFFFF) >= keep * 0x1000000:
                    side = ""
                sides.append(side)
            texts = [d.text for d, s in zip(batch, sides, strict=True) if s]
            encoded = iter(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
            for doc, side in zip(batch, sides, strict=True):
                if side:
                    ids = np.array([*next(encoded).ids, end], dtype=dtype)
                    files[side].write(ids.tobytes())
                    part = count[side]
                    part["tokens"] += len(ids)
                    part["bytes"] += len(doc.text.encode()) + 1
                    part["documents"] += 1
    part = count["train"]
    return {
        "documents": survey.documents,
        "bytes": survey.bytes,
        "left_out": left_out,
        "sampled": keep,
        # by bytes, of which the whole is known: far closer than the share of documents
        "train_tokens": round(part["tokens"] * whole / max(part["bytes"], 1)),
        "splits": count,
    }


def _batches(docs: Iterable[Doc], size: int = 1 << 20) -> Iterator[list[Doc]]:
    """Group documents into batches of about a million characters: memory stays bounded."""
    batch: list[Doc] = []
    held = 0
    for doc in docs:
        batch.append(doc)
        held += len(doc.text)
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _contains(ordered: NDArray[np.uint64], code: int) -> bool:
    place = int(np.searchsorted(ordered, np.uint64(code)))
    return place < len(ordered) and int(ordered[place]) == code


def _check_not_empty(domains: Mapping[str, Any]) -> None:
    for name, facts in domains.items():
        for split, part in facts["splits"].items():
            if part["tokens"] == 0:
                raise BadInput(
                    f"the domain {name} has no {split} text.",
                    why=f"{facts['left_out']} of its {facts['documents']} documents are copies "
                    "of held-out text." if facts["left_out"] else "",
                    cure=f"give {name} more documents",
                )  # fmt: skip


def _findings(
    surveys: Mapping[str, Survey], domains: Mapping[str, Any], target: str | None
) -> Iterator[Finding]:
    for name, survey in surveys.items():
        if survey.copies > 0.01 * survey.documents:
            yield Finding(
                "C101",
                f"{survey.copies:,} of the {survey.documents:,} documents of {name} are exact "
                "copies of others.",
                "remove them: repeated text counts as epochs that nobody asked for",
            )
        left = domains[name]["left_out"]
        if left and target:
            yield Finding(
                "C201",
                f"{left:,} documents of {name} also stand in held-out text and were left out of "
                "training.",
                "nothing to do for this run; remove them from your own training data too",
            )
        if domains[name]["sampled"] < 1:
            yield Finding(
                "C102",
                f"{name} is large: {domains[name]['sampled']:.1%} of its documents were "
                "tokenised; its size is estimated from them.",
                "",
            )


def overlap(store: TokenStore, length: int = 24) -> Iterator[Finding]:
    """Find how much of the target's held-out text stands in the training text of the sources.

    Runs of `length` tokens are compared by a 64-bit rolling hash.

    Yields
    ------
    Finding
        ``C202`` for each source that holds more than 0.5 % of the runs.
    """
    if store.target is None:
        return
    runs = [_runs(store.tokens(store.target, s), length) for s in ("dev", "test")]
    wanted = np.unique(np.concatenate(runs))
    if not len(wanted):
        return
    for name in store.sources:
        seen = np.zeros(len(wanted), dtype=bool)
        tokens = store.tokens(name, "train")
        for start in range(0, max(len(tokens) - length + 1, 0), 1 << 20):
            codes = _runs(tokens[start : start + (1 << 20) + length - 1], length)
            place = np.minimum(np.searchsorted(wanted, codes), len(wanted) - 1)
            seen[place[wanted[place] == codes]] = True
        share = float(seen.mean()) if len(seen) else 0.0
        if share > 0.005:
            yield Finding(
                "C202",
                f"{share:.1%} of the {length}-token runs of the held-out {store.target} text "
                f"stand in the training text of {name}.",
                f"losses on {store.target} will flatter {name}: remove the shared passages",
            )


def _runs(tokens: NDArray[Any], length: int) -> NDArray[np.uint64]:
    """Return a polynomial hash of every run of `length` tokens, modulo 2**64."""
    if len(tokens) < length:
        return np.empty(0, np.uint64)
    mixed = (tokens.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    total = np.zeros(len(tokens) - length + 1, np.uint64)
    factor = np.uint64(0x100000001B3)
    for i in range(length):
        total = total * factor + mixed[i : i + len(total)]
    return total
