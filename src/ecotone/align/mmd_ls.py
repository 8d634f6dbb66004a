"""Location-scale matching: stretch and move every class until the mixture looks like the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ecotone.align._aligner import Array, Labels
from ecotone.align._costs import some_rows
from ecotone.align._kinds import Mapper, Moved
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream

SMALL = 1_000_000  # angles up to which they are float64
WIDTHS = (1.0, 4.0, 16.0)  # kernels, in units of gamma: far classes are seen by the first


@method(
    name="mmd_ls",
    paper="zhang2013domain",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "concept", "multi_source"},
)
class MMDLS(Mapper):
    r"""Stretch and move each class of the source, feature by feature, toward the target [1]_.

    .. math:: x_i' = m_c + w_c \odot (x_i - m_c) + v_c,\ c = y_i, \qquad
              \min_{w, v}\ \mathrm{MMD}^2(x', x^t)
              + \lambda\,\bigl(\overline{(w - 1)^2} + \overline{v^2}\bigr)

    with :math:`m_c` the mean of a class, and the kernel the mean over s = 1, 4, 16 of
    :math:`e^{-s \gamma \|x - x'\|^2}`. Features are divided by their pooled spread first, so that
    w, v and :math:`\lambda` have no unit and no origin; bars are means over rows and features. For
    regression w and v are smooth functions of y: `pieces` bumps at its quantiles.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the moved source rows; LogisticRegression(max_iter=1000) by default.
    penalty : float, default 1e-2
        :math:`\lambda`; large, nothing moves.
    gamma : float, optional
        :math:`\gamma`; one over the median squared distance by default.
    frequencies : int, default 500
        Random frequencies K, each a cosine and a sine: the kernel is known to about
        1 / sqrt(2 K).
    steps : int, default 100
        Most steps of L-BFGS.
    pieces : int, default 5
        Bumps along y; for regression only.
    random_state : int, default 0
        Decides the frequencies.

    Attributes
    ----------
    scale_, offset_ : dict of int to ndarray, shape (C, d)
        Of every source domain, w and b of x' = w x + b, in the units of X.
    objectives_ : dict of int to (float, float)
        Objective where nothing is moved, and at the end.

    Notes
    -----
    A step is O((n + m) d K). New source rows, whose label is not known, take w and b of the nearest
    row seen in fit. Source weights enter the means over source rows.

    References
    ----------
    .. [1] Zhang et al., Domain adaptation under target and conditional shift, ICML 2013, section 4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 2
    >>> X = rng.normal(0, 0.3, (400, 2)) + 2 * y[:, None]
    >>> X[200:, 0] += np.where(y[200:], 0.8, -0.8)
    >>> domain = np.repeat([1, -2], 200)
    >>> fitted = MMDLS(penalty=1e-4).fit(X, np.where(domain > 0, y, -1), domain)
    >>> moved = fitted.features(X, domain)[:200] - X[:200]
    >>> [bool(moved[y[:200] == c, 0].mean() > 0) for c in (0, 1)]
    [False, True]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        penalty: float = 1e-2,
        gamma: float | None = None,
        frequencies: int = 500,
        steps: int = 100,
        pieces: int = 5,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.penalty = penalty
        self.gamma = gamma
        self.frequencies = frequencies
        self.steps = steps
        self.pieces = pieces
        self.random_state = random_state

    def _fit(self, X: Array, y: Labels, sample_domain: Any, weight: Array | None) -> None:
        for name, cure in (("gamma", "gamma=0.1"), ("frequencies", "frequencies=500")):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise BadInput(f"MMDLS: {name} is {value}.", cure=cure)
        if not self.penalty >= 0:
            raise BadInput(f"MMDLS: penalty is {self.penalty}.", cure="penalty=1e-2")
        self._found: list[tuple[Array, Array, tuple[float, float]]] = []
        super()._fit(X, y, sample_domain, weight)
        names = list(self.moves_)
        self.scale_ = {k: v[0] for k, v in zip(names, self._found, strict=True)}
        self.offset_ = {k: v[1] for k, v in zip(names, self._found, strict=True)}
        self.objectives_ = {k: v[2] for k, v in zip(names, self._found, strict=True)}
        del self._found

    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:
        spread = np.vstack([source, target]).std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        S, T, R = source / spread, target / spread, self._membership(y)
        gamma = self.gamma
        if gamma is None:
            gamma = 1 / _median_squared(np.vstack([some_rows(S, 1000), some_rows(T, 1000)]))
        a = np.full(len(S), 1 / len(S)) if weight is None else weight / weight.sum()
        mass = (a[:, None] * R).sum(axis=0)[:, None]
        centres = R.T @ (a[:, None] * S) / np.where(mass > 0, mass, 1.0)
        waves = frequencies(S.shape[1], self.frequencies, gamma, self.random_state)
        problem = Matching(S, R, centres, a, embedding(T, waves), waves, self.penalty)
        first = np.repeat([1.0, 0.0], centres.size)
        found = minimize(
            problem,
            first,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.steps, "ftol": 1e-10, "gtol": 1e-7},
        )
        W, V = found.x.reshape(2, *centres.shape)
        B = ((1 - W) * centres + V) * spread
        self._found.append((W, B, (problem(first)[0], float(found.fun))))
        rows_w, rows_b = R @ W, R @ B
        return Moved(rows_w * source + rows_b, _AsNearest(source, rows_w, rows_b))

    def _membership(self, y: Labels) -> Array:
        """Return how much each row belongs to each class, or bump along y; rows sum to 1."""
        if not self._is_regressor():
            return np.eye(len(self.classes_))[y]
        centres = np.unique(np.quantile(y, (np.arange(self.pieces) + 0.5) / self.pieces))
        width = float(np.diff(centres).mean()) if len(centres) > 1 else 1.0
        squared = ((y[:, None] - centres) / width) ** 2
        near = np.exp(-(squared - squared.min(axis=1, keepdims=True)) / 2)
        return np.asarray(near / near.sum(axis=1, keepdims=True))


def frequencies(d: int, K: int, gamma: float, seed: int) -> Array:
    """Return frequencies of the Gaussian kernels, (d, K), orthogonal in groups of d.

    Orthogonal directions make the error of the kernel smaller than independent ones do.
    """
    rng = stream(seed, "mmd_ls", d, K)
    groups = []
    for _ in range(-(-K // d)):
        Q, _ = np.linalg.qr(rng.normal(size=(d, d)))
        groups.append(Q * np.sqrt(rng.chisquare(d, d)))
    width = np.sqrt(2 * gamma * np.asarray(WIDTHS)[np.arange(K) % len(WIDTHS)])
    out: Array = width * np.hstack(groups)[:, :K]
    return out


def embedding(X: Array, waves: Array, weight: Array | None = None) -> Array:
    """Return the (weighted) mean of cosines and sines, (2, K)."""
    P = (X @ waves).astype(_kind(len(X), waves))
    a = np.full(len(X), 1 / len(X)) if weight is None else weight
    a = a.astype(P.dtype)
    return np.array([a @ np.cos(P), a @ np.sin(P)], dtype=np.float64)


def _kind(n: int, waves: Array) -> type[np.floating[Any]]:
    # angles are a few turns: float32 is right to 1e-6, and three times as fast
    return np.float64 if n * waves.shape[1] <= SMALL else np.float32


@dataclass(frozen=True, eq=False)
class Matching:
    """The objective with its gradient, as a function of w and v, flat."""

    source: Array
    member: Array
    centres: Array
    weight: Array
    target: Array
    waves: Array
    penalty: float

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """Return the objective and its gradient."""
        (k, d), K = self.centres.shape, self.waves.shape[1]
        W, V = flat.reshape(2, k, d)
        w, v = self.member @ W, self.member @ V
        moved = w * self.source + self.member @ ((1 - W) * self.centres + V)
        P = (moved @ self.waves).astype(_kind(len(moved), self.waves))
        cos, sin, a = np.cos(P), np.sin(P), self.weight.astype(P.dtype)
        gap = np.array([a @ cos, a @ sin], dtype=np.float64) - self.target
        value = float((gap**2).sum()) / K
        # the slope of the squared gaps along the angles of each row
        cos *= gap[1].astype(P.dtype)
        sin *= gap[0].astype(P.dtype)
        cos -= sin
        rows = (2 / K * self.weight)[:, None] * (cos @ self.waves.T.astype(P.dtype))
        mean = self.weight[:, None] / d
        value += self.penalty * float((mean * ((w - 1) ** 2 + v**2)).sum())
        to_b = self.member.T @ rows
        to_w = self.member.T @ (rows * self.source + 2 * self.penalty * mean * (w - 1))
        to_v = to_b + self.member.T @ (2 * self.penalty * mean * v)
        return value, np.r_[(to_w - to_b * self.centres).ravel(), to_v.ravel()]


@dataclass(frozen=True, eq=False)
class _AsNearest:
    """Stretch and move a row as the nearest row seen in fit."""

    rows: Array
    scale: Array
    offset: Array

    def __call__(self, X: Array) -> Array:
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=1).fit(self.rows)
        i: NDArray[np.int64] = near.kneighbors(X, return_distance=False)[:, 0]
        return np.asarray(self.scale[i] * X + self.offset[i])


def _median_squared(X: Array) -> float:
    """Return the median squared distance between rows, or 1 where it is 0."""
    from scipy.spatial.distance import pdist

    middle = float(np.median(pdist(X, "sqeuclidean")))
    return middle if middle > 0 else 1.0
