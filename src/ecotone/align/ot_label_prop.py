"""Label propagation by transport: give target rows the labels of the source rows sent to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._costs import costs, room_for
from ecotone.align._exact import carried, exact, potentials
from ecotone.align._plans import Scaling
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

LEAST = 1e-6  # share of a label below which it is left out


@method(
    name="ot_label_prop",
    paper="solomon2014wasserstein",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
    extra="ot",
)
class OTLabelProp(Aligner):
    r"""Carry labels to the target along a transport plan, and fit there [1]_.

    .. math:: P_{jc} = \frac{\sum_{i : y_i = c} G_{ij}}{\sum_i G_{ij}}, \qquad
              \hat y_j = \arg\max_c P_{jc}

    with G the least-effort plan between all source rows and the target rows, or with `reg` the
    entropic one. For regression :math:`\hat y_j` is the mean label that arrives.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on target rows and carried labels; LogisticRegression(max_iter=1000) by default.
    reg : float, default 0.0
        Entropic regularisation, in units of the median cost; 0: the exact plan.
    labels : str, default 'hard'
        Or ``soft``: every target row counts for each class with its share P, as a weight.
    metric : str, default 'sqeuclidean'
        Or ``cosine``.

    Attributes
    ----------
    shares_ : ndarray, shape (m, C)
        P, target rows in the order of `fit`; for regression (m, 1), the means.

    Notes
    -----
    Several sources are one. Source weights are masses; rows of weight 0 are left out.

    References
    ----------
    .. [1] Solomon, Rustamov, Guibas and Butscher, Wasserstein propagation for semi-supervised
       learning, ICML 2014. As a method of adaptation: Redko et al., AISTATS 2019.

    Examples
    --------
    >>> X = [[0.0], [1.0], [2.0], [12.0], [10.0], [11.0]]
    >>> fitted = OTLabelProp().fit(X, [0, 0, 1, -1, -1, -1], [1, 1, 1, -2, -2, -2])
    >>> fitted.shares_.argmax(axis=1).tolist()
    [1, 0, 0]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        reg: float = 0.0,
        labels: str = "hard",
        metric: str = "sqeuclidean",
    ) -> None:
        self.estimator = estimator
        self.reg = reg
        self.labels = labels
        self.metric = metric

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if not self.reg >= 0:
            raise BadInput(f"OTLabelProp: reg is {self.reg}.", cure="reg=0.1")
        if self.labels not in ("hard", "soft"):
            raise BadInput(f"OTLabelProp: labels is {self.labels!r}.", cure='labels="soft"')
        at = sample_domain > 0
        w = np.ones(int(at.sum())) if weight is None else weight[at]
        source, known, target = X[at][w > 0], y[at][w > 0], X[~at]
        room_for(len(source), len(target), 4, "OTLabelProp")
        values = known[:, None] if self._is_regressor() else np.eye(len(self.classes_))[known]
        self.shares_ = self._carry(source, target, w[w > 0] / w.sum(), values)
        if self._is_regressor():
            self.estimator_ = self._fitted(target, self.shares_[:, 0])
        elif self.labels == "hard":
            self.estimator_ = self._fitted(target, self._one_each())
        else:
            row, label = np.nonzero(self.shares_ > LEAST)
            self.estimator_ = self._fitted(target[row], label, self.shares_[row, label])

    def _carry(self, source: Array, target: Array, a: Array, values: Array) -> Array:
        b = np.full(len(target), 1 / len(target))
        if self.reg > 0:
            # from the target's side, whose sums are then exact
            back = costs(target, source, self.metric, "OTLabelProp")
            return Scaling(back, b, a, self.reg).run(1e-6, 1000).means(values)
        cost = costs(source, target, self.metric, "OTLabelProp")
        plan = exact(cost, a, b, *potentials(cost, a, b))
        return carried(plan, values, len(target))

    def _one_each(self) -> Labels:
        """Return the class of the largest share; refuse if only one class arrives."""
        label = self.shares_.argmax(axis=1)
        if len(np.unique(label)) < 2:
            raise BadInput(
                "OTLabelProp: one class has the largest share at every target row.",
                why="the plan is so blurred that it carries the sources' class shares everywhere.",
                cure='labels="soft"',
            )
        return np.asarray(label)
