from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPRegressor

from ecotone.align import CMixup, SourceOnly
from ecotone.align._partners import near_classes, near_values
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def net(epochs):
    return MLPRegressor(
        hidden_layer_sizes=64,
        max_iter=epochs,
        n_iter_no_change=1000,
        random_state=0,
        learning_rate_init=0.01,
    )


def test_partners_have_the_stated_frequencies():
    rng = np.random.default_rng(0)
    y = np.r_[rng.normal(size=40), rng.normal(6, 0.1, 20), [0.0, 0.0]]
    for s in (0.3, 1.0, 4.0):
        P = np.exp(-((y[:, None] - y) ** 2) / (2 * s**2))
        P /= P.sum(axis=1, keepdims=True)
        counts = np.zeros((62, 62))
        for _ in range(2000):
            np.add.at(counts, (np.arange(62), near_values(y, s, rng)), 1)
        expected = 2000 * P
        common = expected > 5  # the chi-square law needs that many
        seen, wanted = counts[common], expected[common]
        if not common.all():
            seen = np.append(seen, counts[~common].sum())
            wanted = np.append(wanted, expected[~common].sum())
        assert chisquare(seen, wanted, ddof=61).pvalue > 0.01  # every row adds up
    assert_array_equal(y[near_values(y, 1e-9, rng)], y)
    even = np.bincount(
        np.concatenate([near_values(y, np.inf, rng) for _ in range(500)]), minlength=62
    )
    assert chisquare(even).pvalue > 0.01


def test_partners_of_classes():
    rng = np.random.default_rng(0)
    y = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    j = np.concatenate([near_classes(y, 0.8, rng) for _ in range(500)])
    same = (y[j] == np.tile(y, 500)).reshape(500, 200).mean(axis=0)
    count, other = np.bincount(y), np.exp(-1 / 0.8**2)
    for c in range(3):
        share = count[c] / (count[c] + other * (200 - count[c]))
        assert abs(same[y == c].mean() - share) < 0.01
    assert (np.bincount(j, minlength=200) > 0).all()
    assert_array_equal(y[near_classes(y, 1e-3, rng)], y)


def test_large_sets_need_no_matrix():
    y = np.random.default_rng(0).normal(size=60_000)
    j = near_values(y, 0.01, np.random.default_rng(1))
    assert np.abs(y - y[j]).max() < 0.1
    assert_allclose(np.mean((y - y[j]) ** 2), 1e-4, rtol=0.05)


def table(X, y, n):
    domain = np.where(np.arange(len(y)) < n, 1, -2)
    return X, np.where(domain > 0, y, np.nan), domain, X[n:], y[n:]


def diabetes(seed):
    X, y = load_diabetes(return_X_y=True)
    X, y = X / X.std(axis=0), (y - y.mean()) / y.std()
    order = np.random.default_rng(seed).permutation(len(y))
    return table(X[order], y[order], 200)


def jumps(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (600, 2))
    return table(X, np.sign(X[:, 0]) * 2 + np.sin(4 * X[:, 1]) + 0.2 * rng.normal(size=600), 100)


def line(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(600, 5))
    return table(X, X @ [1, 2, 3, 0, 0] + rng.normal(size=600), 60)


def error(data, method, seeds):
    out = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # networks need not converge
        for seed in range(seeds):
            X, y, domain, rows, truth = data(seed)
            guess = method.fit(X, y, domain).predict(rows)
            out.append(np.sqrt(np.mean((guess - truth) ** 2)))
    return float(np.mean(out))


def test_helps_a_network_on_diabetes_at_equal_steps():
    mixed = error(diabetes, CMixup(net(25)), 4)  # five times the rows
    assert mixed <= 0.99 * error(diabetes, SourceOnly(net(125)), 4)
    # but one that is stopped in time needs no mixing
    assert mixed >= error(diabetes, SourceOnly(net(25)), 4)


def test_where_y_jumps_it_beats_plain_mixup_but_not_the_network():
    mixed = error(jumps, CMixup(net(100)), 3)
    assert mixed <= 0.97 * error(jumps, CMixup(net(100), bandwidth=np.inf), 3)
    assert mixed >= error(jumps, SourceOnly(net(500)), 3)


def test_no_gain_for_a_line():
    plain = error(line, SourceOnly(Ridge()), 10)
    assert abs(error(line, CMixup(Ridge()), 10) / plain - 1) < 0.02


def test_hurts_neighbours_on_diabetes():
    near = KNeighborsRegressor(5)
    assert error(diabetes, CMixup(near), 10) >= 1.02 * error(diabetes, SourceOnly(near), 10)


def test_without_copies_it_is_source_only():
    made = made_shift("affine", n=80)
    ours = CMixup(copies=0).fit(made.X, made.y, made.sample_domain)
    plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
    assert_allclose(ours.predict_proba(made.X), plain.predict_proba(made.X), atol=1e-6)


def test_classes_and_bad_input():
    made = made_shift("affine", n=80)
    with pytest.raises(BadInput, match="takes no sample_weight"):
        CMixup(KNeighborsClassifier(), bandwidth=5.0).fit(made.X, made.y, made.sample_domain)
    near = CMixup(KNeighborsClassifier(), bandwidth=0.1)  # no row lies between two classes
    assert near.fit(made.X, made.y, made.sample_domain).predict(made.X).shape == (160,)
    for wrong in ({"bandwidth": 0.0}, {"alpha": 0}, {"copies": -1}):
        with pytest.raises(BadInput, match="CMixup: bandwidth"):
            CMixup(**wrong).fit(made.X, made.y, made.sample_domain)
