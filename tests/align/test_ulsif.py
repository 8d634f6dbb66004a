from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.stats import norm, spearmanr
from sklearn.linear_model import Ridge

from ecotone.align import ULSIF, SourceOnly
from ecotone.align.ulsif import left_out_loss
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def sides(n, d, shift, seed=0):
    """Rows N(0, I) and N(shift along the first axis, I), and the true ratio at the source's."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    X[n:, 0] += shift
    ratio = np.exp(shift * X[:n, 0] - shift**2 / 2)
    return X, rng.integers(2, size=2 * n), np.repeat([1, -2], n), ratio


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5])
def test_solves_the_normal_equations(alpha):
    n = 100
    X, y, domain, _ = sides(n, 2, 1.0)
    fitted = ULSIF(alpha=alpha, gamma=0.5, ridge=0.1, n_centres=10).fit(X, y, domain)
    S, T = (np.exp(-0.5 * cdist(Z, fitted.centres_, "sqeuclidean")) for Z in (X[:n], X[n:]))
    loss = (1 - alpha) * S.T @ S / n + alpha * T.T @ T / n + 0.1 * np.eye(10)
    free = np.linalg.inv(loss) @ T.mean(axis=0)
    assert_allclose(fitted.coefficients_, np.maximum(free, 0), atol=1e-10)
    assert_allclose(fitted.log_ratio(X[n:]), np.log(T @ fitted.coefficients_), rtol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_leaving_rows_out_in_closed_form_is_refitting(alpha):
    rng = np.random.default_rng(0)
    S, T, ridge = rng.random((15, 6)), rng.random((11, 6)) + np.linspace(0, 1, 6), 0.05

    def fit(S, T):
        H = (1 - alpha) * S.T @ S / len(S) + alpha * T.T @ T / len(T) + ridge * np.eye(6)
        return np.maximum(np.linalg.solve(H, T.mean(axis=0)), 0)

    ws = np.array([S[i] @ fit(np.delete(S, i, axis=0), T) for i in range(15)])
    wt = np.array([T[j] @ fit(S, np.delete(T, j, axis=0)) for j in range(11)])
    slow = (1 - alpha) / 2 * (ws**2).mean() + alpha / 2 * (wt**2).mean() - wt.mean()
    assert_allclose(left_out_loss(S, T, ridge, alpha), slow, rtol=1e-9)
    assert (fit(S, T) == 0).any()  # the cut at 0 is part of what is left out


def test_weights_are_the_right_way_round():
    for seed in range(5):
        X, y, domain, ratio = sides(600, 1, 1.0, seed)
        for alpha, least in ((0.0, 0.75), (0.1, 0.6)):
            w = ULSIF(alpha=alpha).fit(X, y, domain).weights_[:600]
            assert spearmanr(w, ratio)[0] >= 0.95
            assert least < w @ X[:600, 0] / 600 < 1.15
    back = ULSIF().fit(X, y, np.where(domain > 0, -1, 2)).log_ratio(X[:600])
    assert spearmanr(back, 1 / ratio)[0] >= 0.9


def test_the_relative_ratio_is_bounded_and_near_the_truth():
    X, y, domain, _ = sides(1000, 1, 2.0)
    grid = np.linspace(-2, 4, 25)
    for alpha in (0.1, 0.5):
        fitted = ULSIF(alpha=alpha).fit(X, y, domain)
        w = np.exp(fitted.log_ratio(grid[:, None]))
        there, here = norm.pdf(grid, 2), norm.pdf(grid)
        truth = there / (alpha * there + (1 - alpha) * here)
        assert w.max() <= 1.15 / alpha
        assert np.abs(w - truth).mean() < 0.1 / alpha


def test_the_choice_is_nearly_as_good_as_one_by_fresh_rows():
    def loss(fitted, rng):
        here, there = (np.exp(fitted.log_ratio(rng.normal(c, 1, (5000, 1)))) for c in (0, 1))
        return (here**2).mean() / 2 - there.mean()

    lost = []
    for seed in range(4):
        X, y, domain, _ = sides(300, 1, 1.0, seed)
        fitted = ULSIF().fit(X, y, domain)
        assert len(fitted.losses_) == 45
        found = [
            loss(ULSIF(gamma=g, ridge=r).fit(X, y, domain), np.random.default_rng(seed + 100))
            for g, r in fitted.losses_
        ]
        lost.append(loss(fitted, np.random.default_rng(seed + 100)) - min(found))
    assert np.median(lost) < 0.12  # one draw of four loses half: the loss has a heavy tail


def test_nothing_moved_nothing_weighed():
    for d in (2, 10):
        X, y, domain, _ = sides(400, d, 0.0)
        assert ULSIF().fit(X, y, domain).effective_ > 0.9 * 400


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_helps_a_linear_model_of_a_curve(alpha):
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = np.r_[rng.normal(0.5, 0.5, 300), rng.normal(0, 0.3, 300)]
        truth = x**3 - x
        domain = np.repeat([1, -2], 300)
        y = np.where(domain > 0, truth + 0.1 * rng.normal(size=600), np.nan)
        errors = [
            np.mean((m.fit(x[:, None], y, domain).predict(x[300:, None]) - truth[300:]) ** 2)
            for m in (ULSIF(Ridge(1e-6), alpha=alpha), SourceOnly(Ridge(1e-6)))
        ]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 0.7


def test_does_not_help_under_a_concept_shift():
    gain = []
    for seed in range(5):
        made = made_shift("concept", n=200, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (ULSIF(), SourceOnly())]
        gain.append(fits[0].score(*made.target) - fits[1].score(*made.target))
    assert abs(np.mean(gain)) <= 0.01


def test_sees_a_third_of_a_shift_among_twenty_features():
    X, y, domain, _ = sides(600, 20, 1.0)
    w = ULSIF().fit(X, y, domain).weights_[:600]
    assert 0.1 < w @ X[:600, 0] / 600 < 0.5


def test_weights_are_finite_in_500_dimensions():
    for shift in (0.0, 1.0, 30.0):
        X, y, domain, _ = sides(100, 500, shift)
        fitted = ULSIF().fit(X, y, domain)
        assert np.isfinite(fitted.weights_).all()
        assert np.isfinite(fitted.predict_proba(X)).all()


def test_what_cannot_be_done_is_refused():
    X, y, domain, _ = sides(20, 2, 0.5)
    for wrong in ({"alpha": 1.0}, {"ridge": 0.0}, {"gamma": -1.0}, {"n_centres": 0}):
        with pytest.raises(BadInput) as error:
            ULSIF(**wrong).fit(X, y, domain)
        assert error.value.cure
