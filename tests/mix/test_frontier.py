"""The frontier is undominated, runs between its two ends, and agrees with the solver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput, Infeasible
from ecotone.mix.frontier import frontier
from ecotone.mix.objective import GeneralLimit, TargetLoss
from ecotone.mix.problem import Limits, Problem
from ecotone.mix.solver import solve


class ExpLaw:
    """c + exp(T w): convex."""

    smooth = True
    convex_ = True

    def __init__(self, T, c):
        self.T, self.c = T, c

    def predict(self, W):
        return self.c + np.exp(W @ self.T.T)

    def gradient(self, W):
        return np.exp(W @ self.T.T)[:, :, None] * self.T


class NotConvex(ExpLaw):
    convex_ = False


class BlackBox(NotConvex):
    smooth = False


def draw(seed, k, kind=ExpLaw):
    r = np.random.default_rng(seed)
    law = kind(r.normal(0, 1.2, (4, k)), r.uniform(0.5, 2, 4))
    prior = r.dirichlet(np.ones(k))
    targets = ("t0", "t1", "t2", "t3")
    upper = np.maximum(r.uniform(0.2, 0.7, k), prior)
    return Problem(
        law,
        targets,
        tuple(f"d{i}" for i in range(k)),
        TargetLoss("t0"),
        Limits(upper, np.zeros(k)),
        GeneralLimit(targets[1:]),
        prior,
    )


def assert_frontier(problem, found):
    assert (np.diff(found.general) > 0).all()
    assert (np.diff(found.target) < 0).all()
    assert_allclose(found.weights.sum(axis=1), 1, atol=1e-12)
    assert (found.weights <= problem.limits.upper + 1e-12).all()
    assert (found.weights >= -1e-15).all()
    L = problem.law.predict(found.weights)
    assert_allclose(problem.general.value(L), found.general, rtol=1e-12)
    natural = problem.general.value(problem.law.predict(problem.natural[None, :]))[0]
    assert_allclose(found.general, (1 + found.tolerance) * natural, rtol=1e-12)


@pytest.mark.parametrize(("seed", "k"), [(1, 6), (2, 9), (3, 17)])
def test_exact_frontier_is_what_the_solver_finds(seed, k):
    problem = draw(seed, k)
    found = frontier(problem, points=12, rng=np.random.default_rng(0))
    assert found.exact
    assert len(found) == 12
    assert_frontier(problem, found)
    for row in (3, 7):
        general = replace(problem.general, tolerance=float(found.tolerance[row]))
        alone = solve(replace(problem, general=general), rng=np.random.default_rng(0))
        assert_allclose(found.target[row], alone.value, atol=1e-8)
    ends = solve(replace(problem, general=None), rng=np.random.default_rng(0))
    assert_allclose(found.target[-1], ends.value, atol=1e-9)
    # no drawn mixture is better in both respects than a row
    drawn = np.random.default_rng(4).dirichlet(np.ones(k), 2000)
    drawn = drawn[(drawn <= problem.limits.upper).all(axis=1)]
    L = problem.law.predict(drawn)
    general, target = problem.general.value(L), problem.objective.value(L)
    for g, t in zip(found.general, found.target, strict=True):
        assert not ((general < g - 1e-9) & (target < t - 1e-9)).any()
    assert (general >= found.general[0] * (1 - 2e-7)).all()


def test_it_is_convex_when_the_law_is():
    found = frontier(draw(5, 6), points=15, rng=np.random.default_rng(0))
    slope = np.diff(found.target) / np.diff(found.general)
    assert (np.diff(slope) > -1e-6 * np.abs(slope[:-1])).all()


@pytest.fixture(scope="module")
def fine():
    return frontier(draw(6, 6), points=50, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", [NotConvex, BlackBox])
def test_other_laws_come_close_to_the_exact_frontier(kind, fine):
    problem = draw(6, 6, kind)
    found = frontier(problem, points=8, rng=np.random.default_rng(0))
    assert not found.exact
    assert_frontier(problem, found)
    best = np.interp(found.general, fine.general, fine.target)
    spread = fine.target[0] - fine.target[-1]
    assert (found.target - best < 0.03 * spread).all()
    assert abs(found.target[-1] - fine.target[-1]) < 0.01 * spread
    again = frontier(problem, points=8, rng=np.random.default_rng(0))
    assert (again.weights == found.weights).all()


def test_one_mixture_when_target_and_general_agree():
    problem = draw(7, 5)
    problem = replace(problem, general=GeneralLimit(("t0",)))
    found = frontier(problem, rng=np.random.default_rng(0))
    assert len(found) == 1
    alone = solve(replace(problem, general=None), rng=np.random.default_rng(0))
    assert_allclose(found.weights[0], alone.weights, atol=1e-6)


def test_a_pull_moves_the_targets_end_towards_the_prior():
    problem = draw(8, 6)
    free = frontier(problem, points=5, rng=np.random.default_rng(0))
    pulled = frontier(replace(problem, kl=0.5), points=5, rng=np.random.default_rng(0))
    assert_frontier_order(pulled)
    distance = [np.abs(f.weights[-1] - problem.prior).sum() for f in (free, pulled)]
    assert distance[1] < distance[0]


def assert_frontier_order(found):
    assert (np.diff(found.general) > 0).all()
    assert (np.diff(found.target) < 0).all()


def test_refusals():
    problem = draw(9, 4)
    with pytest.raises(BadInput, match="general"):
        frontier(replace(problem, general=None), rng=np.random.default_rng(0))
    with pytest.raises(BadInput, match="two ends"):
        frontier(problem, points=1, rng=np.random.default_rng(0))
    tight = replace(problem, limits=Limits(np.full(4, 0.1), np.zeros(4)))
    with pytest.raises(Infeasible):
        frontier(tight, rng=np.random.default_rng(0))
