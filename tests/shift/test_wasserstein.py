"""Wasserstein distances against closed forms and POT."""

from __future__ import annotations

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput
from ecotone.shift.wasserstein import wasserstein


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", ["sliced", "exact"])
def test_a_translation_costs_its_length(kind, rng):
    A = rng.normal(size=(20, 1))
    assert wasserstein(A, A + 3, rng=rng, kind=kind) == pytest.approx(3.0)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (6, 9), (13, 40), (50, 3)])
def test_one_dimension_equals_pot(n, m, rng):
    A, B = rng.normal(size=(n, 1)), rng.normal(1, 2, size=(m, 1))
    theirs = np.sqrt(ot.wasserstein_1d(A[:, 0], B[:, 0], p=2))
    assert_allclose(wasserstein(A, B, rng=rng), theirs, rtol=1e-9)
    assert_allclose(wasserstein(A, B, rng=rng, kind="exact"), theirs, rtol=1e-7)


def test_sliced_equals_pot_on_the_same_directions():
    A, B = np.random.default_rng(1).normal(size=(2, 30, 4))
    theta = np.random.default_rng(2).normal(size=(4, 64))
    theta /= np.linalg.norm(theta, axis=0)
    theirs = ot.sliced_wasserstein_distance(A, B, projections=theta)
    ours = wasserstein(A, B, rng=np.random.default_rng(2))
    assert_allclose(ours, theirs, rtol=1e-9)


def test_exact_equals_pot_and_bounds_sliced(rng):
    A, B = rng.normal(size=(25, 3)), rng.normal(0.5, 1, size=(40, 3))
    exact = wasserstein(A, B, rng=rng, kind="exact")
    assert exact == pytest.approx(np.sqrt(ot.emd2([], [], ot.dist(A, B))))
    assert wasserstein(A, B, rng=rng) < exact


def test_gaussians_approach_the_closed_form(rng):
    # on a line, W2 of N(0, 1) and N(a, s) is sqrt(a^2 + (s - 1)^2)
    A, B = rng.normal(size=(20_000, 1)), rng.normal(1.5, 3, size=(20_000, 1))
    assert wasserstein(A, B, rng=rng) == pytest.approx(np.hypot(1.5, 2.0), rel=0.02)


def test_fails_when_one_outlier_decides(rng):
    A = rng.normal(size=(100, 1))
    B = A.copy()
    B[0] = 1_000.0
    moved = wasserstein(A, A + 3, rng=rng)
    assert wasserstein(A, B, rng=rng) > 10 * moved


def test_parameters_are_checked(rng):
    A = np.ones((3, 2))
    for bad in ({"kind": "round"}, {"directions": 0}):
        with pytest.raises(BadInput) as error:
            wasserstein(A, A, rng=rng, **bad)
        assert error.value.cure.startswith("-p ")
