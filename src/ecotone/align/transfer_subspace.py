"""Transfer subspace learning: a projection that separates classes and brings densities together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize

from ecotone.align._aligner import Array, Labels
from ecotone.align._divergence import covariance, divergence
from ecotone.align._kernels import subsample
from ecotone.align._kinds import Projector
from ecotone.align._subspace import principal
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.data.domains import Domains

SLICES = 10  # values of a regression target are cut into so many classes of equal size


@method(
    name="transfer_subspace",
    paper="si2010bregman",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class TransferSubspace(Projector):
    r"""Find the orthonormal projection with the best trade of class spread and divergence [1]_.

    .. math:: \min_{W^\top W = I} F(W) + \mu\,D(W), \qquad
        F = \frac{\mathrm{tr}\,W^\top S_w W}{\mathrm{tr}\,W^\top S_t W}

    :math:`S_w` is the scatter within the classes of the source, :math:`S_t` its total scatter (so
    that F lies between 0 and 1, with the minima of the Fisher ratio), and D the divergence of
    kernel density estimates of the projected sides. D sees at most `rows` rows of each.
    With ``loss="pca"``, :math:`S_t` is the mean variance v of the source's features, times I, and
    :math:`S_w = vI - C`: F is least on its principal axes.

    Minimised over subspaces by L-BFGS with the exact gradient, from the principal axes of all rows
    and from the directions of the best F; the better end is taken.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the projected source; LogisticRegression(max_iter=1000) by default.
    n_components : int, optional
        Columns of W; by default one less than there are classes.
    mu : float, default 1.0
        :math:`\mu`. Without unit for the default divergence.
    loss : str, default 'fisher'
        ``fisher`` or ``pca``. For regression, ten slices of y are the classes.
    divergence : str, default 'cauchy_schwarz'
        ``cauchy_schwarz``, or the paper's ``quadratic``, which has the unit of a density.
    rows : int, default 300
        Rows of each side that D sees: a sample that does not depend on their order.
    steps : int, default 100
        Iterations of each start, at most.

    Attributes
    ----------
    projection_ : ndarray, shape (d, k)
        W.
    objective_ : float
        F + mu D at W.

    References
    ----------
    .. [1] Si, Tao and Geng, Bregman divergence-based regularization for transfer subspace learning,
       IEEE TKDE 2010.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 1, (200, 3)) + 3 * y[:, None] * [1, 0, 0]
    >>> X[100:, 1] += 5
    >>> fitted = TransferSubspace().fit(X, y, np.repeat([1, -2], 100))
    >>> bool(abs(fitted.projection_[0, 0]) > 0.95)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_components: int | None = None,
        mu: float = 1.0,
        loss: str = "fisher",
        divergence: str = "cauchy_schwarz",
        rows: int = 300,
        steps: int = 100,
    ) -> None:
        self.estimator = estimator
        self.n_components = n_components
        self.mu = mu
        self.loss = loss
        self.divergence = divergence
        self.rows = rows
        self.steps = steps

    def _learn(self, X: Array, y: Labels, sample_domain: Domains) -> None:
        self._check()
        at = sample_domain > 0
        source, target = X[at], X[~at]
        if min(len(source), len(target)) < 2:
            raise TooFewRows(
                "TransferSubspace: 2 rows or more are needed on each side.",
                cure="eco.align.SourceOnly()",
            )
        classes = _sliced(y[at]) if self._is_regressor() else y[at]
        k = len(np.unique(classes)) - 1 if self.n_components is None else self.n_components
        k = max(1, min(k, X.shape[1]))
        some = (source[subsample(source, self.rows)], target[subsample(target, self.rows)])
        scatter = scatters(source, classes, self.loss)
        ends = [
            self._descend(start, scatter, some)
            for start in (principal(X, k, "TransferSubspace").basis, scatter.best(k))
        ]
        self.objective_, self.projection_ = min(ends, key=lambda end: end[0])

    def _check(self) -> None:
        words = {"loss": ("fisher", "pca"), "divergence": ("cauchy_schwarz", "quadratic")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise BadInput(
                    f"TransferSubspace: {name} is {getattr(self, name)!r}.",
                    cure=f"{name}={known[0]!r}",
                )
        few = self.n_components is not None and self.n_components < 1
        if not self.mu >= 0 or self.rows < 2 or self.steps < 0 or few:
            raise BadInput(
                f"TransferSubspace: mu is {self.mu}, rows is {self.rows}, steps is {self.steps}, "
                f"n_components is {self.n_components}.",
                cure="mu=1.0, rows=300, steps=100, n_components=None",
            )

    def _descend(
        self, start: Array, scatter: Scatters, some: tuple[Array, Array]
    ) -> tuple[float, Array]:
        """Return the objective and W at the end of a descent from a basis (d, k)."""

        def objective(V: Array) -> tuple[float, Array]:
            W, R = np.linalg.qr(V.reshape(start.shape))
            value, G = scatter.loss(W)
            if self.mu > 0:
                D, G_D = divergence(W, *some, self.divergence)
                value, G = value + self.mu * D, G + self.mu * G_D
            # only the span of V matters: what is left of the gradient is orthogonal to it
            G = G - W @ (W.T @ G)
            return value, np.linalg.solve(R, G.T).T.ravel()

        end = minimize(
            objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": self.steps}
        )
        W = np.linalg.qr(end.x.reshape(start.shape))[0]
        sign = np.sign(W[np.abs(W).argmax(axis=0), np.arange(W.shape[1])])
        return float(end.fun), W * sign

    def _project(self, X: Array, source: NDArray[np.bool_]) -> Array:  # noqa: ARG002
        return X @ self.projection_


class Scatters(NamedTuple):
    """F(W) = tr W'AW / tr W'BW."""

    A: Array
    B: Array

    def loss(self, W: Array) -> tuple[float, Array]:
        """Return F and its gradient (d, k)."""
        AW, BW = self.A @ W, self.B @ W
        a, b = float(np.sum(W * AW)), float(np.sum(W * BW))
        return a / b, 2 * (AW - BW * (a / b)) / b

    def best(self, k: int) -> Array:
        """Return a basis (d, k) of the directions with the smallest quotients."""
        vectors: Array = np.linalg.qr(eigh(self.A, self.B)[1][:, :k])[0]
        return vectors


def scatters(X: Array, classes: Labels, loss: str) -> Scatters:
    """Return the matrices of F for rows (n, d) and their classes, slightly widened."""
    d = X.shape[1]
    total = covariance(X)
    if loss == "pca":
        level = float(np.trace(total)) / d
        return Scatters(level * np.eye(d) - total, level * np.eye(d))
    _, at = np.unique(classes, return_inverse=True)
    means = np.eye(at.max() + 1)[at].T @ X / np.bincount(at)[:, None]
    return Scatters(covariance(X - means[at]), total)


def _sliced(y: Array) -> Labels:
    """Return the slice of each value, of `SLICES` slices with as many rows each."""
    edges = np.unique(np.quantile(y, np.linspace(0, 1, SLICES + 1)[1:-1]))
    return np.searchsorted(edges, y, side="right")
