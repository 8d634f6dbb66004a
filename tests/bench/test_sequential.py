"""The replay counts regret as defined, and a sequential choice saves runs on a made-up table."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator

from ecotone.bench.sequential import Replay, random_runs, replay
from ecotone.core.errors import BadInput
from ecotone.core.trials import Trials


class Oracle(BaseEstimator):
    """Predicts a fixed function, whatever it is fitted on."""

    def __init__(self, sign=1.0):
        self.sign = sign

    def fit(self, W, L):
        self.fitted_ = True
        return self

    def predict(self, W):
        return self.sign * (W[:, :1] ** 2)


@pytest.fixture
def table():
    W = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    L = 1 + W[:, :1] ** 2
    return Trials(W, np.hstack([L, 2 + L]), ("a", "b", "c"), ("t", "u"))


def test_a_perfect_law_has_no_regret(table):
    for made in (
        replay(table, law=Oracle(), first=3, batch=2, total=7, seeds=2),
        random_runs(table, law=Oracle(), sizes=(3, 7), seeds=2),
    ):
        assert (made.predictor_regret == 0).all()
        assert made.targets == ("t", "u")
    assert replay(table, law=Oracle(), first=3, batch=2, total=7).runs.tolist() == [3, 5, 7]


def test_regret_of_the_wrong_law_is_the_loss_above_the_lowest(table):
    made = random_runs(table, law=Oracle(sign=-1.0), sizes=(4, 50), seeds=1, targets=("t",))
    losses = table.target("t")
    worst = losses[np.argmax(table.weights[:, 0])] - losses.min()
    assert_allclose(made.predictor_regret, worst)
    # with every run measured the pick is the lowest measurement, whatever the law says
    assert made.regret[0, 0, 1] == 0


def test_runs_are_never_used_twice_and_seeds_repeat(table):
    one = replay(table, law=Oracle(), first=4, batch=3, total=50, seeds=1, targets=("t",))
    two = replay(table, law=Oracle(), first=4, batch=3, total=50, seeds=1, targets=("t",))
    assert one.runs[-1] == 50
    assert one.regret[0, 0, -1] == 0
    assert (one.regret == two.regret).all()


def test_table_and_runs_to():
    regret = np.array([[[0.3, 0.05, 0.2, 0.0]], [[0.1, 0.05, 0.0, 0.0]]])
    made = Replay("sequential", np.array([4, 8, 12, 16]), regret, regret, ("t",))
    rows = made.rows()
    assert [r["runs"] for r in rows] == [4, 8, 12, 16]
    assert_allclose([r["regret"] for r in rows], [0.2, 0.05, 0.1, 0.0])
    assert_allclose(rows[0]["regret_seed_sd"], np.std([0.3, 0.1], ddof=1))
    assert made.runs_to(0.05) == 16  # 8 runs reach it, but 12 do not keep it
    assert made.runs_to(0.1) == 8
    assert made.runs_to(-1.0) is None


def test_impossible_sizes_are_refused(table):
    with pytest.raises(BadInput, match="first runs"):
        replay(table, law=Oracle(), first=10, total=5)


@pytest.mark.slow
def test_32_chosen_runs_lose_less_than_160_random_ones():
    """On the 512 published runs, 13 targets, for runs drawn at random with the same law."""
    from ecotone.data.published import regmix_runs
    from ecotone.mix.effective_data import EffectiveData

    law, runs = EffectiveData(starts=2), regmix_runs()
    chosen = replay(runs, law=law, total=32, seeds=1)
    drawn = random_runs(runs, law=law, sizes=(32, 160), seeds=2)
    assert chosen.regret[..., -1].mean() < drawn.regret[..., 1].mean()
    assert chosen.regret[..., -1].mean() < 0.2 * drawn.regret[..., 0].mean()
