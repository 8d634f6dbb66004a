"""Signs of whether a model that was adapted is better on a target, taken without its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor

from ecotone.core.seeds import derive, stream
from ecotone.validate.scoring import scorer
from ecotone.validate.splits import DomainSplit, rows_at

Array = NDArray[np.float64]
MOST = 10_000  # rows of a side that the signs are taken on


@dataclass(frozen=True, eq=False)
class Signs:
    """Paired scores of a candidate and of `source_only`, one of each per fold.

    Attributes
    ----------
    circular, weighted, source : ndarray, shape (folds,)
        Gains of the circular score, of the importance-weighted one (NaN: no verdict) and of the
        accuracy on held-out source rows.
    level : tuple of float
        Mean circular score of the candidate and of source_only.
    variety : float
        Share of the source's classes among the target's predictions.
    """

    circular: Array
    weighted: Array
    source: Array
    level: tuple[float, float]
    variety: float

    def interval(self, errors: float) -> tuple[float, float]:
        """Return the mean circular gain plus and minus so many standard errors."""
        mean = float(self.circular.mean())
        half = errors * float(self.circular.std(ddof=1)) / np.sqrt(len(self.circular))
        return mean - half, mean + half


def signs_of(
    model: Any, base: Any, X: Any, y: Any, domain: NDArray[np.int64], *,
    groups: Any = None, folds: int = 5, seed: int = 0,
) -> Signs:  # fmt: skip
    """Fit candidate and base on all folds but one, and score both on that one.

    Of more than 10,000 rows a side so many are drawn: the margin is wider than what more rows
    would tell.
    """
    at = _some(domain, seed)
    X, y, domain = rows_at(X, at), np.asarray(y)[at], domain[at]
    groups = None if groups is None else np.asarray(groups)[at]
    names, regression = ("circular", "importance_weighted"), is_regressor(base)
    table: dict[str, list[float]] = {n: [] for n in (*names, "source", "kept", "level")}
    classes = np.unique(np.asarray(y)[domain > 0]) if not regression else np.zeros(1)
    split = DomainSplit(folds, seed=derive(seed, "guard") % (1 << 31))
    for train, test in split.split(X, y, groups, sample_domain=domain):
        pair = [clone(m).fit(rows_at(X, train), y[train], sample_domain=domain[train])
                for m in (model, base)]  # fmt: skip
        rows, labels, sides = rows_at(X, test), y[test], domain[test]
        for name in names:
            ask = scorer(name, seed=seed)
            one, two = (ask(m, rows, labels, sides) for m in pair)
            table[name].append(one - two)
            if name == "circular":
                table["level"] += [one, two]
        one, two = (_at_home(m, rows, labels, sides) for m in pair)
        table["source"].append(one - two)
        guessed = pair[0].predict(rows_at(X, test[sides < 0]))
        table["kept"].append(1.0 if regression else len(np.unique(guessed)) / len(classes))
    level = np.array(table["level"]).reshape(-1, 2).mean(axis=0)
    circular, weighted, source = (np.array(table[n]) for n in (*names, "source"))
    return Signs(circular, weighted, source, (level[0], level[1]), float(np.mean(table["kept"])))


def _some(domain: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the numbers of at most `MOST` rows of each side, in their order."""
    rng, out = stream(seed, "guard rows"), []
    for side in (domain > 0, domain < 0):
        rows = np.flatnonzero(side)
        out.append(rows if len(rows) <= MOST else rng.choice(rows, MOST, replace=False))
    return np.sort(np.concatenate(out))


def _at_home(model: Any, X: Any, y: Any, domain: NDArray[np.int64]) -> float:
    """Return accuracy (R2) on held-out source rows, taken as source rows."""
    at = np.flatnonzero(domain > 0)
    guessed = model.predict(rows_at(X, at), sample_domain=domain[at])
    known = np.asarray(y)[at]
    if is_regressor(model):
        return 1 - float(((known - guessed) ** 2).mean() / max(known.var(), 1e-300))
    return float((known.astype(np.asarray(guessed).dtype) == guessed).mean())
