"""The domain-by-domain table: every pair measured, and what chance alone would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.method import find
from ecotone.core.seeds import stream
from ecotone.shift._features import features, pieces

Array = NDArray[np.float64]
Measure = Callable[..., float]


@dataclass(frozen=True, eq=False)
class ShiftTable:
    """Distances between domains.

    Attributes
    ----------
    measure : str
        Name of the method.
    names : tuple of str
        Domains.
    values : ndarray, shape (k, k)
        Distances of row from column; the diagonal is 0.
    low, high : ndarray, shape (k, k)
        90 % interval of the measured distance: where it is expected with other texts of the same
        two kinds, as many of them (bootstrap). It holds the measured value, and like that value
        it lies above the distance of endlessly many texts: compare it with `null`, not with 0.
    null : ndarray, shape (k, k)
        95 % quantile of the distance when the pieces of both domains are shuffled: below it no
        shift can be seen. It lies as high above 0 as chance lifts a measured distance.
    p : ndarray, shape (k, k)
        Share of shuffles with a distance at least as large (one is added to both counts).
    rows : int
        Pieces per domain.
    """

    measure: str
    names: tuple[str, ...]
    values: Array
    low: Array
    high: Array
    null: Array
    p: Array
    rows: int

    def __repr__(self) -> str:
        return f"ShiftTable({self.measure}, {len(self.names)} domains)\n{self}"

    def __str__(self) -> str:
        width = max(map(len, self.names))
        head = " " * width + "  " + "  ".join(f"{n[:10]:>10}" for n in self.names)
        lines = [
            f"{name:<{width}}  " + "  ".join(f"{v:10.4f}" for v in row)
            for name, row in zip(self.names, self.values, strict=True)
        ]
        return "\n".join([head, *lines])

    def map(self) -> Array:
        """Return places in the plane whose distances are near the table's (classical scaling)."""
        d = np.maximum((self.values + self.values.T) / 2, 0.0)
        k = len(d)
        centre = np.eye(k) - 1 / k
        values, vectors = np.linalg.eigh(-0.5 * centre @ d**2 @ centre)
        top = np.argsort(values)[::-1][:2]
        places = vectors[:, top] * np.sqrt(np.maximum(values[top], 0.0))
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
        # a sign for good: the first domain lies to the left of and below the origin
        return places * np.where(places[0] > 0, -1.0, 1.0)

    def record(self) -> dict[str, Any]:
        """Return the table as the report wants it."""
        return {
            "measure": self.measure, "names": list(self.names), "matrix": self.values,
            "low": self.low, "high": self.high, "null_high": self.null, "p": self.p,
            "rows": self.rows, "map": self.map(),
        }  # fmt: skip


def table(
    corpus: Corpus,
    *,
    measure: str = "ngrams",
    rows: int = 200,
    draws: int = 49,
    seed: int = 0,
    layout: bool = False,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
    **params: Any,
) -> ShiftTable:
    """Measure the distance between all pairs of domains of a corpus.

    Parameters
    ----------
    corpus : Corpus
        Text in domains.
    measure : str
        A method of the room: ``ngrams``, ``mmd``, ``wasserstein``, ``proxy_a``.
    rows : int
        Most pieces of text (about 1,000 characters, at most one or a few per document) per domain.
    draws : int
        Shuffles and resamples.
    seed : int
        Decides pieces, shuffles and resamples.
    layout : bool
        Keep line breaks and indentation; by default runs of white space count as one space, so
        that domains do not differ by page layout alone.
    tick : callable
        Told how many pairs are done, and of how many.
    **params
        Parameters of the measure.
    """
    method = find(measure, "shift")
    function: Measure = method.load()
    texts = {n: pieces(corpus.docs(n), rows, stream(seed, "pieces", n)) for n in corpus.names}
    for name, text in texts.items():
        if len(text) < 4:
            raise BadInput(
                f"the domain {name} has {len(text)} piece(s) of text; a distance needs 4.",
                cure=f"give {name} more text or leave it out",
            )
    X = features(texts, counts=measure == "ngrams", layout=layout, seed=seed)
    directed = params.get("kind") == "kl"  # the one measure that is not symmetric
    k = len(X)
    out = {w: np.zeros((k, k)) for w in ("value", "low", "high", "null", "p")}
    out["p"] += np.eye(k)
    done = 0
    for i in range(k):
        for j in range(i + 1, k):
            rng = stream(seed, "pair", *sorted((corpus.names[i], corpus.names[j])))
            pair = _measure(function, X[i], X[j], draws, rng, params)
            back = _measure(function, X[j], X[i], draws, rng, params) if directed else pair
            for word in out:
                out[word][i, j], out[word][j, i] = pair[word], back[word]
            done += 1
            tick(done, k * (k - 1) // 2)
    return ShiftTable(
        measure, corpus.names, out["value"], out["low"], out["high"], out["null"], out["p"], rows
    )


def interval(value: float, again: Array) -> tuple[float, float]:
    """Return the 90 % interval of a measured distance from those of resamples.

    A distance between samples is larger than that between what they are drawn from, and resampling
    adds that bias once more: only the spread of the resamples is used, around their median.
    Taking the bias off instead (the basic bootstrap) gives an interval about another number than
    the one shown: for domains alike it lies wholly below it. No domain is nearer than 0 to another,
    although an unbiased estimate may come out a little lower.
    """
    below, middle, above = np.quantile(again, [0.05, 0.5, 0.95])
    low = max(value - (middle - below), min(value, 0.0))
    return float(low), float(value + (above - middle))


def _measure(
    function: Measure, A: Any, B: Any, draws: int, rng: np.random.Generator, params: dict[str, Any]
) -> dict[str, float]:
    value = function(A, B, rng=rng, **params)
    both = np.vstack([A, B])
    n = len(A)
    null = np.empty(draws)
    for d in range(draws):
        order = rng.permutation(len(both))
        null[d] = function(both[order[:n]], both[order[n:]], rng=rng, **params)
    again = np.empty(draws)
    for d in range(draws):
        a, b = rng.integers(0, n, n), rng.integers(0, len(B), len(B))
        again[d] = function(A[a], B[b], rng=rng, **params)
    low, high = interval(value, again)
    return {
        "value": value,
        "low": low,
        "high": high,
        "null": float(np.quantile(null, 0.95)),
        "p": float((1 + (null >= value).sum()) / (draws + 1)),
    }
