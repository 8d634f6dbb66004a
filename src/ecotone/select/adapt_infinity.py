"""Adapt-infinity: from a growing stream, equal shares of what the model treats as skills."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.select import _skills
from ecotone.select._rows import checked_rows
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Places = NDArray[np.int64]
WHO = "AdaptInfinity"


class Signals(NamedTuple):
    """What a model says of examples: directions of gradients (n, width), and scores (n, 3)."""

    features: Array
    scores: Array


@method(
    name="adapt_infinity",
    paper="maharana2025adapt",
    needs={"source_rows", "source_labels", "gradients"},
    handles={"continual"},
)
class AdaptInfinity:
    r"""Clusters of gradients take turns; each spreads its picks over its most telling score [1]_.

    Gradients of the current model, as directions, are put into clusters (pseudo-skills). In a
    cluster the score with the highest entropy

    .. math:: H_s = -\sum_b p_b \log_2 p_b

    of its histogram (50 bins over 4 standard deviations a side) is used; with the scores of an
    earlier state of the model, :math:`H_s \max(\rho_s, 0)`, :math:`\rho` the rank correlation of
    both. The lowest and the highest scores are set aside, the others split into bins of equal
    width, and bins take turns, as clusters do. Turns are equal shares of any budget: the first B
    documents in the order of `score` are the selection of size B, and contain every smaller one.

    At each step of a stream, fit on what was kept and what is new, train on the top of `score`, and
    keep the top of `novelty` for the next step.

    Parameters
    ----------
    clusters : int or tuple of int, default (5, 10, 20, 40)
        Their number, or numbers to try, ascending: the elbow of the squared distances is taken.
    bins : int, default 50
        Of the chosen score in a cluster.
    trim : float, default 0.05
        Share of a cluster set aside at either end of the score; taken once all else is.
    most : int, default 10240
        Rows that centres are learnt on; of more, that many are drawn.
    seed : int, default 0
        For centres, and for the draw within a bin, which depends on the row and not on its place.

    Attributes
    ----------
    centres_ : ndarray, shape (k, d)
    within_ : ndarray, shape (len(clusters),)
        Mean squared distance to the nearest centre, for each number tried.
    entropy_, stability_ : ndarray, shape (k, m)
        In bits, and rank correlation between the two states (1 where only one is given).
    expert_ : ndarray of int64, shape (k,)
        Column of the score used.

    References
    ----------
    .. [1] Maharana et al., Adapt-infinity: scalable continual multimodal instruction tuning via
       dynamic data selection, ICLR 2025.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    >>> method = AdaptInfinity(clusters=2).fit(None, (X, np.arange(10.0)[:, None]))
    >>> sorted(np.argsort(-method.score((X, np.arange(10.0)[:, None])))[:4] > 7)
    [np.False_, np.False_, np.True_, np.True_]
    """

    def __init__(
        self, *, clusters: int | tuple[int, ...] = (5, 10, 20, 40), bins: int = 50,
        trim: float = 0.05, most: int = 10_240, seed: int = 0,
    ) -> None:  # fmt: skip
        self.clusters = clusters
        self.bins = bins
        self.trim = trim
        self.most = most
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Find clusters, and the score of each; the target is not looked at, and may be None.

        Parameters
        ----------
        target : object
            Not used.
        pool : pair or triple of array-like, shapes (n, d), (n, m) and (n, m)
            Gradients (or hidden states), scores, and the same scores by an earlier state of the
            model. `signals` makes the pair for a classifier.

        Raises
        ------
        BadInput
            The pool is empty, arrays do not fit each other, or an option makes no sense.
        """
        del target  # skills and scores are the model's own
        grid = self._check()
        X, S, earlier = _parts(pool, None, "pool")
        if not len(X) or not S.shape[1]:
            raise BadInput(f"{WHO}: pool is empty.", cure="pass at least one row and one score")
        U = _skills.directions(X)
        self._clusters(U, grid)
        of, _ = _skills.nearest(U, self.centres_)
        self.entropy_ = np.zeros((len(self.centres_), S.shape[1]))
        self.stability_ = np.ones_like(self.entropy_)
        for c in range(len(self.centres_)):
            at = np.flatnonzero(of == c)
            for j in range(S.shape[1] if len(at) else 0):
                self.entropy_[c, j] = _skills.bits(S[at, j])
                if earlier is not None:
                    self.stability_[c, j] = _skills.agreement(S[at, j], earlier[at, j])
        self.expert_ = (self.entropy_ * self.stability_).argmax(axis=1)
        return self

    def score(self, docs: Any) -> Array:
        """Return how early each row is taken among those given, (n,): from 1 down to 1 / n.

        Parameters
        ----------
        docs : pair or triple, as the pool
            The set to choose from.
        """
        check_fitted(self, "expert_")
        X, S, _ = _parts(docs, self.centres_.shape[1], "docs", self.entropy_.shape[1])
        of, _ = _skills.nearest(_skills.directions(X), self.centres_)
        s, u = S[np.arange(len(S)), self.expert_[of]], _skills.draws(X, self.seed)
        size = np.bincount(of, minlength=len(self.centres_))[of]
        rank, cut = _skills.places(of, s, u), np.floor(self.trim * size)
        aside = (rank < cut) | (rank >= size - cut)
        bin_ = _skills.bands(of, s, aside, self.bins)
        # bins take turns, the highest first
        turn = _skills.places(of * self.bins + bin_, aside.astype(np.float64), u)
        place = _skills.places(of, aside.astype(np.float64), turn, -bin_.astype(np.float64))
        return _descending(_skills.turns(of, place.astype(np.float64), aside))

    def novelty(self, docs: Any) -> Array:
        """Return how early each row is kept for later steps, (n,): from 1 down to 1 / n.

        Clusters take turns with the rows that are least like an earlier row of theirs (cosine);
        a row that repeats an earlier one comes after all that do not.

        Parameters
        ----------
        docs : array-like, shape (n, d)
            Gradients or hidden states, oldest first.
        """
        check_fitted(self, "expert_")
        U = _skills.directions(checked_rows(docs, self.centres_.shape[1], WHO))
        of, _ = _skills.nearest(U, self.centres_)
        like = _skills.repeats(U, of)
        place = _skills.places(of, like, np.arange(len(of), dtype=np.float64))
        return _descending(_skills.turns(of, place.astype(np.float64), like > _skills.COPY))

    @staticmethod
    def signals(
        proba: Any, hidden: Any, labels: Any, *, width: int = 256, seed: int = 0
    ) -> Signals:
        r"""Return projected gradients of the output layer, and scores, of a classifier.

        The gradient of the loss by the output layer is :math:`(p - y)\,(h, 1)^\top`; its product
        with `width` Gaussian matrices is returned. Scores are the loss :math:`-\log p_y`, the
        length of :math:`p - y` (EL2N) and the entropy of p, in nats.

        Parameters
        ----------
        proba, hidden : array-like, shape (n, classes) and (n, h)
            Predicted probabilities, and what goes into the output layer.
        labels : array-like of int, shape (n,)
            From 0 to classes - 1.
        """
        p, h = checked_rows(proba, None, WHO, "proba"), checked_rows(hidden, None, WHO, "hidden")
        y = np.asarray(labels)
        fits = len(p) == len(h) == len(y) and y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
        if not fits or (len(y) and not 0 <= y.min() <= y.max() < p.shape[1]):
            raise BadInput(
                f"{WHO}: {len(p)} probabilities, {len(h)} hidden rows, labels {y.shape}.",
                cure=f"pass one row each, and labels from 0 to {p.shape[1] - 1}",
            )
        draw = stream(seed, "adapt_infinity", "projection")
        return Signals(_skills.projected(p, h, y, width, draw), _skills.told(p, y))

    def _clusters(self, U: Array, grid: tuple[int, ...]) -> None:
        rows = U
        if len(U) > self.most:
            drawn = stream(self.seed, "adapt_infinity", "rows")
            rows = U[np.sort(drawn.choice(len(U), self.most, replace=False))]
        tried = [
            _skills.k_means(rows, k, stream(self.seed, "adapt_infinity", "centres", k))
            for k in grid
        ]
        self.within_ = np.array([gap for _, gap in tried])
        self.centres_ = tried[_skills.elbow(np.array(grid, dtype=np.float64), self.within_)][0]

    def _check(self) -> tuple[int, ...]:
        grid = (self.clusters,) if isinstance(self.clusters, int) else tuple(self.clusters)
        if not grid or min(grid) < 1 or sorted(set(grid)) != list(grid):
            raise BadInput(f"{WHO}: clusters is {self.clusters!r}.", cure="clusters=(5, 10, 20)")
        for name, fine, cure in (
            ("bins", self.bins >= 1, "bins=50"),
            ("trim", 0 <= self.trim < 0.5, "trim=0.05"),
            ("most", self.most >= max(grid), f"most={max(grid) * 10}"),
        ):
            if not fine:
                raise BadInput(f"{WHO}: {name} is {getattr(self, name)}.", cure=cure)
        return grid


def _descending(order: Places) -> Array:
    out = np.empty(len(order))
    out[order] = np.arange(len(order), 0, -1) / max(len(order), 1)
    return out


def _parts(
    data: Any, width: int | None, what: str, columns: int | None = None
) -> tuple[Array, Array, Array | None]:
    if not isinstance(data, tuple) or not 2 <= len(data) <= 3:
        raise BadInput(f"{WHO}: {what} is no pair or triple.", cure=f"{what}=(features, scores)")
    X = checked_rows(data[0], width, WHO, what)
    S = checked_rows(data[1], columns, WHO, f"the scores of {what}")
    earlier = None
    if len(data) == 3:
        earlier = checked_rows(data[2], S.shape[1], WHO, f"the earlier scores of {what}")
    if len(S) != len(X) or (earlier is not None and len(earlier) != len(X)):
        raise BadInput(
            f"{WHO}: {what} has {len(X)} rows of features and {len(S)} of scores.",
            cure="pass one row of scores for each row of features",
        )
    return X, S, earlier
