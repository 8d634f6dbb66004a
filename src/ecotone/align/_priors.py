r"""Mathematics of label shift: what class shares of the target would explain what is seen there.

Under label shift the target is a mixture of what the source shows of each class:
:math:`p_t = \sum_c \pi_c\, p_s(\cdot \mid c)`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.stats import norm

from ecotone.align._kernels import median_bandwidth, rbf
from ecotone.core.priors import em_step as em_step
from ecotone.core.priors import expectation_maximisation as expectation_maximisation
from ecotone.core.seeds import stream

Array = NDArray[np.float64]
Index = NDArray[Any]
SMALL = 1e-12
TEST_ROWS, DRAWS = 1000, 299  # rows of a side, and draws, of the test of the assumption


def on_simplex(A: Array, q: Array) -> Array:
    r"""Return the shares p that minimise :math:`\|A p - q\|^2`, p >= 0, sum p = 1.

    :math:`\|(A - q 1^\top) u\|^2 + (1^\top u - 1)^2` over u >= 0 is, for u = s p, smallest in s at
    v / (1 + v) with :math:`v = \|A p - q\|^2`: its solution, divided by its sum, is the p wanted,
    and non-negative least squares find it exactly.

    Parameters
    ----------
    A : ndarray, shape (k, C)
    q : ndarray, shape (k,)

    Examples
    --------
    >>> on_simplex(np.eye(2), np.array([0.3, 0.7])).round(6).tolist()
    [0.3, 0.7]
    """
    M = A - q[:, None]
    scale = float(np.abs(M).max()) or 1.0
    u, _ = nnls(np.vstack([M / scale, np.ones(A.shape[1])]), np.r_[np.zeros(len(q)), 1.0])
    out: Array = u / u.sum()
    return out


def confusion(P: Array, y: Index, weight: Array) -> Array:
    r"""Return :math:`C_{ij} = \mathrm{mean}(P_i\,[y = j])`, (C, C): its columns sum to the priors.

    Parameters
    ----------
    P : ndarray, shape (n, C)
        Held-out class probabilities, or one-hot predictions.
    y : ndarray of int, shape (n,)
    weight : ndarray, shape (n,)
        Of the rows.
    """
    return P.T @ (one_hot(y, P.shape[1]) * (weight / weight.sum())[:, None])


def one_hot(y: Index, classes: int) -> Array:
    """Return indicators, (n, C)."""
    return np.eye(classes)[y]


def inverted(C: Array, q: Array) -> Array:
    r"""Return the target's priors by inverting a confusion matrix.

    Where :math:`C^{-1} q` has no negative entry it is the answer; otherwise the nearest fit that
    has none.

    Parameters
    ----------
    C : ndarray, shape (C, C)
        From `confusion`.
    q : ndarray, shape (C,)
        Mean prediction on the target.
    """
    priors = C.sum(axis=0)
    if np.linalg.cond(C) < 1 / SMALL:
        w = np.linalg.solve(C, q)
        if (w >= 0).all():
            out: Array = w * priors / (w * priors).sum()
            return out
    return on_simplex(C / priors, q)


def inversion_errors(held: Held, C: Array, weights: Array) -> Array:
    r"""Return the covariance of :math:`C^{-1} q`, (C, C), by the delta method.

    :math:`C^{-1}\,[\,\mathrm{cov}(P_t) / m + \mathrm{cov}(w_y P_s) / n\,]\,C^{-\top}`.

    Parameters
    ----------
    held : Held
    C : ndarray, shape (C, C)
    weights : ndarray, shape (C,)
        w, the estimate.
    """
    part = held.source * (held.weight * weights[held.y])[:, None] / held.weight.mean()
    spread = np.cov(held.target.T) / len(held.target) + np.cov(part.T) / len(part)
    back = np.linalg.pinv(C)
    out: Array = back @ spread @ back.T
    return out


def above_zero(found: Array, errors: Array) -> Array:
    """Return shares as means of normal laws with these standard errors, cut at 0.

    A share well above its error stays. One of 0 with an error of 0.03 becomes 0.024 before all are
    scaled to the sum 1: corrected by a share of 0, a classifier could never answer that class.

    Parameters
    ----------
    found : ndarray, shape (C,)
        Estimates, not negative.
    errors : ndarray, shape (C,)
        Their standard errors.
    """
    z = found / np.maximum(errors, SMALL)
    mean = found + errors * norm.pdf(z) / norm.cdf(z)
    out: Array = mean / mean.sum()
    return out


class Held(NamedTuple):
    """What classifiers say of rows that they were not fitted on.

    Attributes
    ----------
    source : ndarray, shape (n, C)
        Class probabilities (or one-hot predictions) of source rows.
    y : ndarray of int, shape (n,)
        Their classes.
    weight : ndarray, shape (n,)
        Of source rows.
    target : ndarray, shape (m, C)
        As `source`, for target rows.
    """

    source: Array
    y: Index
    weight: Array
    target: Array

    @property
    def priors(self) -> Array:
        """The source's class shares, (C,)."""
        return one_hot(self.y, self.source.shape[1]).T @ (self.weight / self.weight.sum())


class Calibration(NamedTuple):
    r"""Bias-corrected temperature scaling: :math:`p = \mathrm{softmax}(a \log p_0 + b)`."""

    a: float
    b: Array

    def __call__(self, P: Array) -> Array:
        """Return calibrated probabilities, (n, C)."""
        return softmax(self.a * np.log(np.maximum(P, SMALL)) + self.b)


def softmax(Z: Array) -> Array:
    """Return probabilities of rows of logits."""
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    out: Array = E / E.sum(axis=1, keepdims=True)
    return out


def calibrate(held: Held) -> Calibration:
    """Fit a temperature and one bias a class to held-out source rows by maximum likelihood.

    The biases carry a ridge worth one row, so that a class that is never confused has a finite one.
    """
    Z, v = np.log(np.maximum(held.source, SMALL)), held.weight / held.weight.sum()
    hot = one_hot(held.y, Z.shape[1])

    def loss(x: Array) -> tuple[float, Array]:
        a, b = np.exp(x[0]), x[1:]
        P = softmax(a * Z + b)
        off = (P - hot) * v[:, None]
        value = -v @ np.log(np.maximum(P[np.arange(len(P)), held.y], SMALL))
        ridge = 1 / len(P)
        return (
            float(value + ridge * (b @ b + x[0] ** 2) / 2),
            np.r_[(off * Z).sum() * a + ridge * x[0], off.sum(axis=0) + ridge * b],
        )

    found = minimize(loss, np.zeros(1 + Z.shape[1]), jac=True, method="L-BFGS-B")
    return Calibration(float(np.exp(found.x[0])), found.x[1:] - found.x[1:].mean())


class Mixture(NamedTuple):
    r"""A target explained as source rows weighed by a function of their label.

    The weights are :math:`\beta = \Psi \theta`; :math:`S = \Psi (\Psi^\top \Psi + \lambda I)^{-1}
    \Psi^\top` smooths over labels (for one-hot labels and :math:`\lambda = 0` it averages classes).

    Attributes
    ----------
    basis : ndarray, shape (n, r)
        Psi.
    theta : ndarray, shape (r,)
    ridge : float
        lambda.
    """

    basis: Array
    theta: Array
    ridge: float


def mixture_p_value(source: Array, target: Array, mixture: Mixture) -> float:
    r"""Return the p-value of: the target is *some* mixture of the source's labels.

    The statistic is the squared kernel distance of the target's mean from the nearest
    combination of label means. Its null distribution comes from multipliers: every row, less what
    its label explains, gets a normal factor, and what a combination of labels can explain is
    taken out of the sum as it is taken out of the statistic.

    Parameters
    ----------
    source : ndarray, shape (n, k)
        Features of source rows, sorted.
    target : ndarray, shape (m, k)
        Of target rows.
    mixture : Mixture
        How much each label weighs in the target: decides how noisy its mean is.

    Notes
    -----
    At most 1,000 rows of each side enter: with enough rows every assumption is rejected, and the
    test is to find violations that cost accuracy.
    """
    rng = stream(0, "mixture test")
    at = rng.permutation(len(source))[:TEST_ROWS]
    Zt = target[rng.permutation(len(target))[:TEST_ROWS]]
    n, m, Psi = len(at), len(Zt), mixture.basis[at]
    Z = np.vstack([source[at], Zt])
    K = rbf(Z, Z, median_bandwidth(Z))
    # S = Psi @ back; a label direction as coefficients of source rows is a column of back.T
    back = np.linalg.solve(Psi.T @ Psi + (mixture.ridge + SMALL) * np.eye(Psi.shape[1]), Psi.T)
    V = np.vstack([back.T @ _sum_zero(back.sum(axis=1)), np.zeros((m, Psi.shape[1] - 1))])
    beta = Psi @ mixture.theta
    observed = np.r_[-back.T @ (Psi.T @ beta) / beta.sum(), np.full(m, 1 / m)]
    draws = rng.normal(size=(n + m, DRAWS))
    noise = draws / np.r_[np.full(n, 1.0), np.full(m, m)][:, None]
    noise[:n] *= -(beta / beta.sum())[:, None]
    noise[:n] -= back.T @ (Psi.T @ noise[:n])
    noise[n:] -= noise[n:].mean(axis=0)
    # centring by the mean of few rows takes out some of the noise: put it back
    noise[:n] /= np.sqrt(np.maximum(1 - np.einsum("ir,ri->i", Psi, back), 0.5 / n))[:, None]
    null = _unexplained(K, V, noise)
    value = _unexplained(K, V, observed[:, None])[0]
    return float((1 + (null >= value).sum()) / (DRAWS + 1))


def _sum_zero(mass: Array) -> Array:
    """Return directions (r, r - 1) that leave the total mass as it is."""
    _, _, right = np.linalg.svd(mass[None, :])
    out: Array = right[1:].T
    return out


def _unexplained(K: Array, V: Array, x: Array) -> Array:
    """Return squared kernel norms of the columns of x, less what columns of V can explain."""
    Kx = K @ x
    inner = V.T @ Kx
    explained = np.linalg.pinv(V.T @ K @ V, rcond=1e-6, hermitian=True) @ inner
    out: Array = (x * Kx).sum(axis=0) - (inner * explained).sum(axis=0)
    return out
