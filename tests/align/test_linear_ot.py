from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import CORAL, LinearOT, SourceOnly
from ecotone.core.errors import TooFewRows
from ecotone.data.shifts import made_shift


def gain(kind, seed, **params):
    made = made_shift(kind, n=300, seed=seed)
    fits = (m.fit(made.X, made.y, made.sample_domain) for m in (LinearOT(**params), SourceOnly()))
    return np.subtract(*(f.score(*made.target) for f in fits))


def sides(n=200, m=150, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = np.vstack(
        [rng.normal(size=(n, d)) @ rng.normal(size=(d, d)), 2 + rng.normal(size=(m, d)) ** 3]
    )
    return X, np.arange(n + m) % 2, np.repeat([1, -2], [n, m])


def test_closed_form():
    X, y, domain = sides()
    at = domain > 0
    moved = LinearOT(shrinkage=0).fit(X, y, domain)
    A = moved.moves_[1].matrix
    rows = moved.features(X, domain)
    assert_allclose(rows[at].mean(axis=0), X[~at].mean(axis=0), atol=1e-9)
    assert_allclose(np.cov(rows[at].T), np.cov(X[~at].T), rtol=1e-8, atol=1e-8)
    assert_allclose(rows[~at], X[~at])
    assert_allclose(A, A.T)
    assert np.linalg.eigvalsh(A).min() > 0
    back = LinearOT(shrinkage=0).fit(X, y, -domain).moves_[2].matrix
    assert_allclose(A @ back, np.eye(len(A)), atol=1e-8)
    gaussian = pytest.importorskip("ot.gaussian")
    theirs, _ = gaussian.bures_wasserstein_mapping(
        X[at].mean(axis=0), X[~at].mean(axis=0), np.cov(X[at].T), np.cov(X[~at].T)
    )
    assert_allclose(A, theirs, rtol=1e-8, atol=1e-8)


def test_of_all_linear_maps_it_moves_rows_least():
    X, y, domain = sides()
    at = domain > 0

    def effort(method):
        return ((method.fit(X, y, domain).features(X, domain) - X)[at] ** 2).sum()

    assert effort(LinearOT(shrinkage=0)) < effort(CORAL(shrinkage=0))


def test_without_bias_second_moments_agree_and_zero_stays():
    X, y, domain = sides()
    at = domain > 0
    fitted = LinearOT(shrinkage=0, bias=False).fit(X, y, domain)
    rows = fitted.features(X, domain)
    # moments about 0 divided by n - 1/2 on both sides
    scale = (at.sum() - 0.5) / ((~at).sum() - 0.5)
    assert_allclose(rows[at].T @ rows[at], scale * X[~at].T @ X[~at], rtol=1e-7)
    assert_allclose(fitted.features(np.zeros((1, 6)), [1]), 0)


def test_a_weight_of_two_is_a_row_twice_and_zero_no_row():
    X, y, domain = sides()
    weight = np.where(np.arange(len(X)) < 50, 2.0, 1.0)
    weight[60:70] = 0.0
    rows = np.repeat(np.arange(len(X)), np.where(domain > 0, weight, 1).astype(int))
    one = LinearOT(shrinkage=0).fit(X, y, domain, sample_weight=weight).moves_[1]
    two = LinearOT(shrinkage=0).fit(X[rows], y[rows], domain[rows]).moves_[1]
    assert_allclose(one.start, two.start)
    # the divisor, n - 1, differs by less than a row in 190
    assert_allclose(one.matrix, two.matrix, rtol=0.01, atol=1e-3)


def test_recovers_digits_behind_a_positive_matrix():
    pixels, y = load_digits(return_X_y=True)
    shares = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(y))
        Q, _ = np.linalg.qr(rng.normal(size=(64, 64)))
        X = pixels / 16
        target, new = order[900:1350], order[1350:]
        X[order[900:]] = X[order[900:]] @ (Q * np.exp(np.linspace(-1, 1, 64))) @ Q.T + 0.3
        use = order[:1350]
        domain = np.repeat([1, -2], [900, 450])
        fits = [m.fit(X[use], y[use], domain) for m in (SourceOnly(), LinearOT())]
        best = LogisticRegression(max_iter=1000).fit(X[target], y[target])
        low, ours, high = (f.score(X[new], y[new]) for f in (*fits, best))
        shares.append((ours - low) / (high - low))
    assert np.mean(shares) >= 0.8


def test_helps_under_an_affine_shift():
    assert np.mean([gain("affine", s) for s in range(5)]) >= 0.05


def test_cannot_undo_a_rotation():
    def accuracy(method, seed):
        made = made_shift("rotation", n=300, size=3.0, seed=seed)  # 90 degrees
        return method.fit(made.X, made.y, made.sample_domain).score(*made.target)

    assert np.mean([accuracy(LinearOT(), s) for s in range(5)]) <= 0.75


def test_hurts_under_a_label_shift():
    assert np.mean([gain("label", s) for s in range(5)]) <= -0.2


def test_regression_under_an_affine_shift():
    X, _, domain = sides(d=3)
    A = np.diag([0.5, 1.0, 2.0])
    X = np.random.default_rng(1).normal(size=X.shape)
    truth = X @ [1.0, -1.0, 2.0]
    X = np.where(domain[:, None] < 0, X @ A + 3, X)
    y = np.where(domain > 0, truth, np.nan)
    plain, ours = (m(Ridge()).fit(X, y, domain) for m in (SourceOnly, LinearOT))
    at = domain < 0
    assert plain.score(X[at], truth[at]) < 0 < 0.8 < ours.score(X[at], truth[at])


def test_fewer_rows_than_features_need_shrinkage_and_a_fitted_one_can_be_pickled():
    X, y, domain = sides(n=6, m=5, d=10)
    with pytest.raises(TooFewRows, match="6 source rows do not give") as error:
        LinearOT(shrinkage=0).fit(X, y, domain)
    assert error.value.cure == "shrinkage=1e-3"
    fitted = LinearOT().fit(X, y, domain)
    again = pickle.loads(pickle.dumps(fitted))
    assert_allclose(again.features(X, domain), fitted.features(X, domain))
