"""Entropic optimal transport: move each source row to the mean of the target rows it is sent to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array, Labels
from ecotone.align._costs import Nearest, costs, room_for
from ecotone.align._kinds import Mapper, Moved
from ecotone.align._plans import Scaling
from ecotone.core.errors import BadInput
from ecotone.core.method import method


@method(
    name="entropic_ot",
    paper="courty2017optimal",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class EntropicOT(Mapper):
    r"""Couple every source domain with the target by a blurred least-effort plan, and move it [1]_.

    .. math:: G = \arg\min_G\ \langle G, C\rangle + \epsilon\,\mathrm{KL}(G\,|\,a b^\top), \qquad
              x_i' = \frac{\sum_j G_{ij}\,x^t_j}{\sum_j G_{ij}}

    over plans with row sums a and column sums b; C is divided by its median, so that
    :math:`\epsilon` has no unit. With `tau` the sums may be missed, at :math:`\tau` times the
    KL divergence of either side.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the moved source rows; LogisticRegression(sweeps=1000) by default.
    reg : float, default 0.1
        :math:`\epsilon`. Toward 0 the exact plan; large, every row goes to the target's mean.
    tau : float, optional
        Price of missing the masses, in the unit of the cost: for label proportions that differ.
        None: masses are kept.
    metric : str, default 'sqeuclidean'
        Or ``cosine``.
    sweeps : int, default 1000
        Most sweeps over the kernel.
    tol : float, default 1e-6
        Sum of missed column masses at which to stop. Above 4 million pairs the kernel is
        float32, and 5e-7 is the least that can be told.

    Attributes
    ----------
    errors_ : dict of int to float
        Of every source domain, the sum of missed column masses at the end.

    Notes
    -----
    O(n m) memory (4 bytes a pair) and time for a sweep. A new source row takes the displacement of
    the nearest source row of its domain that was seen in fit; the plan's own extension,
    :math:`\sum_j p_j(x)\,x^t_j` with :math:`p_j \propto e^{\psi_j - c(x, x^t_j)/\epsilon}`, errs
    more (see the card). Source weights are masses.

    References
    ----------
    .. [1] Courty et al., Optimal transport for domain adaptation, IEEE TPAMI 2017.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (50, 2)), rng.normal(3, 1, (50, 2))])
    >>> domain = np.repeat([1, -2], 50)
    >>> moved = EntropicOT().fit(X, np.arange(100) % 2, domain).features(X, domain)[:50]
    >>> bool(np.allclose(moved.mean(axis=0), X[50:].mean(axis=0), atol=1e-4))
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        reg: float = 0.1,
        tau: float | None = None,
        metric: str = "sqeuclidean",
        sweeps: int = 1000,
        tol: float = 1e-6,
    ) -> None:
        self.estimator = estimator
        self.reg = reg
        self.tau = tau
        self.metric = metric
        self.sweeps = sweeps
        self.tol = tol

    def _fit(self, X: Array, y: Labels, sample_domain: Any, weight: Array | None) -> None:
        if not self.reg > 0:
            raise BadInput(f"EntropicOT: reg is {self.reg}.", cure="reg=0.1")
        if self.tau is not None and not self.tau > 0:
            raise BadInput(f"EntropicOT: tau is {self.tau}.", cure="tau=1.0")
        self._found: list[float] = []
        super()._fit(X, y, sample_domain, weight)
        self.errors_ = dict(zip(self.moves_, self._found, strict=True))
        del self._found

    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:  # noqa: ARG002  a map of rows
        n, m = len(source), len(target)
        room_for(n, m, 4, type(self).__name__)
        cost = costs(source, target, self.metric, type(self).__name__)
        a = np.full(n, 1 / n) if weight is None else weight / weight.sum()
        tau = np.inf if self.tau is None else self.tau
        plan = Scaling(cost, a, np.full(m, 1 / m), self.reg, tau=tau).run(self.tol, self.sweeps)
        self._found.append(plan.error)
        moved = plan.means(target)
        return Moved(moved, Nearest(source, moved - source))
