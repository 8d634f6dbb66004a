from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.align import CORAL, SourceOnly
from ecotone.core.errors import TooFewRows
from ecotone.data.shifts import made_shift


def accuracies(kind, seed, **params):
    made = made_shift(kind, n=300, seed=seed)
    fits = (m.fit(made.X, made.y, made.sample_domain) for m in (CORAL(**params), SourceOnly()))
    return [f.score(*made.target) for f in fits]


def test_moments_agree():
    made = made_shift("affine", n=200)
    fitted = CORAL(shrinkage=0).fit(made.X, made.y, made.sample_domain)
    at = made.sample_domain > 0
    moved = fitted.features(made.X, made.sample_domain)
    target = made.X[~at]
    assert_allclose(moved[at].mean(axis=0), target.mean(axis=0), atol=1e-10)
    assert_allclose(np.cov(moved[at].T), np.cov(target.T), atol=1e-8)
    assert_allclose(moved[~at], target)


def test_every_source_is_moved_by_itself():
    made = made_shift("affine", n=200)
    domain = made.sample_domain.copy()
    X = made.X.copy()
    second = np.flatnonzero(domain > 0)[::2]
    domain[second] = 3
    X[second] = 5 * X[second] + 7
    moved = CORAL(shrinkage=0).fit(X, made.y, domain).features(X, domain)
    for number in (1, 3):
        assert_allclose(np.cov(moved[domain == number].T), np.cov(X[domain < 0].T), atol=1e-8)


def test_identical_domains_stay_where_they_are():
    rows = made_shift("none", n=100).X
    X, domain = np.vstack([rows, rows]), np.repeat([1, -2], len(rows))
    moved = CORAL(shrinkage=0).fit(X, np.arange(len(X)) % 2, domain).features(X, domain)
    assert_allclose(moved, X, atol=1e-8)


def test_helps_under_a_linear_shift():
    gain = [np.subtract(*accuracies("affine", s)) for s in range(5)]
    assert np.mean(gain) >= 0.05


def test_hurts_under_a_label_shift():
    gain = [np.subtract(*accuracies("label", s)) for s in range(5)]
    assert np.mean(gain) <= -0.2


def test_fewer_rows_than_features_need_shrinkage():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(12, 10)), np.repeat([1, -2], 6)
    y = np.tile([0, 1], 6)
    with pytest.raises(TooFewRows, match="6 source rows do not give") as error:
        CORAL(shrinkage=0).fit(X, y, domain)
    assert error.value.cure == "shrinkage=1e-3"
    assert np.isfinite(CORAL().fit(X, y, domain).predict_proba(X)).all()
