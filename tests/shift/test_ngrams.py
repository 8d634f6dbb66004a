"""N-gram divergences against scipy, and where they must and must not see a shift."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from ecotone.core.errors import BadInput
from ecotone.shift.ngrams import ngrams
from ecotone.testing.cases import null_p, rate_samples

counts = arrays(np.float64, (3, 5), elements=st.integers(0, 50).map(float))


@given(A=counts, B=counts, alpha=st.floats(0.01, 5))
def test_js_equals_scipy(A, B, alpha):
    p, q = A.sum(axis=0) + alpha, B.sum(axis=0) + alpha
    # scipy gives the square root of the divergence, which costs half of the digits near 0
    assert_allclose(ngrams(A, B, smoothing=alpha), jensenshannon(p, q) ** 2, atol=1e-12)


@given(A=counts, B=counts)
def test_kl_equals_scipy(A, B):
    p, q = A.sum(axis=0) + 0.5, B.sum(axis=0) + 0.5
    assert_allclose(ngrams(A, B, kind="kl"), entropy(p, q), atol=1e-12)


@given(A=counts, B=counts)
def test_js_is_bounded_and_symmetric(A, B):
    value = ngrams(A, B)
    assert 0 <= value <= math.log(2)
    assert value == pytest.approx(ngrams(B, A), abs=1e-15)


def test_disjoint_words_approach_log_two():
    A, B = np.array([[1e9, 0.0]]), np.array([[0.0, 1e9]])
    assert ngrams(A, B) == pytest.approx(math.log(2), abs=1e-6)


def test_sees_other_rates():
    rng = np.random.default_rng(0)
    A, B = rate_samples(rng, shift=0.5)
    assert null_p(ngrams, A, B, draws=99, rng=rng) == 0.01


def test_fails_to_see_a_difference_in_spread():
    even = np.full((20, 2), 5.0)
    extreme = np.where(np.arange(40).reshape(20, 2) % 4 < 2, 0.0, 10.0)
    assert even.sum(axis=0).tolist() == extreme.sum(axis=0).tolist()
    assert ngrams(even, extreme) == 0.0


@pytest.mark.parametrize("bad", [{"smoothing": 0.0}, {"smoothing": math.nan}, {"kind": "l2"}])
def test_parameters_are_checked(bad):
    with pytest.raises(BadInput) as error:
        ngrams(np.ones((2, 2)), np.ones((2, 2)), **bad)
    assert error.value.cure.startswith("-p ")


def test_counts_are_not_negative():
    with pytest.raises(BadInput, match="negative"):
        ngrams(-np.ones((2, 2)), np.ones((2, 2)))
