from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from ecotone.align import JDOT, SourceOnly
from ecotone.align.ot_mapping import least_effort
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift

ot = pytest.importorskip("ot")


def turned_moons(seed, n=200, degrees=30):
    """Moons and, as target, moons turned about the origin."""
    (S, ys), (T, yt) = (make_moons(n, noise=0.08, random_state=s) for s in (seed, seed + 100))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.vstack([S, T @ turn]), np.r_[ys, np.full(n, -1)], np.repeat([1, -2], n), yt


def on_moons(*methods, seeds=3):
    out = []
    for seed in range(seeds):
        X, y, domain, truth = turned_moons(seed)
        out.append([m.fit(X, y, domain).score(X[domain < 0], truth) for m in methods])
    return np.mean(out, axis=0)


def moved_sine(seed, n=200):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, 2 * n)
    truth = np.sin(x) + 0.05 * rng.normal(size=2 * n)
    domain = np.repeat([1, -2], n)
    X = np.where(domain < 0, x + 1.0, x)[:, None]
    return X, np.where(domain > 0, truth, np.nan), domain, truth


@pytest.mark.parametrize("n", [150, 700])  # all pairs at once, and few pairs
def test_the_objective_falls_and_is_the_true_one(n):
    made = made_shift("affine", n=n)
    at = made.sample_domain > 0
    S, T, y = made.X[at], made.X[~at], made.truth[at]
    fitted = JDOT(alpha=0.7).fit(made.X, made.y, made.sample_domain)
    assert len(fitted.objectives_) >= 2
    assert np.diff(fitted.objectives_).max() < 0
    D = cdist(S, T, "sqeuclidean")
    losses = -np.log(fitted.predict_proba(T))
    C = 0.7 * D / np.median(D) + losses[:, y].T
    assert_allclose(fitted.objectives_[-1], ot.emd2([], [], C, numItermax=10**7), rtol=1e-7)


def test_the_objective_of_a_regression_is_the_true_one():
    X, y, domain, _ = moved_sine(0)
    at = domain > 0
    fitted = JDOT(KernelRidge(alpha=0.1, kernel="rbf")).fit(X, y, domain)
    D = cdist(X[at], X[~at], "sqeuclidean")
    errors = (y[at][:, None] - fitted.predict(X[~at])) ** 2
    C = D / np.median(D) + errors / y[at].var()
    assert_allclose(fitted.objectives_[-1], ot.emd2([], [], C), rtol=1e-7)


def test_limits():
    made = made_shift("affine", n=150)
    at = made.sample_domain > 0
    S, T, y = made.X[at], made.X[~at], made.truth[at]
    plan = least_effort(S, T, np.ones(len(S)), "sqeuclidean", "test")
    sent = np.empty(len(T), dtype=int)
    sent[plan.j] = y[plan.i]
    transfer = LogisticRegression(max_iter=1000).fit(T, sent)
    far = JDOT(alpha=1e5).fit(made.X, made.y, made.sample_domain)
    assert_allclose(far.predict_proba(T), transfer.predict_proba(T), atol=1e-3)
    X, labels, domain = np.vstack([S, S]), np.r_[y, y], np.repeat([1, -2], len(S))
    plain = LogisticRegression(max_iter=1000).fit(S, y)
    home = JDOT(alpha=1e3).fit(X, labels, domain)
    assert_allclose(home.predict_proba(T), plain.predict_proba(T), atol=1e-3)
    # otherwise even there it pays to swap labels of neighbours
    assert np.diff(JDOT().fit(X, labels, domain).objectives_).min() < -0.01


def test_fault_9_there_is_always_a_predictor():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    X = rng.normal(size=(400, 2)) + 2 * y[:, None]
    domain = np.repeat([1, -2], 200)
    fitted = JDOT().fit(X, np.where(domain > 0, y, -1), domain)
    assert fitted.score(X[200:], y[200:]) > 0.8
    # no round at all: the source fit or the fit on carried labels, whichever is better
    first = JDOT(rounds=1).fit(X, np.where(domain > 0, y, -1), domain)
    assert first.objectives_[-1] >= fitted.objectives_[-1]
    assert first.score(X[200:], y[200:]) > 0.8


def test_helps_on_turned_moons():
    ours, plain = on_moons(JDOT(SVC()), SourceOnly(SVC()))
    assert ours >= plain + 0.10
    ours, plain = on_moons(JDOT(), SourceOnly())
    assert ours >= plain + 0.05


def test_helps_a_regression():
    ratios = []
    for seed in range(3):
        X, y, domain, truth = moved_sine(seed)
        at = domain < 0
        base = KernelRidge(alpha=0.1, kernel="rbf")
        errors = [
            np.mean((m(base).fit(X, y, domain).predict(X[at]) - truth[at]) ** 2)
            for m in (JDOT, SourceOnly)
        ]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) <= 0.7


def test_carries_the_sources_shares():
    rng = np.random.default_rng(0)
    y = np.r_[rng.random(300) < 0.5, rng.random(300) < 0.9].astype(int)
    X = rng.normal(size=(600, 5))
    X[:, 0] += 4.0 * y
    domain = np.repeat([1, -2], 300)
    ours, plain = (
        m.fit(X, np.where(domain > 0, y, -1), domain).score(X[300:], y[300:])
        for m in (JDOT(), SourceOnly())
    )
    assert ours <= plain - 0.05


def test_costs_accuracy_where_classes_overlap_and_nothing_moved():
    gains = []
    for seed in range(6):
        made = made_shift("none", n=200, seed=seed)
        methods = JDOT(), SourceOnly()
        scores = [m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods]
        gains.append(scores[0] - scores[1])
    assert np.mean(gains) <= -0.01


def test_estimators_without_probabilities_or_weights():
    X, y, domain, truth = turned_moons(0)
    near = JDOT(KNeighborsClassifier()).fit(X, y, domain)  # equal masses: no weights needed
    assert near.score(X[200:], truth) > 0.9
    with pytest.raises(BadInput, match="neither predict_proba nor decision_function") as error:
        JDOT(Nothing()).fit(X, y, domain)
    assert error.value.cure == "eco.align.JDOT(LogisticRegression())"
    with pytest.raises(BadInput, match="alpha is -1"):
        JDOT(alpha=-1.0).fit(X, y, domain)


class Nothing(LogisticRegression):
    """A classifier that predicts and says nothing more."""

    predict_proba = property()
    decision_function = property()

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


def test_rows_of_weight_zero_are_not_there():
    X, y, domain, _ = turned_moons(1)
    drop = (np.arange(400) % 5 == 0) & (domain > 0)
    one = JDOT().fit(X, y, domain, sample_weight=np.where(drop, 0.0, 1.0))
    two = JDOT().fit(X[~drop], y[~drop], domain[~drop])
    assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-3)
    line = JDOT(Ridge()).fit(X, np.where(domain > 0, X[:, 0], np.nan), domain)
    assert_array_equal(np.isfinite(line.predict(X)), True)
