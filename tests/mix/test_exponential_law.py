from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from ecotone.mix.exponential_law import ExponentialLaw
from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.linear_law import LinearLaw


def known_law(seed, spread=1.0, n=40, k=5):
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.full(k, spread), n)
    t = rng.uniform(-3, 1, k)
    return W, 2 + np.exp(W @ t), t


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_recovers_a_known_law_exactly(seed, spread):
    W, y, t = known_law(seed, spread)
    law = ExponentialLaw().fit(W, y)
    assert_allclose(law.floor_[0], 2, rtol=1e-3)
    assert_allclose(np.exp(law.coef_[0]), np.exp(t), rtol=1e-3)


def test_no_other_search_finds_a_smaller_error():
    W, y, _ = known_law(0)
    y = y + 0.05 * np.random.default_rng(1).standard_normal(len(y))
    law = ExponentialLaw(reach=np.inf, pull=0.0, delta=1e6).fit(W, y)

    def error(p):
        return np.sum((p[0] + np.exp(np.minimum(W @ p[1:], 50)) - y) ** 2)

    rng = np.random.default_rng(2)
    others = [
        minimize(error, np.r_[rng.uniform(0, 3), rng.normal(0, 1, 5)], method="L-BFGS-B").fun
        for _ in range(10)
    ]
    ours = error(np.r_[law.floor_[0], law.coef_[0]])
    assert ours <= min(others) * (1 + 1e-5)


def test_more_of_a_domain_that_teaches_lowers_the_loss():
    W, y, _ = known_law(3)
    law = ExponentialLaw().fit(W, y)
    best = int(np.argmin(law.coef_[0]))
    toward = np.linspace(0, 1, 11)[:, None]
    path = (1 - toward) * np.full(5, 0.2) + toward * np.eye(5)[best]
    assert (np.diff(law.predict(path)) < 0).all()


def test_one_diverged_run_does_not_spoil_the_law():
    W, y, _ = known_law(4)
    spoilt = y.copy()
    spoilt[7] += 30
    robust = ExponentialLaw(delta=0.05, reach=np.inf).fit(W, spoilt).predict(W)
    square = ExponentialLaw(delta=1e6, reach=np.inf).fit(W, spoilt).predict(W)
    others = np.arange(40) != 7
    assert np.abs(robust - y)[others].mean() < 0.1 * np.abs(square - y)[others].mean()


def test_bound_is_kept_and_reported():
    W, y, _ = known_law(5)
    law = ExponentialLaw(reach=0.5).fit(W, y)
    assert law.reach_.tolist() == [0.5]
    assert np.exp(law.coef_).max() <= 0.5 * np.ptp(y) * (1 + 1e-9)


def test_helps_over_a_line_with_twenty_published_runs(ranks):
    assert ranks(ExponentialLaw(), 20) > 0.85
    assert ranks(ExponentialLaw(), 40) > ranks(LinearLaw(), 40) + 0.15


def test_the_bound_helps_when_runs_are_few(ranks):
    assert ranks(ExponentialLaw(), 20) > ranks(ExponentialLaw(reach=np.inf), 20) + 0.1


def test_loses_to_a_free_surface_with_many_published_runs(five):
    # must not help: near a share of 0 published losses are steeper than any exponential
    W, L = five
    guess = {
        law: law.fit(W[:200], L[:200]).predict(W[200:])
        for law in (ExponentialLaw(), GaussianProcess())
    }
    ours, theirs = (np.mean((g - L[200:]) ** 2) for g in guess.values())
    assert ours > 2 * theirs
