"""Agreement on the line: where refits of a model agree, and where they no longer do."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.validate.prediction_entropy import class_codes, classes_only
from ecotone.validate.splits import rows_at

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
SMALLEST = 0.05  # share of the source rows that the smallest refit is given
LEAST_DRAWS = 8  # rows of each class in the smallest refit: as many as neighbours may be asked for
LEAST_SPREAD = 1e-3  # standard deviation of probits below which a line has no slope


@method(
    name="agreement_line",
    paper="baek2022agreement",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate"},
)
def agreement_line(
    model: Any,
    X: Any,
    y: NDArray[Any],
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    refits: int = 6,
) -> float:
    r"""Estimate the accuracy on the target from how much refits of the model agree there [1]_.

    .. math:: \Phi^{-1}(g_T) = a\,\Phi^{-1}(g_S) + b, \qquad
              \hat s = \Phi\big(a\,\Phi^{-1}(\mathrm{acc}_S) + b\big)

    g are the shares of rows on which two models agree, one value for each pair, on source and on
    target rows; the line through them is taken for the line of accuracies. An accuracy, 0 to 1.

    Half of the rows of each side are fitted by clones of the model: bootstraps of the labelled
    source rows whose sizes run from 5 % to all of them in equal ratios (so that there is a line
    and not a spot), with all target rows of that half. Agreement is counted on the other half; the
    model itself is one of those that agree or do not. Its own accuracy is that on all source rows
    handed over. Costs `refits` fits.

    Parameters
    ----------
    model : fitted Aligner
        A classifier, fitted on other rows.
    X : array, shape (n, d)
        Held-out rows.
    y : ndarray, shape (n,)
        Labels, target rows masked.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Decides halves and bootstraps.
    refits : int, default 6
        Clones; at least 2.

    Returns
    -------
    float
        NaN, no verdict, where all pairs agree on the source to the same degree: a line through
        one point has no slope.

    Raises
    ------
    BadInput
        A regressor, or fewer than 2 refits.
    TooFewRows
        Fewer than 4 rows of a side.

    Notes
    -----
    Blind spot: errors that all refits share. Where the meaning of labels changed, or where the
    method itself presses the target into one class, they agree and are wrong together.

    References
    ----------
    .. [1] Baek, Jiang, Raghunathan and Kolter, Agreement-on-the-line: predicting the performance of
       neural networks under distribution shift, NeurIPS 2022.

    Examples
    --------
    >>> same = np.array([0.7, 0.8, 0.9])
    >>> float(round(on_the_line(same, same, 0.75), 6))
    0.75
    """
    classes_only(model)
    if refits < 2:
        raise BadInput(f"refits is {refits}; agreement is between models.", cure="refits=6")
    known = np.asarray(y)
    fitted, held = _halves(known, sample_domain, rng)
    models = [model, *_refits(model, X, known, sample_domain, fitted, refits, rng)]
    said = np.stack([m.predict(X, sample_domain=sample_domain) for m in models])
    at = sample_domain > 0
    there, here = (_agreement(said[:, held & side]) for side in (~at, at))
    right = class_codes(model, known[at]) == class_codes(model, said[0, at])
    return on_the_line(here, there, float(right.mean()), rows=int((held & at).sum()))


def on_the_line(here: Array, there: Array, accuracy: float, rows: int = 10**6) -> float:
    """Return where the line through probits of agreements takes an accuracy.

    Parameters
    ----------
    here, there : ndarray, shape (pairs,)
        Shares of source and of target rows on which two models agree.
    accuracy : float
        On the source.
    rows : int
        Shares are kept half a row away from 0 and 1, whose probits are infinite.
    """
    edge = 0.5 / rows
    u, v, x = (norm.ppf(np.clip(s, edge, 1 - edge)) for s in (here, there, accuracy))
    if u.std() < LEAST_SPREAD:
        return float("nan")
    slope = ((u - u.mean()) * (v - v.mean())).sum() / ((u - u.mean()) ** 2).sum()
    return float(norm.cdf(v.mean() + slope * (x - u.mean())))


def _agreement(said: NDArray[Any]) -> Array:
    """Return the share of equal answers for each pair of models; said is (models, rows)."""
    return np.array([(a == b).mean() for a, b in combinations(said, 2)])


def _halves(
    y: NDArray[Any], sample_domain: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows are fitted and which are held out: half of each class and of the target."""
    group = np.array(
        ["" if d < 0 else f"source {v}" for d, v in zip(sample_domain, y, strict=True)]
    )
    fitted = np.zeros(len(y), dtype=bool)
    for name in np.unique(group):
        rows = rng.permutation(np.flatnonzero(group == name))
        fitted[rows[: (len(rows) + 1) // 2]] = True
    for side, word in ((sample_domain > 0, "source"), (sample_domain < 0, "target")):
        if (side & fitted).sum() < 2 or (side & ~fitted).sum() < 2:
            raise TooFewRows(
                f"{int(side.sum())} {word} rows cannot be fitted and judged.",
                cure="hand over 4 rows or more of each side; ecotone.validate.DomainSplit(2)",
            )
    return fitted, ~fitted


def _refits(
    model: Any,
    X: Any,
    y: NDArray[Any],
    sample_domain: NDArray[np.int64],
    fitted: NDArray[np.bool_],
    refits: int,
    rng: np.random.Generator,
) -> list[Any]:
    """Return clones, each fitted on a bootstrap of source rows, of growing size."""
    source = np.flatnonzero(fitted & (sample_domain > 0))
    target = np.flatnonzero(fitted & (sample_domain < 0))
    classes = [source[y[source] == c] for c in np.unique(y[source])]
    out = []
    for share in np.geomspace(SMALLEST, 1, refits):
        drawn = [rng.choice(c, max(LEAST_DRAWS, round(share * len(c)))) for c in classes]
        rows = np.concatenate([*drawn, target])
        out.append(clone(model).fit(rows_at(X, rows), y[rows], sample_domain=sample_domain[rows]))
    return out
