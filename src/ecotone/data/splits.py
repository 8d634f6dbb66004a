"""Which side of the split a document falls on: train, dev or test.

A hash of the text decides, so exact copies always share a side, in one domain or across domains.
"""

from __future__ import annotations

import array
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput

SPLITS = ("train", "dev", "test")
FEW_DOCS = 200  # below, documents are split by the rank of their hash: exact shares


@dataclass(frozen=True)
class Survey:
    """What one pass over a domain's documents found."""

    name: str
    documents: int
    bytes: int
    copies: int
    hashes: NDArray[np.uint64]
    sample: tuple[str, ...]


def document_hash(text: str, seed: int) -> int:
    """Return 64 bits that depend on the text (without the space around it) and the seed."""
    digest = hashlib.blake2b(text.strip().encode(), digest_size=8, salt=str(seed).encode()[:16])
    return int.from_bytes(digest.digest(), "big")


def survey(docs: Iterable[Doc], name: str, *, seed: int, sample: int) -> Survey:
    """Read a domain once: hashes of its documents, its size, and about `sample` bytes of text."""
    hashes = array.array("Q")
    size = 0
    texts: list[str] = []
    for doc in docs:
        code = document_hash(doc.text, seed)
        hashes.append(code)
        size += len(doc.text.encode())
        # every third document by its hash (not the first megabyte, which may be one author)
        if sample > 0 and code % 3 == 0:
            texts.append(doc.text[:sample])
            sample -= len(texts[-1])
    if not hashes:
        raise BadInput(
            f"the domain {name} has no text.",
            cure=f"remove {name} from the corpus or put documents into it",
        )
    codes = np.frombuffer(hashes, dtype=np.uint64)
    copies = len(codes) - len(np.unique(codes))
    return Survey(name, len(codes), size, copies, codes, tuple(texts))


def cut_points(found: Survey, shares: tuple[float, float, float]) -> tuple[int, int]:
    """Return two hash values: below the first is train, below the second dev, the rest test."""
    train, dev, _ = shares
    codes = np.unique(found.hashes)
    if len(codes) < 3:
        raise BadInput(
            f"the domain {found.name} has {len(codes)} different document(s).",
            why="train, dev and test text are split by document; each needs at least one.",
            cure=f"cut {found.name} into at least 3 documents (better 30), one per line of a "
            ".jsonl file",
        )
    if len(codes) >= FEW_DOCS:
        return int(train * 2.0**64), int((train + dev) * 2.0**64)
    first = min(max(round(train * len(codes)), 1), len(codes) - 2)
    second = min(max(round((train + dev) * len(codes)), first + 1), len(codes) - 1)
    return int(codes[first]), int(codes[second])


def held_out_hashes(
    surveys: Mapping[str, Survey], cuts: Mapping[str, tuple[int, int]]
) -> NDArray[np.uint64]:
    """Return the sorted hashes of documents that are dev or test text somewhere."""
    parts = [s.hashes[s.hashes >= np.uint64(cuts[n][0])] for n, s in surveys.items()]
    return np.unique(np.concatenate(parts))


def contains(ordered: NDArray[np.uint64], code: int) -> bool:
    """Return whether a hash is among sorted ones."""
    place = int(np.searchsorted(ordered, np.uint64(code)))
    return place < len(ordered) and int(ordered[place]) == code
