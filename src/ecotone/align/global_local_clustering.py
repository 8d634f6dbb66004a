"""Global and local clustering: adapt the known classes of a target, and reject the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from ecotone.align._aligner import Array, Labels
from ecotone.align._heads import descended, linear_head, log_probabilities, with_one
from ecotone.align._kernels import canonical_order, subsample
from ecotone.align._open_set import one_against_all
from ecotone.align._pseudo import Embedding, SourceFree, probabilities, unit
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method

DIRECTIONS, COMPARED = 4, 2_000  # components and rows of the search for the number of clusters


@method(
    name="global_local_clustering",
    paper="qu2023upcycling",
    needs={"target_rows"},
    handles={"covariate", "open_set", "partial"},
)
class GlobalLocalClustering(SourceFree):
    r"""Move target rows so that a frozen linear head knows its classes and doubts the others [1]_.

    With z the row standardised by the target, p its probabilities, f = z / ‖z‖, and K clusters in
    the target (K / C is the ratio whose clusters have the best silhouette): for every class c the
    top m / K rows by :math:`p_c` make a prototype of which :math:`\rho + (1 - \rho)` times their
    mean :math:`p_c` is the weight; clusters of all rows, without those, are prototypes against it
    (unless half of a cluster went into the class). A row belongs to its nearest class if that is
    nearer than all against it, and to none else. Then, with t the class (:math:`1/C` everywhere for
    none) and :math:`\bar p` the mean p of the k nearest rows by cosine,

    .. math:: \min_V \frac1m \sum_i \bigl(\lambda\,\mathrm{CE}(t_i, p'_i)
              + \mathrm{CE}(\bar p_i, p'_i)\bigr) + \frac{\mu}{2} \|W^\top V\|^2,
              \qquad z' = z + W^\top V (z, 1)

    where p' are the probabilities of z' under the head W of the source model, which never changes:
    a convex problem, from V = 0, solved once a round.

    ``predict`` answers with a known class. ``predict_open`` has a label for rows whose entropy,
    over log C, is above `threshold`, and ``rejects`` says which these are.

    Parameters
    ----------
    estimator : estimator, optional
        A linear classifier; LogisticRegression(max_iter=1000) by default.
    ratios : sequence of float, default (0.25, 0.5, 1.0, 2.0, 3.0)
        Candidates for K / C; one alone is taken as it is.
    neighbours : int, default 4
        k.
    floor : float, default 0.75
        :math:`\rho`.
    strength : float, default 1.0
        :math:`\lambda`.
    penalty : float, default 1.0
        :math:`\mu`.
    rounds : int, default 1
        Rounds of clustering and moving; 0 leaves the rows.
    threshold : float, default 0.55
        Entropy above which a row is rejected: 0 certain, 1 all classes alike.
    unknown : object, optional
        Label of rejected rows; -1 where labels are numbers, else 'unknown'.
    random_state : int, default 0
        Seed of the clusters.

    Attributes
    ----------
    ratio_ : float
        K / C.
    labels_ : ndarray of int64, shape (m,)
        Class numbers given to the target rows in the last round; -1 for none.
    moves_ : ndarray, shape (C, d + 1)
        V.

    References
    ----------
    .. [1] Qu et al., Upcycling models under domain and category shift, CVPR 2023.

    Examples
    --------
    >>> from ecotone.align._open_set import h_score
    >>> rng = np.random.default_rng(0)
    >>> centres = 6 * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> y = np.arange(300) % 3
    >>> X = centres[y] + rng.normal(0, 1, (300, 2))
    >>> model = GlobalLocalClustering().fit(X[y < 2], y[y < 2])
    >>> before = h_score(y, model.predict_open(X + 1), known=[0, 1])
    >>> h_score(y, model.adapt(X + 1).predict_open(X + 1), known=[0, 1]) > before + 0.2
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        ratios: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 3.0),
        neighbours: int = 4,
        floor: float = 0.75,
        strength: float = 1.0,
        penalty: float = 1.0,
        rounds: int = 1,
        threshold: float = 0.55,
        unknown: Any = None,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.ratios = ratios
        self.neighbours = neighbours
        self.floor = floor
        self.strength = strength
        self.penalty = penalty
        self.rounds = rounds
        self.threshold = threshold
        self.unknown = unknown
        self.random_state = random_state

    def _adapt(self, target: Array) -> None:
        self._check(target)
        self.estimator_ = self.source_estimator_
        self.scale_ = Embedding(None, self.source_estimator_, target)
        head = linear_head(self.source_estimator_, self.scale_.mean, self.scale_.spread)
        if head is None:
            raise BadInput(
                f"GlobalLocalClustering: {type(self.source_estimator_).__name__} is no linear "
                "classifier.",
                why="target rows are moved along the directions of a linear head.",
                cure="estimator=LogisticRegression(max_iter=1000), on features of that model",
            )
        self.directions_, self.moves_ = head[:, :-1], np.zeros_like(head)
        order = canonical_order(target)  # clusters start from chosen rows: their order has no say
        Z = self.scale_(target[order])
        self.ratio_ = self._ratio(unit(Z))
        found = np.full(len(Z), -1, dtype=np.int64)
        for _ in range(self.rounds):
            found = self._round(Z, head)
        self.labels_ = np.empty_like(found)
        self.labels_[order] = found

    def _check(self, target: Array) -> None:
        weights = (self.strength, self.penalty, self.floor, self.threshold, *self.ratios)
        if not min(weights) >= 0 or not self.ratios or self.neighbours < 1 or self.rounds < 0:
            raise BadInput(
                f"GlobalLocalClustering: neighbours is {self.neighbours}, rounds is {self.rounds}, "
                f"ratios are {self.ratios}; strength, penalty, floor and threshold are "
                f"{', '.join(map(str, weights[:4]))}.",
                cure="neighbours=4, rounds=1, ratios=(0.5, 1.0, 2.0), strength=1.0, penalty=1.0",
            )
        if len(target) < max(2, len(self.classes_)):
            raise TooFewRows(
                f"GlobalLocalClustering: {len(target)} target rows for {len(self.classes_)} "
                "classes.",
                cure="eco.align.SourceOnly()",
            )

    def _clusters(self, F: Array, count: int, starts: int) -> NDArray[np.int32]:
        count = min(count, len(np.unique(F, axis=0)))
        found = KMeans(count, n_init=starts, random_state=self.random_state).fit_predict(F)
        return np.asarray(found, dtype=np.int32)

    def _ratio(self, F: Array) -> float:
        """Return the ratio whose clusters, on the first components, have the best silhouette."""
        tried = sorted(map(float, self.ratios))
        if len(tried) == 1:
            return tried[0]
        some = F[subsample(F, COMPARED)]
        middle = some - some.mean(axis=0)
        rows = middle @ np.linalg.svd(middle, full_matrices=False)[2][:DIRECTIONS].T
        best, ratio = -np.inf, 1.0
        for r in tried:
            labels = self._clusters(rows, round(r * len(self.classes_)) or 1, 5)
            if 1 < len(np.unique(labels)) < len(rows):
                value = float(silhouette_score(rows, labels))
                best, ratio = (value, r) if value > best else (best, ratio)
        return ratio

    def _round(self, Z: Array, head: Array) -> NDArray[np.int64]:
        """Label rows by prototypes, mix in their neighbours, and move them; return the labels."""
        C, Z1, W = len(head), with_one(Z), head[:, :-1]
        start, gram = Z1 @ head.T, W @ W.T
        p = np.exp(log_probabilities(start + Z1 @ self.moves_.T @ gram))
        F = unit(Z + Z1 @ self.moves_.T @ W)
        K = max(1, round(self.ratio_ * C))
        found = one_against_all(F, p, self._clusters(F, K, 3), top=len(F) // K, floor=self.floor)
        k = min(self.neighbours, len(F) - 1)
        near = NearestNeighbors(n_neighbors=k).fit(F).kneighbors(return_distance=False)
        goal = np.where(found[:, None] < 0, 1 / C, np.eye(C)[found])
        wanted = self.strength * goal + p[near].mean(axis=1)
        mass = wanted.sum(axis=1, keepdims=True)

        def loss(v: Array) -> tuple[float, Array]:
            V = v.reshape(head.shape)
            lp = log_probabilities(start + Z1 @ V.T @ gram)
            pull = self.penalty * gram @ V
            value = -float((wanted * lp).sum()) / len(Z) + float((V * pull).sum()) / 2
            error = (np.exp(lp) * mass - wanted) / len(Z)
            return value, (gram @ (error.T @ Z1) + pull).ravel()

        self.moves_ = descended(loss, self.moves_, 100)
        return found

    def _features(self, X: Array, source: NDArray[np.bool_]) -> Array:
        Z1 = with_one(self.scale_(X))
        moved = X + Z1 @ self.moves_.T @ self.directions_ * self.scale_.spread
        out: Array = np.where(source[:, None], X, moved)
        return out

    def rejects(self, X: Any) -> NDArray[np.bool_]:
        """Return which rows (n, d) belong to no known class, (n,).

        Before any target row is known: by the entropy of the source model.
        """
        p = probabilities(self.estimator_, self.features(X), len(self.classes_))
        return np.asarray(entr(p).sum(axis=1) / np.log(p.shape[1]) > self.threshold)

    def predict_open(self, X: Any) -> Labels:
        """Return labels (n,), that of `unknown` for rejected rows."""
        labels = self.predict(X)
        label = self.unknown
        if label is None:
            label = -1 if self.classes_.dtype.kind in "iufb" else "unknown"
        if label in self.classes_.tolist():
            raise BadInput(
                f"GlobalLocalClustering: {label!r} is a class of the source; it cannot stand for "
                "unknown rows.",
                cure=f"unknown={-2 if isinstance(label, int) else 'none of them'!r}",
            )
        return np.where(self.rejects(X), label, labels)
