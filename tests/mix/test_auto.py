from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from sklearn.base import clone

from ecotone.core.errors import TooFewRows
from ecotone.core.seeds import stream
from ecotone.mix import auto as module
from ecotone.mix._law import Law
from ecotone.mix.auto import Auto, default_laws, greedy, rank_correlation
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear
from ecotone.testing.fixtures import known_losses, law_trials
from ecotone.validate.evidence import rank_evidence

CHEAP = {"log": LogLinear(), "line": LinearLaw()}


def interaction(W):
    """Loss where two domains help only together and the third hurts."""
    return 4 - 6 * W[:, 0] * W[:, 1] + 1.5 * W[:, 2] ** 2


class Broken(Law):
    """A law that wants more rows than there are."""

    least_rows = 10_000

    def _fit(self, W, L):
        raise AssertionError("never fitted")

    def _predict(self, W):
        raise AssertionError("never asked")


def draws(n, k=4, seed=0, noise=0.01):
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.ones(k), n)
    return W, np.exp(noise * rng.standard_normal(n))


@pytest.mark.parametrize("seed", range(3))
def test_is_never_much_worse_than_the_best_single_law(seed):
    trials = law_trials(32, 4, noise=0.01, rng=stream(seed, "auto"))
    laws = {**CHEAP, "power": EffectiveData(starts=2)}
    auto = Auto(laws, seed=seed).fit(trials.weights, trials.scores)
    *single, whole = auto.compared_
    best = np.min([c.rmse for c in single], axis=0)
    assert (whole.rmse <= 1.25 * best).all()
    new = law_trials(200, 4, noise=0.01, rng=stream(seed, "new"))
    outside = [clone(m).fit(trials.weights, trials.scores) for m in laws.values()]
    error = [np.sqrt(((m.predict(new.weights) - new.scores) ** 2).mean()) for m in [*outside, auto]]
    assert error[-1] <= 1.25 * min(error[:-1])


def test_picks_trees_where_domains_interact():
    pytest.importorskip("lightgbm")
    W, noise = draws(200, noise=0.002)
    auto = Auto({**CHEAP, "trees": BoostedTrees()}).fit(W, interaction(W) * noise)
    weight = {c.name: float(c.weight[0]) for c in auto.compared_}
    assert weight["trees"] >= 0.5
    assert not auto.convex_
    assert not auto.smooth


def test_picks_the_line_where_losses_are_linear():
    W, noise = draws(40, noise=1e-4)
    auto = Auto(CHEAP).fit(W, (5 - 3 * W[:, 0]) * noise)
    assert [float(c.weight[0]) for c in auto.compared_] == pytest.approx([0, 1, 1])


def test_shuffled_losses_are_no_evidence():
    supported = kept = 0
    for seed in range(20):
        trials = law_trials(24, 4, noise=0.01, rng=stream(seed, "honest"))
        y = trials.scores[:, 0]
        shuffled = stream(seed, "shuffle").permutation(y)
        for losses in (shuffled, y):
            law = Auto(CHEAP, seed=seed).fit(trials.weights, losses)
            found = rank_evidence(losses, law.oof_[:, 0], rng=stream(seed, "test"), draws=999)
            if losses is shuffled:
                kept += not found.supported
            else:
                supported += found.supported
    assert kept >= 19
    assert supported == 20


def test_the_reported_predictions_have_not_seen_their_fold(monkeypatch):
    # each fold's losses are replaced in turn: its own predictions must not move
    W, noise = draws(24)
    L = 3 - W[:, 0] * noise
    plain = Auto(CHEAP).fit(W, L)
    for test in plain._folds(24):
        other = L.copy()
        other[test] = 3 - np.roll(L[test], 1) / 10
        moved = Auto(CHEAP).fit(W, other)
        assert_allclose(moved.oof_[test], plain.oof_[test], rtol=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_intervals_cover_as_often_as_they_say(level):
    inside = []
    for seed in range(12):
        trials = law_trials(40, 4, noise=0.02, rng=stream(seed, "cover"))
        auto = Auto(CHEAP, seed=seed).fit(trials.weights, trials.scores)
        new = law_trials(100, 4, noise=0.02, rng=stream(seed, "new"))
        low, high = np.moveaxis(auto.predict_interval(new.weights, level), -1, 0)
        inside.append(((low <= new.scores) & (new.scores <= high)).mean())
    assert level - 0.05 < np.mean(inside) < level + 0.07


def test_intervals_hold_the_prediction_and_grow_with_the_level():
    trials = law_trials(24, 3, noise=0.02, rng=stream(0, "hold"))
    auto = Auto(CHEAP).fit(trials.weights, trials.scores)
    wide, narrow = (auto.predict_interval(trials.weights, x) for x in (0.95, 0.5))
    middle = auto.predict(trials.weights)
    assert (narrow[..., 0] < middle).all()
    assert (middle < narrow[..., 1]).all()
    assert (wide[..., 0] < narrow[..., 0]).all()
    assert (narrow[..., 1] < wide[..., 1]).all()


class Known:
    """A prior that has the right shape and the wrong level."""

    def __init__(self):
        self.asked = 0

    def predict(self, W):
        self.asked += 1
        return 0.5 * known_losses(np.asarray(W)) ** 0.8


def test_a_right_prior_helps_with_eight_runs():
    better = 0
    for seed in range(8):
        trials = law_trials(8, 4, noise=0.01, rng=stream(seed, "eight"))
        new = stream(seed, "new").dirichlet(np.ones(4), 200)
        true = known_losses(new)
        alone, helped = (
            Auto(CHEAP, prior=p, seed=seed).fit(trials.weights, trials.scores).predict(new)
            for p in (None, Known())
        )
        rho = [np.mean([rank_correlation(p[:, j], true[:, j]) for j in range(4)])
               for p in (alone, helped)]  # fmt: skip
        better += rho[1] > rho[0]
    assert better >= 7


class Noise:
    """A prior that knows nothing: numbers that depend on the mixture in no useful way."""

    def predict(self, W):
        return 2 + np.sin(1e3 * np.asarray(W) @ np.arange(1.0, 5.0))[:, None] * 0.9


def test_a_wrong_prior_does_little_harm():
    trials = law_trials(32, 4, noise=0.01, rng=stream(1, "wrong"))
    L = trials.scores[:, :1]
    new = stream(2, "wrong").dirichlet(np.ones(4), 200)
    true = known_losses(new)[:, :1]
    error = [
        np.sqrt(((Auto(CHEAP, prior=p).fit(trials.weights, L).predict(new) - true) ** 2).mean())
        for p in (None, Noise())
    ]
    assert error[1] <= 1.25 * error[0]


def test_members_ask_the_prior_once_for_one_question():
    trials = law_trials(12, 4, rng=stream(0, "once"))
    prior = Known()
    auto = Auto(CHEAP, prior=prior).fit(trials.weights, trials.scores)
    before = prior.asked
    auto.predict(np.full((1, 4), 0.25))
    assert prior.asked <= before + 1


def test_too_few_rows_are_an_error_with_a_cure():
    trials = law_trials(4, 3, rng=stream(0, "few"))
    with pytest.raises(TooFewRows, match="at least 5") as error:
        Auto(CHEAP).fit(trials.weights, trials.scores)
    assert "proxies" in error.value.cure


def test_a_law_that_wants_more_rows_is_left_out_and_listed():
    trials = law_trials(12, 3, rng=stream(0, "left"))
    auto = Auto({"log": LogLinear(), "broken": Broken()}).fit(trials.weights, trials.scores)
    row = auto.compared_[-1]
    assert row.name == "broken"
    assert "10000" in row.note
    assert not row.weight.any()
    with pytest.raises(TooFewRows, match="no law can be fitted"):
        Auto({"broken": Broken()}).fit(trials.weights, trials.scores)


def test_greedy_weights_are_shares_and_find_the_mean_of_two_halves():
    rng = np.random.default_rng(0)
    P = rng.standard_normal((5, 30))
    weight = greedy(P, (P[1] + P[3]) / 2)
    assert_allclose(weight, [0, 0.5, 0, 0.5, 0], atol=1e-12)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weight = greedy(rng.standard_normal((4, 9)), rng.standard_normal(9))
        assert_allclose(weight.sum(), 1.0)
        assert (weight >= 0).all()
        assert_allclose(weight * module.PICKS, np.round(weight * module.PICKS), atol=1e-9)


def test_weights_sum_to_one_for_every_target():
    trials = law_trials(20, 4, noise=0.02, rng=stream(0, "sum"))
    auto = Auto(CHEAP).fit(trials.weights, trials.scores)
    assert_allclose(auto.weights_.sum(axis=0), 1.0)


def test_few_rows_are_left_out_one_by_one():
    assert len(Auto()._folds(16)) == 16
    assert len(Auto()._folds(17)) == 5
    assert sorted(np.concatenate(Auto()._folds(23)).tolist()) == list(range(23))


def test_gradient_is_the_slope_of_the_prediction():
    trials = law_trials(24, 3, noise=0.02, rng=stream(0, "slope"))
    laws = {"log": LogLinear(), "power": EffectiveData(starts=2)}
    auto = Auto(laws).fit(trials.weights, trials.scores)
    assert auto.smooth
    for w in stream(1, "slope").dirichlet(np.ones(3), 3):
        found = auto.gradient(w[None])[0]
        for t in range(3):
            slope = approx_fprime(w, lambda x, t=t: auto.predict(x[None])[0, t], 1e-7)
            assert_allclose(found[t], slope, rtol=1e-5, atol=1e-5)


def test_one_convex_law_alone_stays_convex():
    trials = law_trials(24, 3, noise=0.02, rng=stream(0, "convex"))
    assert Auto({"power": EffectiveData(starts=2)}).fit(trials.weights, trials.scores).convex_


def test_candidates_are_every_law_that_is_cheap_enough():
    few, many = default_laws(40), default_laws(500)
    assert {"effective_data", "effective_data (shared)", "log_linear", "linear_law"} <= set(few)
    assert "auto" not in few
    assert "effective_data + trees" not in few
    assert "gaussian_process" in few
    assert "gaussian_process" not in many
    assert all(isinstance(law, Law) for law in many.values())
    assert not set(few) & {"natural", "uniform", "counting_oracle"}


def test_same_seed_same_bits():
    trials = law_trials(20, 3, noise=0.02, rng=stream(0, "bits"))
    a, b = (Auto(CHEAP, seed=4).fit(trials.weights, trials.scores) for _ in range(2))
    assert (a.oof_ == b.oof_).all()
    assert (a.predict(trials.weights) == b.predict(trials.weights)).all()
