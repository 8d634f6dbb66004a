"""Learn from the learnt: choose the target rows worth a label, and adapt a fitted model by them."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ecotone.align._aligner import Array, Labels
from ecotone.align._heads import Head, InformedLoss, Numbered, descended, linear_head, taught_head
from ecotone.align._kernels import canonical_order
from ecotone.align._pseudo import Embedding, SourceFree, probabilities
from ecotone.core.errors import BadInput
from ecotone.core.method import method

Rows = NDArray[np.intp]


@method(
    name="contrastive_active",
    paper="lyu2024learn",
    needs={"target_rows", "target_labels"},
    handles={"covariate"},
)
class LearnFromLearnt(SourceFree):
    r"""Ask for the labels of a few target rows, round by round, and adapt with them [1]_.

    With p the class probabilities of the present model and p' those of the round before, `ask`
    returns the rows that score lowest,

    .. math:: \frac{U_i}{\max_j U_j} + \eta\, h_{\hat y_i}, \qquad
              U = u_{(1)} - u_{(2)}, \qquad u = p + \gamma (p - p')

    where :math:`u_{(1)}, u_{(2)}` are the two largest entries of u (p in the first round), and
    :math:`h_c` counts class c among the rows with the largest U, over the count of the most
    frequent one: easy classes wait. `tell` takes the labels and carries on from the present linear
    head W, on rows standardised by the target, to a minimum of

    .. math:: \underset{\text{told}}{\mathrm{mean}}\; {-\log p_{i y_i}}
              + \iota \Bigl(\underset{\text{untold}}{\mathrm{mean}}\, H(p_i)
              - H\bigl(\underset{\text{untold}}{\mathrm{mean}}\, p_i\bigr)\Bigr)
              + \frac{\mu}{2} \|W - W_0\|^2

    with W_0 the source model (for one that is not linear: the head taught by its probabilities of
    the target rows). Source rows are never needed again, and target labels come in through `tell`
    alone: those that `fit` may be given are masked. Until the first `tell` it is the source model.

    Parameters
    ----------
    estimator : estimator, optional
        A classifier; LogisticRegression(max_iter=1000) by default. `ask` takes one that is already
        fitted as it is.
    rounds : int, default 10
        After so many, `ask` returns no rows.
    budget : float, default 0.01
        Rows of a round: a share of the target rows (1.0: all), or a whole number of them.
    contrast : float, default 0.03
        :math:`\gamma`. 0: the margin of p.
    hardness : float, default 0.1
        :math:`\eta`. 0: all classes alike; with ``contrast=0`` this is margin sampling.
    easiest : int, default 100
        Rows of largest margin in which classes are counted.
    information : float, default 0.9
        :math:`\iota`. 0: the told rows alone.
    anchor : float, default 0.01
        :math:`\mu`.
    iterations : int, default 100
        Of L-BFGS, a round.

    Attributes
    ----------
    pool_ : ndarray, shape (m, d)
        Target rows; what `ask` returns counts in them.
    told_ : ndarray of int64, shape (m,)
        Class numbers of the rows told; -1 elsewhere.
    round_ : int
        Rounds asked.

    References
    ----------
    .. [1] Lyu et al., Learn from the learnt: source-free active domain adaptation via contrastive
       sampling and visual persistence, ECCV 2024.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 1, (200, 2)) + 3 * y[:, None]
    >>> picker = LearnFromLearnt(rounds=3, budget=2).fit(X, y)
    >>> while len(rows := picker.ask(X + 2)):
    ...     picker = picker.tell(rows, y[rows])
    >>> int((picker.told_ >= 0).sum()), picker.score(X + 2, y) > 0.95
    (6, True)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        rounds: int = 10,
        budget: float = 0.01,
        contrast: float = 0.03,
        hardness: float = 0.1,
        easiest: int = 100,
        information: float = 0.9,
        anchor: float = 0.01,
        iterations: int = 100,
    ) -> None:
        self.estimator = estimator
        self.rounds = rounds
        self.budget = budget
        self.contrast = contrast
        self.hardness = hardness
        self.easiest = easiest
        self.information = information
        self.anchor = anchor
        self.iterations = iterations

    def _sees_target_labels(self) -> bool:
        return False  # labels are bought: they come through `tell`

    def _fit_plain(self, X: Any, y: Any, sample_weight: Any) -> Any:
        for name in ("pool_", "present_"):
            self.__dict__.pop(name, None)  # a new model knows no target yet
        return super()._fit_plain(X, y, sample_weight)

    def _adapt(self, target: Array) -> None:
        """Take the target rows; nothing is told yet."""
        self._rows_a_round(len(target))
        self.estimator_ = self.source_estimator_
        self.pool_ = target.copy()
        self.told_ = np.full(len(target), -1, dtype=np.int64)
        self.asked_ = np.zeros(len(target), dtype=bool)
        self.round_, self.pending_ = 0, np.empty(0, dtype=np.intp)
        self.present_: Array | None = None
        self.previous_: Array | None = None

    def _rows_a_round(self, rows: int) -> int:
        whole = isinstance(self.budget, Integral)
        low = (self.contrast, self.hardness, self.information, self.anchor)
        if (
            self.rounds < 1 or self.easiest < 1 or self.iterations < 1
            or not self.budget > 0 or not (whole or self.budget <= 1) or not min(low) >= 0
        ):  # fmt: skip
            raise BadInput(
                f"LearnFromLearnt: rounds is {self.rounds}, budget is {self.budget}, easiest is "
                f"{self.easiest}, iterations is {self.iterations}; contrast, hardness, information "
                f"and anchor are {', '.join(map(str, low))}.",
                why="a budget is a share above 0 up to 1.0, or a number of rows; weights are not "
                "negative.",
                cure="rounds=10, budget=0.01, contrast=0.03, hardness=0.1, information=0.9",
            )
        return int(self.budget) if whole else max(1, round(float(self.budget) * rows))

    def ask(self, X: Any = None) -> Rows:
        """Return the rows to label next, most wanted first; none when the rounds are over.

        Asked again before `tell`, it returns the same rows. Rows that were asked for and not told
        are passed over later.

        Parameters
        ----------
        X : array, shape (m, d), optional
            Target rows, the same every time; may be left out once they are known.

        Returns
        -------
        ndarray of int, shape (b,)
            Places in X (after ``fit`` with `sample_domain`: among its target rows).
        """
        self._take(X)
        if len(self.pending_) or self.round_ >= self.rounds:
            return self.pending_.copy()
        p = probabilities(self.estimator_, self.pool_, len(self.classes_))
        left = np.flatnonzero(~self.asked_ & (self.told_ < 0))
        before = None if self.previous_ is None else self.previous_[left]
        score = scores(
            p[left], before, contrast=self.contrast, hardness=self.hardness, easiest=self.easiest
        )
        rank = np.argsort(canonical_order(self.pool_))  # ties by value: no row order
        chosen = left[np.lexsort((rank[left], score))][: self._rows_a_round(len(p))]
        self.asked_[chosen] = True
        self.present_, self.pending_, self.round_ = p, chosen, self.round_ + 1
        return chosen.copy()

    def tell(self, rows: Any, labels: Any) -> Self:
        """Take the labels of some target rows, asked for or not, and adapt.

        Parameters
        ----------
        rows : array of int, shape (b,)
            Places in the target rows.
        labels : array, shape (b,)
            Their labels, of classes the source has.

        Returns
        -------
        self
        """
        if self.__dict__.get("present_") is None:
            raise BadInput(
                "LearnFromLearnt: tell comes after ask.", cure="rows = picker.ask(X_target)"
            )
        at, found = self._numbered(rows, labels)
        self.told_[at] = found
        self.previous_, self.pending_ = self.present_, np.empty(0, dtype=np.intp)
        self._learn()
        return self

    def _take(self, X: Any) -> None:
        """Begin with these target rows, or check that they are those already known."""
        if not hasattr(self, "estimator_"):
            self._adopt()
        known = hasattr(self, "pool_")
        if X is None:
            if not known:
                raise BadInput(
                    "LearnFromLearnt: there are no target rows to choose from.",
                    cure="picker.ask(X_target)",
                )
        elif not known:
            self.adapt(X)
        elif not np.array_equal(self._rows(X, reset=False), self.pool_):
            raise BadInput(
                "LearnFromLearnt: these are other target rows than before.",
                why="what was told belongs to the places of the rows it has.",
                cure="picker.ask() for the rows it has, or picker.adapt(X_target) to begin anew",
            )

    def _adopt(self) -> None:
        """Take the given estimator as the source model, if it is fitted."""
        try:
            check_is_fitted(self._base())
        except NotFittedError:
            raise BadInput(
                "LearnFromLearnt: there is no source model yet.",
                cure="picker.fit(X_source, y_source), or give a fitted estimator",
            ) from None
        self._classifiers_only()
        self.classes_ = np.asarray(self.estimator.classes_)
        self.n_features_in_ = self.estimator.n_features_in_
        self.estimator_, self.adapted_ = Numbered(self.estimator), False

    def _numbered(self, rows: Any, labels: Any) -> tuple[Rows, Labels]:
        at, given = np.atleast_1d(np.asarray(rows)), np.atleast_1d(np.asarray(labels))
        whole = at.dtype.kind in "iu" and at.ndim == 1 and at.shape == given.shape
        if not whole or not len(at) or at.min() < 0 or at.max() >= len(self.pool_):
            raise BadInput(
                f"LearnFromLearnt: rows have the shape {at.shape} and dtype {at.dtype}, labels the "
                f"shape {given.shape}; places go from 0 to {len(self.pool_) - 1}.",
                cure="rows = picker.ask(); picker.tell(rows, labels), one label for each row",
            )
        number = {c: i for i, c in enumerate(self.classes_.tolist())}
        strange = [c for c in given.tolist() if c not in number]
        if strange:
            raise BadInput(
                f"LearnFromLearnt: the source has no class {strange[0]!r}.",
                why="its head has one output for every class of the source.",
                cure="leave those rows out of tell; rows of unknown classes: "
                "eco.align.GlobalLocalClustering()",
            )
        return at.astype(np.intp), np.array([number[c] for c in given.tolist()], dtype=np.int64)

    def _learn(self) -> None:
        """Carry the present head on to a minimum of the loss."""
        scale = Embedding(None, self.source_estimator_, self.pool_)
        Z = scale(self.pool_)
        W0 = linear_head(self.source_estimator_, scale.mean, scale.spread)
        if W0 is None:
            W0 = taught_head(
                Z, probabilities(self.source_estimator_, self.pool_, len(self.classes_))
            )
        start = self.estimator_.weights if isinstance(self.estimator_, Head) else W0
        told = self.told_ >= 0
        goal = InformedLoss(Z[told], self.told_[told], Z[~told], W0, self.information, self.anchor)
        self.estimator_ = Head(descended(goal, start, self.iterations), scale)


def scores(
    p: Array, before: Array | None, *, contrast: float, hardness: float, easiest: int
) -> Array:
    """Return how little every row is worth asking for, (n,): the lowest are asked first.

    Parameters
    ----------
    p, before : ndarray, shape (n, C)
        Probabilities now and a round ago, of the same rows; None in the first round.
    contrast, hardness, easiest
        As in the class.
    """
    u = p if before is None else p + contrast * (p - before)
    first = np.sort(u, axis=1)
    margin: Array = first[:, -1] - first[:, -2]
    if not hardness or not len(p):
        return margin
    label = p.argmax(axis=1)
    bar = np.sort(margin)[-min(easiest, len(p))]  # ties all count: no row order
    counts = np.bincount(label[margin >= bar], minlength=p.shape[1])
    out: Array = (
        margin / max(float(margin.max()), 1e-300) + hardness * (counts / counts.max())[label]
    )
    return out
