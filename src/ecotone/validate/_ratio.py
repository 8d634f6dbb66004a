"""How much more often rows like these occur in the target: shared by the weighted scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecotone.validate.splits import fold_of

Array = NDArray[np.float64]
FOLDS = 3
CUT = 0.99  # quantile at which a ratio is cut
SPARSE = 0.5  # mean of the estimated ratio below which the sides hardly overlap


def held_out_ratio(
    model: Any, X: Any, sample_domain: NDArray[np.int64], rng: np.random.Generator
) -> Array:
    r"""Return :math:`p_T(z)/p_S(z)` of the source rows, each from folds without the row.

    z are the model's own features of each side. A true ratio has mean 1 over source rows: where the
    mean of the estimate is below one half or above 2 (sides that hardly overlap) all entries are
    NaN, for equal weights would come of dividing nothing by nothing. Otherwise it is divided by
    its mean.
    """
    Z = np.asarray(model.features(X, sample_domain=sample_domain), dtype=np.float64)
    there = (sample_domain < 0).astype(np.int64)
    fold = fold_of(there, FOLDS, int(rng.integers(2**31)))
    log_odds = np.empty(len(Z))
    for k in range(FOLDS):
        tell = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=500))
        tell.fit(Z[fold != k], there[fold != k])
        log_odds[fold == k] = tell.decision_function(Z[fold == k])
    odds = np.exp(np.clip(log_odds[sample_domain > 0], -300, 300))
    ratio = odds * (sample_domain > 0).sum() / (sample_domain < 0).sum()
    ratio = np.minimum(ratio, np.quantile(ratio, CUT))
    mean = float(ratio.mean())
    if not SPARSE < mean < 1 / SPARSE:
        return np.full(len(ratio), np.nan)
    out: Array = ratio / mean
    return out
