"""KLIEP: weights under which the source explains the target with the highest likelihood."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ecotone.align._aligner import Array, Labels
from ecotone.align._centres import CentredRatio, Chosen, Distances, bumps
from ecotone.align._kernels import rbf, subsample
from ecotone.align._ratio import folds, log_of, positive
from ecotone.core.errors import BadInput
from ecotone.core.method import method

UNSEEN = 1e-8  # a centre of which all source rows together see less takes no part
COARSE = 1e-3  # gap at which a width can be judged


@method(
    name="kliep",
    paper="sugiyama2008direct",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class KLIEP(CentredRatio):
    r"""Weigh source rows by the ratio of highest target likelihood [1]_.

    .. math:: w(x) = \sum_l \alpha_l\,e^{-\gamma\|x - c_l\|^2},\qquad
              \max_{\alpha \ge 0}\ \tfrac1m \sum_j \log w(t_j)
              \quad\text{s.t.}\quad \tfrac1n \sum_i w(x_i) = 1

    Centres are target rows. With :math:`v_l = b_l \alpha_l`, b the mean bump over source rows,
    the unknowns are shares of a mixture: a concave problem on the simplex, solved by projected
    gradient steps until a duality gap says that the optimum is near. :math:`\gamma` has the
    highest likelihood of held-out target rows: without bumps at these rows, and with the level of
    w, the mean in the constraint, taken from held-out source rows.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    gamma : float or list of float, optional
        One width, or those to choose from; by default 1/16, 1/8, ..., 16 times 1 / (median squared
        distance of rows of both sides).
    n_centres : int, default 100
        Target rows that are centres.
    cv : int, default 5
        Folds of target rows.
    cap : float, default 20.0
        Largest weight, in units of the mean.
    tol : float, default 1e-4
        Most by which the mean log likelihood may lie below its maximum.

    Attributes
    ----------
    objective_, gap_ : float
        Mean log likelihood of the target rows, and the most by which it may be too low.
    likelihoods_ : dict
        Held-out mean log likelihood of each width; -inf where a held-out row gets no weight. Empty
        when there was nothing to choose.

    References
    ----------
    .. [1] Sugiyama et al., Direct importance estimation for covariate shift adaptation, AISM 2008.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 1)), rng.normal(1, 1, (100, 1))])
    >>> fitted = KLIEP().fit(X, np.arange(200) % 2, np.repeat([1, -2], 100))
    >>> bool(fitted.weights_ @ X[:, 0] / fitted.weights_.sum() > 0.7)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        gamma: float | list[float] | None = None,
        n_centres: int = 100,
        cv: int = 5,
        cap: float = 20.0,
        tol: float = 1e-4,
    ) -> None:
        self.estimator = estimator
        self.gamma = gamma
        self.n_centres = n_centres
        self.cv = cv
        self.cap = cap
        self.tol = tol

    def _log_weights(self, source: Array, target: Array, y: Labels) -> Array:
        alone = np.atleast_1d(np.asarray(self.gamma, dtype=np.float64))
        simple = isinstance(self.n_centres, int) and self.n_centres >= 1
        if self.gamma is None or len(alone) > 1 or not (simple and alone[0] > 0):
            return super()._log_weights(source, target, y)
        self._check()
        # one width needs no folds, so no order of rows, and no distances beside the bumps
        self.gamma_ = float(alone[0])
        self.likelihoods_: dict[float, float] = {}
        self.centres_ = target[subsample(target, self.n_centres)]
        room = np.empty((max(len(source), len(target)), len(self.centres_)))
        n, m = room[: len(source)], room[: len(target)]  # fresh memory costs more than bumps
        mean = rbf(source, self.centres_, self.gamma_, out=n).mean(axis=0)
        B = rbf(target, self.centres_, self.gamma_, out=m)
        self.coefficients_ = self._coefficients(B, mean, len(source))
        if not self.coefficients_.any():
            return super()._log_weights(source, target, y)  # which says what is wrong
        return log_of(rbf(source, self.centres_, self.gamma_, out=n) @ self.coefficients_)

    def _check(self) -> None:
        positive("KLIEP", tol=self.tol, cap=self.cap)
        if not (isinstance(self.cv, int) and self.cv >= 2):
            raise BadInput(f"KLIEP: cv is {self.cv}.", cure="cv=5")

    def _choose(self, near: Distances, widths: list[float]) -> Chosen:
        self._check()
        self.likelihoods_ = {}
        best = widths[len(widths) // 2]
        if len(widths) > 1 and min(map(len, near[:2])) > 1:
            self.likelihoods_ = {gamma: self._held_out(near, gamma) for gamma in widths}
            best = max(widths, key=self.likelihoods_.__getitem__)  # the widest of equals
        B, S = bumps(near.target, best), bumps(near.source, best)
        return Chosen(best, self._coefficients(B, S.mean(axis=0), len(S)), S)

    def _coefficients(self, B: Array, b: Array, n: int) -> Array:
        """Return coefficients (L,) for bumps B at target rows, overwritten, means b at n others."""
        seen = b * n > UNSEEN
        alpha = np.zeros(len(b))
        if not seen.all():
            B = B[:, seen]
        B /= b[seen]
        if seen.any() and (B.max(axis=1) > 0).all():
            found = most_likely(B, tol=self.tol)
            alpha[seen] = found.shares / b[seen]
            self.objective_, self.gap_ = found.likelihood, found.gap
        return alpha

    def _held_out(self, near: Distances, gamma: float) -> float:
        """Return the mean log likelihood of target rows under weights fitted without them.

        The weights' level comes from held-out source rows: narrow bumps between the source rows
        at hand would otherwise be likely for nothing.
        """
        n, m = len(near.source), len(near.target)
        number = min(self.cv, n, m)
        here, there = folds(n, number, "source"), folds(m, number, "target")
        A, S = bumps(near.target, gamma), bumps(near.source, gamma)
        sums, total = S.sum(axis=0), 0.0
        for k in range(number):
            out = there == k
            aside = S[here == k]
            b = (sums - aside.sum(axis=0)) / (n - len(aside))
            # a held-out row must not be judged by a bump around itself
            use = (b * n > UNSEEN) & (there[near.own] != k)
            B = A[:, use] / b[use]
            if not use.any() or (B.max(axis=1) == 0).any():
                return -np.inf
            shares = most_likely(B[~out], tol=COARSE).shares
            w, level = B[out] @ shares, float((aside[:, use] / b[use] @ shares).mean())
            if (w <= 0).any() or level <= 0:
                return -np.inf
            total += float(np.log(w / level).sum())
        return total / m


class Shares(NamedTuple):
    """Mixture shares (L,), their mean log likelihood, and the most by which it is too low."""

    shares: Array
    likelihood: float
    gap: float


def most_likely(B: Array, *, tol: float, most: int = 2000) -> Shares:
    r"""Maximise :math:`J(v) = \tfrac1m \sum_j \log (Bv)_j` over v >= 0, sum v = 1.

    Projected gradient with the step of Barzilai and Borwein. With :math:`g = \nabla J` always
    :math:`g^\top v = 1`, and by concavity no shares exceed :math:`J(v)` by more than
    :math:`\max g - 1`.

    Parameters
    ----------
    B : ndarray, shape (m, L)
        Not negative; no row all 0.
    tol : float
        The gap to stop at.
    most : int
        Most steps.

    Examples
    --------
    >>> most_likely(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), tol=1e-9).shares.round(
    ...     4
    ... ).tolist()
    [0.6667, 0.3333]
    """
    m, L = B.shape
    v, step = np.full(L, 1 / L), 1.0
    f = B @ v
    value, slope = float(np.log(f).mean()), B.T @ (1 / f) / m
    for _ in range(most):
        if slope.max() - 1 <= tol:
            break
        move = nearest_shares(v + step * slope) - v
        Bmove, rise, t = B @ move, float(slope @ move), 1.0
        while True:
            new = f + t * Bmove
            if new.min() > 0:
                reached = float(np.log(new).mean())
                if reached >= value + 1e-4 * t * rise:
                    break
            t /= 2
            if t < 1e-10:  # rounding is all that is left to climb
                return Shares(v, value, float(slope.max() - 1))
        v, f, value = v + t * move, new, reached
        before, slope = slope, B.T @ (1 / f) / m
        bend = t * float(move @ (before - slope))
        step = min(max(t * t * float(move @ move) / bend, 1e-10), 1e10) if bend > 0 else 1e3
    return Shares(v, value, float(slope.max() - 1))


def nearest_shares(v: Array) -> Array:
    """Return the nearest point to v that is not negative and has the sum 1.

    Examples
    --------
    >>> nearest_shares(np.array([0.5, 1.5, -3.0])).tolist()
    [0.0, 1.0, 0.0]
    """
    down = np.sort(v)[::-1]
    level = (np.cumsum(down) - 1) / np.arange(1, len(v) + 1)
    return np.maximum(v - level[np.count_nonzero(down > level) - 1], 0)
