"""Objectives against finite differences and their formulas; limits and problems at the door."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput
from ecotone.core.trials import Trials
from ecotone.mix.objective import GeneralLimit, SpreadAverage, TargetLoss, WeightedLosses
from ecotone.mix.problem import Limits, Problem

TARGETS = ("law", "web", "code")


def trials(rng):
    return Trials(
        rng.dirichlet(np.ones(4), 30), rng.uniform(2, 5, (30, 3)), ("a", "b", "c", "d"), TARGETS
    )


def objectives(rng):
    return [
        TargetLoss("web"),
        WeightedLosses({"code": 0.7, "law": -0.2}),
        SpreadAverage.of(trials(rng), ("law", "code")),
        GeneralLimit(("web", "code"), weights=(3, 1)),
    ]


@pytest.mark.parametrize("which", range(4))
def test_gradient_equals_finite_differences(which):
    rng = np.random.default_rng(3)
    objective = objectives(rng)[which].on(TARGETS)
    L = rng.uniform(2, 5, (6, 3))
    slope = objective.gradient(L)
    assert slope.shape == L.shape
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-6
        difference = (objective.value(L + step) - objective.value(L - step)) / 2e-6
        assert_allclose(slope[:, i], difference, atol=1e-8)


def test_values_equal_their_formulas():
    rng = np.random.default_rng(4)
    L = rng.uniform(2, 5, (5, 3))
    runs = trials(rng)
    logs = np.log(runs.scores)
    by_hand = ((np.log(L) - logs.mean(axis=0)) / logs.std(axis=0)).mean(axis=1)
    assert_allclose(SpreadAverage.of(runs).on(TARGETS).value(L), by_hand, rtol=1e-12)
    assert_allclose(TargetLoss("code").on(TARGETS).value(L), L[:, 2])
    assert_allclose(
        WeightedLosses({"code": 2, "law": 1}).on(TARGETS).value(L), 2 * L[:, 2] + L[:, 0]
    )
    assert_allclose(
        GeneralLimit(("law", "web"), (1, 3)).on(TARGETS).value(L), (L[:, 0] + 3 * L[:, 1]) / 4
    )


def test_an_objective_follows_names_not_columns():
    rng = np.random.default_rng(5)
    L = rng.uniform(2, 5, (5, 3))
    order = [2, 0, 1]
    renamed = tuple(TARGETS[i] for i in order)
    for objective in objectives(rng):
        there = objective.on(renamed).value(L[:, order])
        assert_allclose(objective.on(TARGETS).value(L), there, rtol=1e-14)


def test_convexity_is_claimed_only_where_it_holds():
    yes, no = np.ones(3, dtype=bool), np.zeros(3, dtype=bool)
    spread = SpreadAverage(TARGETS, (1.0,) * 3, (0.1,) * 3).on(TARGETS)
    assert not spread.convex(yes, no)  # the log of a convex function need not be convex
    assert spread.convex(no, yes)
    assert WeightedLosses({"law": 1.0}).on(TARGETS).convex(yes, no)
    assert not WeightedLosses({"law": 1.0, "web": -0.1}).on(TARGETS).convex(yes, no)
    only_web = np.array([False, True, False])
    assert TargetLoss("web").on(TARGETS).convex(only_web, no)
    assert not TargetLoss("law").on(TARGETS).convex(only_web, no)
    assert GeneralLimit(("law", "web"), (0, 1)).on(TARGETS).convex(only_web, no)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (lambda: TargetLoss("wiki").on(TARGETS), "wiki"),
        (lambda: TargetLoss("law").value(np.ones((1, 3))), "objective.on"),
        (lambda: WeightedLosses({}), "name at least one target"),
        (lambda: WeightedLosses({"law": np.nan}), "weights"),
        (lambda: SpreadAverage(("law",), (1.0,), (0.0,)), "leave law out"),
        (lambda: SpreadAverage(("law",), (), (0.1,)), "one mean"),
        (lambda: GeneralLimit(("law",), (-1.0,)), "weight of 0 or more"),
        (lambda: GeneralLimit((), ()), "weight of 0 or more"),
        (lambda: GeneralLimit(("law",), tolerance=-1.5), "--tolerance"),
        (lambda: Limits(np.array([1.0]), np.array([np.nan])), "lower"),
        (lambda: Limits(np.array([-1.0]), np.array([0.0])), "upper"),
    ],
)
def test_errors_name_what_is_wrong(wrong, word):
    with pytest.raises(BadInput, match=word):
        wrong()


def problem(**changes):
    given = {
        "law": None,
        "targets": TARGETS,
        "domains": ("a", "b"),
        "objective": TargetLoss("law"),
        "limits": Limits.none(2),
        "general": None,
        "prior": np.array([0.5, 0.5]),
    }
    return Problem(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"prior": np.array([0.5, 0.6])}, "prior"),
        ({"prior": np.array([1.0])}, "prior"),
        ({"natural": np.array([1.5, -0.5])}, "natural"),
        ({"limits": Limits.none(3)}, "upper"),
        ({"kl": -1.0}, "kl"),
        ({"objective": TargetLoss("wiki")}, "wiki"),
        ({"general": GeneralLimit(("wiki",))}, "wiki"),
    ],
)
def test_a_problem_checks_its_parts(changes, word):
    with pytest.raises(BadInput, match=word):
        problem(**changes)


def test_natural_is_the_prior_unless_given():
    assert_allclose(problem().natural, [0.5, 0.5])
    assert_allclose(problem(natural=np.array([0.2, 0.8])).natural, [0.2, 0.8])
    assert problem().general_bound == np.inf


def test_caps_in_epochs_become_shares():
    limits = Limits.epochs(np.array([2.0, np.inf]), unique=np.array([100.0, 0.0]), tokens=1000)
    assert_allclose(limits.upper, [0.2, np.inf])
