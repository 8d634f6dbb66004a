from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from ecotone.align import SelfTraining, SourceOnly
from ecotone.align._pseudo import balanced, estimated_prior, information, probabilities
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift


def turned(angle, seed, n=400):
    rows, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(rows))[: 2 * n]
    X, truth = rows[order] / 16, truth[order]
    images = X[n:].reshape(-1, 8, 8)
    X[n:] = rotate(images, angle, axes=(1, 2), reshape=False, order=1).reshape(n, 64)
    return X, truth, np.repeat([1, -2], n)


def gain(X, truth, domain, base=None, **params):
    target = domain < 0
    ours = SelfTraining(base, **params).fit(X, truth, domain)
    plain = SourceOnly(base).fit(X, truth, domain)
    rows, labels = X[target], truth[target]
    return ours.score(rows, labels) - plain.score(rows, labels)


def test_balanced_probabilities():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 500)
    prior = np.array([0.1, 0.2, 0.3, 0.4])
    q = balanced(p, prior)
    assert_allclose(q.mean(axis=0), prior, atol=1e-7)
    odds = (q / p) / (q / p)[:, :1]
    assert_allclose(odds, np.broadcast_to(odds[0], odds.shape), rtol=1e-7)
    certain = np.eye(4)[np.arange(400) % 4]
    assert_allclose(information(certain), -np.log(4))
    assert information(p) > -np.log(4)
    assert_allclose(information(np.eye(4)[np.zeros(9, dtype=int)]), 0)


def test_estimated_shares_are_found_under_a_label_shift():
    rng = np.random.default_rng(0)
    y = rng.choice(2, 4000, p=[0.85, 0.15])
    x = rng.normal(2.0 * y, 1)
    p = 1 / (1 + np.exp(-2 * (x - 1)))  # the posterior for equal shares
    found = estimated_prior(np.column_stack([1 - p, p]), np.array([0.5, 0.5]))
    assert_allclose(found, [0.85, 0.15], atol=0.02)


def test_adapting_later_is_the_same():
    made = made_shift("location_scale", n=150)
    at = made.sample_domain > 0
    words = np.array(["a", "b", "c"])[made.truth]
    one = SelfTraining().fit(made.X, words, made.sample_domain)
    later = SelfTraining().fit(made.X[at], words[at]).adapt(made.X[~at])
    assert_array_equal(one.predict(made.X), later.predict(made.X))
    again = one.adapt(made.X[~at])  # from the source model, not from the adapted one
    assert_array_equal(again.predict(made.X), later.predict(made.X))
    assert_allclose(later.source_shares_.sum(), 1)


def test_is_the_estimator_fitted_on_what_was_kept():
    made = made_shift("location_scale", n=150)
    fitted = SelfTraining(rounds=1).fit(made.X, made.y, made.sample_domain)
    at = made.sample_domain < 0
    source = LogisticRegression(max_iter=1000).fit(made.X[~at], made.truth[~at])
    q = balanced(source.predict_proba(made.X[at]), fitted.source_shares_)
    assert set(np.unique(fitted.labels_)) <= {-1, 0, 1, 2}
    kept = fitted.labels_ >= 0
    assert_array_equal(fitted.labels_[kept], q.argmax(axis=1)[kept])
    assert 0.3 < kept.mean() < 1


def test_helps_on_turned_digits():
    found = [gain(*turned(15, seed)) for seed in range(3)]
    assert np.mean(found) >= 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the network need not converge
        net = MLPClassifier(64, learning_rate_init=0.01, max_iter=60, random_state=0)
        assert gain(*turned(15, 0), net) >= 0.05

        def hidden(net, X):
            return np.maximum(X @ net.coefs_[0] + net.intercepts_[0], 0)

        assert gain(*turned(15, 0), net, embed=hidden) >= 0.05


def test_balance_hurts_where_classes_are_missing():
    X, truth, domain = turned(10, 0)
    kept = (domain > 0) | (truth < 2)
    two = X[kept], truth[kept], domain[kept]
    assert gain(*two) <= -0.3
    assert gain(*two, balance="uniform") <= -0.3
    assert gain(*two, balance="estimated") >= 0.0


def test_estimated_shares_fail_where_rows_moved():
    assert gain(*turned(15, 0), balance="estimated") <= -0.2


def test_a_random_model_is_not_helped():
    """What it makes of random labels is luck, in both directions."""
    made = made_shift("none", n=200)
    target, found = made.sample_domain < 0, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.where(made.sample_domain > 0, rng.integers(3, size=400), -1)
        fitted = SelfTraining().fit(made.X, y, made.sample_domain)
        found.append(fitted.score(made.X[target], made.truth[target]))
    assert abs(np.mean(found) - 1 / 3) < 0.1
    assert np.std(found) > 0.1


def test_margins_serve_and_lost_classes_keep_their_column():
    X, truth, domain = turned(10, 0)
    kept = (domain > 0) | (truth < 3)
    fitted = SelfTraining(LinearSVC(), balance="none").fit(X[kept], truth[kept], domain[kept])
    assert fitted.decision_function(X[:7]).shape == (7, 10)
    p = probabilities(fitted.estimator_, X[:7], 10)
    assert_allclose(p.sum(axis=1), 1)


def test_bad_input():
    made = made_shift("none", n=30)
    y = np.where(made.sample_domain > 0, made.truth, np.nan)
    with pytest.raises(BadInput, match="Ridge is a regressor") as error:
        SelfTraining(Ridge()).fit(made.X, y, made.sample_domain)
    assert "CORAL" in error.value.cure
    with pytest.raises(BadInput, match="balance is 'even'"):
        SelfTraining(balance="even").fit(made.X, made.y, made.sample_domain)
    with pytest.raises(BadInput, match="no model yet"):
        SelfTraining().adapt(made.X)
    with pytest.raises(TooFewRows):
        SelfTraining().fit(made.X, made.truth).adapt(made.X[:2])
