from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.files import plain
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.jobs.decide import Question, as_mixture, decide
from ecotone.mix.auto import Auto
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear
from ecotone.mix.problem import Limits
from ecotone.testing.fixtures import known_losses, law_trials

NATURAL = np.array([0.1, 0.2, 0.3, 0.4])


def auto(**laws):
    return Auto(laws or {"log": LogLinear(), "line": LinearLaw()})


def question(**changes):
    return Question(
        **{
            "target": "d0", "natural": NATURAL, "limits": Limits.none(4),
            "tolerance": 0.02, "general": ("d1", "d2", "d3"), **changes,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def trials():
    return law_trials(32, 4, noise=0.005, rng=stream(0, "decide"))


@pytest.fixture(scope="module")
def found(trials):
    return decide(trials, question(), auto(power=EffectiveData(starts=2)))


def test_the_target_gains_and_the_general_loss_keeps_its_limit(found):
    assert found.evidence.supported
    assert_allclose(found.weights.sum(), 1.0)
    true = known_losses(np.vstack([found.weights, NATURAL]))
    assert true[0, 0] < true[1, 0]
    general = true[:, 1:].mean(axis=1)
    assert general[0] <= 1.02 * general[1]  # by the true law, not only by the fitted one
    assert found.solution.exact
    assert found.facts["solver"]["gap"] < 1e-6
    assert 0 < found.facts["solver"]["margin"] <= 0.01


def test_a_wider_limit_gains_more(trials, found):
    free = decide(trials, question(general=()), auto(power=EffectiveData(starts=2)))
    assert free.weights[0] > found.weights[0]
    true = known_losses(np.vstack([free.weights, found.weights]))[:, 0]
    assert true[0] < true[1]


def test_shuffled_losses_mean_natural(trials):
    shuffled = Trials(
        trials.weights, stream(1, "shuffle").permutation(trials.scores), trials.domains,
        trials.targets,
    )  # fmt: skip
    found = decide(shuffled, question(general=()), auto())
    assert not found.evidence.supported
    assert (found.weights == NATURAL).all()
    assert [f.code for f in found.findings] == ["M401"]
    assert "--proxy-tokens" in found.findings[0].cure
    assert found.facts["advice"]["decision"] == "keep"
    assert "Keep natural" in found.facts["advice"]["sentence"]


def test_caps_and_floors_hold(trials):
    limits = Limits(np.array([0.3, 1, 1, 1]), np.array([0, 0.15, 0, 0]))
    found = decide(trials, question(limits=limits, general=()), auto())
    assert found.weights[0] <= 0.3 + 1e-9
    assert found.weights[1] >= 0.15 - 1e-9
    assert "cap d0" in found.facts["solver"]["active"]


def test_the_report_gets_plain_numbers(found):
    facts = json.loads(json.dumps(plain(found.facts)))
    low, middle, high = facts["predicted"]["mixture"]["target"]
    assert low < middle < high
    assert middle < facts["predicted"]["natural"]["target"][1]
    check = facts["cv"]["target"]
    assert len(check["measured"]) == len(check["predicted"]) == check["n"] == 32
    assert all(a < p < b for a, p, b in
               zip(check["low"], check["predicted"], check["high"], strict=True))  # fmt: skip
    assert [law["name"] for law in facts["laws"]] == ["power", "auto"]
    assert [law["chosen"] for law in facts["laws"]] == [True, False]
    assert len(facts["points"]) == 32


def test_the_frontier_trades_general_loss_for_target_loss(found):
    line = found.facts["frontier"]
    assert len(line) > 5
    target = [p["target"] for p in line]
    assert all(abs(sum(p["weights"].values()) - 1) < 1e-6 for p in line)
    order = np.argsort([p["tolerance"] for p in line])
    assert (np.diff(np.array(target)[order]) <= 1e-6).all()


def test_without_general_domains_there_is_no_limit_and_no_frontier(trials):
    found = decide(trials, question(general=()), auto())
    assert "frontier" not in found.facts
    assert found.facts["points"] == []
    assert found.facts["solver"]["margin"] == 0
    assert set(found.facts["cv"]) == {"target"}


def test_same_seed_same_answer(trials):
    a, b = (decide(trials, question(general=()), auto(), seed=3) for _ in range(2))
    assert (a.weights == b.weights).all()
    assert a.evidence == b.evidence


def test_a_share_below_one_in_a_million_is_dropped():
    mixture = as_mixture(np.array([1e-7, 0.5, 0.5]), ("a", "b", "c"), {"a": 4.0}, "run")
    assert mixture.weights == {"a": 0.0, "b": 0.5, "c": 0.5}
    assert mixture.caps == {"a": 4.0}
    assert mixture.made_by == "run"
