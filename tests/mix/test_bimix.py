from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from ecotone.core.errors import BadInput, Infeasible
from ecotone.mix.bimix import BiMix, optimum
from ecotone.mix.log_linear import LogLinear


def own_runs(n=40, k=3, seed=0):
    """Losses that depend on the target's own domain only."""
    W = np.random.default_rng(seed).dirichlet(np.ones(k), n)
    scale, exponent = np.linspace(0.4, 0.9, k), np.linspace(0.2, 0.6, k)
    return W, 1.5 + scale * (W + 0.03) ** -exponent, scale, exponent


def fitted(own, scale, offset, exponent):
    law = BiMix()
    law.own_, law.floor_ = np.asarray(own), np.ones(len(own))
    law.scale_, law.offset_, law.exponent_ = map(np.asarray, (scale, offset, exponent))
    return law


def test_recovers_domains_and_coefficients():
    W, L, scale, exponent = own_runs()
    law = BiMix().fit(W, L[:, [2, 0, 1]])
    assert law.own_.tolist() == [2, 0, 1]
    assert_allclose(law.floor_, 1.5, rtol=1e-4)
    assert_allclose(law.scale_, scale[[2, 0, 1]], rtol=1e-4)
    assert_allclose(law.exponent_, exponent[[2, 0, 1]], rtol=1e-4)
    assert_allclose(law.offset_, 0.03, rtol=1e-3)


def test_own_domain_may_be_given():
    W, L, *_ = own_runs()
    assert BiMix(own=[1, 1, 0]).fit(W, L).own_.tolist() == [1, 1, 0]
    with pytest.raises(BadInput, match="own"):
        BiMix(own=[0, 1, 3]).fit(W, L)


def test_scan_finds_the_domain_of_every_published_target(five):
    W, L = five
    # pile_cc, wikipedia_en, github, pubmed_abstracts, stackexchange among the 17 columns
    assert BiMix().fit(W, L).own_.tolist() == [11, 4, 6, 15, 8]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 6), capped=st.booleans())
def test_optimum_meets_its_conditions(seed, k, capped):
    rng = np.random.default_rng(seed)
    own = np.r_[np.arange(k), rng.integers(0, k, 2)]
    t = len(own)
    law = fitted(own, rng.uniform(0.2, 2, t), rng.uniform(1e-3, 0.1, t), rng.uniform(0.05, 1, t))
    importance = rng.uniform(0.1, 2, t)
    upper = rng.dirichlet(np.ones(k)) + 1.0 / k if capped else np.full(k, np.inf)
    r = optimum(law, importance, upper)
    assert r.sum() == pytest.approx(1, abs=1e-12)
    assert (r >= 0).all()
    assert (r <= upper + 1e-9).all()
    slope = importance @ law.gradient(r[None])[0]
    inside = (r > 1e-9) & (r < np.minimum(upper, 1) - 1e-9)
    if inside.any():
        mu = slope[inside].mean()
        assert_allclose(slope[inside], mu, rtol=1e-8)
        assert (slope[r <= 1e-9] >= mu * (1 + 1e-8)).all()
        assert (slope[r >= np.minimum(upper, 1) - 1e-9] <= mu * (1 - 1e-8)).all()


@pytest.mark.parametrize("upper", [[1, 1, 1], [0.2, 1, 1], [0.3, 0.35, 0.5]])
def test_optimum_equals_a_generic_solver(upper):
    law = fitted([0, 1, 2], [0.5, 1.0, 0.7], [0.01, 0.02, 0.05], [0.5, 0.3, 0.2])
    importance = np.array([1.0, 2.0, 0.5])
    found = minimize(
        lambda r: importance @ law._predict(r[None])[0],
        np.full(3, 1 / 3),
        jac=lambda r: importance @ law._gradient(r[None])[0],
        method="SLSQP",
        bounds=[(0, u) for u in upper],
        constraints={"type": "eq", "fun": lambda r: r.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert_allclose(optimum(law, importance, np.array(upper, float)), found.x, atol=1e-5)


def test_optimum_leaves_domains_without_a_target_alone_until_the_caps_force_it():
    law = fitted([0], [1.0], [0.01], [0.5])
    assert_allclose(optimum(law, np.ones(1), np.ones(3)), [1, 0, 0], atol=1e-12)
    assert_allclose(optimum(law, np.ones(1), np.array([0.4, 0.8, 0.4])), [0.4, 0.4, 0.2])
    with pytest.raises(Infeasible, match="caps"):
        optimum(law, np.ones(1), np.array([0.4, 0.2, 0.2]))


def test_helps_where_nothing_passes_between_domains():
    W, L, *_ = own_runs(12, k=5)
    new, truth, *_ = own_runs(200, k=5, seed=1)
    ours = np.abs(BiMix().fit(W, L).predict(new) - truth).mean()
    theirs = np.abs(LogLinear().fit(W, L).predict(new) - truth).mean()
    assert ours < 0.1 * theirs


def test_does_not_help_where_two_domains_teach_a_third():
    # the target is none of the training domains: it learns from the first two alike
    W, *_ = own_runs(60, k=6)
    new, *_ = own_runs(200, k=6, seed=1)
    y, truth = (2 + (w[:, 0] + w[:, 1] + 0.02) ** -0.4 for w in (W, new))
    ours = np.abs(BiMix().fit(W, y).predict(new) - truth).mean()
    theirs = np.abs(LogLinear().fit(W, y).predict(new) - truth).mean()
    assert ours > 1.5 * theirs
