"""Gaussian process: a smooth surface through the log losses that also says how sure it is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from ecotone.core.method import method
from ecotone.mix._law import Law, canonical_order

Array = NDArray[np.float64]

# beyond this many rows the scales of the kernel are learned on every second, third, ... row
ROWS_FOR_SCALES = 256


@method(name="gaussian_process", paper="", needs={"proxies"}, handles=set())
class GaussianProcess(Law):
    r"""Gaussian-process regression of the log losses on the logs of the shares.

    .. math::

        \log L_i \sim \mathcal{GP}(m_i, s_i^2\,k), \qquad
        k(r, r') = a\,\big(1 + \sqrt5\,d + \tfrac53 d^2\big)\,e^{-\sqrt5\,d} + n\,[r = r'], \qquad
        d^2 = \sum_j \Big(\log\frac{r_j + f}{r'_j + f} \Big/ \ell_j\Big)^2

    A length :math:`\ell_j` for each domain, all learned by the marginal likelihood of all targets
    together, so that one Cholesky factor serves them. :math:`m_i, s_i` are mean and standard
    deviation of the log losses seen.

    Parameters
    ----------
    floor : float
        f, the share below which less of a domain makes no difference.

    Attributes
    ----------
    process_ : GaussianProcessRegressor
        Fitted on standardised log losses.
    lengths_ : ndarray, shape (k,)
        Learned lengths, in logs of share; long for a domain that does not matter.

    References
    ----------
    .. [1] Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2, 4, 5.

    Examples
    --------
    >>> W = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    >>> law = GaussianProcess().fit(W, 3 - np.sqrt(W[:, 0]))
    >>> bool(np.abs(law.predict(W) - 3 + np.sqrt(W[:, 0])).max() < 0.05)
    True
    """

    least_rows = 4  # below, there is no scale to be learned

    def __init__(self, *, floor: float = 3e-3) -> None:
        self.floor = floor

    def _fit(self, W: Array, L: Array) -> None:
        self.order_ = canonical_order(W)
        X, Y = self._features(W), np.log(L)
        self.mean_, spread = Y.mean(axis=0), Y.std(axis=0)
        self.spread_ = np.where(spread > 1e-12, spread, 1.0)
        Z = (Y - self.mean_) / self.spread_
        lengths = Matern(np.full(W.shape[1], 30.0), (1.0, 1e3), nu=2.5)
        kernel = ConstantKernel(10.0, (1e-2, 1e4)) * lengths + WhiteKernel(1e-2, (1e-6, 1e1))
        step = -(-len(W) // ROWS_FOR_SCALES)
        with warnings.catch_warnings():
            # a domain that does not matter has a length at its bound: that is an answer
            warnings.simplefilter("ignore", ConvergenceWarning)
            learned = GaussianProcessRegressor(kernel).fit(X[::step], Z[::step]).kernel_
        self.process_ = GaussianProcessRegressor(learned, optimizer=None).fit(X, Z)
        self.lengths_ = np.empty(W.shape[1])
        self.lengths_[self.order_] = np.broadcast_to(learned.k1.k2.length_scale, W.shape[1])

    def _features(self, W: Array) -> Array:
        return np.log(W[:, self.order_] + self.floor)

    def _predict(self, W: Array) -> Array:
        return self._to_losses(self.process_.predict(self._features(W)))

    def _to_losses(self, Z: Array) -> Array:
        return np.exp(self.mean_ + self.spread_ * Z.reshape(len(Z), -1))

    def spread(self, W: Any) -> Array:
        """Return the standard deviation of a run's loss at W, nats per token, as `predict` shapes.

        It holds both: what the runs leave open there, and the noise between equal runs.
        """
        W = np.atleast_2d(np.asarray(W, dtype=np.float64))
        Z, deviation = self.process_.predict(self._features(W), return_std=True)
        sigma = self.spread_ * deviation.reshape(len(W), -1)
        # the moments of a log-normal variable
        out = self._to_losses(Z) * np.exp(sigma**2 / 2) * np.sqrt(np.expm1(sigma**2))
        return out[:, 0] if self.one_target_ else out

    def _gradient(self, W: Array) -> Array:
        features = self._features(W)
        amplitude = self.process_.kernel_.k1.k1.constant_value
        lengths = self.lengths_[self.order_]
        weights = self.process_.alpha_.reshape(len(self.process_.X_train_), -1)
        out = np.empty((len(W), len(self.mean_), W.shape[1]))
        for i, x in enumerate(features):
            apart = (x - self.process_.X_train_) / lengths
            d = np.sqrt(5) * np.sqrt((apart**2).sum(axis=1))
            outer = -amplitude * 5 / 3 * (1 + d) * np.exp(-d)
            out[i][:, self.order_] = weights.T @ (outer[:, None] * apart / lengths)
        inner = self.spread_[:, None] / (W + self.floor)[:, None, :]
        return self._predict(W)[:, :, None] * out * inner
