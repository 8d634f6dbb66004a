"""Heterogeneous transfer: source rows with other columns beside a few labelled target rows."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from ecotone.align._aligner import Aligner
from ecotone.align._kernels import canonical_order
from ecotone.align._noise_control import Control as Control
from ecotone.align._noise_control import noise_source as noise_source
from ecotone.align._priors import one_hot
from ecotone.align._sphere_net import Beside, Net, Task, discriminant, on_sphere, train
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import derive, stream
from ecotone.data.domains import masked

Array = NDArray[np.float64]
Labels = NDArray[Any]


@method(
    name="heterogeneous_transfer",
    paper="yao2025noise",
    needs={"source_rows", "source_labels", "target_rows", "target_labels"},
    handles={"covariate"},
)
class HeterogeneousTransfer(ClassifierMixin, BaseEstimator):
    r"""Train a net on few labelled target rows beside source rows from another feature space [1]_.

    Source rows are put on a sphere once and stay there: discriminant coordinates, turned at random
    into `width` dimensions, rectified, scaled to length 1. A net puts target rows on the same
    sphere, and one linear classifier serves both sides:

    .. math:: \mathrm{CE}_t + \beta\,\mathrm{CE}_s
              + \mu \Bigl(\|\bar p_t - \bar p_s\|^2
              + \tfrac1C \sum_c \|\bar p_{t,c} - \bar p_{s,c}\|^2\Bigr) + \tfrac\tau2 \|\theta\|^2

    where target class means are weighed by known labels and, elsewhere, by current probabilities
    (held fixed within a step). Much of what such methods gain has nothing to do with the source:
    labelled noise does as well, or nearly. **Run `control` before you believe a gain.**

    Parameters
    ----------
    width : int, default 64
        Dimensions of the sphere.
    mu : float, default 1.0
        Weight of the distances of means.
    beta : float, default 1.0
        Weight of the loss on source rows. With ``mu=0, beta=0`` the source has no effect.
    tau : float, default 1e-3
        Weight of the squared parameters.
    steps : int, default 300
        Of Adam, on all rows at once.
    rate : float, default 0.01
        Of Adam.
    random_state : int, default 0
        Seed of the start and of the turn.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
        Labels of both sides, sorted.
    loss_ : float
        The last value of the objective.
    separation_ : float
        Mean distance of the source's class means on the sphere; NaN without a source or with one
        class.

    References
    ----------
    .. [1] Yao, Zhang, Zhang, Jin and Yang, Noise may contain transferable knowledge: understanding
       semi-supervised heterogeneous domain adaptation from an empirical perspective, 2025.

    Examples
    --------
    >>> X = np.r_[np.zeros((10, 2)), np.ones((10, 2))]
    >>> X_source, y_source = np.repeat([[1.0, 2, 3], [3, 2, 1]], 10, axis=0), np.repeat([0, 1], 10)
    >>> y = np.full(20, -1)
    >>> y[[0, 19]] = 0, 1
    >>> HeterogeneousTransfer().fit(X, y, X_source, y_source).predict(X[[1, 18]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        *,
        width: int = 64,
        mu: float = 1.0,
        beta: float = 1.0,
        tau: float = 1e-3,
        steps: int = 300,
        rate: float = 0.01,
        random_state: int = 0,
    ) -> None:
        self.width = width
        self.mu = mu
        self.beta = beta
        self.tau = tau
        self.steps = steps
        self.rate = rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any, X_source: Any = None, y_source: Any = None) -> Self:
        """Fit on target rows, few of them labelled, and on source rows with columns of their own.

        Parameters
        ----------
        X : array, shape (m, d_t)
            Target rows.
        y : array, shape (m,)
            Their labels; -1, NaN or None where unknown.
        X_source : array, shape (n, d_s), optional
            None: the target alone.
        y_source : array, shape (n,), optional
            Labels of all source rows.
        """
        self._check()
        X, known, labels = self._target(X, y)
        Xs, ys = self._given_source(X_source, y_source)
        self._name_classes(labels, ys)
        codes = np.searchsorted(self.classes_, labels)
        # labelled rows first, each side in the order of its values: that of the input has no say
        first, rest = X[known], X[~known]
        order = canonical_order(first, codes)
        rest = rest[canonical_order(rest)] if len(rest) else rest
        rows = np.vstack([first[order], rest])
        self.centre_, spread = rows.mean(axis=0), rows.std(axis=0)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        C = len(self.classes_)
        beside = None if Xs is None else self._beside(Xs, np.searchsorted(self.classes_, ys), C)
        self.separation_ = np.nan if beside is None else beside.separation
        task = Task(
            self._scaled(rows), one_hot(codes[order], C), beside, self.mu, self.beta, self.tau
        )
        start = Net.drawn(X.shape[1], self.width, C, derive(self.random_state, "start"))
        self.net_, self.loss_ = train(start, task, steps=self.steps, rate=self.rate)
        return self

    def _check(self) -> None:
        good = self.width >= 1 and self.steps >= 1 and self.rate > 0
        if not (good and min(self.mu, self.beta, self.tau) >= 0):
            raise BadInput(
                f"HeterogeneousTransfer: width is {self.width}, steps {self.steps}, rate "
                f"{self.rate}, mu {self.mu}, beta {self.beta}, tau {self.tau}.",
                cure="width=64, steps=300, rate=0.01, mu=1.0, beta=1.0, tau=1e-3",
            )

    def _target(self, X: Any, y: Any) -> tuple[Array, NDArray[np.bool_], Labels]:
        # no Aligner, as the sides share no column; rows are refused in the same words
        X = Aligner._rows(cast("Aligner", self), X, reset=True)
        if y is None:
            raise BadInput(
                "HeterogeneousTransfer requires y to be passed, but the target y is None.",
                cure="y=labels, -1 where unknown",
            )
        given = np.asarray(y)
        if given.ndim == 2 and given.shape[1] == 1:
            given = column_or_1d(given, warn=True)
        if given.shape != (len(X),):
            raise BadInput(
                f"HeterogeneousTransfer: y has the shape {given.shape}; X has {len(X):,} rows.",
                cure="one label for each row, -1 where unknown",
            )
        known = ~masked(given)
        labels = given[known]
        check_classification_targets(labels.tolist() if labels.dtype == object else labels)
        return X, known, labels.astype(str) if labels.dtype == object else labels

    def _given_source(self, X: Any, y: Any) -> tuple[Array | None, Labels]:
        if X is None and y is None:
            return None, np.empty(0)
        if X is None or y is None or len(X) != len(y) or masked(np.asarray(y), numbers=False).any():
            raise BadInput(
                "HeterogeneousTransfer: every source row needs its label.",
                cure="X_source and y_source of the same length",
            )
        labels = np.asarray(y)
        check_classification_targets(labels.tolist() if labels.dtype == object else labels)
        rows = check_array(X, dtype=np.float64, ensure_all_finite=False, input_name="X_source")
        if not np.isfinite(rows).all():
            raise BadInput(
                "HeterogeneousTransfer: X_source holds NaN or inf.",
                cure="fill them first: sklearn.impute.SimpleImputer()",
            )
        return rows, labels.astype(str) if labels.dtype == object else labels

    def _name_classes(self, labels: Labels, source: Labels) -> None:
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise BadInput(
                f"HeterogeneousTransfer: the labelled target rows are of {len(self.classes_)} "
                "class; a classifier can't be trained on only one class.",
                cure="label one to five target rows of every class",
            )
        strange = np.setdiff1d(source, self.classes_)
        if len(strange):
            raise BadInput(
                "HeterogeneousTransfer: no labelled target row is of the source's class "
                f"{strange[0]}.",
                why="the two sides share no column: labels alone say what belongs together.",
                cure="label one to five target rows of every class, or leave those source rows out",
            )

    def _beside(self, X: Array, y: Labels, C: int) -> Beside:
        order = canonical_order(X, y)
        X, y = X[order], y[order]
        Z = discriminant(X, y)
        rng = stream(self.random_state, "turn")
        turn = np.linalg.qr(rng.normal(size=(max(self.width, Z.shape[1]), Z.shape[1])))[0]
        return Beside(on_sphere(Z @ turn[: self.width].T), one_hot(y, C))

    def _scaled(self, X: Array) -> Array:
        out: Array = (X - self.centre_) / self.spread_
        return out

    def features(self, X: Any) -> Array:
        """Return target rows on the sphere, (m, width)."""
        check_is_fitted(self, "net_")
        X = Aligner._rows(cast("Aligner", self), X, reset=False)
        return self.net_.project(self._scaled(X))

    def predict_proba(self, X: Any) -> Array:
        """Return class probabilities of target rows, (m, C)."""
        P = self.features(X)
        out: Array = softmax(self.net_.logits(P), axis=1)
        return out

    def predict(self, X: Any) -> Labels:
        """Return the likeliest class of target rows."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def control(
        self, X: Any, y: Any, X_source: Any, y_source: Any, *, X_test: Any, y_test: Any,
        repeats: int = 5,
    ) -> Control:  # fmt: skip
        """Compare the same net without a source, beside labelled noise, and beside the source.

        Parameters
        ----------
        X, y, X_source, y_source : array
            As in `fit`.
        X_test : array, shape (t, d_t)
            Target rows.
        y_test : array, shape (t,)
            Their labels, seen by the score alone.
        repeats : int
            Starts of the net, and draws of noise.

        Returns
        -------
        Control
        """
        if X_source is None or y_source is None or repeats < 2:
            raise BadInput(
                "HeterogeneousTransfer.control: there is no source to compare, or one start.",
                cure="X_source=..., y_source=..., repeats=5",
            )
        Xs, labels = self._given_source(X_source, y_source)
        assert Xs is not None
        found = []
        for i in range(repeats):
            seed = derive(self.random_state, "control", i)
            model = clone(self).set_params(random_state=seed)
            noise = noise_source(labels, Xs.shape[1], rng=stream(seed, "noise"))
            sources = ((None, None), (noise, labels), (Xs, labels))
            found.append([model.fit(X, y, *s).score(X_test, y_test) for s in sources])
        return Control.of(np.array(found))
