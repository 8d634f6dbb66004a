"""Texts of two domains with their own words and common ones."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.select import pick


def domain(name: str, n: int, rng: np.random.Generator, length: int = 60) -> list[str]:
    """Return documents of half common words, half of the domain's own, by Zipf's law."""
    ranks = 1 / np.arange(1, 201)
    own = [f"{name}{i}" for i in range(200)]
    common = [f"the{i}" for i in range(200)]
    out = []
    for _ in range(n):
        k = int(rng.integers(length // 2, 2 * length))
        draw = rng.choice(200, k, p=ranks / ranks.sum())
        out.append(
            " ".join(
                (own if c else common)[i] for i, c in zip(draw, rng.random(k) < 0.5, strict=True)
            )
        )
    return out


@pytest.fixture
def mixed():
    """Return a target, a pool with 30 % of its domain, and which documents these are."""
    rng = np.random.default_rng(0)
    inside = rng.random(600) < 0.3
    here, there = iter(domain("law", 600, rng)), iter(domain("web", 600, rng))
    pool = [next(here) if i else next(there) for i in inside]
    return domain("law", 60, rng), pool, inside


@pytest.fixture
def same():
    """Return a target that is drawn like the pool, a pool of two domains, and held-out target."""
    rng = np.random.default_rng(1)
    pool = [t for pair in zip(domain("law", 300, rng), domain("web", 300, rng), strict=True)
            for t in pair]  # fmt: skip
    held = [t for pair in zip(domain("law", 60, rng), domain("web", 60, rng), strict=True)
            for t in pair]  # fmt: skip
    target = [t for pair in zip(domain("law", 60, rng), domain("web", 60, rng), strict=True)
              for t in pair]  # fmt: skip
    return target, pool, held


@pytest.fixture
def share_inside():
    """Return the share of the target's domain in the best 5 % of tokens by a score."""

    def share(scores, pool, inside):
        sizes = np.array([len(t.split()) for t in pool])
        rows = pick(scores, 0.05 * sizes.sum(), sizes=sizes).rows
        return (sizes * inside)[rows].sum() / sizes[rows].sum()

    return share
