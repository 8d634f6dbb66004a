from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB

from ecotone.align import Prototypes, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def gains(kind, seeds=5, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=300, seed=seed)
        fits = [
            m.fit(made.X, made.y, made.sample_domain) for m in (Prototypes(**params), SourceOnly())
        ]
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return float(np.mean(out))


def test_heads_alone_are_a_normalised_head():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = np.argmax(X[:, :3], axis=1)
    fitted = Prototypes().fit(X, y).adapt(X)
    W = LogisticRegression(max_iter=1000).fit(X, y).coef_
    heads = fitted._heads()
    assert_allclose(heads, W / np.linalg.norm(W, axis=1, keepdims=True), atol=1e-6)
    # a class that no target row is taken for has its head alone
    lone = fitted.adapt(X[fitted.source_estimator_.predict(X) < 2])
    assert_array_equal(lone.counts_, [20, 20, 0])
    assert_allclose(lone.prototypes_[2], lone._heads()[2], atol=1e-12)


def test_prototypes_by_hand():
    made = made_shift("affine", n=200)
    at = made.sample_domain < 0
    fitted = Prototypes(GaussianNB(), supports=7)
    fitted.fit(made.X, made.y, made.sample_domain)
    rows = made.X[at]
    p = GaussianNB().fit(made.X[~at], made.truth[~at]).predict_proba(rows)
    Z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    U = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    uncertain = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)
    for k in range(3):
        mine = np.flatnonzero(p.argmax(axis=1) == k)
        mine = mine[np.argsort(uncertain[mine])][:7]
        total = U[mine].sum(axis=0)
        assert_allclose(fitted.prototypes_[k], total / np.linalg.norm(total), atol=1e-10)
    assert_allclose(np.linalg.norm(fitted.prototypes_, axis=1), 1)
    assert_array_equal(fitted.predict(rows), (U @ fitted.prototypes_.T).argmax(axis=1))
    assert_array_equal(fitted.predict(rows), fitted.predict_proba(rows).argmax(axis=1))


def test_supports_are_limited_and_without_order():
    made = made_shift("location_scale", n=150)
    at = made.sample_domain > 0
    target = made.X[~at]
    one = Prototypes(supports=5).fit(made.X[at], made.truth[at]).adapt(target)
    two = Prototypes(supports=5).fit(made.X[at], made.truth[at]).adapt(target[::-1])
    assert one.counts_.max() <= 5
    assert_allclose(one.prototypes_, two.prototypes_, atol=1e-12)
    assert Prototypes(supports=0).fit(made.X, made.y, made.sample_domain).counts_.sum() == 150


def test_helps_where_features_moved():
    assert gains("location_scale") >= 0.1
    rows, truth = load_digits(return_X_y=True)
    X, images = rows / 16, rows[900:].reshape(-1, 8, 8) / 16
    X[900:] = rotate(images, 15, axes=(1, 2), reshape=False, order=1).reshape(-1, 64)
    domain = np.where(np.arange(len(X)) < 900, 1, -2)
    ours, plain = (m.fit(X, truth, domain) for m in (Prototypes(), SourceOnly()))
    assert ours.score(X[900:], truth[900:]) >= plain.score(X[900:], truth[900:]) + 0.1


def test_hurts_under_a_label_shift():
    assert gains("label") <= -0.2


def test_no_help_at_chance():
    made = made_shift("none", n=200)
    target, found = made.sample_domain < 0, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.where(made.sample_domain > 0, rng.integers(3, size=400), -1)
        fitted = Prototypes().fit(made.X, y, made.sample_domain)
        found.append(fitted.score(made.X[target], made.truth[target]))
    assert abs(np.mean(found) - 1 / 3) < 0.1


def test_two_classes_and_bad_input():
    made = made_shift("subspace", n=100)
    fitted = Prototypes().fit(made.X, made.y, made.sample_domain)
    f = fitted.decision_function(made.X)
    assert_array_equal(fitted.predict(made.X), (f > 0).astype(int))
    with pytest.raises(BadInput, match="Ridge is a regressor"):
        Prototypes(Ridge()).fit(made.X, made.truth * 1.0, made.sample_domain)
    with pytest.raises(BadInput, match="temperature is 0"):
        Prototypes(temperature=0).fit(made.X, made.y, made.sample_domain)
