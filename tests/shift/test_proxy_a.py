"""The proxy A-distance at the ends of its scale and against the best classifier."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.shift.proxy_a import proxy_a
from ecotone.testing.cases import null_p


def test_ends_of_the_scale():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 3))
    assert proxy_a(A, A + 50, rng=rng) == 2.0
    at_home = [proxy_a(*rng.normal(size=(2, 200, 3)), rng=rng) for _ in range(10)]
    assert abs(np.mean(at_home)) < 0.1


def test_approaches_the_best_linear_classifier():
    # N(0, I) against N(d, I): the best classifier errs with Phi(-|d| / 2)
    rng = np.random.default_rng(1)
    d = np.array([1.0, -1.0, 0.5])
    best = 2 * (1 - 2 * norm.cdf(-np.linalg.norm(d) / 2))
    A, B = rng.normal(size=(4000, 3)), rng.normal(size=(4000, 3)) + d
    assert proxy_a(A, B, rng=rng) == pytest.approx(best, abs=0.05)


def test_unequal_sizes_are_no_shift():
    rng = np.random.default_rng(2)
    values = [
        proxy_a(rng.normal(size=(30, 2)), rng.normal(size=(600, 2)), rng=rng) for _ in range(20)
    ]
    assert abs(np.mean(values)) < 0.15


def test_fails_to_see_a_difference_in_spread():
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(10):
        A, B = rng.normal(size=(60, 2)), rng.normal(0, 3, size=(60, 2))
        seen += null_p(proxy_a, A, B, draws=39, rng=rng) <= 0.05
    assert seen <= 3


def test_swapping_the_sides_changes_nothing():
    rng = np.random.default_rng(4)
    A, B = rng.normal(size=(20, 3)), rng.normal(0.5, 1, size=(33, 3))
    there = proxy_a(A, B, rng=np.random.default_rng(5))
    assert proxy_a(B, A, rng=np.random.default_rng(5)) == pytest.approx(there, abs=1e-12)


def test_errors_carry_a_cure():
    rng = np.random.default_rng(0)
    with pytest.raises(TooFewRows, match="5 rows"):
        proxy_a(np.ones((4, 2)), np.ones((9, 2)), rng=rng)
    with pytest.raises(BadInput, match="folds"):
        proxy_a(np.ones((4, 2)), np.ones((9, 2)), rng=rng, folds=1)
