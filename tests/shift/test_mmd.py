"""MMD against the sum written out, and where it must and must not see a shift."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.shift.mmd import mmd
from ecotone.testing.cases import null_p


def direct(A, B, h):
    """The estimate as the paper writes it, a pair at a time."""

    def k(x, y):
        return np.exp(-((x - y) ** 2).sum() / (2 * h * h))

    n, m = len(A), len(B)
    aa = sum(k(A[i], A[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    bb = sum(k(B[i], B[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return aa + bb - 2 * sum(k(a, b) for a in A for b in B) / (n * m)


def test_equals_the_direct_sum():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(7, 3)), rng.normal(1, 2, size=(5, 3))
    for h in (0.3, 1.0, 4.0):
        assert_allclose(mmd(A, B, bandwidth=h), direct(A, B, h), rtol=1e-12)
    both = np.vstack([A, B])
    gaps = [np.linalg.norm(both[i] - both[j]) for i in range(12) for j in range(i)]
    assert_allclose(mmd(A, B), direct(A, B, np.median(gaps)), rtol=1e-12)


def test_averages_zero_without_a_shift():
    rng = np.random.default_rng(1)
    values = [mmd(rng.normal(size=(20, 2)), rng.normal(size=(30, 2))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0


def test_sees_a_difference_in_spread():
    # must help: the means agree, the spread does not
    rng = np.random.default_rng(2)
    A, B = rng.normal(size=(80, 2)), rng.normal(0, 2.5, size=(80, 2))
    assert null_p(mmd, A, B, draws=99, rng=rng) == 0.01


def test_fails_to_see_one_feature_among_many():
    rng = np.random.default_rng(3)
    alone = seen = 0
    for _ in range(10):
        A, B = rng.normal(size=(40, 300)), rng.normal(size=(40, 300))
        B[:, 0] += 1.0
        alone += null_p(mmd, A[:, :1], B[:, :1], draws=39, rng=rng) <= 0.05
        seen += null_p(mmd, A, B, draws=39, rng=rng) <= 0.05
    assert alone >= 8
    assert seen <= 5


def test_equal_rows_have_no_scale_and_no_distance():
    A = np.ones((5, 2))
    assert mmd(A, A) == pytest.approx(0.0)


def test_errors_carry_a_cure():
    with pytest.raises(TooFewRows, match="2 rows"):
        mmd(np.ones((1, 2)), np.ones((5, 2)))
    with pytest.raises(BadInput, match="bandwidth"):
        mmd(np.ones((5, 2)), np.ones((5, 2)), bandwidth=0.0)
