from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from ecotone.align import DiscriminatorReweight, SourceOnly
from ecotone.align._fold_lines import with_and_without_folds
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift


def moved(n=600, seed=0, *, centre=1.0, spread=1.0):
    rng = np.random.default_rng(seed)
    X = np.vstack([rng.normal(0, 1, (n, 1)), rng.normal(centre, spread, (n, 1))])
    return X, rng.integers(2, size=2 * n), np.repeat([1, -2], n)


def test_fault_1_weights_are_the_right_way_round(skada):
    from skada import DiscriminatorReweightAdapter

    X, y, domain = moved()
    x, truth = X[:600, 0], np.exp(X[:600, 0] - 0.5)
    w = DiscriminatorReweight().fit(X, y, domain).weights_[:600]
    assert spearmanr(w, truth)[0] > 0.98
    assert abs(w @ x / w.sum() - 1) < 0.15
    # to be dropped when the peer mends it
    peer = DiscriminatorReweightAdapter().fit(X, sample_domain=domain)
    theirs = peer.compute_weights(X, sample_domain=domain)[:600]
    assert spearmanr(theirs, truth)[0] < -0.98


@pytest.mark.parametrize(("n", "d"), [(1000, 20), (300, 200), (100, 300)])
def test_fits_that_share_a_curvature_are_those_of_a_general_solver(n, d):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    sign = np.where(X[:, 0] + 0.3 * rng.normal(size=n) > 0, 1.0, -1.0)
    edges = [0, n // 4, n // 2, n]
    A, penalty = np.column_stack([X, np.ones(n)]), np.append(np.ones(d), 0.0)
    lines = with_and_without_folds(A, sign, edges, penalty, tol=1e-8)
    for k in range(4):
        keep = np.r_[0 : edges[k], edges[k + 1] : n] if k < 3 else np.arange(n)
        exact = LogisticRegression(tol=1e-10, max_iter=1000, solver="newton-cholesky")
        exact.fit(X[keep], sign[keep])
        assert_allclose(lines[:, k], np.append(exact.coef_, exact.intercept_), atol=1e-5)


def test_held_out_odds_are_those_of_refitted_classifiers():
    X, y, domain = moved(100)
    ours = DiscriminatorReweight().fit(X, y, domain)
    given = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8))
    refitted = DiscriminatorReweight(discriminator=given).fit(X, y, domain)
    # the default standardises once, the pipeline in each fold
    assert_allclose(ours.weights_, refitted.weights_, rtol=0.05)


def test_the_level_of_the_ratio_is_right():
    X, y, domain = moved(2000)
    keep = np.r_[0:2000, 2000:2500]  # the target has a quarter of the rows
    fitted = DiscriminatorReweight().fit(X[keep], y[keep], domain[keep])
    at = np.linspace(-1, 2, 7)[:, None]
    fitted_level = fitted.log_ratio(at) + np.log(2000 / 500)
    assert_allclose(fitted_level, at[:, 0] - 0.5, atol=0.25)


def test_calibration_takes_back_what_was_only_overfitted():
    effective, domain = [], np.repeat([1, -2], 150)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(300, 200)), rng.integers(2, size=300)
        effective.append(DiscriminatorReweight().fit(X, y, domain).effective_ / 150)
        by_heart = LogisticRegression().fit(X, domain).predict_proba(X[:150])
        odds = by_heart[:, 0] / by_heart[:, 1]
        assert odds.sum() ** 2 / (odds @ odds) < 0.6 * 150
    assert np.mean(effective) > 0.95
    assert min(effective) > 0.85


def test_any_classifier_tells_the_sides_apart():
    X, y, domain = moved(300, centre=0.0, spread=0.3)
    forest = RandomForestClassifier(50, min_samples_leaf=20, random_state=0)
    bends = make_pipeline(PolynomialFeatures(2), LogisticRegression())
    for discriminator in (forest, bends):
        fitted = DiscriminatorReweight(discriminator=discriminator).fit(X, y, domain)
        near = np.abs(X[:300, 0]) < 0.3
        w = fitted.weights_[:300]
        assert w[near].mean() > 3 * w[~near].mean()


def test_a_linear_discriminator_is_blind_to_spread():
    X, y, domain = moved(300, centre=0.0, spread=0.3)
    assert DiscriminatorReweight().fit(X, y, domain).effective_ > 0.95 * 300


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
            for m in (DiscriminatorReweight(Ridge(1e-6)), SourceOnly(Ridge(1e-6)))
        ]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 0.7


def test_does_not_help_under_a_concept_shift():
    gain = []
    for seed in range(5):
        made = made_shift("concept", n=200, seed=seed)
        fits = [
            m.fit(made.X, made.y, made.sample_domain)
            for m in (DiscriminatorReweight(), SourceOnly())
        ]
        gain.append(fits[0].score(*made.target) - fits[1].score(*made.target))
    assert abs(np.mean(gain)) <= 0.01


def test_folds_need_rows():
    X, y, domain = moved(4)
    y[:2] = 0, 1
    with pytest.raises(TooFewRows, match="5 folds of 4 source"):
        DiscriminatorReweight().fit(X, y, domain)
    assert DiscriminatorReweight(cv=2).fit(X, y, domain).weights_.max() > 0
    with pytest.raises(BadInput, match="cv is 1"):
        DiscriminatorReweight(cv=1).fit(X, y, domain)
