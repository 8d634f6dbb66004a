"""The columns of a pool that is cleaned, one number a document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.jobs.select_parts import load

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Side:
    """The columns of existing texts or of the pool: one number a document."""

    parts: list[dict[str, Any]]
    starts: Ints
    cause: NDArray[np.int16]
    keys: NDArray[np.uint64]
    lines: Ints
    counts: Ints
    bad: int
    where: bool  # ids begin with the path: another file of the pool may be called the same

    @classmethod
    def none(cls) -> Side:
        """Return a side without a document."""
        zero = np.zeros(0, np.int64)
        return cls([], np.zeros(1, np.int64), zero.astype(np.int16), zero.astype(np.uint64), zero,
                   zero, 0, True)  # fmt: skip

    @classmethod
    def read(cls, folder: Path, name: str, parts: list[dict[str, Any]], bad: int) -> Side:
        """Read what the workers wrote of its parts."""
        columns = "cause", "keys", "lines", "counts"
        held = [load(folder / f"{name}-{i:05d}.npz", *columns) for i in range(len(parts))]
        cause, keys, lines = (np.concatenate([h[n] for h in held]) for n in columns[:3])
        counts = [h["counts"] for h in held if len(h["counts"])]
        return cls(
            parts, np.cumsum([0, *(len(h["keys"]) for h in held)]), cause, keys, lines,
            np.sum(counts, axis=0) if counts else np.zeros(0, np.int64), bad, name == "existing",
        )  # fmt: skip

    def id(self, place: int) -> str:
        """Return the id of a document."""
        part = self.parts[int(np.searchsorted(self.starts, place, side="right")) - 1]
        return f"{part['path' if self.where else 'shown']}:{self.lines[place]}"
