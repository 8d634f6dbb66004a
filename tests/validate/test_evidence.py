from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict

from ecotone.core.seeds import stream
from ecotone.validate.evidence import STRETCH, Evidence, rank_evidence


def test_correlation_and_p_are_those_of_all_permutations():
    measured, predicted = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 3, 2, 4, 6, 5])
    found = rank_evidence(measured, predicted, rng=stream(0, "p"), draws=20_000)
    assert_allclose(found.spearman, stats.spearmanr(measured, predicted)[0])
    ranks = np.arange(6.0)
    score = np.array([np.dot(ranks, p) for p in permutations(ranks)])
    middle = np.dot(ranks, ranks[::-1] + ranks) / 2
    stretched = middle + STRETCH * (score - middle)
    exact = np.mean(stretched >= np.dot(ranks, predicted - 1) - 1e-9)
    assert abs(found.p - exact) < 0.004


def test_chance_is_taken_for_evidence_as_often_as_the_level_says():
    """Ridge regression, out of fold, on losses that have nothing to do with the mixtures."""
    found = []
    for case in range(400):
        rng = stream(case, "null")
        X, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
        fold = KFold(5, shuffle=True, random_state=case)
        guess = cross_val_predict(Ridge(1.0), X, y, cv=fold)
        found.append(rank_evidence(y, guess, rng=rng, draws=399).supported)
    assert np.mean(found) <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / 400)


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
    assert found.p > 0.99
    assert not found.supported


@pytest.mark.parametrize(
    ("measured", "predicted"), [([1, 2, 3], [1, 2, 3]), ([1] * 9, range(9)), (range(9), [2] * 9)]
)
def test_too_few_or_constant_is_no_evidence(measured, predicted):
    a, b = (np.array(list(x), dtype=float) for x in (measured, predicted))
    assert rank_evidence(a, b, rng=stream(0, "few")) == Evidence(0.0, 1.0, len(a))


def test_the_level_is_two_and_a_half_percent():
    assert Evidence(0.5, 0.024, 20).supported
    assert not Evidence(0.5, 0.025, 20).supported
