from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from ecotone.core.seeds import stream
from ecotone.validate.evidence import Evidence, rank_evidence


def test_correlation_and_p_are_those_of_all_permutations():
    measured, predicted = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 3, 2, 4, 6, 5])
    found = rank_evidence(measured, predicted, rng=stream(0, "p"), draws=20_000)
    assert_allclose(found.spearman, stats.spearmanr(measured, predicted)[0])
    ranks = np.arange(6.0)
    score = np.array([np.dot(ranks, p) for p in permutations(ranks)])
    exact = np.mean(score >= np.dot(ranks, predicted - 1))
    assert abs(found.p - exact) < 0.004


def test_p_is_uniform_where_there_is_nothing():
    p = []
    for case in range(300):
        rng = stream(case, "null")
        p.append(rank_evidence(rng.random(20), rng.random(20), rng=rng, draws=199).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) < 0.05) < 0.09


def test_p_falls_as_the_correlation_grows():
    x = stream(0, "x").standard_normal(30)
    noise = stream(1, "x").standard_normal(30)
    p = [rank_evidence(x, a * x + noise, rng=stream(2, "x"), draws=1999).p for a in (0, 0.5, 1, 2)]
    assert all(a >= b for a, b in pairwise(p))
    assert p[-1] <= 0.001 < 0.01 < p[0]


def test_only_ranks_count():
    x = stream(0, "ranks").random(15)
    y = x + 0.3 * stream(1, "ranks").random(15)
    plain, bent = (
        rank_evidence(a, b, rng=stream(2, "ranks"), draws=999)
        for a, b in ((x, y), (x**3, np.exp(y)))
    )
    assert plain == bent


def test_the_wrong_way_round_is_no_evidence():
    x = np.arange(20.0)
    found = rank_evidence(x, -x, rng=stream(0, "wrong"))
    assert found.spearman == pytest.approx(-1)
    assert found.p == 1.0
    assert not found.supported


@pytest.mark.parametrize(
    ("measured", "predicted"), [([1, 2, 3], [1, 2, 3]), ([1] * 9, range(9)), (range(9), [2] * 9)]
)
def test_too_few_or_constant_is_no_evidence(measured, predicted):
    a, b = (np.array(list(x), dtype=float) for x in (measured, predicted))
    assert rank_evidence(a, b, rng=stream(0, "few")) == Evidence(0.0, 1.0, len(a))


def test_the_level_is_one_percent():
    assert Evidence(0.5, 0.009, 20).supported
    assert not Evidence(0.5, 0.01, 20).supported
