from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from scipy.stats import spearmanr
from sklearn.model_selection import KFold, cross_val_predict

from ecotone.core.errors import BadInput
from ecotone.mix import _power_fit as power
from ecotone.mix.auto import Auto
from ecotone.mix.effective_data import EffectiveData


def truth(W, target=0):
    """Two targets in the law's own form: different floors, steepness and useful domains."""
    k = W.shape[1]
    tau = np.roll(np.geomspace(1.0, 0.02, k), target)
    u = 0.05 + (tau * W ** (0.6 if target else 0.9)).sum(axis=1)
    return (1.8 + target) + u ** -(0.3 + 0.1 * target)


def runs(n, k=5, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.ones(k), n)
    L = np.column_stack([truth(W, 0), truth(W, 1)])
    return W, L * np.exp(noise * rng.standard_normal(L.shape))


@pytest.fixture(scope="module")
def fitted():
    W, L = runs(60)
    return EffectiveData().fit(W, L)


@pytest.mark.parametrize("kind", ["linear", "shared", "each"])
def test_jacobian_is_the_slope_of_the_prediction(kind):
    rng = np.random.default_rng(1)
    W = rng.dirichlet(np.ones(4), 7)
    W[0] = [0, 0, 0.4, 0.6]  # a domain that is left out
    with np.errstate(divide="ignore"):
        log_r = np.log(W)
    form = power.make_form(4, kind, 1e-6, 1e-2)
    theta = np.clip(rng.normal(-0.7, 0.3, (3, form.spread.shape[1])), form.low, form.high)
    full = theta @ form.spread.T + form.fixed
    value, J = power._jacobian(full, log_r, np.where(W > 0, log_r, 0.0))
    assert_allclose(value, power.log_loss(full, log_r), rtol=1e-14)
    J = J @ form.spread
    for p in range(3):
        for q in range(theta.shape[1]):
            step = np.zeros_like(theta)
            step[p, q] = 1e-6
            up, down = ((theta + s * step) @ form.spread.T + form.fixed for s in (1, -1))
            slope = (power.log_loss(up, log_r) - power.log_loss(down, log_r))[p] / 2e-6
            assert_allclose(J[p, :, q], slope, atol=1e-8, rtol=1e-5)


@pytest.mark.parametrize(("kind", "free"), [("linear", 19), ("shared", 21), ("each", 37)])
def test_forms_have_the_parameters_they_are_named_for(kind, free):
    assert power.make_form(17, kind, 0.0, 0.0).spread.shape == (37, free)


def test_gradient_is_the_slope_of_the_prediction(fitted):
    for w in np.random.default_rng(2).dirichlet(np.ones(5), 4):
        found = fitted.gradient(w[None])[0]
        for t in range(2):
            slope = approx_fprime(w, lambda x, t=t: fitted.predict(x[None])[0, t], 1e-7)
            assert_allclose(found[t], slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["each", "shared"])
def test_sixty_clean_rows_give_back_the_losses(kind):
    W, L = runs(60)
    new, true = runs(300, seed=9)
    free = power.make_form(5, kind, 0.0, 0.0)
    rng = np.random.default_rng(0)
    full, objective = power.fit_power(W, np.log(L), free, starts=6, rng=rng)
    best = full[np.arange(2), objective.argmin(axis=1)]
    assert_allclose(power.log_loss(best, np.log(new)).T, np.log(true), atol=1e-4)
    # the pulls and the mean over the starts cost a thousandth where there is no noise at all
    assert np.abs(EffectiveData(form=kind).fit(W, L).predict(new) / true - 1).max() < 2e-3


def test_linear_form_gives_back_a_power_of_a_sum():
    W, _ = runs(60)
    new = np.random.default_rng(4).dirichlet(np.ones(5), 200)
    L, true = (2 + (X @ [1.0, 0.5, 0.2, 0.1, 0.3]) ** -0.4 for X in (W, new))
    assert_allclose(
        EffectiveData(form="linear", pull_tau=0).fit(W, L).predict(new), true, rtol=2e-3
    )


@given(st.integers(0, 2**31), st.floats(0.01, 0.99))
def test_predictions_and_their_logs_are_convex_in_the_shares(fitted, seed, at):
    ends = np.random.default_rng(seed).dirichlet(np.full(5, 0.4), 2)
    between = at * ends[0] + (1 - at) * ends[1]
    left, right, middle = fitted.predict(np.vstack([ends, between]))
    assert (middle <= at * left + (1 - at) * right + 1e-12).all()
    logs = at * np.log(left) + (1 - at) * np.log(right)
    assert (np.log(middle) <= logs + 1e-12).all()
    assert fitted.convex_
    assert fitted.log_convex_targets_.all()


def test_an_exponent_is_never_above_one():
    # a domain with increasing returns: the law may not follow it, or L would not be convex
    W, _ = runs(60)
    L = 2 + (0.1 + W[:, 0] ** 2) ** -0.3
    law = EffectiveData().fit(W, L)
    assert max(float(p[:, 8:].max()) for p in law.params_) <= 1e-12
    ends = law.predict(np.eye(5)[:2])
    assert law.predict([[0.5, 0.5, 0, 0, 0]])[0] <= ends.mean() + 1e-12


@pytest.mark.parametrize("form", ["each", "shared", "linear"])
def test_reordering_domains_runs_or_targets_reorders_the_answer(form):
    W, L = runs(25, noise=0.01)  # few and noisy: the starts end in different places
    new = runs(50, seed=3)[0]
    domains, order = np.array([3, 0, 4, 1, 2]), np.random.default_rng(0).permutation(25)
    law = EffectiveData(form=form)
    plain = law.fit(W, L).predict(new)
    exponents = law.params_[0][:, 8:]
    assert_allclose(law.fit(W[:, domains], L).predict(new[:, domains]), plain, rtol=1e-12)
    assert_allclose(law.params_[0][:, 8:], exponents[:, domains], rtol=1e-12)
    assert_allclose(law.fit(W[order], L[order]).predict(new), plain, rtol=1e-8)
    assert_allclose(law.fit(W, L[:, ::-1]).predict(new)[:, ::-1], plain, rtol=1e-8)
    assert_allclose(law.fit(W, L[:, 1]).predict(new), plain[:, 1], rtol=1e-8)
    # the starts do matter here, or nothing was shown
    other = EffectiveData(form=form, seed=1).fit(W, L).predict(new)
    assert np.abs(other / plain - 1).max() > 1e-6


@pytest.mark.parametrize("form", ["each", "shared", "linear"])
@pytest.mark.parametrize("n", [8, 60])
def test_twins_are_worth_the_same(form, n):
    # two domains with one share in every run: nothing tells them apart, the law must not either
    W, L = runs(n, k=4, noise=0.01)
    W = np.column_stack([W[:, 0] / 2, W[:, 1], W[:, 2], W[:, 0] / 2, W[:, 3]])
    new = runs(50, seed=3)[0]
    swapped = new[:, [3, 1, 2, 0, 4]]
    law = EffectiveData(form=form).fit(W, L)
    assert_allclose(law.predict(swapped), law.predict(new), rtol=1e-12)


def test_domains_that_differ_only_in_which_runs_used_them_are_told_apart_by_their_losses():
    # pure mixtures: every column holds the same numbers
    W = np.vstack([0.9 * np.eye(4) + 0.025, (1 - np.eye(4)) / 3])
    L = truth(W)
    new = runs(50, k=4, seed=3)[0]
    for order in ([2, 0, 3, 1], [1, 0, 2, 3]):
        moved = EffectiveData().fit(W[:, order], L).predict(new[:, order])
        assert_allclose(moved, EffectiveData().fit(W, L).predict(new), rtol=1e-12)
    ranks = power._ranks(W, np.log(L))
    assert sorted(ranks.tolist()) == [0, 1, 2, 3]
    assert power._ranks(W, np.full(8, 1.0)).tolist() == [0, 0, 0, 0]


def test_a_domain_no_run_has_used_moves_no_start():
    W, L = runs(20)
    y, rng = np.log(L), np.random.default_rng
    wide = np.insert(W, 2, 0.0, axis=1)
    one, two = (
        power._starts(power.make_form(X.shape[1], "each", 0, 0), X, y, 3, rng(0)) for X in (W, wide)
    )
    assert_array_equal(np.delete(two, [5, 11], axis=1), one)


def test_reordering_the_domains_reorders_the_answer_of_the_tree_residual():
    pytest.importorskip("lightgbm")
    W, L = interaction(60)
    order, new = [2, 0, 3, 1], runs(30, k=4, seed=3)[0]
    law = EffectiveData(residual="trees", starts=2)
    plain = law.fit(W, L).predict(new)
    assert_allclose(law.fit(W[:, order], L).predict(new[:, order]), plain, rtol=1e-9)


def test_same_seed_same_bits_and_read_only_inputs():
    W, L = runs(30, noise=0.01)
    W.flags.writeable = L.flags.writeable = False
    a, b = (EffectiveData(seed=3).fit(W, L).predict(W) for _ in range(2))
    assert (a == b).all()


def test_needs_fewer_published_runs_than_trees(ranks):
    from ecotone.mix.boosted_trees import BoostedTrees

    few, many = ranks(EffectiveData(), 40), ranks(BoostedTrees(), 40)
    assert few > 0.97
    assert few > many + 0.03


def test_free_exponents_rank_published_runs_better(five):
    W, L = five[0][:120], five[1][:120, :3]
    fold = KFold(5, shuffle=True, random_state=0)

    def error(form):
        law = EffectiveData(form=form, starts=2)
        out = cross_val_predict(law, W, L, cv=fold)
        return ((out - L) ** 2).mean()

    linear, shared, each = (error(f) for f in ("linear", "shared", "each"))
    assert each < shared < linear


def interaction(n, seed=0):
    """Two domains that are useful only together, and one that hurts beyond dilution."""
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.ones(4), n)
    return W, (4 - 6 * W[:, 0] * W[:, 1] + 1.5 * W[:, 2] ** 2) * np.exp(
        0.002 * rng.standard_normal(n)
    )


def test_where_domains_only_help_together_the_tree_residual_is_chosen():
    pytest.importorskip("lightgbm")
    W, L = interaction(200)
    laws = {"plain": EffectiveData(starts=3), "trees": EffectiveData(residual="trees", starts=3)}
    auto = Auto(laws).fit(W, L)
    plain, trees = auto.compared_[:2]
    assert trees.rmse[0] < 0.8 * plain.rmse[0]
    assert trees.weight[0] > 0.5
    assert not laws["trees"].smooth
    assert not auto.convex_


def test_tree_residual_has_no_gradient():
    pytest.importorskip("lightgbm")
    W, L = interaction(40)
    law = EffectiveData(residual="trees", starts=2).fit(W, L)
    assert not law.convex_
    assert not law.log_convex_targets_.any()
    with pytest.raises(BadInput, match="not smooth"):
        law.gradient(W)


def test_shuffled_losses_cannot_be_ranked():
    W, L = runs(60, noise=0.01)
    found = []
    for seed in range(4):
        y = np.random.default_rng(seed).permutation(L)
        fold = KFold(5, shuffle=True, random_state=seed)
        out = cross_val_predict(EffectiveData(starts=2), W, y, cv=fold)
        found += [spearmanr(out[:, j], y[:, j])[0] for j in range(2)]
    assert abs(np.mean(found)) < 0.25


def test_errors_name_a_cure():
    W, L = runs(20)
    with pytest.raises(BadInput, match="no form is called") as error:
        EffectiveData(form="square").fit(W, L)
    assert "shared" in error.value.cure
    with pytest.raises(BadInput, match="0 or negative"):
        EffectiveData().fit(W, L - 10)
