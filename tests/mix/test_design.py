from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from ecotone.core.errors import BadInput, Infeasible, TooFewRows
from ecotone.core.seeds import stream
from ecotone.core.simplex import cap_shares
from ecotone.data.published import regmix_prior
from ecotone.mix._design import (
    GRID,
    cap_rows,
    dirichlet_rows,
    distinct,
    farthest,
    regmix_design,
    spread_design,
)
from ecotone.mix.gaussian_process import GaussianProcess

SEEDS = st.integers(0, 10**6)


def made_prior(seed, k, least=1e-3):
    p = np.random.default_rng(seed).dirichlet(np.full(k, 0.5)) + least
    return p / p.sum()


def made_limits(seed, k):
    rng = np.random.default_rng(seed + 1)
    u = rng.uniform(0.05, 1, k)
    return np.minimum(u * max(1.0, 1.5 / u.sum()), 1.0)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, k=st.integers(2, 12), limited=st.booleans())
def test_regmix_design_holds_its_promises(seed, k, limited):
    p = made_prior(seed, k)
    u = made_limits(seed, k) if limited else None
    W = regmix_design(p, 32, stream(seed, "test"), limits=u)
    assert W.shape == (32, k)
    assert_allclose(W.sum(axis=1), 1, atol=1e-9)
    assert (W >= 0).all()
    if not limited:
        assert (np.maximum(15 * p, 2 * GRID) + 1e-12 >= W).all()
    else:
        assert (u >= W).all()
    assert (W > 0).any(axis=0).all()
    assert len(distinct(W)) == 32


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, k=st.integers(2, 12), n=st.integers(1, 40), limited=st.booleans())
def test_spread_design_holds_its_promises(seed, k, n, limited):
    p = made_prior(seed, k)
    u = made_limits(seed, k) if limited else np.ones(k)
    W = spread_design(p, n, stream(seed, "test"), limits=u)
    assert W.shape == (n, k)
    assert_allclose(W.sum(axis=1), 1, atol=1e-9)
    assert (W >= 0).all()
    assert (u >= W).all()
    assert_allclose(W[0], cap_shares(p, u), atol=1e-9)
    if n > k:
        assert (W > 0).any(axis=0).all()


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, k=st.integers(2, 8))
def test_cap_rows_is_cap_shares_by_rows(seed, k):
    rng = np.random.default_rng(seed)
    u = made_limits(seed, k)
    W = rng.dirichlet(np.full(k, 0.5), 5)
    got = cap_rows(W, u, np.full(k, 1 / k))
    for row, x in zip(W, got, strict=True):
        if u[row > 1e-12].sum() > 1 + 1e-6:
            assert_allclose(x, cap_shares(row, u), atol=1e-7)


def test_cap_rows_passes_on_what_a_pure_row_cannot_hold():
    got = cap_rows(np.eye(3), np.array([0.5, 0.4, 1.0]), np.array([0.2, 0.2, 0.6]))
    assert_allclose(got[0], [0.5, 0.125, 0.375], atol=1e-6)
    assert_allclose(got[2], [0, 0, 1])


def test_marginal_mean_is_the_tempered_prior():
    p = np.array(list(regmix_prior().values()))
    q = np.sqrt(p) / np.sqrt(p).sum()
    free = regmix_design(p, 2000, stream(0, "test"), max_epochs=np.inf)
    assert np.abs(free.mean(axis=0) - q).max() < 0.02
    # draws thrown away for their epochs take from the rare domains
    bound = regmix_design(p, 2000, stream(0, "test"))
    assert np.abs(bound.mean(axis=0) - q).max() < 0.08
    assert spearmanr(bound.mean(axis=0), q)[0] > 0.9


def test_dirichlet_rows_have_the_moments_of_the_distribution():
    alpha = np.array([0.02, 0.5, 2.0])
    W = dirichlet_rows(np.broadcast_to(alpha, (40_000, 3)), stream(0, "test"))
    mean = alpha / alpha.sum()
    assert_allclose(W.mean(axis=0), mean, atol=0.01)
    assert_allclose(W.var(axis=0), mean * (1 - mean) / (alpha.sum() + 1), atol=0.005)
    tiny = dirichlet_rows(np.full((100, 4), 1e-4), stream(0, "test"))
    assert_allclose(tiny.sum(axis=1), 1)


@pytest.mark.parametrize("design", [regmix_design, spread_design])
def test_same_seed_same_design_and_other_seed_another(design):
    p = made_prior(0, 5)
    one, two, three = (design(p, 12, stream(s, "test")) for s in (1, 1, 2))
    assert_array_equal(one, two)
    assert np.abs(one - three).max() > 0.01


def test_every_rare_domain_is_reached_by_few_runs():
    p = np.r_[0.9, np.full(9, 0.1 / 9)] * 1.0
    p[-1] = 1e-5
    p /= p.sum()
    W = regmix_design(p, 12, stream(0, "test"))
    assert (W > 0).any(axis=0).all()


def test_farthest_is_greedy():
    points = np.array([[0.0], [1.0], [9.0], [10.0], [4.0]])
    assert farthest(points, 3, known=points[[0]]).tolist() == [3, 4, 1]
    free = np.array([True, True, True, False, True])
    assert farthest(points, 2, known=points[[0]], free=free).tolist() == [2, 4]
    assert farthest(points, 0, known=points).tolist() == []


def test_farthest_refuses_when_nothing_new_is_left():
    points = np.array([[0.0], [1.0], [1.0], [0.5]])
    assert farthest(points, 2, known=points[[0]]).tolist() == [1, 3]
    with pytest.raises(TooFewRows, match="hold 2 new mixtures") as error:
        farthest(points, 3, known=points[[0]])
    assert error.value.cure
    with pytest.raises(TooFewRows, match="hold 0 new mixtures"):
        farthest(points, 1, known=points[[0]], free=np.zeros(4, dtype=bool))


def test_spread_lies_farther_apart_than_chance():
    p = made_prior(3, 6)

    def nearest(W):
        S = np.sqrt(W)
        d = ((S[:, None] - S[None]) ** 2).sum(axis=2) + 9 * np.eye(len(S))
        return np.sqrt(d.min())

    spread = nearest(spread_design(p, 16, stream(0, "test")))
    chance = [nearest(regmix_design(p, 16, stream(s, "test"))) for s in range(5)]
    assert spread > 2 * max(chance)


def test_spread_rows_of_published_runs_teach_more_than_chance_rows(five):
    # 12 of 256 published runs, chosen far apart without a look at their losses
    W, L = five
    p = np.array(list(regmix_prior().values()))
    found = {"spread": [], "chance": []}
    for draw in range(4):
        rows = np.random.default_rng(draw).permutation(512)
        pool, test = rows[:256], rows[256:]
        far = farthest(np.sqrt(W[pool]), 12, known=np.sqrt(p)[None])
        for key, chosen in (("spread", pool[far]), ("chance", pool[:12])):
            guess = GaussianProcess().fit(W[chosen], L[chosen]).predict(W[test])
            rho = [spearmanr(a, b)[0] for a, b in zip(guess.T, L[test].T, strict=True)]
            found[key].append(np.mean(rho))
    assert np.mean(found["spread"]) > np.mean(found["chance"]) + 0.02


@pytest.mark.parametrize("design", [regmix_design, spread_design])
def test_mistakes_are_named(design):
    rng = stream(0, "test")
    with pytest.raises(BadInput, match="prior"):
        design(np.array([0.5, 0.4]), 4, rng)
    with pytest.raises(BadInput, match="prior"):
        design(np.array([1.0, 0.0]), 4, rng)
    with pytest.raises(BadInput, match="limits"):
        design(np.array([0.5, 0.5]), 4, rng, limits=np.ones(3))
    with pytest.raises(Infeasible, match="sum to"):
        design(np.array([0.5, 0.5]), 4, rng, limits=np.array([0.4, 0.4]))
    with pytest.raises(Infeasible, match="different mixtures"):
        design(np.array([0.5, 0.5]), 4, rng, limits=np.array([0.5, 0.5]))
