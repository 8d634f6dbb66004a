from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.trials import Trials
from ecotone.data.published import regmix_prior, regmix_runs
from ecotone.mix.regmix import RegMix


def made_trials(n=60, seed=0, shuffle=False):
    """Three domains; the target learns from the first, the less the more there is of it."""
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.full(3, 0.8), n)
    y = 2 + (W[:, 0] + 0.05) ** -0.4
    y = rng.permutation(y) if shuffle else y
    return Trials(W, y[:, None], ("a", "b", "c"), ("a",))


def small(**knobs):
    return RegMix(candidates=4000, top=32, **knobs)


def test_published_runs_speak_for_pile_cc():
    mixture = RegMix(candidates=20_000).propose(regmix_runs(), "pile_cc", prior=regmix_prior())
    assert mixture.weights["pile_cc"] >= 0.8
    assert mixture.made_by == "regmix"


def test_limits_hold_to_the_last_bit():
    u = np.array([0.3, 0.9, 0.5])
    mixture = small().propose(made_trials(), "a", limits=u)
    assert (np.array(list(mixture.weights.values())) <= u + 1e-12).all()
    assert mixture.weights["a"] > 0.25


def test_helps_where_one_domain_teaches():
    trials = made_trials()
    mixture = small().propose(trials, "a")
    truth = 2 + (mixture.weights["a"] + 0.05) ** -0.4
    natural = 2 + (trials.weights.mean(axis=0)[0] + 0.05) ** -0.4
    assert truth < natural - 0.2
    assert truth < np.median(trials.scores)


def test_does_not_help_with_shuffled_losses():
    # must not help: over ten shuffles the recommended share of the useful domain averages to chance
    shares = [
        small(seed=s).propose(made_trials(seed=s, shuffle=True), "a").weights["a"]
        for s in range(10)
    ]
    assert 0.15 < np.mean(shares) < 0.55
    assert np.ptp(shares) > 0.2


def test_prior_by_name_by_number_or_from_the_trials():
    trials = made_trials()
    by_name = small().propose(trials, "a", prior={"c": 0.5, "a": 0.2, "b": 0.3})
    by_number = small().propose(trials, "a", prior=np.array([0.2, 0.3, 0.5]))
    assert by_name.weights == by_number.weights
    mean = trials.weights.mean(axis=0)
    assert small().propose(trials, "a").weights == small().propose(trials, "a", prior=mean).weights
    with pytest.raises(BadInput, match="no share for b") as error:
        small().propose(trials, "a", prior={"a": 0.5, "c": 0.5})
    assert error.value.cure
    with pytest.raises(BadInput, match="shape"):
        small().propose(trials, "a", prior=np.ones(2) / 2)


def test_same_seed_same_mixture():
    trials = made_trials()
    assert small(seed=3).propose(trials, "a") == small(seed=3).propose(trials, "a")
    assert small(seed=3).propose(trials, "a") != small(seed=4).propose(trials, "a")


def test_design_has_the_asked_size_and_limits():
    u = np.array([0.5, 0.5, 0.5])
    W = RegMix(proxies=20, seed=1).design(np.array([0.6, 0.3, 0.1]), limits=u)
    assert W.shape == (20, 3)
    assert (u >= W).all()
    assert_allclose(W.sum(axis=1), 1)


def test_mistakes_are_named():
    with pytest.raises(BadInput, match="no losses for 'x'"):
        small().propose(made_trials(), "x")
    with pytest.raises(TooFewRows):
        small().propose(made_trials(7), "a")
    with pytest.raises(BadInput, match="top"):
        RegMix(candidates=10, top=20)
