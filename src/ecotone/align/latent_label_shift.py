"""Latent label shift: discover classes from unlabelled domains that hold them in other shares."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.utils.validation import check_is_fitted

from ecotone.align._aligner import Aligner
from ecotone.align._corners import factorise
from ecotone.align._domain_classifier import told_apart
from ecotone.align._kernels import canonical_order
from ecotone.align._priors import SMALL, on_simplex, one_hot
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.core.seeds import derive
from ecotone.core.verdict import Finding
from ecotone.data.domains import masked

Array = NDArray[np.float64]
Index = NDArray[np.intp]
WORST = 8.0  # condition number above which shares, and classes, are a guess
NO_GAIN = 0.01  # nats; held-out, so that equal domains are at 0 or below
LEAST_SHARE = 0.3  # a cell below this part of the mean size is no candidate for an anchor


@method(
    name="latent_label_shift",
    paper="roberts2022unsupervised",
    needs={"source_rows", "many_sources"},
    handles={"label", "multi_source"},
)
class LatentLabelShift(ClusterMixin, BaseEstimator):
    r"""Find k classes with no label at all, as what shifts together between domains [1]_.

    If each class looks the same everywhere and only its share differs, then, with domains counted
    alike, a classifier of *domains* sees

    .. math:: q(d \mid x) = \sum_y q(y \mid x)\, q(d \mid y)

    a point in a simplex whose k corners :math:`q(\cdot \mid y)` are the classes; a row that only
    one class can have (an anchor) lies in its corner. Rows are put into cells by k-means on
    held-out :math:`q(d \mid x)`; corners are cells: all, if there are as many as classes, else
    those that successive projections find. Shares follow from
    :math:`\sum_y q(d \mid y)\, q(y) = 1/r`, and

    .. math:: P(y \mid d) = r\, q(y)\, q(d \mid y), \qquad
              p(y \mid x, d) \propto q(y \mid x)\, P(y \mid d) / q(y)

    with :math:`q(\cdot \mid x)` the nearest point of the simplex. Classes come in an order of their
    own; `name_classes` names them with a few labels.

    Parameters
    ----------
    n_classes : int, default 2
        k, at most the number of domains r.
    estimator : estimator, optional
        Tells domains apart; gives probabilities. By default logistic regression on standardised
        features, its C chosen by held-out loss.
    cells : int, optional
        By default k: right where classes hardly overlap. More cells (30), and many rows, where
        most rows could be of several classes.
    cv : int, default 5
        Folds for held-out probabilities of domains.
    random_state : int, default 0
        Seed of k-means and folds.

    Attributes
    ----------
    domain_proportions_ : ndarray, shape (r, k)
        P(y | d), in the order of ``domains_``.
    condition_number_ : float
        Of that matrix. Above 8 small errors of the domain classifier become large ones.
    classifier_ : DomainClassifier
        Gives q(d | x).
    domain_gain_ : float
        Held-out gain of the domain classifier over guessing, nats.
    findings_ : tuple of Finding
        A401: ill-conditioned. A402: domains cannot be told apart.
    labels_ : ndarray of int, shape (n,)
        Classes of the rows of `fit`.
    classes_ : ndarray, shape (k,)
        0, 1, ..., or the names.

    References
    ----------
    .. [1] Roberts, Mani, Garg and Lipton, Unsupervised learning under latent label shift, NeurIPS
       2022.

    Examples
    --------
    >>> x = np.repeat([0.0, 1.0, 0.0, 1.0], [80, 20, 20, 80])[:, None]
    >>> found = LatentLabelShift().fit(x, sample_domain=np.repeat([1, 2], 100))
    >>> found.domain_proportions_.max(axis=1).round(1).tolist()
    [0.8, 0.8]
    """

    def __init__(
        self,
        n_classes: int = 2,
        estimator: Any = None,
        *,
        cells: int | None = None,
        cv: int = 5,
        random_state: int = 0,
    ) -> None:
        self.n_classes = n_classes
        self.estimator = estimator
        self.cells = cells
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, sample_domain: Any = None) -> Self:  # noqa: ARG002
        """Find the classes.

        Parameters
        ----------
        X : array, shape (n, d)
            Rows of all domains.
        y : None
            Not looked at.
        sample_domain : array of int, shape (n,)
            The domain of each row, any numbers: without labels no domain is a target.
        """
        X = self._rows(X, reset=True)
        domain = self._domains(sample_domain, len(X))
        self.domains_, d = np.unique(domain, return_inverse=True)
        self._check(np.bincount(d))
        order = canonical_order(X, d)
        rows, mine = X[order], d[order]
        given = None if self.estimator is None else [self.estimator]
        found = told_apart(rows, mine, given, folds=self.cv, seed=self.random_state)
        self.classifier_, self.domain_gain_, Q = found.classifier, found.gain, found.held_out
        corners, shares = self._corners(Q, mine)
        self.corners_, self.priors_ = corners, shares.mean(axis=1)
        self.domain_proportions_ = shares.T
        self.condition_number_ = float(np.linalg.cond(shares))
        self.classes_: NDArray[Any] = np.arange(self.n_classes)
        self.findings_ = self._findings()
        # without domains: the classifier has seen those of its own rows, and would count them twice
        self.labels_ = self.predict(X)
        return self

    def _rows(self, X: Any, *, reset: bool) -> Array:
        # no Aligner, as there are no labels; rows are refused in the same words
        return Aligner._rows(cast("Aligner", self), X, reset=reset)

    def _domains(self, given: Any, n: int) -> NDArray[np.int64]:
        who = type(self).__name__
        if given is None:
            raise BadInput(
                f"{who}: sample_domain is missing.",
                why="classes are found by how their shares differ between domains.",
                cure="sample_domain=numbers, one for each row; of one domain alone: "
                "sklearn.cluster.KMeans(n_clusters)",
            )
        out = np.asarray(given)
        if out.shape != (n,) or out.dtype.kind not in "iu":
            raise BadInput(
                f"{who}: sample_domain has the shape {out.shape} and the type {out.dtype}; X has "
                f"{n:,} rows.",
                cure="one whole number for each row: np.unique(names, return_inverse=True)[1] + 1",
            )
        return out.astype(np.int64)

    def _check(self, counts: NDArray[Any]) -> None:
        who, r = type(self).__name__, len(counts)
        if counts.sum() == 1:
            raise TooFewRows(f"{who}: 1 sample holds no classes.", cure="rows of two domains")
        if not (isinstance(self.n_classes, int | np.integer) and 2 <= self.n_classes <= r):
            raise BadInput(
                f"{who}: n_classes is {self.n_classes}, and there are {r} domains.",
                why="k classes need k domains or more whose shares differ.",
                cure=f"n_classes={r}" if r > 1 else "rows of two domains or more",
            )
        if self.cells is not None and self.cells < self.n_classes:
            raise BadInput(f"{who}: cells is {self.cells}.", cure=f"cells={self.n_classes}")
        if not (isinstance(self.cv, int) and self.cv >= 2):
            raise BadInput(f"{who}: cv is {self.cv}.", cure="cv=5")
        if counts.min() < 2:
            raise TooFewRows(
                f"{who}: domain {self.domains_[counts.argmin()]} has one row.",
                cure="leave that domain out, or join it with another one",
            )

    def _corners(self, Q: Array, d: Index) -> tuple[Array, Array]:
        """Return q(d | y), (k, r), and P(y | d), (k, r)."""
        k = self.n_classes
        different = len(np.unique(Q.round(9), axis=0))
        m = min(k if self.cells is None else self.cells, different)
        if m < k:
            raise TooFewRows(
                f"{type(self).__name__}: the domain classifier gives {different} different answers "
                f"for {k} classes.",
                cure=f"n_classes={max(different, 2)}, or features that differ between domains",
            )
        seed = derive(self.random_state, "cells") % 2**32
        cell = KMeans(m, n_init=10, random_state=seed).fit_predict(Q)
        size = np.bincount(cell, minlength=m)
        table = one_hot(cell, m).T @ one_hot(d, len(self.domains_))
        table /= table.sum(axis=0)
        if m == k:  # every cell is a class: what was counted are the shares
            return table / table.sum(axis=1, keepdims=True), table
        means = one_hot(cell, m).T @ Q / size[:, None]
        large = np.flatnonzero(size >= LEAST_SHARE * size.mean())
        large = large if len(large) >= k else np.argsort(-size)[:k]
        found = factorise(means[large], k)
        return found.corners, found.shares

    def _findings(self) -> tuple[Finding, ...]:
        out = []
        if self.condition_number_ > WORST:
            out.append(
                Finding(
                    "A401",
                    f"the domains' class shares have the condition number "
                    f"{self.condition_number_:.1f}, above {WORST:g}: the classes are a guess",
                    "domains whose class shares differ more, or fewer classes",
                )
            )
        if self.domain_gain_ <= NO_GAIN:
            out.append(
                Finding(
                    "A402",
                    f"the domains cannot be told apart (held-out gain {self.domain_gain_:.3f} "
                    "nats): they hold the same classes in the same shares",
                    "other domains, or other features",
                )
            )
        return tuple(out)

    def predict_proba(self, X: Any, sample_domain: Any = None) -> Array:
        """Return class probabilities, (n, k); rows of unknown domain are taken as of all alike."""
        check_is_fitted(self, "corners_")
        X = self._rows(X, reset=False)
        Q = self.classifier_(X)
        P = np.array([on_simplex(self.corners_.T, q) for q in Q])
        if sample_domain is None:
            return P
        domain = self._domains(sample_domain, len(X))
        at = np.searchsorted(self.domains_, domain).clip(max=len(self.domains_) - 1)
        if (self.domains_[at] != domain).any():
            strange = domain[self.domains_[at] != domain][0]
            raise BadInput(
                f"{type(self).__name__}: domain {strange} was not in fit.",
                cure="sample_domain=None for rows of new domains",
            )
        joint = P * (self.domain_proportions_[at] / self.priors_)
        total = joint.sum(axis=1, keepdims=True)
        out: Array = np.where(total > 0, joint / np.maximum(total, SMALL), P)
        return out

    def predict(self, X: Any, sample_domain: Any = None) -> NDArray[Any]:
        """Return the likeliest class of each row."""
        best = self.predict_proba(X, sample_domain).argmax(axis=1)
        return self.classes_[best]

    def name_classes(self, X: Any, y: Any, sample_domain: Any = None) -> Self:
        """Name the classes so that they agree with a few labels as well as they can.

        Parameters
        ----------
        X : array, shape (n, d)
            Rows, with or without labels.
        y : array, shape (n,)
            Labels; -1, NaN or None where there is none. At least one for each class.
        sample_domain : array of int, shape (n,), optional
            Domains of these rows.
        """
        P = self.predict_proba(X, sample_domain)
        given = np.asarray(y)
        known = ~masked(given)
        kept = given[known]
        names, number = np.unique(
            kept.astype(str) if kept.dtype == object else kept, return_inverse=True
        )
        if len(names) != self.n_classes:
            raise BadInput(
                f"{type(self).__name__}: the labels name {len(names)} classes; n_classes is "
                f"{self.n_classes}.",
                cure="label a row or more of every class",
            )
        _, at = linear_sum_assignment(-(one_hot(number, len(names)).T @ P[known]))
        old = np.argsort(at)  # old number -> new one, by the order of the names
        self.labels_ = names[old[np.searchsorted(self.classes_, self.labels_)]]
        self.classes_, self.corners_ = names, self.corners_[at]
        self.priors_, self.domain_proportions_ = self.priors_[at], self.domain_proportions_[:, at]
        return self
