"""JCPOT: carry labels from several sources, with the target's class shares that fit all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._costs import costs, room_for
from ecotone.align._plans import Anderson, Scaling
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

LEAST = 1e-6  # share of a label below which it is left out


@method(
    name="jcpot",
    paper="redko2019optimal",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"label", "multi_source"},
)
class JCPOT(Aligner):
    r"""Find the target's class shares by transport from many sources, carry labels, fit there [1]_.

    .. math:: \min_{h \in \Delta}\ \sum_k \lambda_k\ \min_{G_k}\
              \langle G_k, C_k\rangle + \epsilon \sum_{ij} G_{k,ij} \log G_{k,ij}

    where :math:`G_k` has uniform column sums and row sums :math:`h_{y_i} / n_{k, y_i}`: every
    source is weighted so that its classes have the shares h. Target rows get the labels that
    arrive, :math:`P_{jc} = \sum_k \lambda_k \sum_{i: y_i = c} G_{k,ij} / b_j`, and the estimator is
    fitted on them. Every source weighs the same, :math:`\lambda_k = 1/K`.

    Parameters
    ----------
    estimator : estimator, optional
        Classifier, fitted on target rows; LogisticRegression(max_iter=1000) by default.
    reg : float, default 0.02
        :math:`\epsilon`, in units of the median cost of each source. Large, h becomes the mean of
        the sources' shares.
    labels : str, default 'hard'
        Or ``soft``: every target row counts for each class with its share P, as a weight.
    metric : str, default 'sqeuclidean'
        Or ``cosine``.
    sweeps : int, default 600
        Most sweeps over each kernel.
    tol : float, default 1e-5
        Mean error of column sums, and change of h, at which to stop.

    Attributes
    ----------
    proportions_ : ndarray, shape (C,)
        h.
    shares_ : ndarray, shape (m, C)
        P, target rows in the order of `fit`.
    error_ : float
        Mean error of column sums, or change of h, at the end; above `tol` if `sweeps` ran out.

    Notes
    -----
    The derivative by h is 0 where, for every class,
    :math:`\log h_c = \sum_k \lambda_k (\log n_{kc} - \overline{\phi_k}) + \mathrm{const}`, with the
    mean of the plan's potential over the rows of the class; h is set to that between sweeps. A
    source that lacks a class would have to send another one to the target's rows of it: such
    sources are pooled into one, or, where the pool lacks a class as well, all sources are. Memory:
    4 bytes a pair. A row of weight 2 is a row twice: :math:`n_{kc}` is a sum of weights.

    References
    ----------
    .. [1] Redko, Courty, Flamary and Tuia, Optimal transport for multi-source domain adaptation
       under target shift, AISTATS 2019.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.r_[np.arange(200) % 2, np.arange(100) % 5 == 0].astype(int)
    >>> X = rng.normal(0, 0.5, (300, 2)) + 3 * y[:, None]
    >>> domain = np.repeat([1, 2, -3], 100)
    >>> JCPOT().fit(X, np.where(domain > 0, y, -1), domain).proportions_.round(1).tolist()
    [0.8, 0.2]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        reg: float = 0.02,
        labels: str = "hard",
        metric: str = "sqeuclidean",
        sweeps: int = 600,
        tol: float = 1e-5,
    ) -> None:
        self.estimator = estimator
        self.reg = reg
        self.labels = labels
        self.metric = metric
        self.sweeps = sweeps
        self.tol = tol

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if self._is_regressor():
            raise BadInput(
                "JCPOT: a regression has no class shares.", cure="eco.align.OTLabelProp(estimator)"
            )
        if not self.reg > 0:
            raise BadInput(f"JCPOT: reg is {self.reg}.", cure="reg=0.02")
        if self.labels not in ("hard", "soft"):
            raise BadInput(f"JCPOT: labels is {self.labels!r}.", cure='labels="soft"')
        w = np.ones(len(X)) if weight is None else weight
        target = X[sample_domain < 0]
        use = np.flatnonzero((sample_domain > 0) & (w > 0))
        room_for(len(use), len(target), 4, "JCPOT")
        group = self._groups(y[use], sample_domain[use])
        sources = [
            _Source(X[at], y[at], w[at], target, self)
            for at in (use[group == k] for k in np.unique(group))
        ]
        self.proportions_ = self._shares_of_classes(sources)
        self.shares_ = np.mean([s.arriving() for s in sources], axis=0)
        self._teach(target)

    def _groups(self, y: Labels, domain: Domains) -> Domains:
        """Return the source of each row, after pooling those that lack a class (as source 0)."""
        C = len(self.classes_)
        lacking = [k for k in np.unique(domain) if len(np.unique(y[domain == k])) < C]
        pooled = np.where(np.isin(domain, lacking), 0, domain)
        whole = len(np.unique(y[pooled == 0])) in (0, C)
        return pooled if whole else np.zeros_like(domain)

    def _shares_of_classes(self, sources: list[_Source]) -> Array:
        """Alternate between both halves of a sweep, with new shares in the middle."""
        ahead, best, h = Anderson(), np.inf, np.zeros(len(self.classes_))
        for _ in range(self.sweeps):
            for s in sources:
                s.plan.to_rows()
            log_h = np.mean([s.wish() for s in sources], axis=0)
            before, h = h, np.exp(log_h - log_h.max())
            h /= h.sum()
            old = np.concatenate([s.plan.psi for s in sources])
            new = np.concatenate([s.columns(h) for s in sources])
            change = float(np.abs(h - before).sum())
            self.error_ = max(float(np.abs(np.expm1(old - new)).mean()), change)
            if not np.isfinite(self.error_):
                cure = f"reg={10 * self.reg:g}"
                raise BadInput(f"JCPOT: a plan underflows at reg={self.reg:g}.", cure=cure)
            if self.error_ <= self.tol:
                break
            if self.error_ > 2 * best:
                ahead, best, psi = Anderson(), np.inf, new
            else:
                best, psi = min(best, self.error_), ahead.next(old, new)
            for s, part in zip(sources, np.split(psi, len(sources)), strict=True):
                s.plan.psi = part
        return h

    def _teach(self, target: Array) -> None:
        if self.labels == "hard":
            label = self.shares_.argmax(axis=1)
            if len(np.unique(label)) < 2:
                raise BadInput(
                    "JCPOT: one class has the largest share at every target row.",
                    cure='labels="soft"',
                )
            self.estimator_ = self._fitted(target, label)
        else:
            row, label = np.nonzero(self.shares_ > LEAST)
            self.estimator_ = self._fitted(target[row], label, self.shares_[row, label])


class _Source:
    """One source, with rows of all classes: its plan, for class shares that change."""

    def __init__(self, X: Array, y: Labels, w: Array, target: Array, method: JCPOT) -> None:
        order = np.argsort(y, kind="stable")
        C, m = len(method.classes_), len(target)
        self.y = y[order]
        size = np.bincount(y, w, C)
        self.mass, self.log_size = w[order] / size[self.y], np.log(size)  # mass within the class
        starts = np.searchsorted(self.y, np.arange(C + 1))
        cost = costs(X, target, method.metric, "JCPOT").ordered(order)
        self.plan = Scaling(cost, self.mass / C, np.full(m, 1 / m), method.reg, starts=starts)

    def columns(self, h: Array) -> Array:
        """Give the classes the shares h, and return the potential of the columns."""
        self.plan.a = self.mass * h[self.y]
        return self.plan.to_columns()

    def wish(self) -> Array:
        """Return the log shares, up to a constant, at which the derivative is 0; (C,)."""
        out: Array = self.log_size - np.bincount(self.y, self.mass * self.plan.phi)
        return out

    def arriving(self) -> Array:
        """Return the share of every class in what each target row receives, (m, C)."""
        out: Array = (self.plan.classes / self.plan.classes.sum(axis=0)).T
        return out
