from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from scipy.linalg import cho_factor, cho_solve

from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.log_linear import LogLinear


def made_runs(n=40, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.ones(3), n)
    L = np.column_stack([3 - np.sqrt(W[:, 0]), 2 + W[:, 1] ** 2])
    return W, L * np.exp(noise * rng.standard_normal(L.shape))


def test_mean_and_spread_equal_the_closed_form():
    W, L = made_runs()
    new = made_runs(10, seed=1)[0]
    law = GaussianProcess().fit(W, L)
    learned = law.process_.kernel_
    amplitude, noise = learned.k1.k1.constant_value, learned.k2.noise_level

    def kernel(a, b):
        apart = (np.log(a + 3e-3)[:, None] - np.log(b + 3e-3)[None]) / law.lengths_
        d = np.sqrt(5 * (apart**2).sum(axis=2))
        return amplitude * (1 + d + d**2 / 3) * np.exp(-d)

    y = np.log(L)
    z = (y - y.mean(axis=0)) / y.std(axis=0)
    factor = cho_factor(kernel(W, W) + (noise + 1e-10) * np.eye(40))
    cross = kernel(new, W)
    log_mean = y.mean(axis=0) + y.std(axis=0) * (cross @ cho_solve(factor, z))
    rest = amplitude + noise - np.einsum("ij,ji->i", cross, cho_solve(factor, cross.T))
    sigma = np.sqrt(rest)[:, None] * y.std(axis=0)
    assert_allclose(law.predict(new), np.exp(log_mean), rtol=1e-7)
    spread = np.exp(log_mean + sigma**2 / 2) * np.sqrt(np.exp(sigma**2) - 1)
    assert_allclose(law.spread(new), spread, rtol=1e-6)


def test_spread_has_the_shape_of_predict_and_grows_away_from_the_runs():
    rng = np.random.default_rng(0)
    W = rng.dirichlet([20.0, 20.0, 1.0], 40)
    law = GaussianProcess().fit(W, 3 - np.sqrt(W[:, 0]))
    near, far = law.spread([[0.49, 0.49, 0.02], [0.0, 0.0, 1.0]])
    assert law.spread(W).shape == (40,)
    assert far > 3 * near


def test_more_rows_than_the_scales_are_learned_on():
    W, L = made_runs(300)
    law = GaussianProcess().fit(W, L)
    assert len(law.process_.X_train_) == 300
    assert np.abs(np.log(law.predict(W) / L)).mean() < 0.015


def test_intervals_of_published_losses_cover(five):
    W, L = five
    law = GaussianProcess().fit(W[:200], L[:200])
    z = (L[200:] - law.predict(W[200:])) / law.spread(W[200:])
    assert 0.85 < np.mean(np.abs(z) < 1.645) < 0.97


def test_helps_over_the_log_linear_law_with_published_runs(ranks):
    assert ranks(GaussianProcess(), 80) > ranks(LogLinear(), 80) + 0.008


def test_goes_back_to_the_mean_far_from_the_runs():
    # must not help: all runs are half and half, and nothing is known of the pure domains
    rng = np.random.default_rng(0)
    half = rng.uniform(0.47, 0.53, 30)
    W = np.column_stack([half, 1 - half])
    y = 4 - 3 * half + 0.05 * rng.standard_normal(30)
    law = GaussianProcess().fit(W, y)
    pure = law.predict([[1.0, 0.0]])[0]
    assert pure > 1.5  # the truth is 1
    assert law.spread([[1.0, 0.0]])[0] > 1.5 * law.spread([[0.5, 0.5]])[0]
