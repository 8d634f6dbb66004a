from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from ecotone.core.corpus import Corpus, Domain
from ecotone.core.errors import Infeasible
from ecotone.mix.uniform import uniform


def test_every_domain_gets_the_same(mix):
    assert set(mix(uniform, tokens=40).weights.values()) == {0.25}


def test_a_domain_without_tokens_gets_nothing(mix, corpus):
    wide = Corpus((*corpus.domains, Domain("empty", "source", 0, 0, "e")))
    assert mix(uniform, on=wide, tokens=40).weights["empty"] == 0
    assert mix(uniform, on=wide, tokens=40).weights["law"] == 0.25


def test_caps_equal_a_convex_solver(mix):
    got = np.array(list(mix(uniform, tokens=500, caps=4).weights.values()))
    limits = np.array([0.08, 0.16, 0.56, 1.0])
    found = minimize(
        lambda x: np.sum(x * np.log(np.maximum(x, 1e-12) * 4)),
        limits / limits.sum(),
        bounds=[(0, u) for u in limits],
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    assert_allclose(got, found.x, atol=1e-5)
    assert_allclose(got, [0.08, 0.16, 0.38, 0.38])


def test_capped_mixture_passes_its_own_check(mix, corpus):
    mixture = mix(uniform, tokens=500, caps=4)
    assert mixture.caps == dict.fromkeys(corpus.names, 4.0)
    assert sum(mixture.tokens(500, corpus).values()) == 500


def test_order_of_domains_changes_nothing(mix, corpus):
    other = Corpus(corpus.domains[::-1])
    assert mix(uniform, on=other, tokens=500, caps=4).weights == pytest.approx(
        mix(uniform, tokens=500, caps=4).weights
    )


def test_does_not_help_a_small_domain_beyond_its_tokens(mix, corpus):
    # must not help: without a cap the smallest domain is repeated 12.5 times
    assert mix(uniform, tokens=500).tokens(500, corpus)["law"] == 125
    with pytest.raises(Infeasible):
        mix(uniform, tokens=5000, caps=4)
