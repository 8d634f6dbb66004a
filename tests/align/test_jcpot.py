from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from sklearn.linear_model import Ridge

from ecotone.align import JCPOT, OTLabelProp, SourceOnly
from ecotone.align._costs import costs
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift

SOURCES, TARGET = ((0.2, 0.5, 0.3), (0.4, 0.3, 0.3), (0.3, 0.2, 0.5)), (0.8, 0.1, 0.1)


def blobs(seed, *, n=150, m=300, d=3, gap=3.0, target=TARGET):
    """Three sources and a target of the same three classes, in other shares."""
    rng = np.random.default_rng(seed)
    y = np.concatenate(
        [rng.choice(3, size=k, p=p) for k, p in ((n, s) for s in SOURCES)]
        + [rng.choice(3, size=m, p=target)]
    )
    X = gap * np.eye(3, d)[y] + 0.7 * rng.normal(size=(len(y), d))
    domain = np.repeat([1, 2, 3, -4], [n, n, n, m])
    return X, np.where(domain > 0, y, -1), domain, y[domain < 0]


def shares_of(truth):
    return np.bincount(truth, minlength=3) / len(truth)


def least(M, y, h, reg):
    """Return min <G, M> + reg sum G log G, rows of a class sharing its h, columns uniform."""
    m = M.shape[1]
    log_a, K, v = np.log((h / np.bincount(y))[y]), -M / reg, np.zeros(m)
    for _ in range(3000):
        u = log_a - logsumexp(K + v, axis=1)
        before, v = v, -np.log(m) - logsumexp(K + u[:, None], axis=0)
        if np.abs(v - before).max() < 1e-12:
            break
    log_G = K + u[:, None] + v
    return float((np.exp(log_G) * (M + reg * log_G)).sum())


def test_no_other_shares_cost_less():
    X, y, domain, _ = blobs(0, n=60, m=80)
    fitted = JCPOT(reg=0.1, tol=1e-10, sweeps=3000).fit(X, y, domain)
    assert fitted.error_ <= 1e-10
    parts = []
    for k in (1, 2, 3):
        S = X[domain == k]
        M = costs(S, X[domain < 0], "sqeuclidean", "test").block(0, len(S))
        parts.append((M, y[domain == k]))

    def value(h):
        return sum(least(M, labels, h, 0.1) for M, labels in parts)

    h = fitted.proportions_
    step = 0.01 * (np.eye(3) - 1 / 3)
    rises = np.array([[value(h + e) - value(h) for e in (s, -s)] for s in step])
    assert rises.min() > 0
    # at a minimum both sides rise alike
    assert_allclose(rises[:, 0], rises[:, 1], rtol=0.3)


def test_projections_in_turn_end_at_the_same_shares():
    X, y, domain, _ = blobs(0, n=60, m=80)
    kernels, labels, T = [], [y[domain == k] for k in (1, 2, 3)], X[domain < 0]
    for k in (1, 2, 3):
        S = X[domain == k]
        kernels.append(np.exp(-costs(S, T, "sqeuclidean", "test").block(0, len(S)) / 0.1))
    for _ in range(500):
        log_h = np.zeros(3)
        for K, at in zip(kernels, labels, strict=True):
            K /= K.sum(axis=0) * len(T)
            n = np.bincount(at)
            # the nearest plan whose rows share a class's mass: a geometric mean over them
            log_h += np.log(n) / 3 + np.bincount(at, np.log(K.sum(axis=1))) / n / 3
        for K, at in zip(kernels, labels, strict=True):
            K *= ((np.exp(log_h) / np.bincount(at))[at] / K.sum(axis=1))[:, None]
    ours = JCPOT(reg=0.1, tol=1e-10, sweeps=3000).fit(X, y, domain)
    assert_allclose(ours.proportions_, np.exp(log_h) / np.exp(log_h).sum(), atol=1e-7)


def test_not_above_an_independent_package_and_near_it():
    bregman = pytest.importorskip("ot.bregman")
    X, y, domain, _ = blobs(1)
    at, below = domain == 1, domain < 0
    S, T, labels, reg = X[at], X[below], y[at], 0.1
    use = at | below
    ours = JCPOT(reg=reg, tol=1e-9, sweeps=3000).fit(X[use], y[use], domain[use])
    cost = costs(S, T, "sqeuclidean", "test")
    S, T = S / cost.scale**0.5, T / cost.scale**0.5
    # one source twice is one source
    theirs = bregman.jcpot_barycenter([S, S], [labels, labels], T, reg, numItermax=1000)
    assert_allclose(ours.proportions_, theirs, atol=2e-3)
    M = cost.block(0, len(S))
    assert least(M, labels, ours.proportions_, reg) <= least(M, labels, theirs, reg) + 1e-12


def test_recovers_the_targets_shares_from_three_sources():
    for seed in range(3):
        X, y, domain, truth = blobs(seed)
        fitted = JCPOT().fit(X, y, domain)
        assert_allclose(fitted.shares_.sum(axis=1), 1)
        assert_allclose(fitted.proportions_.sum(), 1)
        assert_allclose(fitted.proportions_, shares_of(truth), atol=0.05)
        # what arrives is what was estimated
        assert_allclose(fitted.shares_.mean(axis=0), fitted.proportions_, atol=1e-4)


def test_helps_where_class_shares_differ():
    scores = []
    for seed in range(4):
        X, y, domain, truth = blobs(seed, d=5, gap=1.5)
        methods = JCPOT(), SourceOnly(), OTLabelProp(reg=0.1)
        scores.append([m.fit(X, y, domain).score(X[domain < 0], truth) for m in methods])
    ours, plain, balanced = np.mean(scores, axis=0)
    assert ours >= plain + 0.03
    assert balanced <= plain - 0.2


def test_one_source_is_enough_where_classes_keep_their_places():
    gains = []
    for seed in range(4):
        made = made_shift("label", n=200, seed=seed)
        methods = JCPOT(), SourceOnly()
        scores = [m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods]
        gains.append(scores[0] - scores[1])
    assert np.mean(gains) >= 0.05


def test_sources_that_lack_a_class_are_pooled():
    X, y, domain, truth = blobs(1)
    part = ((domain == 1) & (y == 2)) | ((domain == 2) & (y == 0))
    fitted = JCPOT().fit(X[~part], y[~part], domain[~part])
    assert_allclose(fitted.proportions_, shares_of(truth), atol=0.05)
    as_one = np.where(domain == 2, 1, domain)
    pooled = JCPOT().fit(X[~part], y[~part], as_one[~part])
    assert_allclose(fitted.proportions_, pooled.proportions_)
    # source 1 alone lacks a class, and so does the pool: all are one
    part = (domain == 1) & (y == 2)
    fitted = JCPOT().fit(X[~part], y[~part], domain[~part])
    pooled = JCPOT().fit(X[~part], y[~part], np.where(domain > 0, 1, -4)[~part])
    assert_allclose(fitted.proportions_, pooled.proportions_)


def test_shares_are_pulled_to_the_middle_in_many_dimensions_and_by_a_large_reg():
    errors = []
    for params, given in (({}, {"d": 20, "gap": 1.5}), ({}, {}), ({"reg": 10.0}, {})):
        X, y, domain, truth = blobs(0, **given)
        fitted = JCPOT(labels="soft", **params).fit(X, y, domain)
        errors.append(np.abs(fitted.proportions_ - shares_of(truth)).max())
    assert errors[1] <= 0.05
    assert errors[0] >= 0.1
    assert errors[2] >= 0.3


def test_hurts_where_the_rows_moved_and_costs_a_little_where_nothing_did():
    out = {"location_scale": [], "none": []}
    for kind, found in out.items():
        for seed in range(4):
            made = made_shift(kind, n=200, seed=seed)
            methods = JCPOT(labels="soft"), SourceOnly()
            fits = [m.fit(made.X, made.y, made.sample_domain) for m in methods]
            found.append(np.subtract(*(f.score(*made.target) for f in fits)))
    assert np.mean(out["location_scale"]) <= -0.04
    assert -0.05 <= np.mean(out["none"]) <= -0.005


def test_a_weight_of_two_is_a_row_twice_and_zero_no_row():
    X, y, domain, _ = blobs(2)
    weight = np.where(np.arange(len(y)) % 4 == 0, 2.0, 1.0)
    weight[::7] = 0.0
    rows = np.repeat(np.arange(len(y)), np.where(domain > 0, weight, 1).astype(int))
    one = JCPOT(reg=0.2).fit(X, y, domain, sample_weight=weight)
    two = JCPOT(reg=0.2).fit(X[rows], y[rows], domain[rows])
    # the median that costs are divided by moves a little
    assert_allclose(one.proportions_, two.proportions_, atol=2e-3)
    plain = JCPOT(reg=0.2).fit(X, y, domain)
    assert np.abs(one.proportions_ - plain.proportions_).max() > 0


def test_bad_parameters_have_cures():
    X, y, domain, _ = blobs(0, n=30, m=30)
    for wrong in ({"reg": 0.0}, {"labels": "firm"}, {"metric": "far"}):
        with pytest.raises(BadInput) as error:
            JCPOT(**wrong).fit(X, y, domain)
        assert error.value.cure
    with pytest.raises(BadInput, match="a regression has no class shares") as error:
        JCPOT(Ridge()).fit(X, y.astype(float), domain)
    assert "OTLabelProp" in error.value.cure
    alone = np.r_[np.flatnonzero(domain > 0), np.flatnonzero(domain < 0)[:1]]
    with pytest.raises(BadInput, match="one class has the largest share") as error:
        JCPOT().fit(X[alone], y[alone], domain[alone])
    assert error.value.cure == 'labels="soft"'
    many, where = np.zeros((60_000, 1)), np.repeat([1, -2], 30_000)
    with pytest.raises(BadInput, match=r"need 3\.6 GB"):
        JCPOT().fit(many, np.arange(60_000) % 2, where)
