"""Circular validation: adapt back from the predicted target, and score where labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor
from sklearn.metrics import balanced_accuracy_score, r2_score

from ecotone.core.method import method
from ecotone.validate.splits import fold_of, rows_at

Labels = NDArray[Any]


@method(
    name="circular",
    paper="bruzzone2010domain",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate"},
)
def circular(
    model: Any,
    X: Any,
    y: Labels,
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    folds: int = 2,
) -> float:
    r"""Balanced accuracy (R2 for regression) on source rows, after there and back again [1]_.

    .. math:: s = \frac1K \sum_k \mathrm{acc}\big(y_{S_k},\; g_k(x_{S_k})\big), \qquad
              g_k = \mathrm{fit}\big((T, f(T)),\ S_{-k}\big)

    The model f labels the target rows T; a clone of it is then fitted with T as labelled source
    and part of the source as unlabelled target, and scored on the other part of the source. No
    unit, at most 1.

    Parameters
    ----------
    model : fitted Aligner
        Fitted on other rows.
    X : array, shape (n, d)
        Held-out rows.
    y : ndarray, shape (n,)
        Labels, target rows masked.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Decides the folds.
    folds : int, default 2
        Parts of the source.

    Notes
    -----
    Blind spot: an error that is its own inverse. A model that swaps two classes everywhere comes
    back to where it began, with a score near 1 and an accuracy near 0. If all target rows get
    one label there is nothing to go back with: the score is that of the constant.

    References
    ----------
    .. [1] Bruzzone and Marconcini, Domain adaptation problems, IEEE TPAMI 32(5), 2010.
    """
    target, source = np.flatnonzero(sample_domain < 0), np.flatnonzero(sample_domain > 0)
    guessed = model.predict(rows_at(X, target))
    measure = r2_score if is_regressor(model) else balanced_accuracy_score
    known = np.asarray(y)[source]
    known = known if is_regressor(model) else known.astype(np.asarray(guessed).dtype)
    if len(np.unique(guessed)) < 2:
        return float(measure(known, np.full(len(known), guessed[0])))
    fold, scores = fold_of(known, folds, int(rng.integers(2**31))), []
    for k in range(folds):
        rest, part = source[fold != k], source[fold == k]
        rows = np.concatenate([target, rest])
        back = np.repeat([1, -2], [len(target), len(rest)])
        labels = np.concatenate([guessed, known[fold != k]])
        again = clone(model).fit(rows_at(X, rows), labels, sample_domain=back)
        scores.append(measure(known[fold == k], again.predict(rows_at(X, part))))
    return float(np.mean(scores))
