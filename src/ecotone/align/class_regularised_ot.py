"""Class-regularised transport: each target row should receive from one class alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array, Labels
from ecotone.align._costs import Nearest, costs, room_for
from ecotone.align._kinds import Mapper, Moved
from ecotone.align._plans import Scaling
from ecotone.core.errors import BadInput
from ecotone.core.method import method

FIRST = 1e-3  # accuracy of the first plans, whose class term is about to change


@method(
    name="class_regularised_ot",
    paper="courty2017optimal",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class ClassRegularisedOT(Mapper):
    r"""Entropic transport with a price on target rows that receive from several classes [1]_.

    .. math:: \min_G\ \langle G, C\rangle + \epsilon\,\mathrm{KL}(G\,|\,a b^\top)
              + \eta \sum_j b_j \sum_c \sqrt{s_{cj} + \delta}, \qquad
              s_{cj} = \frac{1}{b_j} \sum_{i \in c} G_{ij}

    over plans with row sums a and column sums b; C is divided by its median. The root is steep at
    0, so that small shares s are pressed out. Source rows move to the mean of the target
    rows that they are sent to, as in `EntropicOT`.

    Parameters
    ----------
    estimator : estimator, optional
        Classifier, fitted on the moved source rows; LogisticRegression(max_iter=1000) by default.
    reg : float, default 0.1
        :math:`\epsilon`.
    class_reg : float, default 0.1
        :math:`\eta`; 0 is `EntropicOT`.
    smoothing : float, default 1e-3
        :math:`\delta`, which keeps the root's slope finite.
    metric : str, default 'sqeuclidean'
        Or ``cosine``.
    rounds : int, default 20
        Most updates of the class term.
    sweeps : int, default 1000
        Most sweeps over the kernel in a round.
    tol : float, default 1e-6
        Sum of missed column masses at which the last round stops; rounds end when one lowers the
        objective by less than a millionth of it.

    Attributes
    ----------
    objectives_ : dict of int to list of float
        Of every source domain, the objective after each round.

    Notes
    -----
    The root is concave: its tangent at the last plan lies above it, and the plan for the tangent,
    a cost that depends on class and target row alone, cannot be worse. That cost scales columns of
    the kernel, which is computed once. The minimum is local. New source rows, whose class is not
    known, take the displacement of the nearest row seen in fit.

    References
    ----------
    .. [1] Courty et al., Optimal transport for domain adaptation, IEEE TPAMI 2017, section 4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(100) % 2
    >>> X = rng.normal(0, 0.3, (100, 2)) + 3 * y[:, None] + np.repeat([[0.0], [1.5]], 50, axis=0)
    >>> domain = np.repeat([1, -2], 50)
    >>> ClassRegularisedOT().fit(X, np.where(domain > 0, y, -1), domain).score(X[50:], y[50:])
    1.0
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        reg: float = 0.1,
        class_reg: float = 0.1,
        smoothing: float = 1e-3,
        metric: str = "sqeuclidean",
        rounds: int = 20,
        sweeps: int = 1000,
        tol: float = 1e-6,
    ) -> None:
        self.estimator = estimator
        self.reg = reg
        self.class_reg = class_reg
        self.smoothing = smoothing
        self.metric = metric
        self.rounds = rounds
        self.sweeps = sweeps
        self.tol = tol

    def _fit(self, X: Array, y: Labels, sample_domain: Any, weight: Array | None) -> None:
        if self._is_regressor():
            raise BadInput(
                "ClassRegularisedOT: a regression has no classes to keep apart.",
                cure="eco.align.EntropicOT(estimator)",
            )
        for name, least in (("reg", 0.1), ("smoothing", 1e-3)):
            if not getattr(self, name) > 0:
                raise BadInput(
                    f"ClassRegularisedOT: {name} is {getattr(self, name)}.", cure=f"{name}={least}"
                )
        if not self.class_reg >= 0:
            raise BadInput(
                f"ClassRegularisedOT: class_reg is {self.class_reg}.", cure="class_reg=0.1"
            )
        self._found: list[list[float]] = []
        super()._fit(X, y, sample_domain, weight)
        self.objectives_ = dict(zip(self.moves_, self._found, strict=True))
        del self._found

    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:
        n, m = len(source), len(target)
        room_for(n, m, 4, type(self).__name__)
        order = np.argsort(y, kind="stable")
        present, first = np.unique(y[order], return_index=True)
        a = np.full(n, 1 / n) if weight is None else (weight / weight.sum())[order]
        cost = costs(source, target, self.metric, type(self).__name__).ordered(order)
        plan = Scaling(
            cost, a, np.full(m, 1 / m), self.reg, starts=np.r_[first, n] if len(present) else None
        )
        self._found.append(self._alternate(plan))
        moved = np.empty_like(source)
        moved[order] = plan.means(target)
        return Moved(moved, Nearest(source, moved - source))

    def _alternate(self, plan: Scaling) -> list[float]:
        """Alternate between the plan and the tangent of the class term."""
        plan.run(FIRST, self.sweeps)
        seen = [self._objective(plan)]
        for k in range(self.rounds):
            share = np.maximum(plan.classes / plan.b, 0.0)
            term = -self.class_reg / self.reg * 0.5 / np.sqrt(share + self.smoothing)
            # a constant a column moves the potential of that column, and nothing else
            plan.term = term - term.max(axis=0)
            plan.run(max(self.tol, FIRST / 4**k), self.sweeps)
            seen.append(self._objective(plan))
            if k > 4 and seen[-2] - seen[-1] <= 1e-6 * abs(seen[-1]):
                break
        plan.run(self.tol, self.sweeps)
        return [*seen, self._objective(plan)]

    def _objective(self, plan: Scaling) -> float:
        """Return the objective; what the plan costs is read from its potentials."""
        S = plan.classes
        mass = S.sum(axis=0)
        plain = plan.a @ plan.phi + mass @ plan.psi + float((S * plan.term).sum())
        roots = np.sqrt(np.maximum(S / plan.b, 0.0) + self.smoothing)
        return float(self.reg * plain + self.class_reg * (plan.b * roots).sum())
