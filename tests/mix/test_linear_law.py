from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear


def test_equals_two_other_least_squares(five):
    W, L = five
    ours = LinearLaw().fit(W[:400], L[:400]).predict(W[400:])
    assert_allclose(ours, LinearRegression().fit(W[:400], L[:400]).predict(W[400:]), rtol=1e-9)
    ones = np.ones((512, 1))
    t = np.linalg.lstsq(np.hstack([ones, W])[:400], L[:400], rcond=None)[0]
    assert_allclose(ours, (np.hstack([ones, W]) @ t)[400:], rtol=1e-9)


def test_published_five_fold_rank_correlation(five):
    # 85.1 x 100 is what ordinary least squares gave on these rows when measured elsewhere
    W, L = five
    guess = np.empty_like(L)
    for a, b in KFold(5, shuffle=True, random_state=0).split(W):
        guess[b] = LinearLaw().fit(W[a], L[a]).predict(W[b])
    rho = np.mean([spearmanr(g, y)[0] for g, y in zip(guess.T, L.T, strict=True)])
    assert abs(100 * rho - 85.14) < 0.2


def test_recovers_a_linear_law():
    rng = np.random.default_rng(0)
    W = rng.dirichlet(np.ones(4), 12)
    t = np.array([4.0, 3.0, 2.0, 5.0])
    law = LinearLaw().fit(W, W @ t)
    assert_allclose(law.predict(np.eye(4)), t, rtol=1e-9)


def test_twins_share_equally():
    rng = np.random.default_rng(1)
    W = rng.dirichlet(np.ones(3), 12)
    split = np.column_stack([W[:, 0] / 2, W[:, 0] / 2, W[:, 1:]])
    law = LinearLaw().fit(split, W @ [4.0, 3.0, 2.0])
    assert_allclose(law.coef_[0, 0], law.coef_[0, 1], rtol=1e-9)


def test_loses_where_losses_bend(ranks):
    # must not help: published losses are steep near a share of 0
    assert ranks(LinearLaw(), 200) < ranks(LogLinear(), 200) - 0.08
