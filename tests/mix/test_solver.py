"""The solver against independent ones, its certificate, its limits and its refusals."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog, minimize

from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.simplex import cap_shares
from ecotone.mix._box import Box, cheapest, nearest
from ecotone.mix._feasible import short_count
from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.objective import GeneralLimit, SpreadAverage, TargetLoss, WeightedLosses
from ecotone.mix.problem import Limits, Problem
from ecotone.mix.solver import solve


class PowerLaw:
    """E + (u0 + sum tau w^b)^-a with b <= 1: convex, and so is its logarithm."""

    smooth = True
    convex_ = True
    log_convex_targets_ = True

    def __init__(self, tau, b, a, E, u0):
        self.tau, self.b, self.a, self.E, self.u0 = tau, b, a, E, u0

    @classmethod
    def draw(cls, rng, k, t):
        return cls(
            np.exp(rng.uniform(-6, 3, (t, k))),
            rng.uniform(0.2, 1, t),
            rng.uniform(0.1, 0.6, t),
            rng.uniform(0.5, 2, t),
            np.exp(rng.uniform(-8, 0, t)),
        )

    def permuted(self, order):
        return PowerLaw(self.tau[:, order], self.b, self.a, self.E, self.u0)

    def useful(self, W):
        return self.u0 + np.einsum("tk,ntk->nt", self.tau, W[:, None, :] ** self.b[:, None])

    def predict(self, W):
        return self.E + self.useful(W) ** -self.a

    def gradient(self, W):
        with np.errstate(divide="ignore"):
            inner = self.tau * self.b[:, None] * W[:, None, :] ** (self.b[:, None] - 1)
        return (-self.a * self.useful(W) ** (-self.a - 1))[:, :, None] * inner


class ExpLaw:
    """c + exp(T w): convex."""

    smooth = True
    convex_ = True

    def __init__(self, T, c):
        self.T, self.c = T, c

    @classmethod
    def draw(cls, rng, k, t):
        return cls(rng.normal(0, 1.5, (t, k)), rng.uniform(0.5, 2, t))

    def permuted(self, order):
        return ExpLaw(self.T[:, order], self.c)

    def predict(self, W):
        return self.c + np.exp(W @ self.T.T)

    def gradient(self, W):
        return np.exp(W @ self.T.T)[:, :, None] * self.T


class LinearLaw(ExpLaw):
    """c + T w."""

    def predict(self, W):
        return self.c + W @ self.T.T

    def gradient(self, W):
        return np.broadcast_to(self.T, (len(W), *self.T.shape))


class NotConvex:
    """The same law, but it does not say that it is convex."""

    smooth = True
    convex_ = False

    def __init__(self, law):
        self.law = law

    def predict(self, W):
        return self.law.predict(W)

    def gradient(self, W):
        return self.law.gradient(W)


class BlackBox(NotConvex):
    smooth = False


def rng(*seed):
    return np.random.default_rng(seed)


def draw_problem(seed, kind=None, k=None, t=4):
    """Draw a problem; which limits it has goes round with the seed."""
    r = rng(seed, 1)
    k = k or int(r.integers(2, 18))
    law = (kind or (ExpLaw if seed % 3 == 0 else PowerLaw)).draw(r, k, t)
    domains, targets = tuple(f"d{i}" for i in range(k)), tuple(f"t{i}" for i in range(t))
    prior = r.dirichlet(np.ones(k))
    upper = np.maximum(r.uniform(0.05, 0.6, k), prior) if seed % 2 else np.full(k, np.inf)
    lower = np.where(r.random(k) < 0.3, 0.3 * prior, 0.0)
    frozen = ((domains[1], domains[3]),) if k > 4 and seed % 5 == 0 else ()
    general = GeneralLimit(targets[1:], tolerance=float(r.choice([0.0, 0.01, 0.03])))
    return Problem(
        law,
        targets,
        domains,
        TargetLoss("t0"),
        Limits(upper, lower, frozen),
        general if seed % 7 else None,
        prior,
        kl=(0.0, 0.0, 0.1, 5.0)[seed % 4],
    )


def value_of(problem, w):
    L = problem.law.predict(w[None, :])
    keep = w > 0
    pull = problem.kl * np.sum(w[keep] * np.log(w[keep] / problem.prior[keep]))
    return float(problem.objective.value(L)[0] + pull)


def assert_allowed(problem, w, atol=1e-12):
    limits = problem.limits
    assert abs(w.sum() - 1) < 1e-12
    assert (w >= limits.lower - atol).all()
    assert (w <= limits.upper + atol).all()
    for group in limits.frozen:
        index = [problem.domains.index(n) for n in group]
        ratio = problem.prior[index] / problem.prior[index].sum()
        assert_allclose(w[index], w[index].sum() * ratio, rtol=1e-14, atol=1e-300)
    if problem.general is not None:
        general = problem.general.value(problem.law.predict(w[None, :]))[0]
        assert general <= problem.general_bound * (1 + 1e-12)


# --- exact ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_certificate_is_below_1e_8_whatever_the_limits(seed):
    problem = draw_problem(seed, k=17 if seed % 10 == 9 else None)
    found = solve(problem, rng=rng(0))
    assert found.exact
    assert 0 <= found.gap < 1e-8
    assert_allowed(problem, found.weights)
    assert_allclose(found.value, value_of(problem, found.weights), rtol=1e-12)
    # a proof that no drawn mixture breaks: it would have to be below value - gap
    others = nearest(
        rng(seed, 2).dirichlet(np.ones(len(problem.domains)), 300),
        problem.limits.lower,
        problem.limits.upper,
    )
    L = problem.law.predict(others)
    allowed = np.ones(len(others), dtype=bool)
    if problem.general is not None:
        allowed = problem.general.value(L) <= problem.general_bound
    if not problem.limits.frozen:
        values = [value_of(problem, w) for w in others[allowed]]
        assert min(values, default=np.inf) >= found.value - found.gap - 1e-12


def independent(problem):
    """Solve with scipy's sequential quadratic programming, with no gradient of ours."""
    k = len(problem.domains)
    low, high = np.maximum(problem.limits.lower, 1e-9), np.minimum(problem.limits.upper, 1)
    rules = [{"type": "eq", "fun": lambda w: w.sum() - 1}]
    if problem.general is not None:
        rules.append({
            "type": "ineq",
            "fun": lambda w: problem.general_bound
            - problem.general.value(problem.law.predict(np.abs(w)[None, :]))[0],
        })  # fmt: skip
    ends = []
    for start in nearest(rng(5).dirichlet(np.ones(k), 6), low, high):
        found = minimize(
            lambda w: value_of(problem, np.abs(w)),
            start,
            jac="3-point",
            method="SLSQP",
            bounds=list(zip(low, high, strict=True)),
            constraints=rules,
            options={"ftol": 1e-14, "maxiter": 500},
        )
        end = np.clip(found.x, low, high)
        end = end / end.sum()
        general = problem.law.predict(end[None, :])
        if (
            problem.general is None
            or problem.general.value(general) <= problem.general_bound + 1e-7
        ):
            ends.append(end)
    return min(ends, key=lambda w: value_of(problem, w))


@pytest.mark.filterwarnings("ignore:Values in x were outside bounds:RuntimeWarning")
@pytest.mark.parametrize("seed", [1, 2, 3, 6, 7, 13, 15, 22])
def test_equals_an_independent_solver(seed):
    problem = replace(draw_problem(seed, k=5), kl=0.02)  # the pull makes the optimum unique
    problem = replace(problem, limits=replace(problem.limits, frozen=()))
    found, other = solve(problem, rng=rng(0)), independent(problem)
    assert_allclose(found.value, value_of(problem, other), atol=1e-6)
    assert_allclose(found.weights, other, atol=1e-3)


def test_a_closed_form():
    """Two domains, L = E + (tau1 w + tau2 (1-w))^-a: all on the better; with a cap, at the cap."""
    law = PowerLaw(
        np.array([[1.0, 4.0]]), np.array([1.0]), np.array([0.5]), np.array([1.0]), np.array([0.1])
    )
    problem = Problem(
        law, ("t",), ("a", "b"), TargetLoss("t"), Limits.none(2), None, np.array([0.5, 0.5])
    )
    assert_array_equal(solve(problem, rng=rng(0)).weights, [0.0, 1.0])
    capped = replace(problem, limits=Limits(np.array([1.0, 0.7]), np.zeros(2)))
    found = solve(capped, rng=rng(0))
    assert_array_equal(found.weights, [1 - 0.7, 0.7])
    assert found.active == ("cap b",)
    # one square-root each: minimise -(sqrt(w) + 2 sqrt(1-w)), at w = 1/5
    root = PowerLaw(
        np.array([[1.0, 2.0]]), np.array([0.5]), np.array([0.5]), np.array([1.0]), np.array([0.1])
    )
    assert_allclose(solve(replace(problem, law=root), rng=rng(0)).weights, [0.2, 0.8], atol=1e-9)


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_linear_laws_are_solved_at_a_corner(seed):
    problem = replace(draw_problem(seed + 1, LinearLaw, k=6), kl=0.0)
    found = solve(problem, rng=rng(0))
    assert found.exact
    assert found.gap < 1e-9
    assert_allowed(problem, found.weights)
    # a grid of the simplex has nothing better
    grid = nearest(rng(seed).dirichlet(np.full(6, 0.3), 2000), *bounds_of(problem))
    L = problem.law.predict(grid)
    allowed = np.ones(len(grid), dtype=bool)
    if problem.general is not None:
        allowed = problem.general.value(L) <= problem.general_bound
    if allowed.any() and not problem.limits.frozen:
        assert found.value <= L[allowed, 0].min() + 1e-12


def bounds_of(problem):
    return problem.limits.lower, problem.limits.upper


@pytest.mark.parametrize("seed", [3, 4, 10, 15])
def test_permuting_domains_permutes_the_answer(seed):
    problem = draw_problem(seed, k=8)
    order = rng(seed, 3).permutation(8)
    moved = replace(
        problem,
        law=problem.law.permuted(order),
        domains=tuple(problem.domains[i] for i in order),
        limits=replace(
            problem.limits,
            upper=problem.limits.upper[order],
            lower=problem.limits.lower[order],
        ),
        prior=problem.prior[order],
        natural=problem.natural[order],
    )
    here, there = solve(problem, rng=rng(0)), solve(moved, rng=rng(0))
    assert_allclose(there.weights, here.weights[order], atol=1e-8)
    assert sorted(here.active) == sorted(there.active)


@pytest.mark.parametrize("kind", [PowerLaw, ExpLaw, LinearLaw])
def test_twins_share_alike(kind):
    problem = replace(draw_problem(1, kind, k=6), kl=0.0, general=None)
    order = np.array([0, 1, 2, 3, 4, 4])
    law = problem.law.permuted(order)
    prior = problem.prior[order] / problem.prior[order].sum()
    problem = replace(problem, law=law, prior=prior, natural=prior)
    limits = Limits(np.full(6, 0.4), np.zeros(6))
    found = solve(replace(problem, limits=limits), rng=rng(0))
    assert_allclose(found.weights[4], found.weights[5], atol=1e-9)


def test_an_endless_pull_returns_the_capped_prior():
    for seed in (1, 3, 5):
        problem = replace(draw_problem(seed, k=7), general=None, kl=1e9)
        r = rng(seed)
        upper = np.where(r.random(7) < 0.4, 0.6 * problem.prior, 1.0)
        problem = replace(problem, limits=Limits(upper, np.zeros(7)))
        found = solve(problem, rng=rng(0))
        assert_allclose(found.weights, cap_shares(problem.prior, upper), atol=1e-7)
    free = replace(problem, limits=Limits.none(7))
    assert_allclose(solve(free, rng=rng(0)).weights, problem.prior, atol=1e-7)


def test_a_pull_leaves_out_what_the_prior_leaves_out():
    problem = draw_problem(2, k=4)
    prior = np.array([0.0, 0.5, 0.3, 0.2])
    problem = replace(problem, prior=prior, natural=prior, limits=Limits.none(4), kl=0.1)
    found = solve(problem, rng=rng(0))
    assert found.weights[0] == 0
    assert found.gap < 1e-8
    with pytest.raises(Infeasible, match="d0, where the prior is 0"):
        solve(replace(problem, limits=Limits(np.ones(4), np.array([0.1, 0, 0, 0]))), rng=rng(0))


def test_frozen_groups_are_the_smaller_problem():
    """Freezing a group is the same as mixing it into one domain beforehand."""
    problem = replace(draw_problem(6, ExpLaw, k=5), kl=0.05, general=None)
    problem = replace(problem, limits=replace(Limits.none(5), frozen=(("d1", "d4"),)))
    found = solve(problem, rng=rng(0))
    ratio = problem.prior[[1, 4]] / problem.prior[[1, 4]].sum()
    T = problem.law.T
    joined = np.column_stack([T[:, 0], T[:, [1, 4]] @ ratio, T[:, 2], T[:, 3]])
    p = problem.prior
    prior = np.array([p[0], p[1] + p[4], p[2], p[3]])
    small = replace(
        problem,
        law=ExpLaw(joined, problem.law.c),
        domains=("d0", "d1+d4", "d2", "d3"),
        limits=Limits.none(4),
        prior=prior,
        natural=prior,
    )
    other = solve(small, rng=rng(0))
    assert_allclose(found.value, other.value, rtol=1e-12)
    assert_allclose(found.weights[[1, 4]], other.weights[1] * ratio, rtol=1e-7)
    assert_allclose(found.weights[1] / found.weights[4], ratio[0] / ratio[1], rtol=1e-14)


def test_the_multiplier_is_the_price_of_general_loss():
    problem = replace(draw_problem(13, k=6), limits=Limits.none(6), kl=0.0)
    problem = replace(problem, general=replace(problem.general, tolerance=-0.005))
    found = solve(problem, rng=rng(0))
    assert "general loss" in found.active
    step = 1e-5
    wider = replace(problem, general=replace(problem.general, tolerance=-0.005 + step))
    fall = found.value - solve(wider, rng=rng(0)).value
    assert_allclose(
        fall / (wider.general_bound - problem.general_bound), found.multiplier, rtol=1e-2
    )


def test_spread_average_is_exact_when_logs_are_convex():
    problem = draw_problem(4, PowerLaw, k=6)
    spread = SpreadAverage(problem.targets, (0.0,) * 4, (0.1, 0.2, 0.3, 0.4))
    problem = replace(problem, objective=spread)
    found = solve(problem, rng=rng(0))
    assert found.exact
    assert found.gap < 1e-8
    other = solve(replace(problem, law=NotConvex(problem.law)), rng=rng(0))
    assert not other.exact
    assert_allclose(other.value, found.value, atol=1e-6)


# --- not exact -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 3, 6, 10, 13])
def test_descents_find_the_optimum_of_a_law_that_hides_its_convexity(seed):
    problem = draw_problem(seed, k=6)
    exact = solve(problem, rng=rng(0))
    found = solve(replace(problem, law=NotConvex(problem.law)), rng=rng(0))
    assert not found.exact
    assert found.gap < 1e-3  # first-order stationarity
    assert_allowed(problem, found.weights)
    assert_allclose(found.value, exact.value, atol=1e-6)


@pytest.mark.parametrize("seed", [1, 3, 6, 10, 13])
def test_simulation_is_within_one_percent_of_the_optimum(seed):
    problem = draw_problem(seed, k=6 + seed % 5)
    exact = solve(problem, rng=rng(0))
    hidden = replace(problem, law=BlackBox(problem.law))
    found = solve(hidden, rng=rng(0), candidates=4000)
    assert not found.exact
    assert np.isnan(found.gap)
    assert_allowed(problem, found.weights)
    assert exact.value - 1e-9 <= found.value <= exact.value + 0.01 * abs(exact.value)
    again = solve(hidden, rng=rng(0), candidates=4000)
    assert_array_equal(found.weights, again.weights)


def test_descents_escape_a_local_optimum():
    class Valleys:
        """Two valleys; the one at the prior is the shallower."""

        smooth, convex_ = True, False

        def predict(self, W):
            x = W[:, :1]
            return 3 - 0.5 * np.exp(-((x - 0.2) ** 2) / 0.01) - np.exp(-((x - 0.8) ** 2) / 0.01)

        def gradient(self, W):
            x = W[:, 0]
            slope = 0.5 * 200 * (x - 0.2) * np.exp(-((x - 0.2) ** 2) / 0.01)
            slope += 200 * (x - 0.8) * np.exp(-((x - 0.8) ** 2) / 0.01)
            return np.stack([slope, 0 * slope], axis=1)[:, None, :]

    problem = Problem(
        Valleys(), ("t",), ("a", "b"), TargetLoss("t"), Limits.none(2), None, np.array([0.2, 0.8])
    )
    assert_allclose(solve(problem, rng=rng(0)).weights, [0.8, 0.2], atol=1e-6)


def test_a_negative_weight_is_not_called_exact():
    problem = replace(draw_problem(6, k=4), objective=WeightedLosses({"t0": 1.0, "t1": -0.1}))
    assert not solve(problem, rng=rng(0)).exact


# --- refusals ------------------------------------------------------------------------------


def epochs_problem(caps, unique, tokens, lower=None, frozen=(), tolerance=None):
    k = len(unique)
    law = PowerLaw.draw(rng(0), k, 2)
    limits = Limits.epochs(caps, unique=np.array(unique), tokens=tokens, lower=lower, frozen=frozen)
    general = None if tolerance is None else GeneralLimit(("t1",), tolerance=tolerance)
    prior = np.array(unique) / np.sum(unique)
    names = tuple("abcdef"[:k])
    return Problem(law, ("t0", "t1"), names, TargetLoss("t0"), limits, general, prior)


def refusal(problem):
    with pytest.raises(Infeasible) as caught:
        solve(problem, rng=rng(0))
    return caught.value


def number(cure, option):
    found = re.search(rf"{option} ([0-9.]+)([KMB]?)", cure)
    return float(found.group(1)) * {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}[found.group(2)]


def test_caps_without_room_name_the_smallest_cap_and_the_most_tokens():
    unique, tokens = [1e6, 2e6, 0.7e6], 20_000_000
    error = refusal(epochs_problem(4.0, unique, tokens))
    assert "74.00%" in error.what
    cap = number(error.cure, "--caps")
    assert cap == 5.41  # 20M / 3.7M = 5.405...
    solve(epochs_problem(cap, unique, tokens), rng=rng(0))
    refusal(epochs_problem(cap - 0.01, unique, tokens))
    fewer = number(error.cure, "--tokens")
    assert fewer == 14_800_000
    solve(epochs_problem(4.0, unique, int(fewer)), rng=rng(0))
    refusal(epochs_problem(4.0, unique, int(fewer * 1.001)))


def test_different_caps_are_raised_by_one_factor():
    caps, unique, tokens = np.array([4.0, 2.0, np.inf]), [1e6, 2e6, 0.0], 10_000_000
    solve(epochs_problem(caps, unique, tokens), rng=rng(0))  # the last one has no cap
    caps = np.array([4.0, 2.0, 1.0])
    error = refusal(epochs_problem(caps, unique, tokens))
    given_caps = re.search(r"--caps a=([0-9.]+),b=([0-9.]+),c=([0-9.]+)", error.cure)
    new = np.array([float(x) for x in given_caps.groups()])
    solve(epochs_problem(new, unique, tokens), rng=rng(0))
    refusal(epochs_problem(new - 0.01, unique, tokens))


def test_a_floor_above_its_cap_says_so():
    lower = np.array([0.5, 0.0])
    error = refusal(epochs_problem(2.0, [1e6, 2e7], 10_000_000, lower=lower))
    assert error.what.startswith("a: the floor of 0.5 is above the cap of 0.2")
    cap = number(error.cure, "--caps")
    assert cap == 5.0
    solve(epochs_problem(cap, [1e6, 2e7], 10_000_000, lower=lower), rng=rng(0))
    factor = float(re.search(r"multiply the floors by ([0-9.]+)", error.cure).group(1))
    assert factor == 0.4
    solve(epochs_problem(2.0, [1e6, 2e7], 10_000_000, lower=factor * lower), rng=rng(0))


def test_floors_above_one_say_so():
    problem = draw_problem(2, k=3)
    lower = np.array([0.5, 0.5, 0.25])
    error = refusal(replace(problem, limits=Limits(np.ones(3), lower)))
    assert "125.00%" in error.what
    assert "--caps" not in error.cure
    factor = float(re.search(r"multiply the floors by ([0-9.]+)", error.cure).group(1))
    assert factor == 0.8
    solve(replace(problem, limits=Limits(np.ones(3), factor * lower), general=None), rng=rng(0))


def test_a_frozen_group_is_bound_by_its_scarcest_domain():
    unique, tokens = [1e6, 4e6, 1e6], 4_000_000
    frozen = (("a", "b"),)
    caps = np.array([0.4, np.inf, 1.0])
    error = refusal(epochs_problem(caps, unique, tokens, frozen=frozen))
    assert "75.00%" in error.what  # a at 10 % holds b at 40 %; c has 25 %
    new = re.search(r"--caps a=([0-9.]+),c=([0-9.]+)", error.cure)
    raised = np.array([float(new.group(1)), np.inf, float(new.group(2))])
    found = solve(epochs_problem(raised, unique, tokens, frozen=frozen), rng=rng(0))
    assert_allclose(found.weights[1] / found.weights[0], 4, rtol=1e-12)


@pytest.mark.parametrize("kind", [lambda law: law, NotConvex, BlackBox])
def test_an_unreachable_general_limit_names_the_smallest_tolerance(kind):
    problem = epochs_problem(1.2, [1e6, 2e6, 3e6], 5_000_000, tolerance=-0.5)
    problem = replace(problem, law=kind(problem.law))
    error = refusal(problem)
    assert "general loss" in error.what
    needed = float(re.search(r"--tolerance (-?[0-9.]+)", error.cure).group(1))
    relaxed = replace(problem, general=replace(problem.general, tolerance=needed))
    found = solve(relaxed, rng=rng(0))
    assert_allowed(relaxed, found.weights)
    refusal(replace(problem, general=replace(problem.general, tolerance=needed - 0.001)))


def test_frozen_groups_are_checked():
    problem = draw_problem(2, k=3)
    for frozen, word in (
        ((("d0", "wiki"),), "wiki"),
        ((("d0", "d1"), ("d1", "d2")), "two frozen groups"),
    ):
        with pytest.raises(BadInput, match=word):
            solve(replace(problem, limits=Limits(np.ones(3), np.zeros(3), frozen)), rng=rng(0))
    prior = np.array([0.0, 0.0, 1.0])
    empty = replace(problem, prior=prior, kl=0.0)
    with pytest.raises(BadInput, match="no share in the prior"):
        solve(replace(empty, limits=Limits(np.ones(3), np.zeros(3), (("d0", "d1"),))), rng=rng(0))


@pytest.mark.parametrize("kind", [lambda law: law, NotConvex, BlackBox])
def test_a_natural_mixture_that_is_best_in_general_is_allowed_at_tolerance_0(kind):
    problem = replace(draw_problem(6, PowerLaw, k=4), limits=Limits.none(4), kl=0.0)
    general = GeneralLimit(("t1", "t2"), tolerance=0.0)
    best = WeightedLosses({"t1": 0.5, "t2": 0.5})
    natural = solve(replace(problem, objective=best, general=None), rng=rng(0)).weights
    problem = replace(problem, law=kind(problem.law), general=general, natural=natural)
    found = solve(replace(problem, prior=natural), rng=rng(0), candidates=2000)
    assert_allclose(found.weights, natural, atol=1e-3)


# --- corners of the problem ----------------------------------------------------------------


def test_limits_that_leave_one_mixture_return_it():
    problem = replace(draw_problem(2, k=3), general=None)
    only = np.array([0.2, 0.3, 0.5])
    found = solve(replace(problem, limits=Limits(only, np.zeros(3))), rng=rng(0))
    assert_allclose(found.weights, only, atol=1e-15)
    assert found.active == ("cap d0", "cap d1", "cap d2")
    assert found.gap < 1e-12


def test_one_domain_gets_everything():
    problem = replace(draw_problem(2, k=2), general=None)
    law = problem.law.permuted([0])
    one = replace(
        problem, law=law, domains=("d0",), limits=Limits.none(1), prior=np.ones(1), natural=None
    )
    assert_array_equal(solve(one, rng=rng(0)).weights, [1.0])
    hidden = replace(one, law=BlackBox(law))
    assert_array_equal(solve(hidden, rng=rng(0), candidates=200).weights, [1.0])


def test_a_useless_domain_gets_nothing():
    law = PowerLaw.draw(rng(8), 4, 1)
    law.b[:] = 0.4
    law.tau[0, 2] = 0.0
    names = ("a", "b", "c", "d")
    problem = Problem(law, ("t",), names, TargetLoss("t"), Limits.none(4), None, np.full(4, 0.25))
    found = solve(problem, rng=rng(0))
    assert found.gap < 1e-8
    assert found.weights[2] < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_solution_is_allowed_or_refused_with_a_cure(data):
    seed = data.draw(st.integers(0, 10_000))
    k = data.draw(st.integers(2, 9))
    problem = draw_problem(seed, k=k)
    upper = np.array(data.draw(st.lists(st.floats(0, 1), min_size=k, max_size=k)))
    lower = np.array(data.draw(st.lists(st.floats(0, 0.3), min_size=k, max_size=k)))
    wrap = data.draw(st.sampled_from([lambda law: law, NotConvex, BlackBox]))
    problem = replace(
        problem,
        law=wrap(problem.law),
        limits=Limits(upper, lower, problem.limits.frozen),
    )
    try:
        found = solve(problem, rng=rng(0), candidates=400)
    except Infeasible as error:
        refused = error
    else:
        assert_allowed(problem, found.weights, atol=2e-12)
        return
    assert refused.cure


# --- the box -------------------------------------------------------------------------------


def box_of(lower, upper, prior=None):
    m = len(lower)
    prior = np.ones(m) / m if prior is None else prior
    return Box(np.eye(m), lower, upper, prior, tuple((i,) for i in range(m)))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10_000))
def test_cheapest_equals_linear_programming(m, seed):
    r = rng(seed)
    lower = r.uniform(0, 0.8 / m, m)
    upper = np.minimum(lower + r.uniform(0.3, 1, m) * 2 / m, 1)
    if upper.sum() < 1:
        upper = np.ones(m)
    cost = r.normal(size=m)
    bounds = list(zip(lower, upper, strict=True))
    other = linprog(cost, A_eq=np.ones((1, m)), b_eq=[1], bounds=bounds)
    point = cheapest(cost, box_of(lower, upper))
    assert abs(point.sum() - 1) < 1e-12
    assert_allclose(cost @ point, other.fun, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10_000))
def test_nearest_is_cap_shares_with_floors(m, seed):
    r = rng(seed)
    prior = r.dirichlet(np.ones(m))
    upper = np.minimum(r.uniform(1.0, 4.0, m) / m, 1)
    assert_allclose(
        nearest(prior[None, :], np.zeros(m), upper)[0], cap_shares(prior, upper), atol=1e-12
    )
    lower = r.uniform(0, 0.9, m) * np.minimum(upper, 1 / m)
    x = nearest(prior[None, :], lower, upper)[0]
    assert abs(x.sum() - 1) < 1e-12
    # optimality: the ratio x / p is one number where no bound holds, less at caps, more at floors
    ratio, inside = x / prior, (x > lower + 1e-12) & (x < upper - 1e-12)
    if inside.any():
        level = ratio[inside].mean()
        assert_allclose(ratio[inside], level, rtol=1e-9)
        assert (ratio[x >= upper - 1e-12] <= level * (1 + 1e-9)).all()
        assert (ratio[x <= lower + 1e-12] >= level * (1 - 1e-9)).all()


def test_counts_are_written_short_and_rounded_down():
    assert [short_count(x) for x in (3_149_999, 14_800_000, 999, 2e9, 12_345)] == [
        "3.14M", "14.8M", "999", "2B", "12.3K",
    ]  # fmt: skip


def test_a_fitted_law_may_be_asked_off_the_simplex_by_a_descent():
    W = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    L = 3 + np.exp(-W @ [2.0, 1.0, 0.0])
    law = GaussianProcess().fit(W, L[:, None])
    problem = Problem(
        law, ("law",), ("law", "web", "code"), TargetLoss("law"), Limits.none(3), None,
        np.full(3, 1 / 3),
    )  # fmt: skip
    assert np.isfinite(problem.losses(np.full((1, 3), 0.9))).all()
    with pytest.raises(BadInput, match=r"sum to 2\.7"):
        law.predict(np.full((1, 3), 0.9))
    assert solve(problem, rng=np.random.default_rng(0)).weights[0] > 0.9
