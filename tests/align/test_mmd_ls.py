from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from ecotone.align import MMDLS, SourceOnly
from ecotone.align.mmd_ls import WIDTHS, Matching, embedding, frequencies
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift

STRETCH = np.array([[1.5, 0.7, 1.2], [0.8, 1.3, 1.0]])
OFFSET = np.array([[0.5, -0.5, 0.3], [-0.4, 0.6, 0.2]])


def moved_classes(seed, n=1000):
    """Two classes of equal shares, each stretched and moved in the target."""
    rng = np.random.default_rng(seed)
    y, target = np.arange(2 * n) % 2, np.arange(2 * n) >= n
    X = 0.5 * rng.normal(size=(2 * n, 3)) + 1.5 * np.eye(2, 3)[y]
    X[target] = X[target] * STRETCH[y[target]] + OFFSET[y[target]]
    return X, np.where(target, -1, y), np.where(target, -2, 1), y


def opposite(seed, n=400):
    """Two classes that move by .8 spreads in opposite directions along four of five features."""
    rng = np.random.default_rng(seed)
    y, target = np.arange(2 * n) % 2, np.arange(2 * n) >= n
    X = rng.normal(size=(2 * n, 5))
    X[:, 0] += 2.0 * y
    X[target, 1:] += np.where(y[target] == 1, 0.8, -0.8)[:, None]
    return X, np.where(target, -1, y), np.where(target, -2, 1), y


def gain(kind, seeds=4, n=300, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=n, seed=seed)
        methods = MMDLS(**params), SourceOnly()
        scores = [m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods]
        out.append(scores[0] - scores[1])
    return np.mean(out)


def test_recovers_location_and_scale():
    for seed in range(2):
        X, y, domain, truth = moved_classes(seed)
        at = domain > 0
        fitted = MMDLS(penalty=1e-4).fit(X, y, domain)
        places = X[at] * STRETCH[truth[at]] + OFFSET[truth[at]]
        moved = fitted.features(X, domain)[at]
        assert np.sqrt(((moved - places) ** 2).mean()) < 0.1
        assert np.abs(fitted.scale_[1] / STRETCH - 1).mean() < 0.1
        assert np.abs(fitted.offset_[1] - OFFSET).mean() < 0.1
        assert_allclose(moved, X[at] * fitted.scale_[1][y[at]] + fitted.offset_[1][y[at]])
        assert fitted.objectives_[1][1] < 0.1 * fitted.objectives_[1][0]


def test_the_gradient_is_right():
    rng = np.random.default_rng(0)
    S, T = rng.normal(size=(80, 3)), rng.normal(1, 2, (60, 3))
    R = rng.dirichlet([1, 1], 80)
    waves = frequencies(3, 90, 0.1, 0)
    a = rng.dirichlet(np.ones(80))
    problem = Matching(S, R, rng.normal(size=(2, 3)), a, embedding(T, waves), waves, 0.05)
    at = np.r_[rng.normal(1, 0.2, 6), rng.normal(0, 0.2, 6)]
    slope = [(problem(at + e)[0] - problem(at - e)[0]) / 0.02 for e in 0.01 * np.eye(12)]
    assert_allclose(problem(at)[1], slope, atol=2e-4)


def test_fault_12_the_kernel_is_the_one_of_squared_distances():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(40, 6)), rng.normal(1, 1, (30, 6))
    waves = frequencies(6, 6000, 0.05, 0)
    inner = (embedding(A, waves) * embedding(B, waves)).sum() / 6000
    squared = cdist(A, B, "sqeuclidean")
    true = np.mean([np.exp(-s * 0.05 * squared).mean() for s in WIDTHS])
    assert_allclose(inner, true, atol=0.005)
    wrong = np.mean([np.exp(-s * 0.05 * np.sqrt(squared)).mean() for s in WIDTHS])
    assert abs(inner - wrong) > 0.05


def test_a_large_penalty_moves_nothing():
    X, y, domain, _ = moved_classes(0, n=100)
    fitted = MMDLS(penalty=1e6).fit(X, y, domain)
    assert_allclose(fitted.features(X, domain), X, atol=1e-3)


def test_units_and_origin_are_irrelevant():
    X, y, domain, _ = opposite(0, n=150)
    unit = np.array([0.01, 1.0, 100.0, 3.0, 0.5])
    one = MMDLS().fit(X, y, domain).features(X, domain)
    two = MMDLS().fit(X * unit + 50, y, domain).features(X * unit + 50, domain)
    assert_allclose((two - 50) / unit, one, atol=0.02)


def test_helps_where_classes_move_in_opposite_directions():
    gains = []
    for seed in range(3):
        X, y, domain, truth = opposite(seed)
        at = domain < 0
        scores = [m.fit(X, y, domain).score(X[at], truth[at]) for m in (MMDLS(), SourceOnly())]
        gains.append(scores[0] - scores[1])
    assert np.mean(gains) >= 0.08


def test_no_shift_no_change():
    assert abs(gain("none", seeds=6)) < 0.01


def test_hurts_under_a_label_shift():
    assert gain("label") <= -0.2


def test_a_small_penalty_costs_accuracy_without_a_shift():
    assert gain("none", penalty=1e-4) <= -0.015


def test_new_source_rows_move_as_their_nearest():
    X, y, domain, _ = moved_classes(0, n=200)
    fitted = MMDLS().fit(X, y, domain)
    moved = fitted.features(X[:10] + 1e-9, np.ones(10, dtype=int))
    assert_allclose(moved, fitted.features(X, domain)[:10], atol=1e-6)


def test_a_regression_whose_rows_move_with_y():
    rng = np.random.default_rng(0)
    truth, domain = rng.uniform(-1, 1, 600), np.repeat([1, -2], 300)
    X = np.column_stack([truth, truth**2]) + 0.1 * rng.normal(size=(600, 2))
    X[300:, 0] = X[300:, 0] * 0.6 + 0.5
    y = np.where(domain > 0, truth, np.nan)
    plain, ours = (m(Ridge()).fit(X, y, domain) for m in (SourceOnly, MMDLS))
    at = domain < 0
    assert plain.score(X[at], truth[at]) < 0.5 < 0.8 < ours.score(X[at], truth[at])


def test_bad_parameters_have_cures():
    X, y, domain, _ = moved_classes(0, n=20)
    for wrong in ({"penalty": -1.0}, {"gamma": 0.0}, {"frequencies": 0}):
        with pytest.raises(BadInput) as error:
            MMDLS(**wrong).fit(X, y, domain)
        assert error.value.cure
