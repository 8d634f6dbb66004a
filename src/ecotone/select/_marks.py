"""What a filter says of documents: which to drop, for which one cause, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FINE = -1


@dataclass(frozen=True, eq=False)
class Marks:
    """One mark a document.

    Attributes
    ----------
    causes : tuple of str
        Rules of the filter, in the order in which they are asked.
    fired : ndarray of bool, shape (n, rules)
        Every rule that speaks against a document.
    match : mapping from int to str
        Place of a document: id of what it repeats.
    spans : mapping from int to tuple of (int, int)
        Place of a document: bytes of it, from and to, that are the reason.
    values : mapping from str to ndarray, shape (n,)
        The numbers behind the rules.

    Examples
    --------
    >>> marks = Marks(("short", "loud"), np.array([[True, True], [False, False]]))
    >>> marks.cause.tolist(), marks.dropped.tolist(), marks.counts()
    ([0, -1], [True, False], {'short': 1, 'loud': 0})
    """

    causes: tuple[str, ...]
    fired: NDArray[np.bool_]
    match: Mapping[int, str] = field(default_factory=dict)
    spans: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.fired)

    @property
    def cause(self) -> NDArray[np.int64]:
        """Place in `causes` of the first rule that fired, -1 where none did, shape (n,)."""
        return np.where(self.fired.any(axis=1), self.fired.argmax(axis=1), FINE)

    @property
    def dropped(self) -> NDArray[np.bool_]:
        """Whether any rule fired, shape (n,)."""
        return np.asarray(self.fired.any(axis=1))

    def counts(self) -> dict[str, int]:
        """Return the documents that each cause drops; each document counts once."""
        found = np.bincount(self.cause + 1, minlength=len(self.causes) + 1)[1:]
        return dict(zip(self.causes, found.tolist(), strict=True))


def stacked(parts: Sequence[Marks]) -> Marks:
    """Return the marks of batches that follow each other as marks of all their documents."""
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    first = parts[0]
    return Marks(
        first.causes, np.concatenate([p.fired for p in parts]),
        {s + i: m for p, s in zip(parts, starts, strict=False) for i, m in p.match.items()},
        {s + i: m for p, s in zip(parts, starts, strict=False) for i, m in p.spans.items()},
        {k: np.concatenate([p.values[k] for p in parts]) for k in first.values},
    )  # fmt: skip
