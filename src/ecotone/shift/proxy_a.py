"""Proxy A-distance: how well a linear classifier tells two domains apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.shift._rows import two_samples

Array = NDArray[np.float64]


@method(name="proxy_a", paper="bendavid2006analysis", needs=set(), handles={"covariate"})
def proxy_a(
    A: Array,
    B: Array,
    *,
    rng: np.random.Generator,
    folds: int = 5,
    ridge: float = 1e-2,
) -> float:
    r"""Proxy A-distance: 2 (1 - 2 error) of a linear classifier between two samples [1]_.

    The classifier is ridge regression on labels -1 and +1, weighted so that both sides count the
    same; its balanced error is measured out of fold, so that chance gives 0 whatever the sizes.

    Parameters
    ----------
    A : ndarray, shape (n, d)
        One sample, at least `folds` rows.
    B : ndarray, shape (m, d)
        The other.
    rng : Generator
        Draws the folds.
    folds : int
        Folds.
    ridge : float
        Penalty, in units of the mean squared size of a feature.

    Returns
    -------
    float
        About 0 when nothing tells the sides apart (chance may give a little less), 2 when
        everything does.

    References
    ----------
    .. [1] Ben-David et al., Analysis of representations for domain adaptation, NeurIPS 2006.

    Examples
    --------
    >>> A = np.arange(10.0)[:, None]
    >>> proxy_a(A, A + 100, rng=np.random.default_rng(0))
    2.0
    """
    if folds < 2 or not ridge > 0:
        raise BadInput(
            f"proxy_a: folds = {folds}, ridge = {ridge}.", cure="-p folds=5 -p ridge=0.01"
        )
    A, B = two_samples(A, B, name="proxy_a", least=folds)
    X = np.vstack([A, B])
    X = np.column_stack([X - X.mean(axis=0), np.ones(len(X))])
    y = np.r_[-np.ones(len(A)), np.ones(len(B))]
    # one draw for both sides: swapping them changes nothing
    draw = rng.random(max(len(A), len(B)))
    fold = np.concatenate([np.argsort(np.argsort(draw[: len(X)])) % folds for X in (A, B)])
    score = np.empty(len(X))
    scale = ridge * (X[:, :-1] ** 2).mean() * np.eye(X.shape[1])
    scale[-1, -1] = 0.0  # the level is not penalised
    for f in range(folds):
        train = fold != f
        weight = np.where(y[train] < 0, 1 / (y[train] < 0).sum(), 1 / (y[train] > 0).sum())
        Z = X[train] * weight[:, None]
        beta = np.linalg.solve(Z.T @ X[train] + 2 * scale, Z.T @ y[train])
        score[~train] = X[~train] @ beta
    # a score of exactly 0 is half wrong
    wrong = np.where(score == 0, 0.5, (np.sign(score) != y).astype(float))
    error = (wrong[y < 0].mean() + wrong[y > 0].mean()) / 2
    return float(2 * (1 - 2 * error))
