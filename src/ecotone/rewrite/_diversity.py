"""How many different texts a set holds, in effect; a subset that covers it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput

Array = NDArray[np.float64]
DIMENSIONS = 64
FEATURES = 2**18  # buckets of hashed words or letters
_ROWS = 256  # of similarities held at a time


def text_vectors(texts: Sequence[str], *, letters: bool = False, seed: int = 0) -> Array:
    """Return texts as unit vectors, fitted on them alone: TF-IDF, then its main directions.

    Parameters
    ----------
    texts : sequence of str
        All texts that are to be compared; a text without words is a row of zeros.
    letters : bool
        Runs of three and four letters within words in place of words: another view of the same
        texts, to judge with what was not chosen by.
    seed : int
        Of the randomised decomposition.

    Returns
    -------
    ndarray of float64, shape (n, d)
        With d at most 64.

    Examples
    --------
    >>> X = text_vectors(["the cat sat", "the cat sat", "dogs run fast"])
    >>> (X @ X.T).round(6).tolist()[0][:2]
    [1.0, 1.0]
    """
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.utils.extmath import randomized_svd

    how = {"analyzer": "char_wb", "ngram_range": (3, 4)} if letters else {"token_pattern": r"\w+"}
    table = HashingVectorizer(n_features=FEATURES, alternate_sign=False, norm=None, **how)
    counts = table.transform(texts)
    small = min(DIMENSIONS, len(texts))
    if counts.nnz == 0:
        return np.zeros((len(texts), small))
    counts = counts[:, np.unique(counts.indices)]  # the buckets that hold anything
    counts = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    left, strength, _ = randomized_svd(counts, small, random_state=seed)
    found = left * strength
    size = np.linalg.norm(found, axis=1, keepdims=True)
    unit: Array = np.where(size > 1e-9, found / np.maximum(size, 1e-9), 0.0)
    return unit


def effective_number(labels: Sequence[Any]) -> float:
    r"""Return how many equally frequent labels would have the entropy of these.

    .. math:: \exp\Bigl(-\sum_c p_c \log p_c\Bigr)

    Examples
    --------
    >>> round(effective_number("aabbccdd"), 6), effective_number("aaaa")
    (4.0, 1.0)
    """
    _, counts = np.unique(np.asarray(list(labels)), return_counts=True)
    return _exp_entropy(counts / counts.sum()) if len(counts) else 0.0


def vendi_score(vectors: Array) -> float:
    r"""Return how many different ones a set of unit vectors holds, in effect.

    .. math:: \exp\Bigl(-\sum_i \lambda_i \log \lambda_i\Bigr)

    with :math:`\lambda` the eigenvalues of :math:`X X^\top / n`: n for n orthogonal rows, 1 for
    copies of one; no clusters are needed. O(n d min(n, d)).

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        X.

    References
    ----------
    Friedman and Dieng, "The Vendi score: a diversity evaluation metric for machine learning",
    2023.

    Examples
    --------
    >>> round(vendi_score(np.eye(5)), 6), round(vendi_score(np.ones((5, 1))), 6)
    (5.0, 1.0)
    """
    X = np.asarray(vectors, dtype=np.float64)
    if not len(X):
        return 0.0
    square = X @ X.T if len(X) < X.shape[1] else X.T @ X
    values = np.maximum(np.linalg.eigvalsh(square), 0.0)
    return _exp_entropy(values / values.sum()) if values.sum() > 0 else 0.0


def _exp_entropy(p: Array) -> float:
    p = p[p > 0]
    # the last bits of eigenvalues hang on the number of threads
    return round(float(np.exp(-(p * np.log(p)).sum())), 9)


def clusters(vectors: Array, many: int, seed: int) -> NDArray[np.int64]:
    """Return the cluster of every row, by k-means; with fewer different rows than that, by row."""
    from sklearn.cluster import KMeans

    different, row = np.unique(vectors.round(6), axis=0, return_inverse=True)
    if len(different) <= many:
        return row.reshape(-1).astype(np.int64)
    means = KMeans(many, n_init=1, random_state=seed).fit(vectors)
    return means.labels_.astype(np.int64)


def coverage(vectors: Array, demand: Array, weights: Array, chosen: Sequence[int]) -> float:
    r"""Return how well chosen rows cover the demand: the value that `cover` maximises.

    .. math:: F(S) = \sum_i w_i \max_{j \in S} \max(0, d_i^\top x_j)

    Examples
    --------
    >>> X = np.eye(3)
    >>> coverage(X, X, np.array([1.0, 1.0, 2.0]), [2, 0])
    3.0
    """
    if not len(chosen):
        return 0.0
    alike = np.maximum(demand @ vectors[list(chosen)].T, 0.0)
    return float(weights @ alike.max(axis=1))


def cover(
    vectors: Array, demand: Array, weights: Array, size: int, *, rare: Any = None, most: int = 0
) -> list[int]:
    """Choose rows that cover the demand, each time the one that adds most (facility location).

    F of `coverage` is monotone and submodular: the choice reaches 1 - 1/e = 63 % of the best one
    of its size, or half of the best one when `rare` restricts it. Gains only shrink, so a row is
    looked at again only while its old gain is the highest. Of equal gains the first row is taken.

    Parameters
    ----------
    vectors, demand : ndarray, shapes (n, d) and (m, d)
        x and d, rows of length 1. Memory beside them: O(n + 256 m).
    weights : ndarray, shape (m,)
        w, at least 0.
    size : int
        Rows to choose.
    rare : ndarray of bool, shape (n,), optional
        Rows of which at most `most` are chosen.
    most : int
        See `rare`.

    Returns
    -------
    list of int
        In the order of choice.

    Raises
    ------
    BadInput
        There are not that many rows.

    Examples
    --------
    >>> X = np.eye(3)[[0, 0, 1, 2]]
    >>> cover(X, X, np.ones(4), 3), cover(X, X, np.ones(4), 2, rare=np.array([1, 1, 0, 0]), most=0)
    ([0, 2, 3], [2, 3])
    """
    limited = np.zeros(len(vectors), dtype=bool) if rare is None else np.asarray(rare, dtype=bool)
    there = int((~limited).sum()) + min(most, int(limited.sum()))
    if size > there:
        raise BadInput(f"cover: {size} rows of {there} that may be chosen.", cure=f"size={there}")
    covered = np.zeros(len(demand))
    heap = [(-g, i, 0) for i, g in enumerate(_first_gains(vectors, demand, weights))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < size:
        _, i, seen = heapq.heappop(heap)
        if limited[i] and most <= 0:
            continue
        alike = demand @ vectors[i]
        if seen < len(chosen):
            now = float(weights @ np.maximum(alike - covered, 0.0))
            heapq.heappush(heap, (-round(now, 9), i, len(chosen)))
            continue
        chosen.append(i)
        most -= int(limited[i])
        covered = np.maximum(covered, alike)
    return chosen


def _first_gains(vectors: Array, demand: Array, weights: Array) -> list[float]:
    """Return the gain of each row alone, rounded: copies must not differ by their last bits."""
    parts = [
        np.maximum(vectors[a : a + _ROWS] @ demand.T, 0.0) @ weights
        for a in range(0, len(vectors), _ROWS)
    ]
    gains: list[float] = np.concatenate(parts).round(9).tolist()
    return gains
