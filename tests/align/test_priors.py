"""The mathematics of label shift against what it says it computes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from ecotone.align._priors import (
    Held,
    Mixture,
    calibrate,
    confusion,
    em_step,
    expectation_maximisation,
    inversion_errors,
    inverted,
    mixture_p_value,
    on_simplex,
    one_hot,
    softmax,
)


def test_the_nearest_shares_are_those_of_a_general_solver():
    rng = np.random.default_rng(0)
    for _ in range(10):
        A, q = rng.normal(size=(6, 4)), rng.normal(size=6)
        best = minimize(
            lambda p, A=A, q=q: ((A @ p - q) ** 2).sum(),
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        ours = on_simplex(A, q)
        assert_allclose(ours.sum(), 1.0)
        assert ((A @ ours - q) ** 2).sum() <= best.fun + 1e-10
        assert_allclose(ours, best.x, atol=1e-5)


def test_an_exact_confusion_matrix_gives_exact_priors():
    rng = np.random.default_rng(1)
    for _ in range(20):
        likelihood = rng.dirichlet(np.ones(5), size=5).T  # columns: P(prediction | class)
        source, target = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
        if np.linalg.cond(likelihood) < 1e3:
            found = inverted(likelihood * source, likelihood @ target)
            assert_allclose(found, target, atol=1e-10)


def test_an_impossible_mean_prediction_gives_the_nearest_possible_priors():
    C = np.array([[0.4, 0.1], [0.1, 0.4]])
    assert_allclose(inverted(C, np.array([0.95, 0.05])), [1.0, 0.0])  # at most 0.8 can be had


def blobs(n, priors, rng, gap=2.0):
    y = rng.choice(len(priors), n, p=priors)
    return gap * np.eye(len(priors))[y] + rng.normal(size=(n, len(priors))), y


def truth(X, priors, gap=2.0):
    return softmax(gap * X + np.log(priors))


def held(n, m, source, target, rng):
    Xs, ys = blobs(n, source, rng)
    Xt, _ = blobs(m, target, rng)
    return Held(truth(Xs, source), ys, np.ones(n), truth(Xt, source))


def test_errors_are_those_seen_over_many_draws():
    source, target = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    found, told = [], []
    for seed in range(200):
        h = held(400, 200, source, target, np.random.default_rng(seed))
        C = confusion(h.source, h.y, h.weight)
        w = np.linalg.solve(C, h.target.mean(axis=0))
        found.append(w)
        told.append(np.diag(inversion_errors(h, C, w)))
    assert_allclose(np.mean(told, axis=0), np.var(found, axis=0), rtol=0.35)


def test_no_step_lowers_the_likelihood_and_the_end_is_the_maximum():
    rng = np.random.default_rng(2)
    source, target = np.full(3, 1 / 3), np.array([0.7, 0.25, 0.05])
    X, _ = blobs(300, target, rng)
    R = truth(X, source) / source
    pi, values = source, []
    for _ in range(50):
        values.append(np.log(R @ pi).sum())
        pi = em_step(pi, R)
    assert (np.diff(values) >= -1e-10).all()
    end, _ = expectation_maximisation(R, source)
    slope = (R / (R @ end)[:, None]).mean(axis=0)  # 1 where a share is above 0 at the maximum
    assert_allclose(slope[end > 1e-6], 1.0, atol=1e-5)
    assert (slope <= 1 + 1e-5).all()


def test_calibration_finds_the_temperature_and_the_biases():
    rng = np.random.default_rng(3)
    X, y = blobs(4000, np.array([0.5, 0.3, 0.2]), rng)
    right = truth(X, np.array([0.5, 0.3, 0.2]))
    spoilt = softmax(3.0 * np.log(right) + np.array([1.0, 0.0, -1.0]))
    h = Held(spoilt, y, np.ones(len(y)), spoilt)
    found = calibrate(h)
    assert_allclose(found.a, 1 / 3, rtol=0.1)
    assert np.abs(found(spoilt) - right).max() < 0.06
    # an independent fit: multinomial regression with one shared slope cannot be better
    free = LogisticRegression(C=1e6, max_iter=1000).fit(np.log(spoilt), y)
    loss = [-np.log(P[np.arange(len(y)), y]).mean() for P in (found(spoilt), right)]
    assert loss[0] <= loss[1] + 1e-4
    assert -np.log(free.predict_proba(np.log(spoilt))[np.arange(len(y)), y]).mean() <= loss[0]


def p_value(rng, source, target, moved=0.0, n=200):
    Xs, ys = blobs(n, source, rng)
    Xt, _ = blobs(n, target, rng)
    mixture = Mixture(one_hot(ys, len(source)), target / source, 0.0)
    return mixture_p_value(Xs, Xt + moved, mixture)


@pytest.mark.parametrize("target", [[0.5, 0.3, 0.2], [0.05, 0.15, 0.8]])
def test_mixtures_are_rejected_at_the_stated_rate(target):
    source, target = np.array([0.5, 0.3, 0.2]), np.array(target)
    found = np.array([p_value(np.random.default_rng(s), source, target) for s in range(100)])
    assert (found < 0.1).mean() <= 0.18
    assert 0.3 < np.median(found) < 0.75


def test_what_is_no_mixture_is_rejected():
    even, there = np.full(3, 1 / 3), np.array([0.6, 0.3, 0.1])
    found = [p_value(np.random.default_rng(s), even, there, 0.5) for s in range(20)]
    assert np.mean(np.array(found) < 0.01) >= 0.9
