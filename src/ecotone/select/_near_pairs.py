r"""From signatures to clusters of near-copies: bands, candidate pairs, and the join.

A band is some of the slots. Documents that agree in all slots of a band are candidates, which a
pair of resemblance J is with probability :math:`1 - (1 - J^r)^b` for b bands of r slots. One band
at a time is read, sorted and compared, so that the join holds a few numbers a document, whatever
the number of bands; signatures may lie on disk (`np.memmap`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.select import _minhash
from ecotone.select._marks import Marks
from ecotone.select._minhash import (
    BLOCK,
    EMPTY,
    PAIRS,
    Places,
    Signatures,
    forget,
    resemblance,
    rows_of,
)
from ecotone.select._tokens import PAIR, Hashes, Tokens, mixed

FOUND = 0.99  # of the pairs at the threshold are to be candidates
CROWD = 256  # documents of a band that agree: more of them must agree in more slots


class Bands(NamedTuple):
    """How signatures are cut.

    Attributes
    ----------
    slots, number : int
        Slots of a band, number of bands.
    """

    slots: int
    number: int

    def found(self, resemblance: float) -> float:
        """Return the probability that a pair of this resemblance is a candidate."""
        return float(1 - (1 - resemblance**self.slots) ** self.number)


def bands(threshold: float, slots: int) -> Bands:
    """Return the longest bands with which 99 % of the pairs at the threshold are candidates.

    Examples
    --------
    >>> bands(0.8, 128), round(bands(0.8, 128).found(0.8), 3), round(bands(0.8, 128).found(0.4), 3)
    (Bands(slots=6, number=21), 0.998, 0.083)
    """
    for r in range(slots, 0, -1):
        cut = Bands(r, slots // r)
        if cut.found(threshold) >= FOUND:
            return cut
    least = 1 - (1 - FOUND) ** (1 / slots)
    raise BadInput(
        f"threshold is {threshold:g}.",
        why=f"pairs below {least:.2f} are not found by {slots} permutations.",
        cure=f"threshold={np.ceil(100 * least) / 100:.2f}, or more permutations",
    )


def join(
    signatures: Signatures, threshold: float, *, slack: float = 0.0, sets: Tokens | None = None
) -> Places:
    r"""Return the place of the first document of every document's cluster, (n,).

    Pairs that resemble each other are joined, and pairs of pairs: of a chain a, b, c all are one
    cluster, also when a and c are less alike than the threshold. Documents without a shingle stay
    alone. The clusters do not depend on the order of the documents.

    Parameters
    ----------
    signatures : ndarray or memmap of uint32, shape (n, K)
    threshold : float
        Least resemblance of a pair.
    slack : float, default 0.0
        Standard deviations by which the estimate may lie below the threshold.
    sets : Tokens, optional
        Shingles of every document; pairs must then reach the threshold by them too.
    """
    n, K = signatures.shape
    cut = bands(threshold, K)
    least = threshold - slack * np.sqrt(threshold * (1 - threshold) / K)
    # documents without any difference need no pairs: a thousand of them would make half a million
    parent = first_places(_keys(signatures, 0, K) if sets is None else _set_keys(sets))
    own, present = np.arange(n), _present(signatures)
    parent[~present] = own[~present]
    alive = np.flatnonzero(present & (parent == own))
    del own
    for band in range(cut.number):
        for left, right in candidates(signatures, alive, band * cut.slots, cut.slots):
            apart = _roots(parent, left) != _roots(parent, right)
            left, right = left[apart], right[apart]
            near = resemblance(signatures, left, right) >= least
            left, right = left[near], right[near]
            if sets is not None:
                near = jaccard(sets, left, right) >= threshold
                left, right = left[near], right[near]
            _unite(parent, left, right)
    return _roots(parent, np.arange(n))


def first_places(keys: Hashes) -> Places:
    """Return the first place at which the key of every place stands, (n,).

    Examples
    --------
    >>> first_places(np.array([7, 3, 7, 3, 5], dtype=np.uint64)).tolist()
    [0, 1, 0, 1, 4]
    """
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    again = np.flatnonzero(ranked[1:] == ranked[:-1]) + 1
    del ranked
    # within a run of equal keys the place before the run's second is that of the first
    begins = np.ones(len(again), dtype=bool)
    begins[1:] = again[1:] != again[:-1] + 1
    first = again[begins][np.cumsum(begins) - 1] - 1
    out = np.arange(len(keys))
    out[order[again]] = order[first]
    return out


def candidates(
    signatures: Signatures, rows: Places, start: int, slots: int
) -> Iterator[tuple[Places, Places]]:
    """Stream the pairs of `rows` that agree in a band, at most `PAIRS` at a time.

    Neighbours in the order of the band come first, then those with one between them, and so on:
    a cluster is joined by its neighbours, and its other pairs need not be compared.
    """
    keys, order = _sorted_band(signatures, rows, start, slots)
    at, lag = np.flatnonzero(keys[1:] == keys[:-1]), 1
    while len(at):
        for i in range(0, len(at), PAIRS):
            some = at[i : i + PAIRS]
            yield order[some], order[some + lag]
        lag += 1
        at = at[at + lag < len(keys)]
        at = at[keys[at] == keys[at + lag]]


def _sorted_band(
    signatures: Signatures, rows: Places, start: int, slots: int
) -> tuple[Hashes, Places]:
    """Return the sorted keys of a band, and the row of each.

    Slots in which a crowd agrees tell of text that they all share, such as a page's frame. The
    crowd is parted by further slots; whoever is like another in those too is still met.
    """
    K = signatures.shape[1]
    keys = _keys(signatures, start, slots)
    if len(rows) < len(keys):
        keys = keys[rows]
    order = np.argsort(keys)
    keys, order = keys[order], rows[order]
    for more in range(slots, K, slots):
        crowd = _crowded(keys)
        if not len(crowd):
            break
        again = _keys_of(signatures, order[crowd], (start + more) % K, min(slots, K - more))
        again = mixed(keys[crowd] * np.uint64(PAIR) + again)
        which = np.cumsum(np.diff(keys[crowd], prepend=keys[crowd[:1]]) != 0)
        turn = np.lexsort((again, which))  # every crowd stays where it stands
        keys[crowd], order[crowd] = again[turn], order[crowd[turn]]
    return keys, order


def _crowded(keys: Hashes) -> Places:
    """Return the places in sorted keys that more than `CROWD` share."""
    if len(keys) <= CROWD:
        return np.zeros(0, dtype=np.int64)
    new = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sizes = np.diff(np.append(new, len(keys)))
    return np.flatnonzero(np.repeat(sizes > CROWD, sizes))


def _keys(signatures: Signatures, start: int, slots: int) -> Hashes:
    """Hash some slots of every signature, block by block."""
    out = np.empty(len(signatures), dtype=np.uint64)
    for i in range(0, len(signatures), BLOCK):
        out[i : i + BLOCK] = _hashed(signatures[i : i + BLOCK, start : start + slots])
        forget(signatures)
    return out


def _keys_of(signatures: Signatures, rows: Places, start: int, slots: int) -> Hashes:
    """Hash some slots of some signatures; after the last slot comes the first."""
    out = np.empty(len(rows), dtype=np.uint64)
    columns = np.arange(start, start + slots) % signatures.shape[1]
    for i in range(0, len(rows), BLOCK):
        out[i : i + BLOCK] = _hashed(rows_of(signatures, rows[i : i + BLOCK])[:, columns])
    return out


def _hashed(values: NDArray[np.uint32]) -> Hashes:
    h = np.zeros(len(values), dtype=np.uint64)
    for column in values.T:
        h = mixed(h * np.uint64(PAIR) + column)
    return h


def _set_keys(sets: Tokens) -> Hashes:
    """Hash every set."""
    total = np.concatenate([[np.uint64(0)], np.cumsum(mixed(sets.hashes), dtype=np.uint64)])
    return total[sets.starts[1:]] - total[sets.starts[:-1]]


def _present(signatures: Signatures) -> NDArray[np.bool_]:
    """Return which documents have a shingle."""
    out = np.empty(len(signatures), dtype=bool)
    for i in range(0, len(signatures), BLOCK):
        ends = signatures[i : i + BLOCK, [0, -1]]
        out[i : i + BLOCK] = (ends != EMPTY).any(axis=1)
        forget(signatures)
    return out


def jaccard(sets: Tokens, left: Places, right: Places) -> NDArray[np.float64]:
    """Return the Jaccard coefficients of pairs of sets, (m,); 0 for two empty ones."""
    compiled, both = _minhash.kernels(), np.zeros(len(left), dtype=np.int64)
    if compiled is not None:
        compiled["common"](sets.hashes, sets.starts, left, right, both)
    else:
        ends = sets.starts.tolist()
        for p, (i, j) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            a, b = sets.hashes[ends[i] : ends[i + 1]], sets.hashes[ends[j] : ends[j + 1]]
            both[p] = len(np.intersect1d(a, b, assume_unique=True))
    either = sets.lengths[left] + sets.lengths[right] - both
    return both / np.maximum(either, 1)


def copy_marks(
    first: Places, held: Sequence[str], ids: Sequence[str], what: str,
    values: Mapping[str, NDArray[Any]] | None = None,
) -> Marks:  # fmt: skip
    """Return the marks of documents that follow those held, from `first` of both together.

    Two rules: what is held has it already; and, an earlier one of the documents has it. The match
    is the first document of all, so one that is held where there is one.
    """
    own = first[len(held) :]
    old = own < len(held)
    later = first_places(own.astype(np.uint64)) != np.arange(len(own))
    match = {
        i: held[f] if f < len(held) else ids[f - len(held)]
        for i, f in zip(
            np.flatnonzero(old | later).tolist(), own[old | later].tolist(), strict=True
        )
    }
    fired = np.column_stack([old, later])
    return Marks((f"{what} of existing", what), fired, match, {}, values or {})


def _roots(parent: Places, x: Places) -> Places:
    while True:
        up = parent[x]
        if (up == x).all():
            return x
        x = up


def _unite(parent: Places, left: Places, right: Places) -> None:
    """Join clusters in place; the root of a cluster is its first document."""
    compiled = _minhash.kernels()
    if compiled is not None:
        compiled["unite"](parent, left, right)
        return
    for pair in zip(left.tolist(), right.tolist(), strict=True):
        roots = []
        for x in pair:
            while parent[x] != x:
                parent[x] = parent[parent[x]]
                x = int(parent[x])
            roots.append(x)
        parent[max(roots)] = min(roots)
