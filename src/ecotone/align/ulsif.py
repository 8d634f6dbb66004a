"""uLSIF: the density ratio by least squares, with width and ridge from exact leave-one-out."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ecotone.align._aligner import Array
from ecotone.align._centres import JUDGES, CentredRatio, Chosen, Distances, bumps
from ecotone.align._ratio import positive
from ecotone.core.errors import BadInput
from ecotone.core.method import method

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@method(
    name="ulsif",
    paper="kanamori2009least",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class ULSIF(CentredRatio):
    r"""Weigh source rows by a least-squares fit of the density ratio [1]_, plain or relative [2]_.

    .. math:: \theta = \max(0, (H + \lambda I)^{-1} h),\quad
              H = (1 - \alpha)\,\mathrm{mean}_s\,k k^\top + \alpha\,\mathrm{mean}_t\,k k^\top,\quad
              h = \mathrm{mean}_t\,k,\quad k_l(x) = e^{-\gamma\|x-c_l\|^2}

    :math:`w = \theta^\top k` estimates :math:`p_t / (\alpha p_t + (1-\alpha) p_s)`, which is the
    ratio for :math:`\alpha = 0` and at most :math:`1/\alpha` otherwise, with the same order.
    :math:`\gamma` and :math:`\lambda` minimise the leave-one-out loss, in closed form.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    alpha : float, default 0.0
        Share of the target in the denominator, below 1; 0.1 gives RuLSIF.
    gamma : float or list of float, optional
        One width, or those to choose from; by default 1/16, 1/8, ..., 16 times 1 / (median squared
        distance of rows of both sides).
    ridge : float, optional
        :math:`\lambda`; by default chosen among 0.001, 0.01, ..., 10.
    n_centres : int, default 100
        Target rows that are centres.
    cap : float, default 20.0
        Largest weight, in units of the mean.

    Attributes
    ----------
    ridge_ : float
        The ridge in use.
    losses_ : dict
        Leave-one-out loss for each (gamma, ridge); empty when there was nothing to choose.

    References
    ----------
    .. [1] Kanamori, Hido and Sugiyama, A least-squares approach to direct importance estimation,
       JMLR 2009.
    .. [2] Yamada et al., Relative density-ratio estimation for robust distribution comparison,
       Neural Computation 2013.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 1)), rng.normal(1, 1, (100, 1))])
    >>> fitted = ULSIF().fit(X, np.arange(200) % 2, np.repeat([1, -2], 100))
    >>> bool(fitted.weights_ @ X[:, 0] / fitted.weights_.sum() > 0.7)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        alpha: float = 0.0,
        gamma: float | list[float] | None = None,
        ridge: float | None = None,
        n_centres: int = 100,
        cap: float = 20.0,
    ) -> None:
        self.estimator = estimator
        self.alpha = alpha
        self.gamma = gamma
        self.ridge = ridge
        self.n_centres = n_centres
        self.cap = cap

    def _choose(self, near: Distances, widths: list[float]) -> Chosen:
        if not 0 <= self.alpha < 1:
            raise BadInput(f"ULSIF: alpha is {self.alpha}.", cure="alpha=0.0 or alpha=0.1")
        ridges = RIDGES if self.ridge is None else (float(self.ridge),)
        positive("ULSIF", ridge=min(ridges), cap=self.cap)
        self.losses_: dict[tuple[float, float], float] = {}
        gamma, self.ridge_ = widths[len(widths) // 2], ridges[len(ridges) // 2]
        if len(widths) * len(ridges) > 1 and min(map(len, near[:2])) > 1:
            judges = near.some(JUDGES)
            for g in widths:
                S, T = bumps(judges.source, g), bumps(judges.target, g)
                for r in ridges:
                    self.losses_[g, r] = left_out_loss(S, T, r, self.alpha)
            gamma, self.ridge_ = min(self.losses_, key=self.losses_.__getitem__)
        S, T = bumps(near.source, gamma), bumps(near.target, gamma)
        return Chosen(gamma, fitted(S, T, self.ridge_, self.alpha), S)


def fitted(S: Array, T: Array, ridge: float, alpha: float) -> Array:
    """Return the coefficients, (L,), from bumps at source rows (n, L) and target rows (m, L)."""
    H = (1 - alpha) * S.T @ S / len(S) + alpha * T.T @ T / len(T)
    H[np.diag_indices_from(H)] += ridge
    return np.maximum(np.linalg.solve(H, T.mean(axis=0)), 0)


def left_out_loss(S: Array, T: Array, ridge: float, alpha: float) -> float:
    r"""Return the loss of rows under fits without them, all fits in one factorisation a side.

    .. math:: \tfrac{1-\alpha}{2}\,\mathrm{mean}\,w_{-i}(x_i)^2
              + \tfrac{\alpha}{2}\,\mathrm{mean}\,w_{-j}(t_j)^2 - \mathrm{mean}\,w_{-j}(t_j)

    Without a row x, that side's mean M of :math:`kk^\top` is :math:`M + (M - kk^\top)/(N-1)`: an
    update of rank one, whose inverse is known.

    Parameters
    ----------
    S : ndarray, shape (n, L)
        Bumps at source rows.
    T : ndarray, shape (m, L)
        Bumps at target rows.
    ridge, alpha : float
    """
    n, m, h = len(S), len(T), T.mean(axis=0)
    Hs, Ht = S.T @ S / n, T.T @ T / m
    H = (1 - alpha) * Hs + alpha * Ht + ridge * np.eye(len(h))
    less = (1 - alpha) / (n - 1)
    P, Y, q = _solved(H + less * Hs, S, h)
    ws = _without(S, np.repeat(P[None], n, axis=0), Y, q, less)
    less = alpha / (m - 1)
    P, Y, q = _solved(H + less * Ht, T, h)
    wt = _without(T, (m * P - Y) / (m - 1), Y, q, less)  # h loses the row as well
    return float((1 - alpha) / 2 * (ws**2).mean() + alpha / 2 * (wt**2).mean() - wt.mean())


def _solved(M: Array, K: Array, h: Array) -> tuple[Array, Array, Array]:
    """Return M^-1 h (L,), rows M^-1 k (N, L), and k' M^-1 k (N,)."""
    factor = cho_factor(M)
    Y = cho_solve(factor, K.T).T
    return cho_solve(factor, h), Y, np.einsum("nl,nl->n", K, Y)


def _without(K: Array, start: Array, Y: Array, q: Array, less: float) -> Array:
    """Return w at each row under the fit without it, by the formula of Sherman and Morrison."""
    along = np.einsum("nl,nl->n", K, start)
    theta = start + Y * (less * along / (1 - less * q))[:, None]
    return np.einsum("nl,nl->n", K, np.maximum(theta, 0))
