"""The columns of a pool that is cleaned, one number a document, and its near-copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.verdict import Finding
from ecotone.data.docs import joined
from ecotone.jobs.select_parts import gather, load
from ecotone.select._minhash import EMPTY, rows_of, shingle_sets
from ecotone.select._near_pairs import join
from ecotone.select.near_duplicates import SLACK

VERIFIED = 32 << 20  # bytes of possible copies that are compared word by word
Ints = NDArray[np.int64]
Gone = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Side:
    """The columns of existing texts or of the pool: one number a document."""

    parts: list[dict[str, Any]]
    starts: Ints
    cause: NDArray[np.int16]
    keys: NDArray[np.uint64]
    lines: Ints
    sizes: Ints
    counts: Ints
    files: list[Path]
    bad: int
    where: bool  # ids begin with the path: another file of the pool may be called the same

    @classmethod
    def none(cls) -> Side:
        """Return a side without a document."""
        zero = np.zeros(0, np.int64)
        return cls([], np.zeros(1, np.int64), zero.astype(np.int16), zero.astype(np.uint64), zero,
                   zero, zero, [], 0, True)  # fmt: skip

    @classmethod
    def read(cls, folder: Path, name: str, parts: list[dict[str, Any]], bad: int) -> Side:
        """Read what the workers wrote of its parts."""
        held = [load(folder / f"{name}-{i:05d}.npz") for i in range(len(parts))]
        cause, keys, lines, sizes = (
            np.concatenate([h[n] for h in held]) for n in ("cause", "keys", "lines", "sizes")
        )
        counts = [h["counts"] for h in held if len(h["counts"])]
        files = [folder / f"{name}-{i:05d}.npy" for i in range(len(parts))]
        return cls(
            parts, np.cumsum([0, *(len(h["keys"]) for h in held)]), cause, keys, lines, sizes,
            np.sum(counts, axis=0) if counts else np.zeros(0, np.int64), files, bad,
            name == "existing",
        )  # fmt: skip

    def id(self, place: int) -> str:
        """Return the id of a document."""
        part = self.parts[int(np.searchsorted(self.starts, place, side="right")) - 1]
        return f"{part['path' if self.where else 'shown']}:{self.lines[place]}"


def near_copies(
    near: Any, old: Side, pool: Side, gone: Gone, place: Path, text_field: str
) -> tuple[Ints, list[Finding]]:
    """Return the place of the first document like each, existing ones before those of the pool.

    Parameters
    ----------
    near : NearDuplicates
        Its options.
    old, pool : Side
    gone : ndarray of bool
        Documents of the pool that are dropped already: they are like nothing.
    place : Path
        Where all signatures are put together.
    text_field : str
    """
    found = _signatures(old, pool, gone, place, near.permutations)
    if near.verify == "signatures":
        return join(found, near.threshold), []
    loose = join(found, near.threshold, slack=SLACK)
    rows = np.flatnonzero(np.bincount(loose, minlength=len(loose))[loose] > 1)
    n_old = len(old.keys)
    if np.concatenate([old.sizes, pool.sizes])[rows].sum() > VERIFIED:
        says = f"{len(rows):,} documents may be copies, too many to compare word by word"
        told = Finding("S123", f"{says}: they were judged by their signatures")
        return join(found, near.threshold), [told]
    first = np.arange(len(loose))
    if len(rows):
        sides = (old, rows[rows < n_old]), (pool, rows[rows >= n_old] - n_old)
        both = [gather(s.parts, s.starts, some, text_field) for s, some in sides if len(some)]
        sets = shingle_sets(joined(both), near.shingle)
        first[rows] = rows[join(rows_of(found, rows), near.threshold, slack=SLACK, sets=sets)]
    return first, []


def _signatures(
    old: Side, pool: Side, gone: Gone, place: Path, permutations: int
) -> NDArray[np.uint32]:
    """Put the signatures of both sides into one file, those of documents that are gone blank."""
    shape = len(old.keys) + len(pool.keys), permutations
    at = 0
    with place.open("wb") as out:  # a mapped file would count as memory while it is written
        about = {"descr": "<u4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(out, about)
        for file in old.files:
            out.write(np.load(file).tobytes())
        for file in pool.files:
            some = np.load(file)
            some[gone[at : at + len(some)]] = EMPTY
            at += len(some)
            out.write(some.tobytes())
    found: NDArray[np.uint32] = np.load(place, mmap_mode="r")
    return found
