r"""A small net onto a sphere, trained beside fixed source rows that lie on it: closed gradients.

.. math:: p(x) = \frac{a}{\|a\|},\quad a = \mathrm{leaky}(W^\top x + b),\qquad
          z(x) = s\, V^\top p(x) + c
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from ecotone.core.seeds import stream

Array = NDArray[np.float64]
SLOPE, SCALE = 0.1, 8.0  # of the leaky part; of logits, as a product of unit vectors is small
SMALL = 1e-12
SHRINK = 0.1  # of a within-class covariance, as a share of its mean variance
NONE = 1e-9  # what counts as no variance


class Net(NamedTuple):
    """Parameters: W (d, w) and b (w,) project, V (w, C) and c (C,) classify."""

    W: Array
    b: Array
    V: Array
    c: Array

    @classmethod
    def drawn(cls, columns: int, width: int, classes: int, seed: int) -> Net:
        """Return a start that depends on the sizes and the seed alone."""
        rng = stream(seed, "net")
        W = rng.normal(size=(columns, width)) * np.sqrt(2 / columns)
        V = 0.1 * rng.normal(size=(width, classes))
        return cls(W, np.zeros(width), V, np.zeros(classes))

    def project(self, X: Array) -> Array:
        """Return unit rows, (n, w)."""
        return on_sphere(X @ self.W + self.b)

    def logits(self, P: Array) -> Array:
        """Return z of unit rows, (n, C)."""
        out: Array = SCALE * (P @ self.V) + self.c
        return out


def on_sphere(H: Array) -> Array:
    """Return leaky rectified rows of length 1."""
    A = np.where(H > 0, H, SLOPE * H)
    out: Array = A / (np.linalg.norm(A, axis=1, keepdims=True) + SMALL)
    return out


class Beside(NamedTuple):
    """Fixed source rows.

    Attributes
    ----------
    P : ndarray, shape (n, w)
        Unit rows.
    Y : ndarray, shape (n, C)
        One-hot labels.
    """

    P: Array
    Y: Array

    @property
    def means(self) -> Array:
        """Class means, (C, w); 0 where a class has no row."""
        out: Array = self.Y.T @ self.P / np.maximum(self.Y.sum(axis=0), 1)[:, None]
        return out

    @property
    def separation(self) -> float:
        """Mean distance of the class means; NaN with one class."""
        M = self.means[self.Y.sum(axis=0) > 0]
        if len(M) < 2:
            return float("nan")
        apart = np.linalg.norm(M[:, None] - M, axis=2)
        return float(apart[np.triu_indices(len(M), 1)].mean())


def discriminant(X: Array, y: NDArray[np.generic]) -> Array:
    """Return coordinates in which classes are round, and that their means span, (n, <= C - 1)."""
    present, at = np.unique(y, return_inverse=True)
    hot = np.eye(len(present))[at]
    means = hot.T @ X / hot.sum(axis=0)[:, None]
    left = X - means[at]
    within = left.T @ left / len(X)
    within += (SHRINK * np.trace(within) / len(within) + NONE) * np.eye(len(within))
    values, vectors = np.linalg.eigh(within)
    Z = (X - X.mean(axis=0)) @ (vectors / np.sqrt(values))
    middle = hot.T @ Z / hot.sum(axis=0)[:, None]
    _, size, ways = np.linalg.svd(middle - middle.mean(axis=0), full_matrices=False)
    kept = size > NONE * max(float(size.max()), 1.0)
    # one class alone spans nothing: its rows keep one coordinate, whichever
    ways = ways[kept] if kept.any() else ways[:1]
    # the sign of a singular vector is an accident
    ways = ways * np.sign(ways[np.arange(len(ways)), np.abs(ways).argmax(axis=1)])[:, None]
    out: Array = Z @ ways.T
    return out


class Task(NamedTuple):
    """What the net is trained on.

    Attributes
    ----------
    X : ndarray, shape (m, d)
        Target rows, the labelled ones first.
    Y : ndarray, shape (l, C)
        One-hot labels of the first l rows.
    source : Beside or None
    mu, beta, tau : float
        Weights of the discrepancy, of the loss on source rows and of the squared parameters.
    """

    X: Array
    Y: Array
    source: Beside | None
    mu: float
    beta: float
    tau: float


def soft_labels(net: Net, task: Task) -> Array:
    """Return class probabilities of target rows, (m, C); known labels as they are."""
    S: Array = softmax(net.logits(net.project(task.X)), axis=1)
    S[: len(task.Y)] = task.Y
    return S


def objective(net: Net, task: Task, S: Array) -> tuple[float, Net]:
    r"""Return the loss, soft labels S held fixed, and its gradient.

    .. math:: \mathrm{CE}_t + \beta\,\mathrm{CE}_s
              + \mu \Bigl(\|\bar p_t - \bar p_s\|^2
              + \tfrac1C \sum_c \|\bar p_{t,c} - \bar p_{s,c}\|^2\Bigr)
              + \tfrac\tau2 (\|W\|^2 + \|V\|^2)

    over classes that have source rows; :math:`\bar p_{t,c}` is weighed by S.
    """
    H = task.X @ net.W + net.b
    A = np.where(H > 0, H, SLOPE * H)
    length = np.linalg.norm(A, axis=1, keepdims=True) + SMALL
    P = A / length
    some = len(task.Y)
    loss, G = _cross_entropy(net.logits(P[:some]), task.Y)
    loss += task.tau / 2 * float((net.W**2).sum() + (net.V**2).sum())
    gV, gc = SCALE * P[:some].T @ G + task.tau * net.V, G.sum(axis=0)
    gP = np.zeros_like(P)
    gP[:some] = SCALE * G @ net.V.T
    if task.source is not None:
        beside, Gs = _cross_entropy(net.logits(task.source.P), task.source.Y)
        apart, gM = _discrepancy(P, S, task.source)
        loss += task.beta * beside + task.mu * apart
        gV = gV + task.beta * SCALE * task.source.P.T @ Gs
        gc = gc + task.beta * Gs.sum(axis=0)
        gP = gP + task.mu * gM
    # a move along p changes its length alone, which the division takes out
    gH = (gP - (gP * P).sum(axis=1, keepdims=True) * P) / length * np.where(H > 0, 1.0, SLOPE)
    return loss, Net(task.X.T @ gH + task.tau * net.W, gH.sum(axis=0), gV, gc)


def _cross_entropy(Z: Array, Y: Array) -> tuple[float, Array]:
    """Return the mean loss and its gradient in the logits."""
    logs = log_softmax(Z, axis=1)
    return -float((Y * logs).sum()) / len(Y), (np.exp(logs) - Y) / len(Y)


def _discrepancy(P: Array, S: Array, source: Beside) -> tuple[float, Array]:
    """Return squared distances of means and of class means, and the gradient in P."""
    C = S.shape[1]
    offset = P.mean(axis=0) - source.P.mean(axis=0)
    share = S / np.maximum(S.sum(axis=0), SMALL)
    apart = (share.T @ P - source.means) * (source.Y.sum(axis=0) > 0)[:, None]
    value = float(offset @ offset + (apart**2).sum() / C)
    return value, 2 * offset / len(P) + 2 / C * (share @ apart)


def train(net: Net, task: Task, *, steps: int, rate: float) -> tuple[Net, float]:
    """Return the net after Adam on all rows at once, and the last loss; soft labels follow it."""
    first = [np.zeros_like(p) for p in net]
    second = [np.zeros_like(p) for p in net]
    loss = np.nan
    for t in range(1, steps + 1):
        loss, gradient = objective(net, task, soft_labels(net, task))
        moved = []
        for i, (p, g) in enumerate(zip(net, gradient, strict=True)):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g**2
            step = first[i] / (1 - 0.9**t)
            moved.append(p - rate * step / (np.sqrt(second[i] / (1 - 0.999**t)) + 1e-8))
        net = Net(*moved)
    return net, loss
