"""What the report of a choice says of samples of text: about what, how like the target."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecotone.core.seeds import stream
from ecotone.data.docs import Docs
from ecotone.jobs.select_columns import drawn
from ecotone.select._grams import add
from ecotone.select._minhash import signatures
from ecotone.select._near_pairs import join

Array = NDArray[np.float64]
SAMPLE, SUBJECTS, BUCKETS = 400, 8, 1 << 14  # documents a side, clusters, buckets of grams
EXAMPLES, BEGINS, ALIKE = 6, 100, 0.8  # a side; characters shown; resemblance of near-copies
WORD, VOCABULARY = re.compile(r"[^\W\d_]{3,}"), 20_000


def by_subject(sides: Mapping[str, list[str]], seed: int) -> dict[str, Any] | None:
    """Return the shares of documents by cluster of words; None where there is too little text.

    Clusters are found on samples of all sides together, after TF-IDF and 32 singular directions,
    and are named by the three words that are heaviest in them.
    """
    from scipy.cluster.vq import kmeans2
    from scipy.sparse.linalg import svds

    texts = [t for side in sides.values() for t in side]
    X, names = _tf_idf(texts)
    k = min(SUBJECTS, len(texts) // 20)
    if k < 2 or X.shape[1] <= 33:
        return None
    rng = stream(seed, "report", "subjects")
    Z = X @ svds(X, 32, random_state=rng)[2].T
    Z /= np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    found = kmeans2(Z, k, minit="++", seed=rng)[1]
    overall = np.asarray(X.mean(axis=0)).ravel()
    used = np.unique(found)
    heavy = {
        c: ", ".join(
            names[np.argsort(overall - np.asarray(X[found == c].mean(axis=0)).ravel())[:3]]
        )
        for c in used.tolist()
    }
    owner = np.repeat(list(sides), [len(side) for side in sides.values()])
    columns = {
        side: np.bincount(found[owner == side], minlength=k) / max((owner == side).sum(), 1)
        for side in sides
    }
    order = used[np.argsort(-columns["kept"][used], kind="stable")].tolist()
    ordered = {side: shares[order].tolist() for side, shares in columns.items()}
    return {"rows": [heavy[c] for c in order], "columns": ordered}


def _tf_idf(texts: list[str]) -> tuple[sparse.csr_array, NDArray[np.str_]]:
    """Return log counts times log rarities of words, rows of length 1, and the words.

    Words have three letters or more and stand in two texts at least and in half of them at most;
    the 20,000 that stand in most texts are taken.
    """
    often = Counter(w for t in texts for w in set(_words(t)))
    fit = [(n, w) for w, n in often.items() if 2 <= n <= len(texts) / 2]
    names = [w for _, w in sorted(fit, key=lambda p: (-p[0], p[1]))[:VOCABULARY]]
    place = {w: i for i, w in enumerate(names)}
    rarity = np.log(len(texts) / np.array([often[w] for w in names]))
    rows, columns, values = [], [], []
    for i, t in enumerate(texts):  # one at a time: counts of all texts would take tens of megabytes
        counts = Counter(place[w] for w in _words(t) if w in place)
        at = np.fromiter(counts, dtype=np.int64, count=len(counts))
        rows.append(np.full(len(counts), i))
        columns.append(at)
        values.append((1 + np.log(np.fromiter(counts.values(), np.float64))) * rarity[at])
    cells = np.concatenate(rows), np.concatenate(columns)
    X = sparse.csr_array((np.concatenate(values), cells), shape=(len(texts), len(names)))
    length = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X = sparse.csr_array(sparse.diags_array(1 / np.maximum(length, 1e-12)) @ X)
    return X, np.array(names, dtype=str)


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def divergence(target: Docs, docs: Docs) -> float:
    r"""Return :math:`\sum_b p_b \log(p_b / q_b)` of grams in buckets, nats; q has 1/2 added."""
    p, q = np.zeros(BUCKETS, dtype=np.int64), np.zeros(BUCKETS, dtype=np.int64)
    add(target, p)
    add(docs, q)
    share, other = p / max(p.sum(), 1), (q + 0.5) / (q.sum() + 0.5 * BUCKETS)
    there = share > 0
    return float((share[there] * np.log(share[there] / other[there])).sum())


def near_copies(docs: Docs) -> float:
    """Return the share of documents that mostly repeat an earlier one of the same."""
    if len(docs) == 0:
        return 0.0
    first = join(signatures(docs), ALIKE)
    return float((first != np.arange(len(first))).mean())


def examples(docs: Docs) -> list[dict[str, str]]:
    """Return how some documents begin, spread over all."""
    some = np.unique(np.linspace(0, max(len(docs) - 1, 0), EXAMPLES).astype(int)).tolist()
    return [
        {"id": docs.ids[i], "text": " ".join(docs[i][: 4 * BEGINS].split())[:BEGINS]}
        for i in some[: len(docs)]
    ]


def told(sides: Mapping[str, Docs], target: Docs, held: Docs, seed: int) -> dict[str, Any]:
    """Return the parts of the analysis that look at text.

    Parameters
    ----------
    sides : mapping from "pool", "random", "kept" and "dropped" to samples of documents
    target, held : Docs
        Target text to learn from, and that which was held out.
    seed : int
    """
    some = drawn(np.arange(len(target)), SAMPLE, seed, "target")
    subjects = {side: sides[side].texts()[:SAMPLE] for side in ("pool", "kept")}
    return {
        "cluster": by_subject({**subjects, "target": target.take(some).texts()}, seed),
        "divergence": {s: divergence(held, sides[s]) for s in ("pool", "random", "kept")},
        "near copies": {s: near_copies(sides[s]) for s in ("pool", "random", "kept")},
        "examples": {s: examples(sides[s]) for s in ("kept", "dropped")},
    }
