"""Does a source domain agree with the target's labels? Asked of held-out target documents."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack
from scipy.stats import t as student
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from ecotone.core.errors import BadInput
from ecotone.data.docs import as_docs, empty
from ecotone.select._skills import places

Array = NDArray[np.float64]
Places = NDArray[np.int64]
FOLDS = 5
WORDS = HashingVectorizer(n_features=2**16, alternate_sign=False)  # counts of words, length 1
STRENGTH = 10.0  # rows have length 1: the default would hardly leave the prior


class DomainGains(NamedTuple):
    """What each domain adds to a classifier of the target.

    Attributes
    ----------
    domains : ndarray, shape (k,)
        Names, sorted.
    gain : ndarray, shape (k,)
        Fall of the log loss on held-out target documents, nats, when the domain's weighted
        documents join the target's.
    low, high : ndarray, shape (k,)
        95 % interval over the target's documents.
    """

    domains: NDArray[Any]
    gain: Array
    low: Array
    high: Array


class Labelled(NamedTuple):
    """Word counts of documents, a sparse matrix (n, 2^16), and their labels."""

    counts: Any
    labels: NDArray[Any]


def labelled(texts: Any, labels: Any, what: str) -> Labelled:
    """Return counts and labels, one label a document."""
    batches = [WORDS.transform(b.texts()) for b in as_docs(texts, what) if len(b)]
    if not batches:
        raise empty(what)
    counts, y = vstack(batches, format="csr"), np.asarray(labels)
    if y.shape != (counts.shape[0],):
        raise BadInput(
            f"DITFEND: {what} has {counts.shape[0]} documents and labels of the shape {y.shape}.",
            cure=f"pass one label for each document of {what}",
        )
    return Labelled(counts, y)


def domain_gains(
    source: Labelled, weights: Array, of: NDArray[Any], target: Labelled, rng: np.random.Generator
) -> DomainGains:
    """Compare, in folds of the target, its own documents with those of a domain added.

    Raises
    ------
    BadInput
        Fewer than two target documents of a class, one class, or classes that it does not have.
    """
    classes, y = np.unique(target.labels, return_inverse=True)
    count = np.bincount(y)
    if len(classes) < 2 or count.min() < 2:
        raise BadInput(
            f"DITFEND: the target's labels are {dict(zip(classes.tolist(), count, strict=True))}.",
            cure="label at least two target documents of each of two classes, better twenty",
        )
    if not np.isin(source.labels, classes).all():
        raise BadInput(
            "DITFEND: a source label is not among the target's.",
            cure=f"drop or rename documents whose label is none of {classes.tolist()}",
        )
    used = np.unique(np.concatenate([source.counts.indices, target.counts.indices]))
    source, target = (Labelled(part.counts[:, used], part.labels) for part in (source, target))
    fold = places(y, rng.random(len(y))) % min(FOLDS, int(count.min()))
    alone, names = _losses(target, y, fold, None, np.zeros(0)), np.unique(of)
    half = student.ppf(0.975, len(y) - 1) / np.sqrt(len(y))
    rows = []
    for name in names:
        at = np.flatnonzero(of == name)
        more = Labelled(source.counts[at], np.searchsorted(classes, source.labels[at]))
        fall = alone - _losses(target, y, fold, more, weights[at])
        wide = half * fall.std(ddof=1)
        rows.append((fall.mean(), fall.mean() - wide, fall.mean() + wide))
    return DomainGains(names, *np.array(rows).T)


def _losses(
    target: Labelled, y: Places, fold: Places, more: Labelled | None, weights: Array
) -> Array:
    """Return the log loss of every target document under a model that has not seen its fold."""
    out = np.zeros(len(y))
    for k in range(int(fold.max()) + 1):
        mine, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        X, labels, w = target.counts[mine], y[mine], np.ones(len(mine))
        if more is not None:
            X = vstack([X, more.counts], format="csr")
            labels, w = np.concatenate([labels, more.labels]), np.concatenate([w, weights])
        model = LogisticRegression(C=STRENGTH, max_iter=500).fit(X, labels, w)
        log = model.predict_log_proba(target.counts[held])
        out[held] = -log[np.arange(len(held)), y[held]]
    return out
