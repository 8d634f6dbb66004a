from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from ecotone.align import MongeAlignment, SourceOnly
from ecotone.align._bures import power
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift


def domains(seed, *, sources=4, n=150, d=6, aligned=False):
    """Classes behind a positive matrix and an offset for each domain; the last is the target."""
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    for _ in range(sources + 1):
        y = rng.choice(3, size=n)
        Q = axes if aligned else np.linalg.qr(rng.normal(size=(d, d)))[0]
        A = (Q * np.exp(rng.uniform(-0.8, 0.8, d))) @ Q.T
        rows.append((2 * np.eye(3, d)[y] + rng.normal(size=(n, d))) @ A + rng.normal(size=d))
        labels.append(y)
    X, truth = np.vstack(rows), np.concatenate(labels)
    domain = np.repeat([*range(1, sources + 1), -9], n)
    return X, np.where(domain > 0, truth, -1), domain, truth


def covariances(X, domain):
    return [np.cov(X[domain == k].T) for k in np.unique(domain)]


def distance(S, C):
    """Return the squared distance of centred Gaussians."""
    root = power(S, 0.5)
    return np.trace(S) + np.trace(C) - 2 * np.trace(power(root @ C @ root, 0.5))


def gain(kind, seed, size=1.0):
    made = made_shift(kind, n=300, seed=seed, size=size)
    fits = (m.fit(made.X, made.y, made.sample_domain) for m in (MongeAlignment(), SourceOnly()))
    return np.subtract(*(f.score(*made.target) for f in fits))


def test_every_domain_gets_the_barycentre():
    X, y, domain, _ = domains(0)
    fitted = MongeAlignment(shrinkage=0).fit(X, y, domain)
    moved, S = fitted.features(X, domain), fitted.covariance_
    for k in np.unique(domain):
        assert_allclose(moved[domain == k].mean(axis=0), fitted.mean_, atol=1e-9)
        assert_allclose(np.cov(moved[domain == k].T), S, atol=1e-8)
        A = fitted.maps_[max(k, 0)].matrix
        assert_allclose(A, A.T)
        assert np.linalg.eigvalsh(A).min() > 0
    root = power(S, 0.5)
    C = covariances(X, domain)
    assert_allclose(np.mean([power(root @ c @ root, 0.5) for c in C], axis=0), S, atol=1e-8)
    gaussian = pytest.importorskip("ot.gaussian")
    means = np.array([X[domain == k].mean(axis=0) for k in np.unique(domain)])
    mean, theirs = gaussian.bures_wasserstein_barycenter(means, np.array(C), eps=1e-12)
    assert_allclose(fitted.mean_, mean)
    assert_allclose(S, theirs, atol=1e-6)


def test_covariances_with_common_axes_have_the_squared_mean_root():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(200, 3))
    Z = (Z - Z.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(Z.T))).T  # exactly round
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    roots = [(Q * s) @ Q.T for s in ([1.0, 2.0, 3.0], [0.5, 0.1, 4.0], [2.0, 2.0, 2.0])]
    X, domain = np.vstack([Z @ R for R in roots]), np.repeat([1, 2, -3], 200)
    fitted = MongeAlignment(shrinkage=0).fit(X, np.arange(600) % 2, domain)
    middle = np.mean(roots, axis=0)
    assert_allclose(fitted.covariance_, middle @ middle, atol=1e-8)


def test_no_other_covariance_is_nearer():
    X, y, domain, _ = domains(1)
    S = MongeAlignment(shrinkage=0).fit(X, y, domain).covariance_
    C = covariances(X, domain)
    best = np.mean([distance(S, c) for c in C])
    rng = np.random.default_rng(0)
    for _ in range(20):
        E = 0.05 * rng.normal(size=S.shape)
        other = (np.eye(6) + E) @ S @ (np.eye(6) + E).T
        assert np.mean([distance(other, c) for c in C]) > best
    assert np.mean([distance(np.mean(C, axis=0), c) for c in C]) > best


def test_numbers_of_domains_are_names():
    X, y, domain, _ = domains(2)
    one = MongeAlignment().fit(X, y, domain)
    named = np.select([domain == 1, domain == 2, domain < 0], [7, 3, -1], domain + 10)
    order = np.random.default_rng(0).permutation(len(y))
    two = MongeAlignment().fit(X[order], y[order], named[order])
    assert_allclose(two.covariance_, one.covariance_, atol=1e-9)
    assert_allclose(two.features(X, named), one.features(X, domain), atol=1e-8)


def test_helps_where_every_domain_is_distorted():
    gains = []
    for seed in range(5):
        X, y, domain, truth = domains(seed)
        at = domain < 0
        fits = (m.fit(X, y, domain) for m in (MongeAlignment(), SourceOnly()))
        gains.append(np.subtract(*(f.score(X[at], truth[at]) for f in fits)))
    assert np.mean(gains) >= 0.05


def test_another_target_needs_its_rows_alone():
    gains = []
    for seed in range(5):
        X, y, domain, truth = domains(seed)
        new, use = domain == 4, domain != 4
        first = MongeAlignment().fit(X[use], y[use], domain[use])
        before = first.predict(X[use])
        other = first.for_target(X[new])
        gains.append(other.score(X[new], truth[new]) - first.score(X[new], truth[new]))
        # the first one is as it was
        assert_allclose(first.predict(X[use]), before)
        assert_allclose(other.features(X[new]).mean(axis=0), first.mean_, atol=1e-9)
    assert np.mean(gains) >= 0.05


def test_hurts_under_a_label_shift():
    assert np.mean([gain("label", s) for s in range(4)]) <= -0.2


def test_cannot_undo_a_rotation():
    def accuracy(seed):
        made = made_shift("rotation", n=300, size=3.0, seed=seed)  # 90 degrees
        fitted = MongeAlignment().fit(made.X, made.y, made.sample_domain)
        return fitted.score(*made.target)

    assert np.mean([accuracy(s) for s in range(4)]) <= 0.75


def test_a_regression_and_weights():
    X, _, domain, _ = domains(3, aligned=True)
    Z = np.random.default_rng(0).normal(size=X.shape)
    truth = Z @ np.arange(6.0)
    for k in np.unique(domain):
        at = domain == k
        X[at] = Z[at] * np.exp(np.random.default_rng(k + 20).uniform(-1, 1, 6)) + k
    y, at = np.where(domain > 0, truth, np.nan), domain < 0
    plain, ours = (m(Ridge()).fit(X, y, domain) for m in (SourceOnly, MongeAlignment))
    assert plain.score(X[at], truth[at]) < 0.3 < 0.8 < ours.score(X[at], truth[at])
    weight = np.where((np.arange(len(y)) % 5 == 0) & (domain > 0), 0.0, 1.0)
    here = weight > 0
    one = MongeAlignment(Ridge()).fit(X, y, domain, sample_weight=weight)
    two = MongeAlignment(Ridge()).fit(X[here], y[here], domain[here])
    assert_allclose(one.covariance_, two.covariance_)


def test_errors_have_cures_and_a_fitted_one_can_be_pickled():
    X, y, domain, _ = domains(4)
    fitted = MongeAlignment().fit(X, y, domain)
    again = pickle.loads(pickle.dumps(fitted))
    assert_allclose(again.predict(X), fitted.predict(X))
    with pytest.raises(BadInput, match="source domain 8 was seen") as error:
        fitted.predict(X, np.full(len(X), 8))
    assert error.value.cure
    few = np.r_[:20, np.flatnonzero(domain < 0)[:6]]
    with pytest.raises(TooFewRows, match="6 target rows do not give") as error:
        MongeAlignment(shrinkage=0).fit(X[few], y[few], domain[few])
    assert error.value.cure == "shrinkage=1e-3"
    with pytest.raises(BadInput, match="without domains") as error:
        MongeAlignment().fit(X, np.arange(len(X)) % 2).for_target(X)
    assert "sample_domain" in error.value.cure
