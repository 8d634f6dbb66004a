"""DASVM: trade labelled source rows for pseudo-labelled target rows inside a margin classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._kernels import canonical_order
from ecotone.align._margins import OneVsRest
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.data.domains import Domains

LEAST = 3  # rows a class gives or takes in a round, at least
FAINT = 0.01  # weight of a target row in its first round


@method(
    name="dasvm",
    paper="bruzzone2010domain",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class DASVM(Aligner):
    r"""Replace source rows by target rows, a few in each round, in a support vector machine [1]_.

    With f_k the decision value for class k against the rest, each round

    * gives up target rows whose label has changed,
    * labels target rows inside the margin, :math:`\max_k f_k < 1`: of each class those with the
      largest lead over the second class,
    * drops, of each class that has target rows, the source rows with the largest f_k, and
    * fits again; a target row weighs 0.01 at first and 1 after `ramp` rounds.

    It ends when no target row is left in the margin, and fits the target alone, by its labels.

    Parameters
    ----------
    estimator : estimator, optional
        A classifier with decision_function that takes sample_weight; by default
        SVC(gamma="auto", tol=1e-10, random_state=0), a Gaussian kernel for standardised features.
    step : float, default 0.05
        Rows that a round labels and drops, as a share of all target and source rows.
    rounds : int, default 40
        At most.
    ramp : int, default 1
        Rounds until a target row has full weight.

    Attributes
    ----------
    rounds_ : int
        Rounds that were made.
    labelled_ : list of int
        Labelled target rows after each round.
    kept_ : list of int
        Source rows left after each round.

    References
    ----------
    .. [1] Bruzzone and Marconcini, Domain adaptation problems: a DASVM classification technique and
       a circular validation strategy, IEEE TPAMI 2010; for two classes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 0.5, (200, 2)) + 3 * y[:, None] + np.repeat([0, 1], 100)[:, None]
    >>> DASVM().fit(X, y, np.repeat([1, -2], 100)).score(X[100:], y[100:]) > 0.95
    True
    """

    def __init__(
        self, estimator: Any = None, *, step: float = 0.05, rounds: int = 40, ramp: int = 1
    ) -> None:
        self.estimator = estimator
        self.step = step
        self.rounds = rounds
        self.ramp = ramp

    def _base(self) -> Any:
        # so exact that weights are as good as copies of rows, which scikit-learn checks
        exact = SVC(gamma="auto", tol=1e-10, random_state=0)
        return exact if self.estimator is None else self.estimator

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        self._check(int((sample_domain < 0).sum()))
        source, target = (np.flatnonzero(sample_domain * s > 0) for s in (1, -1))
        # by value: ties and the solver's path do not depend on the order of rows
        source = source[canonical_order(X[source], y[source])]
        target = target[canonical_order(X[target])]
        mass = np.ones(len(source)) if weight is None else weight[source]
        swap = _Swap(X[source], y[source], mass, X[target], self)
        while swap.round < self.rounds and swap.turn():
            pass
        self.rounds_, self.labelled_, self.kept_ = swap.round, swap.labelled, swap.kept
        self.estimator_ = swap.finish()

    def _check(self, rows: int) -> None:
        if self._is_regressor() or not hasattr(self._base(), "decision_function"):
            raise BadInput(
                f"DASVM needs margins of classes; {type(self._base()).__name__} has no "
                "decision_function.",
                cure="estimator=SVC(), or for regression: eco.align.TCA(Ridge())",
            )
        if not 0 < self.step <= 1 or self.rounds < 0 or self.ramp < 1:
            raise BadInput(
                f"DASVM: step is {self.step}, rounds is {self.rounds}, ramp is {self.ramp}.",
                cure="step=0.05, rounds=40, ramp=1",
            )
        if rows < 2:
            raise TooFewRows(
                f"DASVM: {rows} target row cannot be trained on.", cure="eco.align.SourceOnly()"
            )


class _Swap:
    """The rows that are trained on, as they change."""

    def __init__(
        self, source: Array, y: Labels, mass: Array, target: Array, settings: DASVM
    ) -> None:
        self.source, self.y, self.mass, self.target = source, y, mass, target
        self.settings = settings
        self.classes = len(settings.classes_)
        self.alive = np.ones(len(source), dtype=bool)
        self.labels = np.full(len(target), -1, dtype=np.int64)
        self.age = np.zeros(len(target), dtype=np.int64)
        self.round = 0
        self.labelled: list[int] = []
        self.kept: list[int] = []
        self._fit()

    def _fit(self) -> None:
        told = self.labels >= 0
        rise = np.minimum(self.age[told] / self.settings.ramp, 1.0)
        w = np.concatenate([self.mass[self.alive], FAINT ** (1 - rise)])
        X = np.vstack([self.source[self.alive], self.target[told]])
        y = np.concatenate([self.y[self.alive], self.labels[told]])
        self.machine = OneVsRest(self.settings._fitted, self.classes).fit(X, y, w)

    def turn(self) -> bool:
        """Make a round; return False if there was nothing left in the margin."""
        f = self.machine.margins(self.target)
        now, ranked = f.argmax(axis=1), np.sort(f, axis=1)
        self.labels[(self.labels >= 0) & (self.labels != now)] = -1
        inside = (self.labels < 0) & (ranked[:, -1] < 1)
        if not inside.any():
            return False
        self.age[self.labels >= 0] += 1
        lead = ranked[:, -1] - ranked[:, -2]
        for c in range(self.classes):
            take = _largest(lead, inside & (now == c), self._share(len(self.target)))
            self.labels[take], self.age[take] = c, 0
        own = self.machine.margins(self.source)[np.arange(len(self.y)), self.y]
        for c in np.unique(self.labels[self.labels >= 0]).tolist():
            # a class that has no target row yet keeps its source rows
            self.alive[_largest(own, self.alive & (self.y == c), self._share(len(own)))] = False
        if len(np.union1d(self.y[self.alive], self.labels[self.labels >= 0])) < 2:
            return False  # one class has swallowed all others: the last machine stands
        self._fit()
        self.round += 1
        self.labelled.append(int((self.labels >= 0).sum()))
        self.kept.append(int(self.alive.sum()))
        return True

    def _share(self, rows: int) -> int:
        return max(LEAST, int(np.ceil(self.settings.step * rows / self.classes)))

    def finish(self) -> OneVsRest:
        """Return the machine fitted on the target alone, if more than one class is left there."""
        labels = self.machine.predict(self.target)
        if len(np.unique(labels)) > 1:
            weight = np.ones(len(labels))
            self.machine = OneVsRest(self.settings._fitted, self.classes)
            self.machine.fit(self.target, labels, weight)
        return self.machine


def _largest(values: Array, among: NDArray[np.bool_], k: int) -> NDArray[np.intp]:
    """Return the places of the k largest values among some."""
    at = np.flatnonzero(among)
    return at[np.argsort(-values[at], kind="stable")[:k]]
