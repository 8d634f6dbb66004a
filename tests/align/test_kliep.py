from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from ecotone.align import KLIEP, SourceOnly
from ecotone.align.kliep import most_likely, nearest_shares
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def sides(n, d, shift, seed=0):
    """Rows N(0, I) and N(shift along the first axis, I), and the true ratio at the source's."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    X[n:, 0] += shift
    ratio = np.exp(shift * X[:n, 0] - shift**2 / 2)
    return X, rng.integers(2, size=2 * n), np.repeat([1, -2], n), ratio


def test_reaches_the_optimum_of_a_general_solver():
    n = 200
    X, y, domain, _ = sides(n, 2, 1.0)
    fitted = KLIEP(gamma=0.3, n_centres=20).fit(X, y, domain)
    A = np.exp(-0.3 * cdist(X[n:], fitted.centres_, "sqeuclidean"))
    b = np.exp(-0.3 * cdist(X[:n], fitted.centres_, "sqeuclidean")).mean(axis=0)
    best = minimize(
        lambda a: -np.log(np.maximum(A @ a, 1e-300)).mean(),
        np.full(20, 1 / b.sum()),
        jac=lambda a: -A.T @ (1 / (A @ a)) / n,
        bounds=[(0, None)] * 20,
        constraints={"type": "eq", "fun": lambda a: b @ a - 1, "jac": lambda a: b},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    alpha = fitted.coefficients_
    assert fitted.objective_ >= -best.fun - 1e-4
    assert_allclose(np.log(A @ alpha).mean(), fitted.objective_, rtol=1e-10)
    assert_allclose(b @ alpha, 1.0, atol=1e-10)
    assert_allclose(fitted.weights_[:n].mean(), 1.0, atol=1e-10)


def test_the_gradient_is_level_where_shares_are_above_0():
    B = np.random.default_rng(0).gamma(0.5, size=(300, 12))
    found = most_likely(B, tol=1e-10)
    slope = B.T @ (1 / (B @ found.shares)) / len(B)
    assert_allclose(slope[found.shares > 1e-6], 1.0, atol=1e-3)
    assert slope.max() <= 1 + 1e-7
    rough = most_likely(B, tol=1e-2)
    assert 0 <= found.likelihood - rough.likelihood <= rough.gap


def test_the_nearest_shares_are_those_of_a_search():
    rng = np.random.default_rng(1)
    some = rng.dirichlet(np.ones(3), 200_000)
    for _ in range(5):
        v = 2 * rng.normal(size=3)
        near = nearest_shares(v)
        assert_allclose(near.sum(), 1.0)
        best = ((some - v) ** 2).sum(axis=1).min()
        assert ((near - v) ** 2).sum() <= best + 1e-12
        assert ((near - v) ** 2).sum() >= best - 0.05


def test_weights_are_the_right_way_round():
    correlation = []
    for seed in range(5):
        X, y, domain, ratio = sides(600, 1, 1.0, seed)
        w = KLIEP().fit(X, y, domain).weights_[:600]
        assert spearmanr(w, ratio)[0] >= 0.95
        correlation.append(np.corrcoef(w, ratio)[0, 1])
        assert abs(w @ X[:600, 0] / 600 - 1) < 0.15
        if seed:
            continue
        back = KLIEP().fit(X, y, np.where(domain > 0, -1, 2)).log_ratio(X[:600])
        assert spearmanr(back, 1 / ratio)[0] >= 0.9
    assert np.median(correlation) > 0.95


def test_the_width_is_nearly_as_good_as_one_chosen_by_fresh_rows():
    def gain(fitted, rng):  # of likelihood, with the level of fresh source rows
        here, there = (fitted.log_ratio(rng.normal(c, 1, (5000, 1))) for c in (0, 1))
        return there.mean() - np.log(np.exp(here).mean())

    lost, steps = [], []
    for seed in range(6):
        X, y, domain, _ = sides(300, 1, 1.0, seed)
        fitted = KLIEP().fit(X, y, domain)
        rng = [np.random.default_rng(100 + seed) for _ in range(10)]
        found = [gain(KLIEP(gamma=g).fit(X, y, domain), rng.pop()) for g in fitted.likelihoods_]
        lost.append(max(found) - gain(fitted, rng.pop()))
        steps.append(abs(list(fitted.likelihoods_).index(fitted.gamma_) - np.argmax(found)))
    assert np.mean(lost) < 0.02
    assert max(lost) < 0.1
    assert np.median(steps) <= 1


def test_nothing_moved_nothing_weighed():
    for d in (2, 10):
        X, y, domain, _ = sides(400, d, 0.0)
        assert KLIEP().fit(X, y, domain).effective_ > 0.9 * 400


def test_helps_a_linear_model_of_a_curve():
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = np.r_[rng.normal(0.5, 0.5, 300), rng.normal(0, 0.3, 300)]
        truth = x**3 - x
        domain = np.repeat([1, -2], 300)
        y = np.where(domain > 0, truth + 0.1 * rng.normal(size=600), np.nan)
        errors = [
            np.mean((m.fit(x[:, None], y, domain).predict(x[300:, None]) - truth[300:]) ** 2)
            for m in (KLIEP(Ridge(1e-6)), SourceOnly(Ridge(1e-6)))
        ]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 0.7


def test_does_not_help_under_a_concept_shift():
    gain = []
    for seed in range(5):
        made = made_shift("concept", n=200, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (KLIEP(), SourceOnly())]
        gain.append(fits[0].score(*made.target) - fits[1].score(*made.target))
    assert abs(np.mean(gain)) <= 0.01


def test_sees_half_of_a_shift_among_twenty_features():
    X, y, domain, _ = sides(600, 20, 1.0)
    w = KLIEP().fit(X, y, domain).weights_[:600]
    assert 0.2 < w @ X[:600, 0] / 600 < 0.7


def test_fault_2_it_climbs_to_the_top(skada):
    from skada import KLIEPReweightAdapter

    rng, n = np.random.default_rng(0), 500
    X = np.vstack([rng.normal(size=(n, 50)), rng.normal(size=(n, 50)) * 1.1 + 0.2])
    domain = np.repeat([1, -2], n)
    fitted = KLIEP(gamma=0.02).fit(X, np.arange(2 * n) % 2, domain)
    assert 0 <= fitted.gap_ <= 1e-4
    peer = KLIEPReweightAdapter(gamma=0.02, random_state=0).fit(X, sample_domain=domain)
    A = np.exp(-0.02 * cdist(X[n:], peer.centers_, "sqeuclidean"))
    b = np.exp(-0.02 * cdist(X[:n], peer.centers_, "sqeuclidean")).mean(axis=0)
    theirs = np.log(A @ peer.alpha_ / (b @ peer.alpha_)).mean()
    best = most_likely(A / b, tol=1e-6).likelihood
    assert fitted.objective_ > theirs + 0.03
    assert theirs < best - 0.03  # to be dropped when the peer mends it


def test_fault_3_a_grid_of_any_widths_gives_finite_weights():
    rng, grid = np.random.default_rng(0), [0.0001, 0.01, 1.0, 100.0, 1000.0]
    X = rng.normal(size=(400, 50))
    X[200:] += 0.2
    fitted = KLIEP(gamma=grid).fit(X, np.arange(400) % 2, np.repeat([1, -2], 200))
    assert np.isfinite(fitted.weights_).all()
    assert fitted.gamma_ <= 0.01
    assert fitted.likelihoods_[1000.0] == -np.inf
    assert not np.isnan(list(fitted.likelihoods_.values())).any()
    with pytest.raises(BadInput, match="no source row lies near") as error:
        KLIEP(gamma=1000.0).fit(X, np.arange(400) % 2, np.repeat([1, -2], 200))
    assert "gamma=None" in error.value.cure


def test_weights_are_finite_in_500_dimensions():
    for shift in (0.0, 1.0, 30.0):
        X, y, domain, _ = sides(100, 500, shift)
        fitted = KLIEP().fit(X, y, domain)
        assert np.isfinite(fitted.weights_).all()
        assert np.isfinite(fitted.predict_proba(X)).all()


def test_what_cannot_be_done_is_refused():
    X, y, domain, _ = sides(20, 2, 0.5)
    for wrong in ({"gamma": 0.0}, {"gamma": [1.0, -1.0]}, {"n_centres": 0}, {"cv": 1}, {"tol": 0}):
        with pytest.raises(BadInput) as error:
            KLIEP(**wrong).fit(X, y, domain)
        assert error.value.cure
