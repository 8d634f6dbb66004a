from __future__ import annotations

import sys

import lightgbm
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import spearmanr
from sklearn.model_selection import KFold

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.mix._law import canonical_order
from ecotone.mix.boosted_trees import BoostedTrees, make_regressor
from ecotone.mix.linear_law import LinearLaw


def test_equals_the_published_recipe_on_many_rows(five):
    W, L = five
    plain = lightgbm.LGBMRegressor(
        n_estimators=1000, learning_rate=0.01, n_jobs=1, verbose=-1, force_row_wise=True
    )
    order = canonical_order(W[:400])
    theirs = plain.fit(W[:400, order], L[:400, 0]).predict(W[400:, order])
    assert_array_equal(BoostedTrees().fit(W[:400], L[:400, 0]).predict(W[400:]), theirs)


def test_published_rank_correlation_of_one_target(five):
    W, L = five
    y, guess = L[:, 0], np.empty(512)
    for a, b in KFold(5, shuffle=True, random_state=0).split(W):
        guess[b] = BoostedTrees().fit(W[a], y[a]).predict(W[b])
    assert spearmanr(guess, y)[0] > 0.98


@pytest.mark.slow
def test_published_rank_correlation_of_five_targets(five):
    W, L = five
    guess = np.empty_like(L)
    for a, b in KFold(5, shuffle=True, random_state=0).split(W):
        guess[b] = BoostedTrees().fit(W[a], L[a]).predict(W[b])
    rho = np.mean([spearmanr(g, y)[0] for g, y in zip(guess.T, L.T, strict=True)])
    assert abs(100 * rho - 99.17) < 0.2
    assert np.mean((guess - L) ** 2) == pytest.approx(0.0105, abs=5e-4)


def test_few_rows_do_not_give_a_constant(five, ranks):
    W, L = five
    default = lightgbm.LGBMRegressor(verbose=-1, n_jobs=1).fit(W[:20], L[:20, 0])
    assert np.ptp(default.predict(W)) == 0
    assert ranks(BoostedTrees(), 20, draws=1) > 0.6


@pytest.mark.parametrize("recipe", ["long", "early_stop"])
def test_helps_over_a_line_with_published_runs(ranks, recipe):
    law = BoostedTrees(recipe=recipe)
    assert ranks(law, 60, draws=1) > ranks(LinearLaw(), 60, draws=1) + 0.1


def test_early_stop_stops_sooner_when_there_is_nothing_to_learn(five):
    W, L = five
    W, y = W[:150], L[:150, 0]
    noise = np.random.default_rng(0).permutation(y)
    rounds = [
        BoostedTrees(recipe="early_stop").fit(W, v).trees_[0].n_estimators for v in (y, noise)
    ]
    assert rounds[1] < rounds[0] / 3


def test_never_leaves_the_range_of_the_losses_seen():
    # must not help: the best mixture lies beyond the runs, and trees cannot go there
    rng = np.random.default_rng(0)
    W = rng.dirichlet(np.full(3, 8.0), 100)
    y = 5 - 3 * W[:, 0]
    law = BoostedTrees().fit(W, y)
    best = law.predict([[1.0, 0.0, 0.0]])[0]
    assert best >= y.min()
    assert best > 2.0 + 0.5  # the truth is 2
    assert LinearLaw().fit(W, y).predict([[1.0, 0.0, 0.0]])[0] == pytest.approx(2.0)


def test_shuffled_published_losses_are_not_predicted(five):
    W, L = five
    y = np.random.default_rng(1).permutation(L[:, 0])
    guess = np.empty(512)
    for a, b in KFold(5, shuffle=True, random_state=0).split(W):
        guess[b] = make_regressor(len(a), rounds=300).fit(W[a], y[a]).predict(W[b])
    assert abs(spearmanr(guess, y)[0]) < 0.15


def test_unknown_recipe(five):
    W, L = five
    with pytest.raises(BadInput, match="short") as error:
        BoostedTrees(recipe="short").fit(W[:30], L[:30])
    assert "early_stop" in error.value.cure


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra) as error:
        make_regressor(20)
    assert "ecotone[trees]" in error.value.cure
