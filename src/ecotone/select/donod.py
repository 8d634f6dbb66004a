"""DONOD: what one step on an example does to the output layer, its norm and its place."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.select._rows import checked_rows
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
PREFERS = ("increase", "decrease", "neither")


@method(
    name="donod", paper="hu2025donod", needs={"source_rows", "source_labels", "gradients"},
    handles=set(),
)  # fmt: skip
class DONOD:
    r"""Rank examples by the change of the output layer's norm and by the norm of its change [1]_.

    .. math:: G_i = (p_i - y_i) h_i^\top, \qquad \mathrm{NOD}_i = \eta \|G_i\|, \qquad
              \mathrm{DON}_i = \|W\| - \sqrt{\|W\|^2 - 2\eta\langle W, G_i\rangle
              + \eta^2\|G_i\|^2}

    after one step of rate :math:`\eta` on example i alone, from two scalars and no backward pass:
    :math:`\|G_i\| = \|p_i - y_i\| \|h_i\|` and
    :math:`\langle W, G_i\rangle = (p_i - y_i)^\top W h_i`. Columns are divided by their norms over
    the pool, and an example scores :math:`d^- / (d^+ + d^-)`, its distances to the worst and to the
    best value of both (TOPSIS). A small NOD is good. An example whose label the model believes lets
    the norm grow, a wrong label shrinks it: hence the default of `prefers`, see the card.

    Parameters
    ----------
    head : array-like, shape (classes, d) or (classes, d + 1), optional
        W, the bias as last column. By default logistic regression of the pool's labels.
    rate : float, default 1e-3
        :math:`\eta`.
    prefers : {"increase", "decrease", "neither"}, default "increase"
        Which DON is good: an example that lets the norm grow, one that shrinks it, or only NOD
        counts.

    Attributes
    ----------
    head_ : ndarray, shape (classes, d + 1)
    scale_ : ndarray, shape (2,)
        Norms of the columns.
    best_, worst_ : ndarray, shape (2,)
        Of the columns, divided by them.

    References
    ----------
    .. [1] Hu et al., DONOD: robust and generalizable instruction fine-tuning for LLMs via
       model-intrinsic dataset pruning, arXiv 2504.14810, 2025.

    Examples
    --------
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [2.0], [2.0]]), np.array([0, 0, 1, 1, 0])
    >>> int(DONOD().fit(None, (X, y)).score((X, y)).argmin())
    4
    """

    def __init__(self, *, head: Any = None, rate: float = 1e-3, prefers: str = "increase") -> None:
        self.head = head
        self.rate = rate
        self.prefers = prefers

    def fit(self, target: Any, pool: Any) -> Self:
        """Measure the pool; the target is not looked at, and may be None.

        Parameters
        ----------
        target : object
            Not used.
        pool : pair of array-like, shape (n, d) and (n,)
            What goes into the output layer, and labels from 0 to classes - 1.
        """
        del target  # the method judges examples by the model alone
        if self.prefers not in PREFERS:
            raise BadInput(f"DONOD: prefers is {self.prefers!r}.", cure='prefers="increase"')
        if not self.rate > 0:
            raise BadInput(f"DONOD: rate is {self.rate}.", cure="rate=1e-3")
        H, y = _pair(pool, None, "pool")
        if not len(H):
            raise BadInput("DONOD: pool is empty.", cure="pass at least one row: pool=(X, y)")
        self.head_ = _head(self.head, H, y)
        table = self.measured((H, y))
        norm = np.sqrt((table**2).sum(axis=0))
        self.scale_ = np.where(norm > 0, norm, 1.0)
        table = table / self.scale_ * self._signs()
        self.best_, self.worst_ = table.max(axis=0), table.min(axis=0)
        return self

    def measured(self, docs: Any) -> Array:
        """Return DON (what the norm loses) and NOD of every example, (n, 2)."""
        H, y = _pair(docs, self.head_.shape[1] - 1, "docs")
        if len(y) and not 0 <= y.min() <= y.max() < len(self.head_):
            raise BadInput(
                f"DONOD: labels go from {y.min()} to {y.max()}.",
                cure=f"number the classes from 0 to {len(self.head_) - 1}, as the head's rows",
            )
        H = np.column_stack([H, np.ones(len(H))])
        z = H @ self.head_.T
        miss = np.exp(log_softmax(z, axis=1))
        miss[np.arange(len(y)), y] -= 1.0
        size = np.linalg.norm(miss, axis=1) * np.linalg.norm(H, axis=1)
        squared, inner = (self.head_**2).sum(), (miss * z).sum(axis=1)
        # a - sqrt(a^2 - c) without the difference of two nearly equal numbers
        lost = 2 * self.rate * inner - (self.rate * size) ** 2
        root = np.sqrt(np.maximum(squared - lost, 0.0))
        both = np.sqrt(squared) + root
        don = np.divide(lost, both, out=np.zeros_like(lost), where=both > 0)
        return np.column_stack([don, self.rate * size])

    def score(self, docs: Any) -> Array:
        """Return the closeness to the best of the pool, (n,), from 0 to 1; 0.5 if all are alike."""
        check_fitted(self, "scale_")
        table = self.measured(docs) / self.scale_ * self._signs()
        up = np.sqrt(((table - self.best_) ** 2).sum(axis=1))
        down = np.sqrt(((table - self.worst_) ** 2).sum(axis=1))
        return np.divide(down, up + down, out=np.full(len(up), 0.5), where=up + down > 0)

    def _signs(self) -> Array:
        return np.array([{"decrease": 1.0, "increase": -1.0, "neither": 0.0}[self.prefers], -1.0])


def _head(head: Any, H: Array, y: NDArray[np.int64]) -> Array:
    """Return the output layer with its bias as last column."""
    if head is None:
        classes = np.unique(y)
        if len(classes) < 2 or classes[0] != 0 or classes[-1] != len(classes) - 1:
            raise BadInput(
                f"DONOD: the pool's labels are {classes[:3].tolist()}, ...",
                cure="number two classes or more from 0 on, or pass head=W",
            )
        found = LogisticRegression(max_iter=1000).fit(H, y)
        W, b = found.coef_, found.intercept_
        if len(classes) == 2:  # one row says the difference of two
            W, b = np.vstack([-W, W]) / 2, np.array([-b[0], b[0]]) / 2
        return np.column_stack([W, b])
    W = np.asarray(head, dtype=np.float64)
    if W.ndim != 2 or W.shape[1] not in (H.shape[1], H.shape[1] + 1) or not np.isfinite(W).all():
        raise BadInput(
            f"DONOD: head has the shape {W.shape}, features {H.shape[1]} columns.",
            cure=f"pass head as an array (classes, {H.shape[1]}), or with the bias as last column",
        )
    return W if W.shape[1] > H.shape[1] else np.column_stack([W, np.zeros(len(W))])


def _pair(data: Any, width: int | None, what: str) -> tuple[Array, NDArray[np.int64]]:
    try:
        X, y = data
    except (TypeError, ValueError):
        raise BadInput(f"DONOD: {what} is no pair.", cure=f"{what}=(features, labels)") from None
    H, labels = checked_rows(X, width, "DONOD", what), np.asarray(y)
    if labels.shape != (len(H),) or (
        labels.size and not np.array_equal(labels, labels.astype(np.int64))
    ):
        raise BadInput(
            f"DONOD: {what} has {len(H)} rows and labels of the shape {labels.shape}.",
            cure="pass one whole number for each row",
        )
    return H, labels.astype(np.int64)
