"""Joint distribution transport: carry rows and labels together, and fit what predicts them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._costs import Costs, costs, room_for
from ecotone.align._exact import Exact, carried, exact, potentials
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

LEAST = 1e-6  # share of a target row's label below which it is left out
FLOOR = 1e-12  # probabilities are not taken below


@method(
    name="jdot",
    paper="courty2017joint",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "concept", "multi_source"},
    extra="ot",
)
class JDOT(Aligner):
    r"""Fit a target predictor f while transporting source rows with their labels to (x, f(x)) [1]_.

    .. math:: \min_{f,\,G}\ \sum_{ij} G_{ij}\,\bigl(\alpha\,c(x_i^s, x_j^t)
              + \ell(y_i, f(x_j^t))\bigr)

    over plans with uniform (or weighted) masses; c is divided by its median. :math:`\ell` is the
    cross-entropy, the hinge (for classifiers without probabilities), or for regression the
    squared error in units of the variance of y. Plan and predictor are found in turn: the plan
    exactly, the predictor by fitting the estimator on target rows with the labels sent to them.
    This is done from two beginnings, the source fit and the fit on labels that the plan of the rows
    alone sends; the predictor of the lowest objective is kept.

    Parameters
    ----------
    estimator : estimator, optional
        Classifier or regressor; LogisticRegression(max_iter=1000) by default.
    alpha : float, default 1.0
        :math:`\alpha`. Large: labels are carried by the plan of the rows alone.
    metric : str, default 'sqeuclidean'
        Or ``cosine``.
    rounds : int, default 30
        Most rounds from each beginning.
    tol : float, default 1e-6
        Stop when a round lowers the objective by less.

    Attributes
    ----------
    objectives_ : list of float
        Objective under its best plan of the source fit, then of every fit that was better than all
        before. The last one is ``estimator_``'s, so that there is always a predictor.

    Notes
    -----
    Several sources are one joint distribution. The plan of a round starts from the pairs of
    the last one. Source rows of weight 0 are left out. The estimator's own penalty is not in the
    objective.

    References
    ----------
    .. [1] Courty et al., Joint distribution optimal transportation for domain adaptation,
       NeurIPS 2017.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 0.3, (200, 2)) + 3 * y[:, None] + np.repeat([[0.0], [1.5]], 100, axis=0)
    >>> domain = np.repeat([1, -2], 100)
    >>> fitted = JDOT().fit(X, np.where(domain > 0, y, -1), domain)
    >>> fitted.score(X[100:], y[100:]), bool(np.diff(fitted.objectives_).max() < 0)
    (1.0, True)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        alpha: float = 1.0,
        metric: str = "sqeuclidean",
        rounds: int = 30,
        tol: float = 1e-6,
    ) -> None:
        self.estimator = estimator
        self.alpha = alpha
        self.metric = metric
        self.rounds = rounds
        self.tol = tol

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if not self.alpha >= 0:
            raise BadInput(f"JDOT: alpha is {self.alpha}.", cure="alpha=1.0")
        at = sample_domain > 0
        w = np.ones(int(at.sum())) if weight is None else weight[at]
        source, labels, target = X[at][w > 0], y[at][w > 0], X[~at]
        room_for(len(source), len(target), 4, "JDOT")
        a, b = w[w > 0] / w.sum(), np.full(len(target), 1 / len(target))
        distances = costs(source, target, self.metric, "JDOT")
        alone = exact(distances, a, b, *potentials(distances, a, b))
        self.objectives_: list[float] = []
        problem = distances, labels, target, a, b
        own = None if weight is None else w[w > 0]
        self._descend(self._fitted(source, labels, own), problem)
        sent = self._sent(alone, labels, len(target))
        self._descend(self._taught(target, sent), problem)

    def _descend(self, guess: Any, problem: tuple[Costs, Labels, Array, Array, Array]) -> None:
        """Alternate from a predictor; keep what is better than all before."""
        distances, labels, target, a, b = problem
        before, last, pairs = np.inf, np.zeros(0), None
        f, g = np.zeros(len(a)), np.zeros(len(b))
        for _ in range(self.rounds):
            joint = self._joint(distances, labels, guess, target)
            if pairs is None:
                f, g = potentials(joint, a, b)
            plan = exact(joint, a, b, f, g, pairs)
            if not self.objectives_ or plan.cost < self.objectives_[-1]:
                self.estimator_ = guess
                self.objectives_.append(plan.cost)
            sent, pairs = self._sent(plan, labels, len(target)), plan.pairs
            # the same labels once more give the same predictor
            same = sent.shape == last.shape and np.allclose(sent, last, rtol=0, atol=1e-9)
            if same or not before - plan.cost >= self.tol:
                return
            before, last, guess = plan.cost, sent, self._taught(target, sent)

    def _sent(self, plan: Exact, y: Labels, m: int) -> Array:
        """Return the labels that a plan sends: means (m,), or shares of classes (m, C)."""
        if self._is_regressor():
            return carried(plan, y[:, None], m)[:, 0]
        return carried(plan, np.eye(len(self.classes_))[y], m)

    def _taught(self, target: Array, sent: Array) -> Any:
        """Return the estimator fitted on target rows with the labels that were sent."""
        if sent.ndim == 1:
            return self._fitted(target, sent)
        row, label = np.nonzero(sent > LEAST)
        w = sent[row, label]
        # equal weights are none, so that estimators without weights can be used
        return self._fitted(target[row], label, None if np.allclose(w, w[0]) else w)

    def _joint(self, distances: Costs, y: Labels, guess: Any, target: Array) -> Costs:
        """Return alpha times the distances plus the losses, which are factors as well."""
        if not self._is_regressor():
            losses = self._losses(guess, target)
            one_hot = np.eye(losses.shape[1])[y]
            return distances.plus(self.alpha, one_hot, losses, float(losses.max()))
        spread = float(np.std(y)) or 1.0
        centre = float(np.mean(y))
        u, v = (y - centre) / spread, (guess.predict(target) - centre) / spread
        left = np.column_stack([u**2, -2 * u, np.ones_like(u)])
        right = np.column_stack([np.ones_like(v), v, v**2])
        bound = float(np.abs(u).max() + np.abs(v).max()) ** 2
        return distances.plus(self.alpha, left, right, bound)

    def _losses(self, guess: Any, target: Array) -> Array:
        """Return the loss of every class at every target row, (m, C)."""
        C = len(self.classes_)
        if hasattr(guess, "predict_proba"):
            P = np.zeros((len(target), C))
            P[:, guess.classes_] = guess.predict_proba(target)
            return -np.log(np.maximum(P, FLOOR))
        if not hasattr(guess, "decision_function"):
            raise BadInput(
                f"JDOT: {type(guess).__name__} has neither predict_proba nor decision_function.",
                cure="eco.align.JDOT(LogisticRegression())",
            )
        score = guess.decision_function(target)
        if score.ndim == 1:
            score = np.column_stack([-score, score])
        # one against the rest: the label's own score above 1, the others below -1
        miss, other = np.maximum(0.0, 1 - score), np.maximum(0.0, 1 + score)
        out: Array = miss + other.sum(axis=1, keepdims=True) - other
        return out
