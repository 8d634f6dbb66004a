"""Is there evidence that a law ranks mixtures at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
STRETCH = np.sqrt(2)  # of the null distribution, see `rank_evidence`


@dataclass(frozen=True)
class Evidence:
    """Rank correlation out of fold, and how often chance does as well.

    Attributes
    ----------
    spearman : float
        Between measured and predicted losses; 0 when one of them is constant.
    p : float
        One-sided permutation p-value.
    n : int
        Trials.
    level : float
        Below this p there is evidence.
    """

    spearman: float
    p: float
    n: int
    level: float = 0.025

    @property
    def supported(self) -> bool:
        """Whether the correlation is distinguishable from 0."""
        return self.p < self.level


def rank_evidence(
    measured: Array, predicted: Array, *, rng: np.random.Generator, draws: int = 9_999
) -> Evidence:
    r"""Test whether out-of-fold predictions rank the measured losses better than chance.

    Predictions out of fold are no independent second sample: every loss is predicted from the
    others and helps to predict them. For a linear smoother the correlation is a quadratic form
    :math:`\sum_{i \ne j} K_{ij} y_i y_j` with :math:`K_{ij} = K_{ji}`, each pair counted twice, so
    that without any signal its variance is :math:`2 \sum K_{ij}^2`: twice that of correlations
    with shuffled losses. The shuffled ones are therefore stretched by the root of 2.

    Parameters
    ----------
    measured, predicted : ndarray, shape (n,)
        Losses, and predictions made without them.
    rng : Generator
        For the permutations.
    draws : int
        Permutations; the smallest possible p is 1 / (draws + 1).

    Returns
    -------
    Evidence
        The level is 2.5 % one-sided: a false "adapt" costs a training.
    """
    n = len(measured)
    if n < 4 or np.ptp(measured) == 0 or np.ptp(predicted) == 0:
        return Evidence(0.0, 1.0, n)
    a, b = rankdata(measured), rankdata(predicted)
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    rho = float(a @ b / n)
    shuffled = rng.permuted(np.tile(a, (draws, 1)), axis=1) @ b / n
    p = (1 + int((STRETCH * shuffled >= rho - 1e-12).sum())) / (draws + 1)
    return Evidence(rho, p, n)
