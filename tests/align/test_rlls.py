from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from ecotone.align import BBSE, RLLS
from ecotone.align.rlls import regularised
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def test_theta_is_that_of_a_general_solver():
    rng = np.random.default_rng(0)
    for bound in (0.01, 0.1, 0.3, 1.0):
        for _ in range(5):
            C, b = rng.dirichlet(np.ones(16)).reshape(4, 4), 0.1 * rng.normal(size=4)

            def cost(t, C=C, b=b, bound=bound):
                return np.linalg.norm(C @ t - b) + bound * np.linalg.norm(t)

            ours = regularised(C, b, bound)
            starts = [np.full(4, 0.01), ours + 1e-3, np.linalg.solve(C, b)]
            best = min(
                minimize(cost, x, method="Nelder-Mead", options={"maxiter": 4000}).fun
                for x in starts
            )
            assert cost(ours) <= best + 1e-7


def test_without_noise_it_is_the_inverse_and_with_much_it_is_nothing():
    C, b = np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([0.1, -0.1])
    assert_allclose(regularised(C, b, 1e-6), np.linalg.solve(C, b))
    assert_array_equal(regularised(C, b, 10.0), 0.0)


def distance(make, seed, *, n, size):
    made = made_shift("label" if size else "none", n=n, size=size, seed=seed)
    shares = np.array([1 + 2 * size, 1 - size, 1 - size]) / 3
    fitted = make(level=0.0).fit(made.X, made.y, made.sample_domain)
    return np.abs(fitted.priors_ - shares).sum()


def test_is_calm_with_few_rows():
    ours, theirs = (
        np.mean([distance(m, s, n=40, size=0.0) for s in range(20)]) for m in (RLLS, BBSE)
    )
    assert ours < 0.8 * theirs


def test_is_behind_bbse_under_a_large_shift():
    ours, theirs = (
        np.mean([distance(m, s, n=100, size=0.85) for s in range(20)]) for m in (RLLS, BBSE)
    )
    assert ours > theirs


def test_many_rows_need_no_shrinking():
    made = made_shift("label", n=2000, size=0.7)
    assert RLLS().fit(made.X, made.y, made.sample_domain).shrinkage_ > 0.95


def test_delta_is_a_probability():
    made = made_shift("label", n=60)
    with pytest.raises(BadInput, match="delta is 0"):
        RLLS(delta=0.0).fit(made.X, made.y, made.sample_domain)
