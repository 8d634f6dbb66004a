"""Which window of which domain is read when: a mixture, honoured exactly.

A training of T tokens reads T / context windows. Each domain gets its share of them by largest
remainders, never more than its cap allows, and they are spread evenly over the training, so that
two runs of one mixture differ by their seed and not by the luck of the draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.mixture import Mixture
from ecotone.core.seeds import stream
from ecotone.core.simplex import largest_remainder
from ecotone.data.tokens import TokenStore


@dataclass(frozen=True)
class Plan:
    """What a training reads.

    Attributes
    ----------
    domain : ndarray of int, shape (n_windows,)
        Index into `names`, in reading order.
    start : ndarray of int64, shape (n_windows,)
        First token of the window in the domain's training tokens.
    windows : dict of str to int
        Windows per domain.
    pool : dict of str to int
        Different windows at hand per domain.
    names : tuple of str
        Domains.
    context : int
        Tokens per window.
    """

    domain: NDArray[np.int64]
    start: NDArray[np.int64]
    windows: dict[str, int]
    pool: dict[str, int]
    names: tuple[str, ...]
    context: int

    def asked_got(self, mixture: Mixture) -> list[dict[str, float | str]]:
        """Return one row per domain: the share asked for, the share got, tokens and epochs."""
        total = max(sum(self.windows.values()), 1)
        return [
            {
                "domain": n,
                "asked": mixture.weights.get(n, 0.0),
                "got": self.windows[n] / total,
                "tokens": self.windows[n] * self.context,
                "epochs": self.windows[n] / max(self.pool[n], 1),
            }
            for n in self.names
        ]


def plan(
    store: TokenStore,
    mixture: Mixture,
    tokens: int,
    *,
    context: int,
    batch: int,
    seed: int,
    horizon: int | None = None,
) -> Plan:
    """Decide every window of a training before it begins.

    Parameters
    ----------
    store : TokenStore
        Where the tokens are.
    mixture : Mixture
        Weights, phases and caps.
    tokens : int
        Budget of this training; rounded down to whole batches.
    context, batch : int
        Tokens per window and windows per step.
    seed : int
        Decides order and offsets.
    horizon : int, optional
        Tokens of the training that this one stands for. A proxy of n tokens then draws from a share
        n / horizon of every domain, so that it repeats its data as often as the long training
        will. Default: `tokens`.

    Raises
    ------
    Infeasible
        The caps leave too few windows.
    BadInput
        A domain with a positive share holds fewer tokens than one window.
    """
    steps = tokens // (context * batch)
    if steps < 1:
        raise BadInput(
            f"{tokens:,} training tokens are less than one batch of {context * batch:,}.",
            cure=f"--tokens {context * batch}",
        )
    unknown = sorted(set(mixture.weights) - set(store.names))
    if unknown:
        raise BadInput(
            f"the mixture names domains that the corpus lacks: {', '.join(unknown)}.",
            cure=f"use: {', '.join(store.names)}",
        )
    share = min(1.0, tokens / horizon) if horizon else 1.0
    pool = {n: _pool(store, n, context, share, mixture) for n in store.names}
    room = {n: _room(pool[n], mixture.caps.get(n)) for n in store.names}
    order: list[NDArray[np.int64]] = []
    for first, last, weights in _spans(mixture):
        count = (round(last * steps) - round(first * steps)) * batch
        parts = _divide(store.names, weights, count, room)
        order.append(_interleave(parts, stream(seed, "order", first)))
        for name, part in zip(store.names, parts, strict=True):
            room[name] -= int(part)
    domain = np.concatenate(order)
    start = np.empty(len(domain), np.int64)
    windows = {}
    for i, name in enumerate(store.names):
        mine = np.flatnonzero(domain == i)
        windows[name] = len(mine)
        if len(mine):
            start[mine] = _starts(store, name, len(mine), pool[name], context, seed)
    return Plan(domain, start, windows, pool, store.names, context)


def _spans(mixture: Mixture) -> list[tuple[float, float, Mapping[str, float]]]:
    """Return (start, end, weights) in order; phases that change nothing are one span."""
    spans: list[tuple[float, float, Mapping[str, float]]] = []
    start = 0.0
    for phase in mixture.phases:
        if spans and spans[-1][2] == phase.weights:
            spans[-1] = (spans[-1][0], phase.until, phase.weights)
        else:
            spans.append((start, phase.until, phase.weights))
        start = phase.until
    return spans or [(0.0, 1.0, mixture.weights)]


def _pool(store: TokenStore, name: str, context: int, share: float, mixture: Mixture) -> int:
    have = (store.count(name) - 1) // context
    if have < 1:
        if mixture.weights.get(name, 0.0) == 0:
            return 0
        raise BadInput(
            f"the domain {name} has {store.count(name):,} training tokens, fewer than one window "
            f"of {context}.",
            cure=f"give {name} more text, or leave it out of the mixture",
        )
    # a sampled domain stands for all of its text
    full = store.full_count(name) // context
    return max(1, min(have, round(full * share)))


def _room(pool: int, cap: float | None) -> int:
    # 1e-9: a cap that was turned into a share and back must not lose a window to rounding
    return 1 << 60 if cap is None or not np.isfinite(cap) else int(cap * pool + 1e-9)


def _divide(
    names: tuple[str, ...], weights: Mapping[str, float], count: int, room: Mapping[str, int]
) -> NDArray[np.int64]:
    """Divide `count` windows in the shares of `weights`; no domain gets more than its room."""
    shares = np.array([weights.get(n, 0.0) for n in names])
    limit = np.array([room[n] for n in names])
    parts = largest_remainder(shares, count)
    while (parts > limit).any():
        over = int((parts - limit).clip(0).sum())
        parts = np.minimum(parts, limit)
        free = np.where(parts < limit, shares, 0.0)
        # a rounding remainder finds room elsewhere; more than that is a cap that cannot be met
        if over > max(0.005 * count, len(names)) or free.sum() == 0:
            tight = [n for n, p, q in zip(names, parts, limit, strict=True) if p == q]
            raise Infeasible(
                f"the caps on {', '.join(tight)} leave {over} of {count} windows without data.",
                cure="raise --caps, or lower the shares of these domains",
            )
        parts = parts + largest_remainder(free / free.sum(), over)
    return parts


def _interleave(parts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Spread the windows of every domain evenly: its j-th of m stands near (j + u) / m."""
    where = [(np.arange(m) + rng.random()) / m for m in parts if m]
    what = [np.full(m, i) for i, m in enumerate(parts) if m]
    return np.concatenate(what)[np.argsort(np.concatenate(where), kind="stable")]


def _starts(
    store: TokenStore, name: str, count: int, pool: int, context: int, seed: int
) -> NDArray[np.int64]:
    """Draw windows without replacement, epoch by epoch, each epoch with another offset."""
    have = (store.count(name) - 1) // context
    # which windows are in the pool does not depend on the mixture: only on domain and seed
    mine = stream(seed, "pool", name).permutation(have)[:pool]
    spare = store.count(name) - 1 - have * context
    parts = []
    for epoch in range(-(-count // pool)):
        rng = stream(seed, "epoch", name, epoch)
        offset = int(rng.integers(0, spare + 1)) if pool == have else 0
        parts.append(rng.permutation(mine) * context + offset)
    return np.concatenate(parts)[:count]


def batches(
    store: TokenStore, plan: Plan, batch: int, first: int = 0
) -> Iterator[NDArray[np.int64]]:
    """Yield arrays of int64, shape (batch, context + 1), from step `first` on."""
    data = [store.tokens(n) for n in plan.names]
    span = plan.context + 1
    for at in range(first * batch, len(plan.domain) - batch + 1, batch):
        rows = [
            data[plan.domain[i]][plan.start[i] : plan.start[i] + span]
            for i in range(at, at + batch)
        ]
        yield np.stack(rows).astype(np.int64)
