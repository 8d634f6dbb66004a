from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from ecotone.align import SourceOnly, TransferPCA
from ecotone.data.shifts import made_shift


def test_is_pca_of_the_stacked_rows():
    made = made_shift("affine", n=100)
    for X in (made.X, made.X @ np.random.default_rng(0).normal(size=(5, 300))):
        fitted = TransferPCA(n_components=3).fit(X, made.y, made.sample_domain)
        theirs = PCA(3).fit(X)
        Z = fitted.features(X)
        sign = np.sign((Z * theirs.transform(X)).sum(axis=0))
        assert_allclose(Z * sign, theirs.transform(X), atol=1e-8)
        assert_allclose(fitted.axes_.variances, theirs.explained_variance_, rtol=1e-8)


def test_balance_gives_each_side_half_of_the_mass():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(20, 3)), rng.normal(3, 2, size=(200, 3))
    X, domain = np.vstack([one, other]), np.repeat([1, -2], [20, 200])
    y = np.arange(220) % 2
    balanced = TransferPCA(balance=True).fit(X, y, domain).axes_
    # the same rows, the few of them ten times each
    copies = np.vstack([np.repeat(one, 10, axis=0), other])
    assert_allclose(balanced.mean, copies.mean(axis=0))
    assert_allclose(np.abs(balanced.basis), np.abs(PCA(3).fit(copies).components_.T), atol=1e-8)
    plain = TransferPCA().fit(X, y, domain).axes_
    assert_allclose(plain.mean, X.mean(axis=0))


def wide(n, rng, d=200, k=4):
    """Draw rows of d features that hold k hidden ones, of which the label is made, and noise."""
    load = np.linalg.qr(np.random.default_rng(1).normal(size=(d, k)))[0]
    hidden = rng.normal(size=(n, k)) * 4
    return hidden @ load.T + rng.normal(size=(n, d)), (hidden.sum(axis=1) > 0).astype(int)


def test_helps_with_few_source_rows_only():
    gain = {25: [], 600: []}
    for n in gain:
        for seed in range(8):
            rng = np.random.default_rng(seed)
            (Xs, ys), (Xt, yt) = wide(n, rng), wide(600, rng)
            pca = PCA(4).fit(Xs)
            alone = SourceOnly()
            alone.fit(
                pca.transform(np.vstack([Xs, Xt])), np.r_[ys, yt], np.repeat([1, -2], [n, 600])
            )
            fitted = TransferPCA(n_components=4)
            fitted.fit(np.vstack([Xs, Xt]), np.r_[ys, yt], np.repeat([1, -2], [n, 600]))
            gain[n].append(fitted.score(Xt, yt) - alone.score(pca.transform(Xt), yt))
    assert np.mean(gain[25]) >= 0.02
    assert abs(np.mean(gain[600])) <= 0.01


def test_one_axis_is_the_shift_itself():
    made = made_shift("none", n=300)
    X = made.X + np.where(made.sample_domain < 0, 9.0, 0.0)[:, None] * [0, 0, 0, 0, 1]
    one = TransferPCA(n_components=1).fit(X, made.y, made.sample_domain)
    assert abs(one.axes_.basis[4, 0]) > 0.95
    plain = SourceOnly().fit(X, made.y, made.sample_domain)
    at = made.sample_domain < 0
    assert one.score(X[at], made.truth[at]) < plain.score(X[at], made.truth[at]) - 0.1


def test_with_all_axes_it_only_turns():
    made = made_shift("affine", n=100)
    y = np.where(made.sample_domain > 0, made.truth, np.nan)
    ours = TransferPCA(Ridge()).fit(made.X, y, made.sample_domain)
    plain = SourceOnly(Ridge()).fit(made.X, y, made.sample_domain)
    assert_allclose(ours.predict(made.X), plain.predict(made.X), atol=1e-8)
