from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import SourceOnly
from ecotone.data.shifts import made_shift


def test_is_the_plain_estimator():
    made = made_shift("affine", n=80)
    at = made.sample_domain > 0
    plain = LogisticRegression(max_iter=1000).fit(made.X[at], made.truth[at])
    ours = SourceOnly().fit(made.X, made.y, made.sample_domain)
    assert_array_equal(ours.predict_proba(made.X), plain.predict_proba(made.X))


def test_is_the_plain_regressor():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(60, 3)), np.repeat([1, 3, -2], 20)
    y = np.where(domain > 0, X @ [1.0, 2.0, 3.0], np.nan)
    ours = SourceOnly(Ridge()).fit(X, y, domain)
    assert_array_equal(ours.predict(X), Ridge().fit(X[:40], y[:40]).predict(X))


def test_falls_when_the_target_moves():
    def accuracy(size):
        made = made_shift("affine", n=400, size=size)
        return SourceOnly().fit(made.X, made.y, made.sample_domain).score(*made.target)

    assert accuracy(0.0) > accuracy(0.5) + 0.02 > accuracy(1.0) + 0.04
