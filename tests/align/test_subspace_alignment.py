from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import SourceOnly, SubspaceAlignment
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def gains(kind, seeds=5, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=300, seed=seed)
        fits = (
            m.fit(made.X, made.y, made.sample_domain)
            for m in (SubspaceAlignment(**params), SourceOnly())
        )
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return np.array(out)


def twice(n=120, d=6):
    made = made_shift("none", n=n)
    X = made.X[made.sample_domain > 0]
    y = made.truth[made.sample_domain > 0]
    return np.vstack([X, X]), np.r_[y, np.full(n, -1)], np.repeat([1, -2], n), y


def test_identical_domains_are_pca_and_the_estimator():
    X, y, domain, truth = twice()
    fitted = SubspaceAlignment(n_components=3).fit(X, y, domain)
    Z = fitted.features(X, domain)
    assert_allclose(Z[:120], Z[120:], atol=1e-10)
    theirs = PCA(3).fit_transform(X[:120])
    assert_allclose(np.abs(Z[:120]), np.abs(theirs), atol=1e-10)
    plain = LogisticRegression(max_iter=1000).fit(theirs, truth)
    assert_array_equal(fitted.predict(X[120:]), plain.predict(theirs))
    shaped = SubspaceAlignment(n_components=3, match="shape", spread=True).fit(X, y, domain)
    assert_allclose(shaped.features(X, domain), Z, atol=1e-10)


def test_signs_of_axes_cancel_and_all_axes_only_centre():
    made = made_shift("affine", n=200)
    fitted = SubspaceAlignment().fit(made.X, made.y, made.sample_domain)
    at = made.sample_domain > 0
    source, target = made.X[at], made.X[~at]
    Z = fitted.features(made.X, made.sample_domain)
    assert_allclose(Z[at], (source - source.mean(axis=0)) @ fitted.axes_.basis, atol=1e-10)
    assert_allclose(Z[~at], (target - target.mean(axis=0)) @ fitted.axes_.basis, atol=1e-10)


def test_agrees_with_the_peer(skada):
    made = made_shift("affine", n=150)
    peer = skada.SubspaceAlignmentAdapter(n_components=3)
    theirs = peer.fit_transform(made.X, sample_domain=made.sample_domain)
    ours = SubspaceAlignment(n_components=3).fit(made.X, made.y, made.sample_domain)
    Z = ours.features(made.X, made.sample_domain)
    sign = np.sign((Z * theirs).sum(axis=0))
    assert_allclose(Z * sign, theirs, atol=1e-8)


def test_every_source_is_turned_by_itself():
    made = made_shift("affine", n=200)
    domain, X = made.sample_domain.copy(), made.X.copy()
    second = np.flatnonzero(domain > 0)[::2]
    domain[second] = 3
    X[second] += 40
    Z = SubspaceAlignment().fit(X, made.y, domain).features(X, domain)
    assert_allclose(Z[domain == 1].mean(axis=0), 0, atol=1e-10)
    assert_allclose(Z[domain == 3].mean(axis=0), 0, atol=1e-10)


def skewed(n, rng):
    """Draw three classes whose features are skewed and of different variances."""
    y = rng.integers(3, size=n)
    centres = np.array([[0, 0, 0, 0], [6, 0, 2, 0], [0, 4, 0, 1.5]], dtype=float)
    return centres[y] + rng.gamma(2.0, [1.6, 1.2, 0.8, 0.4], (n, 4)), y


def test_only_matching_by_shape_undoes_a_rotation():
    rows = {"plain": [], "unrotated": [], "projection": [], "shape": []}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        (Xs, ys), (Xt, yt) = skewed(600, rng), skewed(600, rng)
        Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        y, domain = np.r_[ys, np.full(600, -1)], np.repeat([1, -2], 600)
        home, away = np.vstack([Xs, Xt]), np.vstack([Xs, Xt @ Q])
        rows["unrotated"].append(SubspaceAlignment().fit(home, y, domain).score(Xt, yt))
        rows["plain"].append(SourceOnly().fit(away, y, domain).score(Xt @ Q, yt))
        for match in ("projection", "shape"):
            fitted = SubspaceAlignment(match=match).fit(away, y, domain)
            rows[match].append(fitted.score(Xt @ Q, yt))
    mean = {k: float(np.mean(v)) for k, v in rows.items()}
    assert mean["plain"] < mean["unrotated"] - 0.2
    assert mean["projection"] < mean["unrotated"] - 0.2
    assert abs(mean["shape"] - mean["unrotated"]) <= 0.01


def test_helps_where_the_target_lies_elsewhere():
    assert gains("location_scale").mean() >= 0.1
    assert gains("location_scale", spread=True).mean() >= 0.1


def test_hurts_under_a_label_shift():
    assert gains("label").mean() <= -0.1


def test_does_nothing_for_noisy_labels():
    assert abs(gains("concept").mean()) <= 0.01


def test_regression_and_bad_words():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(120, 3)), np.repeat([1, -2], 60)
    y = X @ [1.0, -2.0, 0.5]
    moved = X + np.where(domain < 0, 5.0, 0.0)[:, None]
    fitted = SubspaceAlignment(Ridge()).fit(moved, np.where(domain > 0, y, np.nan), domain)
    plain = SourceOnly(Ridge()).fit(moved, np.where(domain > 0, y, np.nan), domain)
    assert fitted.score(moved[60:], y[60:]) > 0.8 > plain.score(moved[60:], y[60:])
    for wrong in ({"match": "rank"}, {"n_components": 0}):
        with pytest.raises(BadInput) as error:
            SubspaceAlignment(**wrong).fit(X, np.arange(120) % 2, domain)
        assert error.value.cure
