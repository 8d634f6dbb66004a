"""Importance-weighted validation: source rows that look like the target count for more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor

from ecotone.core.method import method
from ecotone.validate._ratio import held_out_ratio
from ecotone.validate.splits import rows_at

Labels = NDArray[Any]
LEAST_ROWS = 10.0  # effective rows below which the score says nothing


@method(
    name="importance_weighted",
    paper="sugiyama2007covariate",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate"},
)
def importance_weighted(
    model: Any,
    X: Any,
    y: Labels,
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
) -> float:
    r"""Accuracy (minus squared error for regression) on held-out source rows, weighted [1]_.

    .. math:: s = \frac{\sum_i w_i\, a(y_i, f(x_i))}{\sum_i w_i}, \qquad
              w_i \approx \frac{p_T(z_i)}{p_S(z_i)}

    The ratio is estimated in the features z the base estimator is given, so that a model which
    moves rows is judged after the move, by a cross-fitted logistic discriminator; it is cut at its
    99 % quantile. A perfect ratio makes the score unbiased for the target's accuracy.

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
        Decides the folds of the discriminator.

    Returns
    -------
    float
        NaN, no verdict, where the sides hardly overlap or fewer than 10 effective rows carry it.

    Notes
    -----
    Blind spot: sides that do not overlap, or a changed p(y|x): no source row speaks for what is
    new in the target. Features in which both sides look alike because they say nothing give equal
    weights.

    References
    ----------
    .. [1] Sugiyama, Krauledat and Mueller, Covariate shift adaptation by importance weighted cross
       validation, JMLR 8, 2007.
    """
    at = sample_domain > 0
    weight = held_out_ratio(model, X, sample_domain, rng)
    if not weight.sum() ** 2 / (weight**2).sum() >= LEAST_ROWS:
        return float("nan")
    guessed = model.predict(rows_at(X, at), sample_domain=sample_domain[at])
    known = np.asarray(y)[at]
    if is_regressor(model):
        return -float(np.average((known.astype(float) - guessed) ** 2, weights=weight))
    right = known.astype(np.asarray(guessed).dtype) == guessed
    return float(np.average(right, weights=weight))
