from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from ecotone.align import LinearOT, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def accuracy(method, kind, seed):
    made = made_shift(kind, n=300, seed=seed)
    return method.fit(made.X, made.y, made.sample_domain).score(*made.target)


def gain(kind):
    return np.mean(
        [accuracy(PerDomainScaler(), kind, s) - accuracy(SourceOnly(), kind, s) for s in range(5)]
    )


def two_sources():
    made = made_shift("affine", n=100)
    domain, X = made.sample_domain.copy(), made.X.copy()
    second = np.flatnonzero(domain > 0)[::2]
    domain[second] = 3
    X[second] = 5 * X[second] + 7
    return X, made.y, domain


def test_every_domain_has_mean_0_and_spread_1():
    X, y, domain = two_sources()
    X[domain == 3, 1] = 1 / 3  # its mean differs from it by rounding
    Z = PerDomainScaler().fit(X, y, domain).features(X, domain)
    for number in (1, 3, -2):
        spread = np.where(np.arange(5) == 1, number != 3, 1.0)
        assert_allclose(Z[domain == number].mean(axis=0), 0, atol=1e-12)
        assert_allclose(Z[domain == number].std(axis=0), spread)
    assert_array_equal(Z[domain == 3, 1], 0)


def test_units_are_irrelevant():
    X, y, domain = two_sources()
    new = X.copy()
    for number in (1, 3, -2):
        rng = np.random.default_rng(number + 10)
        at = domain == number
        new[at] = X[at] * rng.uniform(0.01, 100, 5) + rng.normal(size=5)
    fits = (PerDomainScaler().fit(rows, y, domain).predict_proba(rows, domain) for rows in (X, new))
    one, two = fits
    assert_allclose(one, two, atol=1e-6)


def test_a_weight_of_two_is_a_row_twice():
    X, y, domain = two_sources()
    weight = np.where((domain > 0) & (X[:, 0] > 0), 2, 1)
    twice = np.repeat(np.arange(len(X)), weight)
    one = PerDomainScaler().fit(X, y, domain, sample_weight=weight)
    two = PerDomainScaler().fit(X[twice], y[twice], domain[twice])
    assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-4)


def test_helps_under_a_location_scale_shift():
    assert gain("location_scale") >= 0.2


def test_leaves_mixed_features_mixed():
    best = [accuracy(LinearOT(), "affine", s) for s in range(5)]
    ours = [accuracy(PerDomainScaler(), "affine", s) for s in range(5)]
    assert np.mean(ours) <= np.mean(best) - 0.02


def test_hurts_under_a_label_shift():
    assert gain("label") <= -0.2


def test_regression_where_the_target_has_another_unit():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(200, 3)), np.repeat([1, -2], 100)
    truth = X @ [1.0, 2.0, 3.0]
    X[100:] = 40 + 10 * X[100:]
    y = np.where(domain > 0, truth, np.nan)
    fitted = PerDomainScaler(Ridge()).fit(X, y, domain)
    assert fitted.score(X[100:], truth[100:]) > 0.9


def test_a_source_domain_it_has_not_seen_is_refused():
    X, y, domain = two_sources()
    with pytest.raises(BadInput, match="no row of source domain 9 was seen"):
        PerDomainScaler().fit(X, y, domain).features(X[:2], [9, 9])
