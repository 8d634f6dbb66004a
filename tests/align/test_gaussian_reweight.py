from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal, spearmanr
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import Ridge

from ecotone.align import GaussianReweight, SourceOnly
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift


def sides(n, d, shift, seed=0):
    """Rows N(0, I) and N(shift along the first axis, I), and the true ratio at the source's."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    X[n:, 0] += shift
    ratio = np.exp(shift * X[:n, 0] - shift**2 / 2)
    return X, rng.integers(2, size=2 * n), np.repeat([1, -2], n), ratio


@pytest.mark.parametrize("shrinkage", [None, 0.2])
def test_is_the_ratio_of_two_densities(shrinkage):
    X, y, domain, _ = sides(100, 4, 1.0)
    X[100:] *= np.array([1.0, 2.0, 0.5, 1.0])
    fitted = GaussianReweight(shrinkage=shrinkage).fit(X, y, domain)
    Z = X / np.maximum(
        np.sqrt((X[:100].var(axis=0) + X[100:].var(axis=0)) / 2),
        np.abs(X[:100].mean(axis=0) - X[100:].mean(axis=0)),
    )
    logs = []
    for S in (Z[100:], Z[:100]):
        C = np.cov(S.T, bias=True)
        C = (1 - 0.2) * C + 0.2 * np.trace(C) / 4 * np.eye(4) if shrinkage else ledoit_wolf(S)[0]
        logs.append(multivariate_normal(S.mean(axis=0), C).logpdf(Z))
    assert_allclose(fitted.log_ratio(X), logs[0] - logs[1], rtol=1e-8, atol=1e-10)


def test_weights_are_the_right_way_round():
    for seed in range(3):
        X, y, domain, ratio = sides(600, 1, 1.0, seed)
        fitted = GaussianReweight().fit(X, y, domain)
        w = fitted.weights_[:600]
        assert spearmanr(w, ratio)[0] > 0.98
        assert abs(w @ X[:600, 0] / w.sum() - 1) < 0.15
        back = GaussianReweight().fit(X, y, np.where(domain > 0, -1, 2))
        assert_allclose(back.log_ratio(X), -fitted.log_ratio(X), atol=1e-10)


def test_units_and_constant_features_change_nothing():
    X, y, domain, _ = sides(200, 3, 1.0)
    plain = GaussianReweight().fit(X, y, domain).weights_
    other = GaussianReweight().fit(X * np.array([1e-6, 1.0, 1e6]) + 5, y, domain).weights_
    assert_allclose(other, plain, rtol=1e-5)
    more = np.column_stack([X, np.full(400, 7.0), np.zeros(400)])
    assert_allclose(GaussianReweight().fit(more, y, domain).weights_, plain, rtol=1e-10)


def test_a_side_without_spread_has_finite_weights():
    X, y, domain, _ = sides(50, 2, 0.0)
    X[50:, 1] = 0.3  # one value in the target
    for change in (X, np.column_stack([X[:, 0], domain])):  # or one in each
        fitted = GaussianReweight().fit(change, y, domain)
        assert np.isfinite(fitted.weights_).all()
    assert np.isfinite(GaussianReweight().fit(np.ones_like(X), y, domain).weights_).all()


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
            for m in (GaussianReweight(Ridge(1e-6)), SourceOnly(Ridge(1e-6)))
        ]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 0.3


def test_does_not_help_under_a_concept_shift():
    gain = []
    for seed in range(5):
        made = made_shift("concept", n=200, seed=seed)
        fits = [
            m.fit(made.X, made.y, made.sample_domain) for m in (GaussianReweight(), SourceOnly())
        ]
        gain.append(fits[0].score(*made.target) - fits[1].score(*made.target))
    assert abs(np.mean(gain)) <= 0.01


def test_is_blind_to_what_no_ellipse_shows():
    # the target lies in two clumps, with the mean and variance of the source
    rng = np.random.default_rng(0)
    clumps = rng.choice([-1.0, 1.0], 400) + 0.1 * rng.normal(size=400)
    x = np.r_[rng.normal(0, np.sqrt(1.01), 400), clumps]
    fitted = GaussianReweight().fit(x[:, None], np.arange(800) % 2, np.repeat([1, -2], 400))
    assert fitted.effective_ > 0.9 * 400


def test_fault_6_weights_are_finite_where_densities_underflow(skada):
    from skada import GaussianReweightAdapter

    X, y, domain, _ = sides(700, 500, 1.0)
    X *= 10.0
    fitted = GaussianReweight().fit(X, y, domain)
    assert np.isfinite(fitted.weights_).all()
    assert fitted.weights_[:700].min() > 0
    assert_allclose(fitted.weights_[:700].mean(), 1.0)
    # to be dropped when the peer mends it
    with np.errstate(all="ignore"):
        theirs = GaussianReweightAdapter().fit(X, sample_domain=domain)
        assert not np.isfinite(theirs.compute_weights(X, sample_domain=domain)[:700]).any()


def test_the_guard_holds_where_features_outnumber_rows():
    loss = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(300, 500))
        y, domain = (X[:, 0] + X[:, 1] > 0).astype(int), np.repeat([1, -2], 150)
        fits = [m.fit(X, y, domain) for m in (GaussianReweight(), SourceOnly())]
        loss.append(fits[1].score(X[150:], y[150:]) - fits[0].score(X[150:], y[150:]))
        assert fits[0].effective_ >= 30
    assert np.mean(loss) < 0.03


def test_what_cannot_be_done_is_refused():
    X, y, domain, _ = sides(20, 2, 0.5)
    for wrong in ({"shrinkage": -0.1}, {"shrinkage": 1.5}, {"cap": 0.0}):
        with pytest.raises(BadInput) as error:
            GaussianReweight(**wrong).fit(X, y, domain)
        assert error.value.cure
    with pytest.raises(TooFewRows, match="1 target rows"):
        GaussianReweight().fit(X[:21], y[:21], domain[:21])
