from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from ecotone.align import SourceOnly, TransferSubspace
from ecotone.align._divergence import covariance, divergence, inner
from ecotone.align.transfer_subspace import scatters
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def gains(kind, seeds=4, size=1.0, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=200, seed=seed, size=size)
        fits = [
            m.fit(made.X, made.y, made.sample_domain)
            for m in (TransferSubspace(**params), SourceOnly())
        ]
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return float(np.mean(out))


def two_sets():
    rng = np.random.default_rng(0)
    W = np.linalg.qr(rng.normal(size=(5, 2)))[0]
    return rng.normal(size=(40, 5)), rng.normal(1, 2, size=(30, 5)), W


@pytest.mark.parametrize("kind", ["quadratic", "cauchy_schwarz"])
def test_divergence_and_its_gradient(kind):
    A, B, W = two_sets()
    value, gradient = divergence(W, A, B, kind)
    assert value > 0
    assert abs(divergence(W, A, A[::-1], kind)[0]) < 1e-12
    near = np.zeros_like(W)
    for i, j in np.ndindex(W.shape):
        E = np.zeros_like(W)
        E[i, j] = 1e-6
        both = [divergence(W + s * E, A, B, kind)[0] for s in (1, -1)]
        near[i, j] = (both[0] - both[1]) / 2e-6
    assert_allclose(gradient, near, atol=1e-7)


def test_fault_12_kernels_use_squared_distances():
    """The inner product of two densities, term by term."""
    A, B, W = two_sets()
    C = covariance(A) + covariance(B)
    pairs = (A[:, None] - B[None]) @ W
    direct = multivariate_normal(np.zeros(2), W.T @ C @ W).pdf(pairs).mean()
    assert_allclose(np.exp(inner(W, A, B, C)[0]), direct, rtol=1e-10)
    # no unit: rows ten times as large
    one, ten = (divergence(W, s * A, s * B, "cauchy_schwarz")[0] for s in (1, 10))
    assert_allclose(one, ten, rtol=1e-9)


def test_projection_is_orthonormal_and_lower_than_its_starts():
    made = made_shift("affine", n=200)
    for params in ({}, {"divergence": "quadratic"}, {"n_components": 3, "loss": "pca"}):
        fitted = TransferSubspace(**params).fit(made.X, made.y, made.sample_domain)
        W = fitted.projection_
        assert_allclose(W.T @ W, np.eye(W.shape[1]), atol=1e-8)
        begun = TransferSubspace(**params, steps=0).fit(made.X, made.y, made.sample_domain)
        assert fitted.objective_ < begun.objective_


def test_without_divergence_it_is_the_plain_subspace():
    made = made_shift("none", n=200)
    at = made.sample_domain > 0
    source, y = made.X[at], made.truth[at]
    pca = TransferSubspace(mu=0, loss="pca", n_components=2, steps=500)
    pca.fit(made.X, made.y, made.sample_domain)
    axes = PCA(2).fit(source).components_
    assert_allclose(np.linalg.svd(axes @ pca.projection_)[1], 1, atol=1e-4)
    # one column and two classes: the quotient is the discriminant's
    two = y < 2
    lda = LinearDiscriminantAnalysis(solver="eigen").fit(source[two], y[two])
    S = scatters(source[two], y[two], "fisher")
    way = S.best(1)[:, 0]
    theirs = lda.scalings_[:, 0] / np.linalg.norm(lda.scalings_[:, 0])
    assert abs(way @ theirs) > 0.9999


def misleading(seed, n=300):
    """The label depends on feature 0 everywhere; feature 1 tells it at home alone, and louder."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=2 * n)
    sign = np.where(y == 1, 1.0, -1.0)
    X = rng.normal(size=(2 * n, 6))
    X[:, 0] = 1.5 * sign + rng.normal(0, 0.7, 2 * n)
    X[:n, 1] += 4 * sign[:n]
    X[n:, 1] += rng.choice([-4.0, 4.0], n) + 6
    return X, y, np.repeat([1, -2], n)


def test_finds_the_shared_subspace():
    for seed in range(3):
        X, y, domain = misleading(seed)
        at = domain < 0
        assert SourceOnly().fit(X, y, domain).score(X[at], y[at]) < 0.6
        assert TransferSubspace().fit(X, y, domain).score(X[at], y[at]) >= 0.8
    assert gains("subspace") >= 0.02


def test_fault_7_accuracy_on_a_plain_toy():
    """Two classes where source_only has 96 %: the peer is at chance."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    X = rng.normal(size=(400, 10)) + 1.2 * y[:, None] * (np.arange(10) >= 8)
    X[:, 8:] += 1.4 * y[:, None]
    domain = np.repeat([1, -2], 200)
    at = domain < 0
    plain = SourceOnly().fit(X, y, domain).score(X[at], y[at])
    assert TransferSubspace().fit(X, y, domain).score(X[at], y[at]) >= plain - 0.02


def test_little_harm_at_home():
    for kind in ("none", "location_scale", "subspace"):
        assert gains(kind, size=0.0) >= -0.02


def test_hurts_under_a_label_shift():
    assert gains("label") <= -0.2


def test_regression_keeps_what_y_depends_on():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(400, 5)), np.repeat([1, -2], 200)
    y = 2 * X[:, 0] - X[:, 1]
    X[200:, 2] += 3
    fitted = TransferSubspace(Ridge(), n_components=1).fit(
        X, np.where(domain > 0, y, np.nan), domain
    )
    assert fitted.score(X[200:], y[200:]) > 0.9


def test_bad_input():
    made = made_shift("none", n=30)
    for wrong in (
        {"loss": "lpp"}, {"divergence": "kl"}, {"mu": -1}, {"rows": 1}, {"n_components": 0},
    ):  # fmt: skip
        with pytest.raises(BadInput) as error:
            TransferSubspace(**wrong).fit(made.X, made.y, made.sample_domain)
        assert error.value.cure
