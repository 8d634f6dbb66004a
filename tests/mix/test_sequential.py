"""The sequential choice against its definition, and against random runs on a made-up law."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.trials import Trials
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.objective import TargetLoss, WeightedLosses
from ecotone.mix.sequential import best_run, ensemble, first_runs, measured_or, next_runs


class Linear(BaseEstimator):
    """Least squares; with `seed` only to show that it is set."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, W, L):
        self.coef_, *_ = np.linalg.lstsq(W, L, rcond=None)
        self.seen_ = L.shape[1]
        return self

    def predict(self, W):
        return W @ self.coef_


def pool(seed, m=60, k=4):
    return np.random.default_rng(seed).dirichlet(np.ones(k), m)


def linear_trials(W, noise=0.0, seed=0):
    r = np.random.default_rng(seed)
    T = np.array([[3.0, 4.0, 5.0, 6.0], [6.0, 5.0, 4.0, 3.0]])
    L = W @ T.T + noise * r.standard_normal((len(W), 2))
    return Trials(W, L, ("a", "b", "c", "d"), ("t", "u"))


def rng():
    return np.random.default_rng(0)


def test_first_runs_cover_the_corners_first():
    W = np.concatenate([0.2 * pool(1) + 0.2, np.eye(4)])
    chosen = first_runs(W, 5, rng=rng())
    assert {60, 61, 62, 63} <= set(chosen)
    assert len(set(first_runs(W, 64, rng=rng()))) == 64


def test_first_runs_are_spread_wider_than_random_ones():
    W = pool(2, 200)

    def least_gap(rows):
        points = np.sqrt(W[rows])
        gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
        return gaps[np.triu_indices(len(rows), 1)].min()

    spread = least_gap(first_runs(W, 12, rng=rng()))
    drawn = [least_gap(np.random.default_rng(s).permutation(200)[:12]) for s in range(20)]
    assert spread > 1.5 * max(drawn)


def test_the_lowest_predicted_are_taken_when_nothing_is_uncertain():
    W = pool(3, 40)
    trials = linear_trials(pool(4, 20))
    objective = WeightedLosses({"t": 1.0})
    chosen = next_runs(
        trials, objective=objective, law=Linear(), candidates=W, n=3, rng=rng(), boldness=0.0
    )
    order = np.argsort(linear_trials(W).target("t"))
    assert_array_equal(chosen, order[:3])


def test_boldness_prefers_where_the_members_disagree():
    r = np.random.default_rng(5)
    tried = np.column_stack([r.dirichlet(np.ones(3), 30) * 0.98, np.full(30, 0.02)])
    tried[:, 3] += r.uniform(-0.002, 0.002, 30)
    tried /= tried.sum(axis=1, keepdims=True)
    trials = linear_trials(tried, noise=0.05)  # says next to nothing about d
    W = np.array([[0.6, 0.2, 0.18, 0.02], [0.2, 0.2, 0.2, 0.4]])
    bold, timid = (
        next_runs(
            trials, objective=TargetLoss("t"), law=Linear(), candidates=W, n=1, rng=rng(),
            members=20, boldness=b,
        )[0]
        for b in (30.0, 0.0)
    )  # fmt: skip
    assert bold == 1
    assert timid == 0


def test_exploration_goes_far_from_everything_tried():
    trials = linear_trials(pool(6, 20) * 0.5 + np.array([0.5, 0, 0, 0]))
    W = np.concatenate([pool(7, 30) * 0.2 + np.array([0.8, 0, 0, 0]), np.eye(4)])
    chosen = next_runs(
        trials, objective=TargetLoss("t"), law=Linear(), candidates=W, n=4, rng=rng(), explore=0.75
    )
    assert set(chosen[1:]) == {31, 32, 33}


def test_tried_and_masked_candidates_are_left_alone():
    W = pool(8, 12)
    trials = linear_trials(W[:8])
    asked = {"objective": TargetLoss("t"), "law": Linear(), "candidates": W}
    chosen = next_runs(trials, n=4, rng=rng(), explore=0.5, **asked)
    assert set(chosen) == {8, 9, 10, 11}
    mask = np.zeros(12, dtype=bool)
    mask[9] = True
    assert set(next_runs(trials, n=3, rng=rng(), done_mask=mask, **asked)) == {8, 10, 11}
    with pytest.raises(TooFewRows, match="3 candidates are left"):
        next_runs(trials, n=4, rng=rng(), done_mask=mask, **asked)


def test_picks_from_a_dense_pool_keep_apart():
    near = np.array([0.97, 0.01, 0.01, 0.01]) + 1e-6 * pool(9, 50)
    W = np.concatenate([near / near.sum(axis=1, keepdims=True), pool(10, 20)])
    trials = linear_trials(pool(11, 15))
    chosen = next_runs(
        trials, objective=TargetLoss("t"), law=Linear(), candidates=W, n=4, rng=rng()
    )
    assert (chosen < 50).sum() == 1  # the lowest 50 are one spot
    only = next_runs(
        trials, objective=TargetLoss("t"), law=Linear(), candidates=W[:50], n=4, rng=rng()
    )
    assert len(set(only)) == 4


def test_only_the_targets_that_count_are_fitted_and_seeds_differ():
    made = []

    class Spy(Linear):
        def fit(self, W, L):
            made.append((self.seed, L.shape[1], len(np.unique(W, axis=0))))
            return super().fit(W, L)

    trials = linear_trials(pool(12, 20))
    out = ensemble(trials, TargetLoss("u"), Spy(), pool(13), 5, rng())
    assert out.shape == (5, 60)
    assert {columns for _, columns, _ in made} == {1}
    assert len({seed for seed, _, _ in made}) == 5
    assert made[0][2] == 20  # the first sees every trial
    assert all(rows < 20 for _, _, rows in made[1:])


def test_the_best_run_believes_measurements():
    W = pool(14, 30)
    trials = linear_trials(W)
    best = int(np.argmin(trials.target("t")))
    scores = trials.scores.copy()
    scores[best, 0] = 9.0  # a run that came out badly
    known = Trials(W, scores, trials.domains, trials.targets)
    asked = {"objective": TargetLoss("t"), "law": Linear(), "candidates": W, "rng": rng()}
    assert best_run(trials, **asked) == best
    assert best_run(known, **asked) != best
    score = measured_or(np.zeros(30), known.rows([best]), TargetLoss("t"), W)
    assert_array_equal(np.flatnonzero(score), [best])


def test_same_generator_same_choice_and_inputs_stay():
    W = pool(15, 40)
    W.flags.writeable = False
    trials = linear_trials(pool(16, 20), noise=0.1)
    asked = {"objective": TargetLoss("t"), "law": Linear(), "candidates": W, "n": 6, "explore": 0.4}
    assert_array_equal(next_runs(trials, rng=rng(), **asked), next_runs(trials, rng=rng(), **asked))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"members": 0}, "members"),
        ({"explore": 1.5}, "explore"),
        ({"candidates": np.ones((3, 2)) / 2}, "4 domains"),
    ],
)
def test_wrong_arguments_are_refused(changes, word):
    trials = linear_trials(pool(17, 20))
    asked = {"objective": TargetLoss("t"), "law": Linear(), "candidates": pool(18), "n": 2}
    with pytest.raises(BadInput, match=word):
        next_runs(trials, rng=rng(), **{**asked, **changes})


def test_too_few_different_candidates_are_refused():
    with pytest.raises(TooFewRows, match="2 new mixtures"):
        first_runs(np.tile(np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]), (2, 1)), 5, rng=rng())
    assert len(first_runs(np.ones((3, 1)), 0, rng=rng())) == 0


def test_it_finds_the_best_of_a_pool_with_fewer_runs_than_random():
    r = np.random.default_rng(21)
    W = r.dirichlet(np.full(6, 0.4), 200)
    useful = 0.05 + W**0.6 @ np.array([1.5, 0.7, 0.4, 0.1, 0.05, 0.02])
    L = (1.5 + useful**-0.3) * np.exp(0.003 * r.standard_normal(200))
    every = Trials(W, L[:, None], tuple("abcdef"), ("t",))
    law, objective = EffectiveData(starts=2), TargetLoss("t")
    lost = {"chosen": [], "drawn": []}
    for seed in range(3):
        g = np.random.default_rng(seed)
        done = first_runs(W, 12, rng=g)
        for _ in range(2):
            more = next_runs(
                every.rows(done), objective=objective, law=law, candidates=W, n=6, rng=g
            )
            done = np.concatenate([done, more])
        for name, rows in (("chosen", done), ("drawn", g.permutation(200)[: len(done)])):
            pick = best_run(every.rows(rows), objective=objective, law=law, candidates=W, rng=g)
            lost[name].append(L[pick] - L.min())
    assert np.mean(lost["chosen"]) < 0.002
    assert np.mean(lost["drawn"]) > 2 * np.mean(lost["chosen"])


def test_where_nothing_is_to_be_learned_it_does_not_claim_anything():
    """On losses of pure noise it is no better than random: it must not be."""
    r = np.random.default_rng(22)
    W = r.dirichlet(np.ones(4), 120)
    noise = 3 + 0.1 * r.standard_normal((60, 120))
    better = 0
    for y in noise:
        every = Trials(W, y[:, None], tuple("abcd"), ("t",))
        g = np.random.default_rng(0)
        done = first_runs(W, 10, rng=g)
        more = next_runs(
            every.rows(done), objective=TargetLoss("t"), law=Linear(), candidates=W, n=10, rng=g
        )
        better += y[more].mean() < 3
    assert 15 <= better <= 45  # 30 expected, four standard deviations
