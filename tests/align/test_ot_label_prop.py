from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from ecotone.align import OTLabelProp, SourceOnly
from ecotone.align._costs import costs
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift

ot = pytest.importorskip("ot")


def turned_moons(seed, n=200, degrees=30):
    """Moons and, as target, moons turned about the origin."""
    (S, ys), (T, yt) = (make_moons(n, noise=0.08, random_state=s) for s in (seed, seed + 100))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.vstack([S, T @ turn]), np.r_[ys, np.full(n, -1)], np.repeat([1, -2], n), yt


def many_features(n, gap=0.4, seed=0, d=50):
    """Five overlapping classes; the target behind a symmetric positive matrix and moved."""
    fixed = np.random.default_rng(7)
    centres = gap * fixed.normal(size=(5, d))
    Q, _ = np.linalg.qr(fixed.normal(size=(d, d)))
    rng = np.random.default_rng(seed)
    y = rng.integers(5, size=2 * n)
    X = centres[y] + rng.normal(size=(2 * n, d))
    X[n:] = X[n:] @ (Q * np.exp(np.linspace(-0.5, 0.5, d))) @ Q.T + 0.3
    return X, np.where(np.arange(2 * n) < n, y, -1), np.repeat([1, -2], n), y


def test_shares_are_those_of_the_plan():
    made = made_shift("affine", n=120)
    at = made.sample_domain > 0
    fitted = OTLabelProp().fit(made.X, made.y, made.sample_domain)
    assert_allclose(np.sort(fitted.shares_, axis=1), np.tile([0, 0, 1.0], (120, 1)), atol=1e-12)
    for reg in (0.0, 0.2):
        use = np.flatnonzero(~at)[:70]
        rows = np.r_[np.flatnonzero(at), use]
        fitted = OTLabelProp(reg=reg, labels="soft")
        fitted.fit(made.X[rows], made.y[rows], made.sample_domain[rows])
        assert_allclose(fitted.shares_.sum(axis=1), 1)
        M = costs(made.X[at], made.X[use], "sqeuclidean", "test").block(0, 120)
        G = ot.sinkhorn([], [], M, reg, stopThr=1e-12) if reg else ot.emd([], [], M)
        theirs = np.array([G[made.truth[at] == c].sum(axis=0) for c in range(3)]).T * 70
        assert_allclose(fitted.shares_, theirs, atol=1e-5)


def test_fault_10_more_rows_do_not_hurt(skada):
    scores = []
    for n in (125, 500):
        X, y, domain, truth = many_features(n, gap=0.5)
        scores.append(OTLabelProp().fit(X, y, domain).score(X[n:], truth[n:]))
    assert scores[1] >= scores[0] + 0.05
    base = LogisticRegression(max_iter=1000)
    # the peer stops its solver early; drop the first of these when it no longer does
    early, late = skada.OTLabelProp(base), skada.OTLabelProp(base, n_iter_max=10**7)
    assert early.fit(X, y, sample_domain=domain).score(X[n:], truth[n:]) <= scores[1] - 0.15
    assert_allclose(late.fit(X, y, sample_domain=domain).score(X[n:], truth[n:]), scores[1])


def test_helps_on_turned_moons():
    for params in ({}, {"reg": 0.1}, {"reg": 0.1, "labels": "soft"}):
        gains = []
        for seed in range(3):
            X, y, domain, truth = turned_moons(seed)
            methods = OTLabelProp(SVC(), **params), SourceOnly(SVC())
            scores = [m.fit(X, y, domain).score(X[domain < 0], truth) for m in methods]
            gains.append(scores[0] - scores[1])
        assert np.mean(gains) >= 0.10


def test_in_many_dimensions_carried_labels_are_bad():
    n = 500
    X, y, domain, truth = many_features(n)
    fitted = OTLabelProp().fit(X, y, domain)
    right = (fitted.shares_.argmax(axis=1) == truth[n:]).mean()
    plain = SourceOnly().fit(X, y, domain).score(X[n:], truth[n:])
    assert right <= plain - 0.15
    assert fitted.score(X[n:], truth[n:]) <= plain - 0.05


def test_gives_the_target_the_sources_shares():
    losses = []
    for seed in range(4):
        made = made_shift("label", n=200, seed=seed)
        methods = OTLabelProp(), SourceOnly()
        scores = [m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods]
        losses.append(scores[1] - scores[0])
    assert np.mean(losses) >= 0.2


def test_a_regression_gets_the_mean_label():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(200, 2)), np.repeat([1, -2], 100)
    truth = X @ [1.0, 2.0]
    X[100:] += 5
    y = np.where(domain > 0, truth, np.nan)
    plain = SourceOnly(Ridge()).fit(X, y, domain).score(X[100:], truth[100:])
    for reg in (0.0, 0.03):
        ours = OTLabelProp(Ridge(), reg=reg).fit(X, y, domain)
        assert plain < 0 < 0.8 < ours.score(X[100:], truth[100:])
        assert_allclose(ours.shares_.mean(), truth[:100].mean(), atol=1e-5)


def test_rows_of_weight_zero_are_not_there_and_bad_parameters_have_cures():
    X, y, domain, _ = turned_moons(1)
    drop = (np.arange(400) % 5 == 0) & (domain > 0)
    one = OTLabelProp().fit(X, y, domain, sample_weight=np.where(drop, 0.0, 1.0))
    two = OTLabelProp().fit(X[~drop], y[~drop], domain[~drop])
    assert_allclose(one.shares_, two.shares_, atol=1e-9)
    for wrong in ({"reg": -1.0}, {"labels": "firm"}):
        with pytest.raises(BadInput) as error:
            OTLabelProp(**wrong).fit(X, y, domain)
        assert error.value.cure
    uneven = np.where(domain > 0, np.arange(400) % 5 == 0, -1).astype(int)
    with pytest.raises(BadInput, match="one class has the largest share") as error:
        OTLabelProp(reg=1e3).fit(X, uneven, domain)
    assert error.value.cure == 'labels="soft"'
