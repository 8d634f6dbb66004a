from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import RobustSelfTraining, SourceOnly
from ecotone.align._robust_loss import Rows, fit_line, objective, push, robust_loss
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift

KAPPAS = (-50.0, -3.0, 0.5, 3.0, 4.0, 6.0, 40.0)


def two_normals(seed, size=2.0, *, m=20, n=2000, d=50, moved=0.1, other=False):
    """m labelled rows of N(+-mu, I), n around a mu that moved (other: a mu across), tests."""
    rng = np.random.default_rng(seed)
    mu, across = rng.normal(size=(2, d))
    mu *= size / np.linalg.norm(mu)
    across -= across @ mu * mu / size**2
    across *= size / np.linalg.norm(across)
    sign = np.r_[np.where(np.arange(m) % 2, 1, -1), rng.choice([-1, 1], n + 3000)]
    centre = np.repeat([mu, across if other else mu + moved * across, mu], [m, n, 3000], axis=0)
    X, y = sign[:, None] * centre + rng.normal(size=(len(sign), d)), (sign > 0).astype(int)
    return X[: m + n], y[: m + n], np.repeat([1, -2], [m, n]), X[m + n :], y[m + n :]


def errors(size, *, other=False, seeds=10, **params):
    """Error on rows like the labelled ones: logistic regression, ours, and the lam it chose."""
    found = []
    for seed in range(seeds):
        X, y, domain, rows, truth = two_normals(seed, size, other=other)
        ours = RobustSelfTraining(**params).fit(X, y, domain)
        plain = SourceOnly().fit(X, y, domain)
        found.append([1 - plain.score(rows, truth), 1 - ours.score(rows, truth), ours.lam_])
    return np.array(found)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_the_inner_problem_is_solved_for_all_rows(kappa):
    m = np.linspace(-10, 30, 41)
    delta = np.linspace(0, abs(kappa) + 1, 100_001)
    found = robust_loss(m, kappa)[0]
    for at, value in zip(m, found, strict=True):
        cost = delta**2 / (2 * abs(kappa))
        if kappa > 0:
            best = (np.logaddexp(0, delta - at) - cost).max()
        else:
            best = (np.logaddexp(0, -delta - at) + cost).min()
        assert_allclose(value, best, atol=1e-6)


def test_a_search_in_all_of_space_finds_no_worse_row():
    rng = np.random.default_rng(0)
    w, x, gamma = np.array([1.5, -0.5]), np.array([0.3, 0.8]), 0.4
    value, p = robust_loss(np.array([w @ x]), float(w @ w) / (2 * gamma))
    z = x - p[0] / (2 * gamma) * w  # where the gradient of the cost meets that of the loss
    assert_allclose(np.logaddexp(0, -w @ z) - gamma * ((z - x) ** 2).sum(), value[0])
    some = x + 2 * rng.normal(size=(200_000, 2))
    reached = np.logaddexp(0, -some @ w) - gamma * ((some - x) ** 2).sum(axis=1)
    assert value[0] - 0.01 < reached.max() <= value[0]


def test_with_a_huge_gamma_it_is_the_logistic_loss():
    m = np.linspace(-5, 5, 11)
    for kappa in (0.0, 1e-9, -1e-9):
        assert_allclose(robust_loss(m, kappa)[0], np.logaddexp(0, -m), atol=1e-8)
    worst, best = robust_loss(m, 1.0)[0], robust_loss(m, -1.0)[0]
    assert (worst > np.logaddexp(0, -m)).all()
    assert (best < np.logaddexp(0, -m)).all()
    assert_allclose(push(m, 3.0), 1 / (1 + np.exp(m - 3 * push(m, 3.0))))


@pytest.mark.parametrize("gamma", [np.inf, 0.7, 0.05, -0.7])
def test_the_gradient_is_that_of_the_objective(gamma):
    rng = np.random.default_rng(1)
    X, free = (np.column_stack([rng.normal(size=(n, 4)), np.ones(n)]) for n in (12, 30))
    rows = Rows(X, rng.choice([-1.0, 1.0], 12), np.full(12, 1 / 12), free)
    line = rng.normal(size=5)
    slope = approx_fprime(line, lambda b: objective(b, rows, 0.8, gamma, 0.1)[0], 1e-7)
    assert_allclose(objective(line, rows, 0.8, gamma, 0.1)[1], slope, atol=1e-5)


def test_without_unlabelled_rows_it_is_logistic_regression():
    X, y, domain, rows, _ = two_normals(0)
    ours = RobustSelfTraining(lam=0.0).fit(X, y, domain)
    plain = LogisticRegression(max_iter=1000).fit(X[:20], y[:20])
    assert_array_equal(ours.predict_proba(rows), plain.predict_proba(rows))
    # our own solver's line for lam = 0 is the same one, with weights too
    mass = np.linspace(0.5, 2, 20)
    wide = np.column_stack([X, np.ones(len(X))])
    given = Rows(wide[:20], 2.0 * y[:20] - 1, mass / mass.sum(), wide[20:])
    line = fit_line(given, 0.0, np.inf, 1 / mass.sum(), np.zeros(51))
    exact = LogisticRegression(max_iter=1000, tol=1e-10).fit(X[:20], y[:20], mass)
    assert_allclose(line, np.append(exact.coef_, exact.intercept_), atol=1e-3)


def test_helps_with_few_labels_and_many_rows_of_almost_the_same_kind():
    found = errors(2.0)
    assert found[:, 1].mean() <= 0.5 * found[:, 0].mean()
    assert (found[:, 2] > 0).mean() >= 0.9
    found = errors(1.5, seeds=5)
    assert found[:, 1].mean() <= 0.75 * found[:, 0].mean()


def test_does_not_reach_a_quarter_where_classes_overlap():
    found = errors(1.0, seeds=6)
    assert 0.85 * found[:, 0].mean() < found[:, 1].mean() <= found[:, 0].mean() + 0.005


def test_rows_of_another_kind_hurt_and_held_out_labels_refuse_them():
    forced = errors(2.0, other=True, lam=1.0, gamma=1.0)
    assert forced[:, 1].mean() > 2 * forced[:, 0].mean()
    chosen = errors(2.0, other=True)
    assert (chosen[:, 2] == 0).mean() >= 0.8
    assert chosen[:, 1].mean() <= chosen[:, 0].mean() + 0.01


def test_several_classes_weights_and_other_units():
    made = made_shift("location_scale", n=150)
    fitted = RobustSelfTraining(lam=0.3, gamma=1.0).fit(made.X, made.y, made.sample_domain)
    p = fitted.predict_proba(made.X)
    assert p.shape == (300, 3)
    assert_allclose(p.sum(axis=1), 1)
    assert_array_equal(p.argmax(axis=1), fitted.predict(made.X))
    X, y, domain, rows, _ = two_normals(0)
    weight = np.where(np.arange(len(X)) < 6, 2.0, 1.0)
    once = RobustSelfTraining(lam=0.3, gamma=1.0).fit(X, y, domain, weight)
    copies = np.r_[0:6, 0 : len(X)]
    twice = RobustSelfTraining(lam=0.3, gamma=1.0)
    twice.fit(X[copies], y[copies], domain[copies])
    # copies also move the unit of gamma a little
    assert_allclose(once.predict_proba(rows), twice.predict_proba(rows), atol=0.05)
    assert once.unit_ == pytest.approx(X[:20].var(axis=0).mean())


def test_one_row_of_a_class_leaves_the_plain_estimator():
    X, y, domain, rows, _ = two_normals(0)
    y[:20] = np.arange(20) == 3
    fitted = RobustSelfTraining().fit(X, y, domain)
    assert fitted.lam_ == 0
    assert fitted.losses_ == {}
    plain = SourceOnly().fit(X, y, domain)
    assert_array_equal(fitted.predict_proba(rows), plain.predict_proba(rows))


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"estimator": Ridge()}, "estimator is Ridge"),
        ({"estimator": RandomForestClassifier()}, "estimator is RandomForestClassifier"),
        ({"estimator": LogisticRegression(class_weight="balanced")}, "with class_weight"),
        ({"lam": -1.0}, "lam is -1.0"),
        ({"gamma": 0.0}, "gamma is 0.0"),
        ({"cv": 1}, "cv is 1"),
    ],
)
def test_bad_input(params, says):
    made = made_shift("none", n=30)
    y = np.where(made.sample_domain > 0, made.truth, np.nan)
    with pytest.raises(BadInput, match=says) as error:
        RobustSelfTraining(**params).fit(made.X, y, made.sample_domain)
    assert error.value.cure
