"""From documents to memory-mapped token files, split by document.

The side a document falls on is decided by a hash of its text, so exact copies always share a side,
in one domain or across domains; a copy of held-out text that would still enter training (the
target is split in other proportions) is left out and reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus, Doc
from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, write_json
from ecotone.core.verdict import Finding
from ecotone.data.splits import (
    SPLITS,
    Survey,
    contains,
    cut_points,
    document_hash,
    held_out_hashes,
    survey,
)
from ecotone.data.token_findings import overlap, reading_findings
from ecotone.data.tokenise import make_tokenizer, token_type, write_domain

SMALL_TARGET = 5_000_000  # bytes: below, most of the target's text is kept for measuring


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
        surveys[name] = survey(corpus.docs(name), name, seed=options.seed, sample=options.sample)
    sides = Sides.among(surveys, _target(corpus), options)
    progress("training the tokeniser" if options.tokenizer is None else "loading the tokeniser")
    tokenizer = make_tokenizer(
        (text for found in surveys.values() for text in found.sample),
        vocab=options.vocab, given=options.tokenizer, folder=folder,
    )  # fmt: skip
    domains: dict[str, Any] = {}
    for name in corpus.names:
        progress(f"tokenising {name}")
        domains[name] = write_domain(
            corpus.docs(name), surveys[name], partial(sides.side, name), tokenizer, folder,
            limit=None if name == _target(corpus) else options.limit, seed=options.seed,
        )  # fmt: skip
    meta = {
        "fingerprint": identity,
        "vocab": tokenizer.get_vocab_size(),
        "dtype": token_type(tokenizer),
        "tokenizer": fingerprint(tokenizer.to_str()),
        "target": _target(corpus),
        "domains": domains,
    }
    _check_not_empty(domains)
    meta["findings"] = [vars(f) for f in reading_findings(surveys, domains, _target(corpus))]
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
        # no text is kept: the tokeniser is there already
        read = partial(survey, seed=options.seed, sample=0)
        surveys = {name: read(corpus.docs(name), name) for name in corpus.names}
        return cls.among(surveys, _target(corpus), options)

    @classmethod
    def among(
        cls, surveys: Mapping[str, Survey], target: str | None, options: TokenOptions
    ) -> Sides:
        """Cut every domain; most of a small target is kept for measuring."""
        cuts = {}
        for name, found in surveys.items():
            small = name == target and found.bytes < SMALL_TARGET
            cuts[name] = cut_points(found, options.target_split if small else options.source_split)
        return cls(cuts, held_out_hashes(surveys, cuts), options.seed)

    def side(self, name: str, code: int) -> str:
        """Return the split of the document with this hash; "" for a copy of held-out text."""
        train, dev = self.cuts[name]
        if code >= train:
            return "dev" if code < dev else "test"
        return "" if contains(self.held_out, code) else "train"

    def train_docs(self, corpus: Corpus, name: str) -> Iterator[tuple[int, Doc]]:
        """Stream the hashes and documents of a domain that are training text, in order.

        All of them: also those that `prepare` left out of a sampled domain.
        """
        for doc in corpus.docs(name):
            code = document_hash(doc.text, self.seed)
            if self.side(name, code) == "train":
                yield code, doc


def _check_not_empty(domains: Mapping[str, Any]) -> None:
    for name, facts in domains.items():
        for split in SPLITS:
            if facts["splits"][split]["tokens"] == 0:
                raise BadInput(
                    f"the domain {name} has no {split} text.",
                    why=f"{facts['left_out']} of its {facts['documents']} documents are copies "
                    "of held-out text." if facts["left_out"] else "",
                    cure=f"give {name} more documents",
                )  # fmt: skip
