"""Fixtures of the tests of this room."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from ecotone.core.corpus import Corpus, Domain
from ecotone.core.seeds import stream
from ecotone.data.published import FIVE, regmix_runs


@pytest.fixture(scope="session")
def five():
    """Published runs: shares (512, 17) and the losses of five targets (512, 5)."""
    runs = regmix_runs()
    return runs.weights, np.column_stack([runs.target(t) for t in FIVE])


@pytest.fixture(scope="session")
def ranks(five):
    """Function (law, n rows, draws) -> mean Spearman correlation on 256 rows left out."""
    W, L = five

    def measure(law, n, draws=2):
        found = []
        for draw in range(draws):
            rows = np.random.default_rng(draw).permutation(len(W))
            inside, outside = rows[:n], rows[256:]
            guess = law.fit(W[inside], L[inside]).predict(W[outside])
            found += [spearmanr(a, b)[0] for a, b in zip(guess.T, L[outside].T, strict=True)]
        return float(np.mean(found))

    return measure


@pytest.fixture
def corpus():
    """Four domains of 10, 20, 70 and 900 tokens; the first is the target."""
    sizes = {"law": 10, "code": 20, "news": 70, "web": 900}
    domains = tuple(
        Domain(n, "target" if n == "law" else "source", 1, t, n) for n, t in sizes.items()
    )
    return Corpus(domains)


@pytest.fixture
def mix(corpus):
    """Function (rule, tokens, ...) -> the mixture of that rule, called as the protocol has it."""

    def make(rule, tokens, *, on=corpus, target="law", caps=None, **knobs):
        return rule(on, target, tokens=tokens, caps=caps, rng=stream(0, "test"), **knobs)

    return make
