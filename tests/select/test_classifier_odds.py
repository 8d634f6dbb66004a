from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import spearmanr

from ecotone.data.docs import Docs
from ecotone.select import ClassifierOdds
from ecotone.select._grams import table
from ecotone.select._tokens import tokens
from ecotone.select.classifier_odds import _joined


def test_weights_are_the_optimum(mixed):
    target, pool, _ = mixed
    model = ClassifierOdds(buckets=256, C=2.0).fit(target, pool)
    X = _joined([table(tokens(Docs.of(t)), 256) for t in (target, pool)]).toarray()
    np.testing.assert_allclose((X**2).sum(axis=1), 1)
    y = np.repeat([1.0, 0.0], [len(target), len(pool)])
    weight = np.where(y == 1, len(y) / (2 * len(target)), len(y) / (2 * len(pool)))
    error = weight * (expit(X @ model.weights_ + model.offset_) - y)
    gradient = model.weights_ + 2.0 * X.T @ error
    assert np.abs(gradient).max() < 0.01 * np.abs(model.weights_).max()
    assert abs(error.sum()) < 0.01
    np.testing.assert_allclose(model.score(pool), X[len(target) :] @ model.weights_ + model.offset_)


def test_the_best_hold_the_target_domain(mixed, share_inside):
    target, pool, inside = mixed
    assert share_inside(ClassifierOdds().fit(target, pool).score(pool), pool, inside) > 0.9


def test_length_has_no_say():
    model = ClassifierOdds().fit(["x y z"] * 9, ["u v w"] * 9)
    once, thrice = model.score(["x u", "x u x u x u"])
    assert abs(once - thrice) < 0.5 * abs(model.score(["x y z"])[0])


def test_a_target_like_the_pool_gains_nothing(same):
    target, pool, _ = same
    half = len(target) // 2
    one, two = (ClassifierOdds().fit(t, pool).score(pool) for t in (target[:half], target[half:]))
    # two targets that differ by chance alone call other documents good
    assert spearmanr(one, two).statistic < 0.5
