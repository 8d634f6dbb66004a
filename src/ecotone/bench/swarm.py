"""A swarm of trained mixtures on the demo corpus: the ground truth several suites share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.data.read import read_corpus
from ecotone.data.real import demo_corpus
from ecotone.data.tokens import TokenStore
from ecotone.jobs.trials import natural_shares, tokenised, try_mixtures

TOKENS = 400_000


def demo_store(out: Path | str) -> TokenStore:
    """Tokenise the demo corpus, target clinical."""
    return tokenised(read_corpus(demo_corpus(), target="clinical"), out)


def random_shares(
    prior: NDArray[np.float64], n: int, seed: int, *, without: int | None = None
) -> NDArray[np.float64]:
    """Draw mixtures as RegMix does: Dirichlet around the tempered prior, many strengths.

    Parameters
    ----------
    prior : ndarray, shape (k,)
        Natural shares.
    without : int, optional
        Column that stays 0.
    """
    rng = stream(seed, "swarm", without)
    tempered = np.sqrt(prior)
    if without is not None:
        tempered[without] = 0.0
    tempered /= tempered.sum()
    alive = tempered > 0
    out = np.zeros((n, len(prior)))
    for row in out:
        strength = np.exp(rng.uniform(np.log(0.5), np.log(5.0))) * alive.sum()
        row[alive] = rng.dirichlet(strength * tempered[alive])
    out[out < 2e-4] = 0.0
    return out / out.sum(axis=1, keepdims=True)


def swarm(
    out: Path | str,
    *,
    n: int = 40,
    tokens: int = TOKENS,
    with_target: bool = True,
    workers: int | None = None,
) -> tuple[TokenStore, Trials]:
    """Train `n` random mixtures of the demo corpus (or take them from `out`)."""
    store = demo_store(out)
    column = None if with_target else store.names.index("clinical")
    shares = random_shares(natural_shares(store), n, 0, without=column)
    trials = try_mixtures(
        store, shares, tokens=tokens, out=out, workers=workers, title=f"training {n} mixtures"
    )
    return store, trials
