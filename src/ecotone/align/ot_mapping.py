"""Exact optimal transport: move each source row to the mean of the target rows it is sent to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array, Labels
from ecotone.align._costs import Nearest, costs, room_for
from ecotone.align._exact import Exact, exact, potentials
from ecotone.align._kinds import Mapper, Moved
from ecotone.core.method import method


@method(
    name="ot_mapping",
    paper="courty2017optimal",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
    extra="ot",
)
class OTMapping(Mapper):
    r"""Couple every source domain with the target by the least-effort plan, and move rows [1]_.

    .. math:: G = \arg\min_G\ \sum_{ij} G_{ij}\,c(x_i^s, x_j^t), \qquad
              x_i' = \frac{\sum_j G_{ij}\,x^t_j}{\sum_j G_{ij}}

    over plans with row sums a and column sums b. With as many rows on both sides every source row
    is put onto one target row.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the moved source rows; LogisticRegression(max_iter=1000) by default.
    metric : str, default 'sqeuclidean'
        Or ``cosine``.

    Attributes
    ----------
    efforts_ : dict of int to float
        Of every source domain, the cost of the plan in units of the median cost.

    Notes
    -----
    Solved by the network simplex of POT on few pairs, with a proof of optimality over all of them;
    memory is 4 bytes a pair for the first potentials. New source rows take the displacement of the
    nearest row seen in fit. Source weights are masses; rows of weight 0 move like new ones.

    References
    ----------
    .. [1] Courty et al., Optimal transport for domain adaptation, IEEE TPAMI 2017.

    Examples
    --------
    >>> X = [[0.0], [1.0], [2.0], [12.0], [10.0], [11.0]]
    >>> domain = [1, 1, 1, -2, -2, -2]
    >>> fitted = OTMapping().fit(X, [0, 0, 1, -1, -1, -1], domain)
    >>> fitted.features(X, domain).ravel().tolist()
    [10.0, 11.0, 12.0, 12.0, 10.0, 11.0]
    """

    def __init__(self, estimator: Any = None, *, metric: str = "sqeuclidean") -> None:
        self.estimator = estimator
        self.metric = metric

    def _fit(self, X: Array, y: Labels, sample_domain: Any, weight: Array | None) -> None:
        self._found: list[float] = []
        super()._fit(X, y, sample_domain, weight)
        self.efforts_ = dict(zip(self.moves_, self._found, strict=True))
        del self._found

    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:  # noqa: ARG002  a map of rows
        room_for(len(source), len(target), 4, type(self).__name__)
        w = np.ones(len(source)) if weight is None else weight
        here = w > 0
        plan = least_effort(source[here], target, w[here], self.metric, type(self).__name__)
        self._found.append(plan.cost)
        sums, mass = np.zeros((int(here.sum()), source.shape[1])), np.zeros(int(here.sum()))
        np.add.at(sums, plan.i, plan.mass[:, None] * target[plan.j])
        np.add.at(mass, plan.i, plan.mass)
        move = Nearest(source[here], sums / mass[:, None] - source[here])
        moved = move(source) if not here.all() else sums / mass[:, None]
        return Moved(moved, move)


def least_effort(source: Array, target: Array, weight: Array, metric: str, who: str) -> Exact:
    """Return the exact plan between weighted source rows and target rows of equal mass."""
    cost = costs(source, target, metric, who)
    a, b = weight / weight.sum(), np.full(len(target), 1 / len(target))
    return exact(cost, a, b, *potentials(cost, a, b))
