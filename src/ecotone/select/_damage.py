"""What a repair set is chosen by: divergence of two models, cost, concepts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, xlogy

from ecotone.core.errors import BadInput
from ecotone.select._phrases import key_phrases
from ecotone.select._rows import checked_rows

Array = NDArray[np.float64]
BLOCK = 256  # positions at a time


class Pool(NamedTuple):
    """Checked input: rows, divergence and tokens of each, and its concepts."""

    features: Array
    harm: Array
    sizes: Array
    concepts: list[tuple[str, ...]]


def divergences(original: Any, damaged: Any, document: Any) -> Array:
    """Return the mean Jensen-Shannon divergence of each document, (n,), block by block."""
    a, b = (checked_rows(z, None, "PASER", "logits") for z in (original, damaged))
    of = np.asarray(document)
    whole = np.issubdtype(of.dtype, np.integer) and of.min(initial=0) >= 0
    if a.shape != b.shape or of.shape != (len(a),) or not whole:
        raise BadInput(
            f"PASER: logits of the shapes {a.shape} and {b.shape}, documents {of.shape}.",
            cure="pass both models' logits at the same positions, one document number each",
        )
    each = np.zeros(len(a))
    for start in range(0, len(a), BLOCK):
        at = slice(start, start + BLOCK)
        p, q = (np.exp(z[at] - logsumexp(z[at], axis=1, keepdims=True)) for z in (a, b))
        m = (p + q) / 2
        each[at] = (xlogy(p, p) / 2 + xlogy(q, q) / 2 - xlogy(m, m)).sum(axis=1)
    count = np.bincount(of)
    out: Array = np.bincount(of, np.maximum(each, 0.0)) / np.maximum(count, 1)
    return out


def efficiency(harm: Array, sizes: Array) -> Array:
    """Return divergence over the logarithm of squared length, of which one token has none."""
    return harm / np.log(np.maximum(sizes, 2.0) ** 2)


def checked_pool(data: Any, width: int | None, what: str) -> Pool:
    """Return features, divergences, tokens and concepts, one of each for every example."""
    if not isinstance(data, tuple) or not 3 <= len(data) <= 4:
        raise BadInput(
            f"PASER: {what} is no triple.", cure=f"{what}=(features, divergence, tokens)"
        )
    X = checked_rows(data[0], width, "PASER", what)
    harm, sizes = (np.asarray(part, dtype=np.float64) for part in data[1:3])
    given = list(data[3]) if len(data) == 4 else [()] * len(X)
    if not (harm.shape == sizes.shape == (len(X),) and len(given) == len(X)):
        raise BadInput(
            f"PASER: {what} has {len(X)} rows, divergences {harm.shape}, tokens {sizes.shape} and "
            f"{len(given)} sets of concepts.",
            cure="pass one of each for every row",
        )
    if not (np.isfinite(harm).all() and (harm >= 0).all() and (sizes >= 1).all()):
        raise BadInput(
            f"PASER: {what} has a divergence below 0, no number, or an example without tokens.",
            cure="compute them by PASER.divergence, and drop empty examples",
        )
    named = [key_phrases(c) if isinstance(c, str) else tuple(c) for c in given]
    return Pool(X, harm, sizes, named)
