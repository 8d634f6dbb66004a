"""Which documents a mixture takes, how often, and in what order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.mixture import Mixture, Phase
from ecotone.core.seeds import derive
from ecotone.core.simplex import largest_remainder
from ecotone.data.tokens import Sides, TokenStore

BATCH = 1 << 20  # characters tokenised at a time


@dataclass(frozen=True, eq=False)
class Found:
    """Training documents of one domain that were looked at.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n,)
        Places among the domain's training documents.
    lengths : ndarray of int64, shape (n,)
        Tokens, end mark included.
    codes : ndarray of uint64, shape (n,)
        Hashes, from which every epoch's order is drawn.
    """

    numbers: NDArray[np.int64]
    lengths: NDArray[np.int64]
    codes: NDArray[np.uint64]


def measure(
    corpus: Corpus,
    sides: Sides,
    store: TokenStore,
    tokenizer: Any,
    name: str,
    asked: int,
    seed: int,
) -> Found:
    """Count the tokens of as many documents as are needed, those that come first in the shuffle.

    A large domain of which little is asked need not be tokenised whole: its first epoch begins with
    the smallest keys.
    """
    own = domain_seed(seed, name)
    share = min(1.0, 1.2 * asked / max(store.full_count(name), 1) + 0.01)
    while True:
        found = _measured(corpus, sides, tokenizer, name, share, own)
        if share >= 1 or found.lengths.sum() >= asked:
            return found
        share = min(1.0, 2 * share)


def _measured(
    corpus: Corpus, sides: Sides, tokenizer: Any, name: str, share: float, seed: int
) -> Found:
    numbers: list[int] = []
    codes: list[int] = []
    lengths: list[int] = []
    texts: list[str] = []
    held = 0
    limit = share * 2.0**64
    for number, (code, doc) in enumerate(sides.train_docs(corpus, name)):
        if share < 1 and _key(code, number, seed) >= limit:
            continue
        numbers.append(number)
        codes.append(code)
        texts.append(doc.text)
        held += len(doc.text)
        if held >= BATCH:
            lengths += _lengths(tokenizer, texts)
            texts, held = [], 0
    lengths += _lengths(tokenizer, texts)
    return Found(
        np.array(numbers, np.int64), np.array(lengths, np.int64), np.array(codes, np.uint64)
    )


def _lengths(tokenizer: Any, texts: list[str]) -> list[int]:
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [len(e.ids) + 1 for e in encoded]


def _keys(codes: NDArray[Any], numbers: NDArray[Any], seed: int) -> NDArray[np.uint64]:
    """Return 64 random bits per document; exact copies, which share a hash, get different ones."""
    z = codes.astype(np.uint64) + numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = z ^ np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def _key(code: int, number: int, seed: int) -> int:
    """Return the key of one document, as `_keys` does, without the cost of arrays of one."""
    mask = (1 << 64) - 1
    z = ((code + number * 0x9E3779B97F4A7C15) & mask) ^ seed
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = ((z ^ (z >> shift)) * factor) & mask
    return z ^ (z >> 31)


@dataclass(frozen=True, eq=False)
class Planned:
    """Every document to write, in the order of the training; arrays of one length.

    Attributes
    ----------
    domain : ndarray of int64
        Number of the domain, in the order of `names`.
    number, tokens, epoch : ndarray of int64
        Its place in the domain, its length, and how often it was written before.
    shard : ndarray of int64
        Rising from 0.
    """

    names: tuple[str, ...]
    domain: NDArray[np.int64]
    number: NDArray[np.int64]
    tokens: NDArray[np.int64]
    epoch: NDArray[np.int64]
    shard: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)


def asked_parts(mixture: Mixture, tokens: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the domains with tokens, and the tokens of each phase and domain, (phases, k)."""
    phases = mixture.phases or (Phase(1.0, mixture.weights),)
    names = tuple(dict.fromkeys(n for p in phases for n in p.weights))
    ends = [round(p.until * tokens) for p in phases]
    parts = np.array(
        [
            largest_remainder(np.array([p.weights.get(n, 0.0) for n in names]), end - start)
            for p, start, end in zip(phases, [0, *ends], ends, strict=False)
        ]
    )
    kept = parts.sum(axis=0) > 0
    return tuple(n for n, k in zip(names, kept, strict=True) if k), parts[:, kept]


def planned(
    names: tuple[str, ...],
    parts: NDArray[np.int64],
    found: Mapping[str, Found],
    caps: Mapping[str, float],
    seed: int,
    shard_tokens: int,
) -> Planned:
    """Choose the documents, put them in order and cut them into shards."""
    columns: list[list[NDArray[Any]]] = [[], [], [], [], []]
    for d, name in enumerate(names):
        number, length, epoch = _copies(
            found[name], int(parts[:, d].sum()), domain_seed(seed, name), caps.get(name, math.inf)
        )
        place = _places(length, parts[:, d])
        values = (np.full(len(number), d), number, length, epoch, place)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    domain, number, length, epoch, place = (np.concatenate(c) for c in columns)
    order = np.lexsort((domain, place))
    length = length[order]
    before = np.cumsum(length) - length
    shard = before // max(shard_tokens, 1)
    # a document longer than a shard leaves numbers out: close the gaps
    shard = np.unique(shard, return_inverse=True)[1].reshape(-1) if len(shard) else shard
    return Planned(names, domain[order], number[order], length, epoch[order], shard)


def domain_seed(seed: int, name: str) -> int:
    """Return the seed of a domain's order."""
    return derive(seed, "material", name)


def _copies(
    found: Found, asked: int, seed: int, cap: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return number, length and epoch of the documents of one domain, epoch after epoch.

    The last document is taken when that brings the sum nearer to `asked`, unless it would go over
    the cap.
    """
    whole = int(found.lengths.sum())
    numbers, lengths, epochs = [], [], []
    left, epoch = asked, 0
    while left > 0 and whole > 0:
        keys = _keys(found.codes, found.numbers, seed if epoch == 0 else derive(seed, epoch))
        order = np.argsort(keys, kind="stable")
        total = np.cumsum(found.lengths[order])
        count = int(np.searchsorted(total, left, side="right"))
        if count < len(order):
            low = int(total[count - 1]) if count else 0
            nearer = int(total[count]) - left <= left - low
            if nearer and asked - left + int(total[count]) <= cap * whole:
                count += 1
        took = order[:count]
        numbers.append(found.numbers[took])
        lengths.append(found.lengths[took])
        epochs.append(np.full(count, epoch, np.int64))
        if count < len(order):
            break
        left -= whole
        epoch += 1
    empty = [np.empty(0, np.int64)]
    return (
        np.concatenate(numbers or empty),
        np.concatenate(lengths or empty),
        np.concatenate(epochs or empty),
    )


def _places(length: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return when each document of one domain is read: phase, and progress through it.

    A document's middle is put where the domain's token count says it is due.
    """
    middle = np.cumsum(length) - length / 2
    ends = np.cumsum(parts).astype(np.float64)
    # rounding to whole documents moves the last end a little
    phase = np.minimum(np.searchsorted(ends, middle, side="right"), len(parts) - 1)
    while len(parts) and (parts[phase] == 0).any():  # after the last phase that asks for any
        phase = np.where(parts[phase] == 0, phase - 1, phase)
    start = ends[phase] - parts[phase]
    return phase + np.minimum((middle - start) / parts[phase], 1 - 1e-12)
