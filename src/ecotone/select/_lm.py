r"""A bigram language model on hashed tokens: minutes of counting where a network needs hours.

.. math:: P(w \mid v) = \frac{c(v, w) + t(v)\, P(w)}{c(v) + t(v)}, \qquad
          P(w) = \frac{c(w) + t / V}{N + t}

(Witten and Bell): t(v) is how many different tokens followed v, t how many there are in all, and
V = 2^18 stands for all words there could be, the same for every model, so that perplexities can be
compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select._tokens import PAIR, SPREAD, Hashes, Tokens, tokens

Array = NDArray[np.float64]
WORDS = float(1 << 18)
START = np.uint64(0x51ED270B8C5F3A77)  # what stands before the first token


class Grams(NamedTuple):
    """Sorted keys and their counts."""

    keys: Hashes
    counts: NDArray[np.int64]

    def of(self, keys: Hashes) -> Array:
        """Return the count of each key, 0 where there is none."""
        if len(self.keys) == 0:
            return np.zeros(len(keys))
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.counts[at], 0).astype(np.float64)


class Bigrams:
    """Counts of one side; `fit` takes batches, `log_likelihood` answers for any.

    Examples
    --------
    >>> model = Bigrams.fit([Docs.of(["to be or not to be"])])
    >>> likely, unlikely = model.log_likelihood(tokens(Docs.of(["to be", "be to"])))
    >>> bool(likely > unlikely)
    True
    """

    def __init__(self, words: Grams, pairs: Grams, kinds: Grams, followed: Grams) -> None:
        self.words, self.pairs = words, pairs
        self.kinds, self.followed = kinds, followed  # of a token before: t(v), c(v)
        self.total = float(words.counts.sum())

    @classmethod
    def fit(cls, batches: Iterable[Docs]) -> Bigrams:
        """Count unigrams and bigrams of all batches."""
        return cls.of_tokens([tokens(batch) for batch in batches])

    @classmethod
    def of_tokens(cls, parts: list[Tokens]) -> Bigrams:
        """Count those of tokens."""
        words = np.concatenate([np.empty(0, dtype=np.uint64), *(p.hashes for p in parts)])
        before = np.concatenate([np.empty(0, dtype=np.uint64), *(_before(p) for p in parts)])
        keys, first, counts = np.unique(
            _joined(before, words), return_index=True, return_counts=True
        )
        return cls(
            Grams(*np.unique(words, return_counts=True)), Grams(keys, counts),
            Grams(*np.unique(before[first], return_counts=True)),
            Grams(*np.unique(before, return_counts=True)),
        )  # fmt: skip

    def log_likelihood(self, found: Tokens) -> Array:
        """Return the log probability of each document, nats, shape (n,)."""
        each = self.token_log_probabilities(found)
        n = len(found.starts) - 1
        owner = np.repeat(np.arange(n), found.lengths)
        return np.asarray(np.bincount(owner, each, minlength=n), dtype=np.float64)

    def token_log_probabilities(self, found: Tokens) -> Array:
        """Return the log probability of each token, nats."""
        kinds = float(len(self.words.keys))
        w, v = found.hashes, _before(found)
        if not self.total:
            return np.full(len(w), -np.log(WORDS))
        single = (self.words.of(w) + kinds / WORDS) / (self.total + kinds)
        t, c = self.kinds.of(v), self.followed.of(v)
        both = (self.pairs.of(_joined(v, w)) + t * single) / np.maximum(c + t, 1e-300)
        out: Array = np.log(np.where(c > 0, both, single))
        return out


def _before(found: Tokens) -> Hashes:
    out = np.empty_like(found.hashes)
    if len(out):
        out[1:] = found.hashes[:-1]
        starts = found.starts[:-1][found.lengths > 0]
        out[starts] = START
    return out


def _joined(v: Hashes, w: Hashes) -> Hashes:
    out: Hashes = (v * np.uint64(PAIR) + w) * np.uint64(SPREAD)
    return out


def perplexity(model: Bigrams, held_out: Any) -> float:
    """Return the perplexity of a model on batches of held-out texts, per token."""
    total, count = 0.0, 0
    for batch in held_out:
        found = tokens(batch)
        total += float(model.token_log_probabilities(found).sum())
        count += len(found.hashes)
    return float(np.exp(-total / max(count, 1)))
