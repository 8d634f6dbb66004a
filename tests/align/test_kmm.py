from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from ecotone.align import KMM, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def sides(n, d, shift, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    X = np.vstack([rng.normal(size=(n, d)), shift + spread * rng.normal(size=(n, d))])
    return X, rng.integers(2, size=2 * n), np.repeat([1, -2], n)


def program(source, target, gamma, ridge):
    """The kernels written out."""
    n = len(source)
    K = np.exp(-gamma * cdist(source, source, "sqeuclidean")) + ridge * np.eye(n)
    kappa = n * np.exp(-gamma * cdist(source, target, "sqeuclidean")).mean(axis=1)
    return K, kappa


@pytest.mark.parametrize(("slack", "cap"), [(0.0, 3.0), (0.2, 1000.0)])
def test_reaches_the_optimum_of_a_general_solver(slack, cap):
    n = 100
    X, y, domain = sides(n, 3, 0.8)
    fitted = KMM(slack=slack, cap=cap, ridge=0.1, tol=1e-8, steps=5000).fit(X, y, domain)
    K, kappa = program(fitted.rows_, X[n:], fitted.gamma_, 0.1)
    sums = [
        {"type": "ineq", "fun": lambda w: w.sum() - n * (1 - slack), "jac": np.ones_like},
        {"type": "ineq", "fun": lambda w: n * (1 + slack) - w.sum(), "jac": lambda w: -np.ones(n)},
    ]
    best = minimize(
        lambda w: w @ K @ w / 2 - kappa @ w,
        np.ones(n),
        jac=lambda w: K @ w - kappa,
        bounds=[(0, cap)] * n,
        constraints=sums,
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert fitted.objective_ <= best.fun + 1e-6 * abs(best.fun)
    w = fitted.row_weights_
    assert w.min() >= 0
    assert w.max() <= cap
    assert n * (1 - slack) - 1e-8 <= w.sum() <= n * (1 + slack) + 1e-8
    assert_allclose(w @ K @ w / 2 - kappa @ w, fitted.objective_, rtol=1e-10)


def test_the_gap_bounds_the_distance_from_the_optimum():
    X, y, domain = sides(200, 5, 0.5)
    rough = KMM(tol=1e-2).fit(X, y, domain)
    fine = KMM(tol=1e-9, steps=5000).fit(X, y, domain)
    assert 0 <= rough.objective_ - fine.objective_ <= rough.gap_
    assert fine.gap_ <= 1e-9 * abs(fine.objective_)
    assert rough.steps_ < fine.steps_


def test_single_precision_is_as_good(monkeypatch):
    X, y, domain = sides(400, 10, 0.3)
    double = KMM().fit(X, y, domain)
    monkeypatch.setattr("ecotone.align.kmm.SINGLE_FROM", 100)
    single = KMM().fit(X, y, domain)
    assert_allclose(single.objective_, double.objective_, rtol=1e-5)
    assert_allclose(single.weights_, double.weights_, atol=2e-3)


def test_the_kernel_distance_falls():
    for seed in range(20):
        X, y, domain = sides(100, 4, 0.4, seed, spread=0.8)
        fitted = KMM().fit(X, y, domain)
        K, kappa = program(fitted.rows_, X[100:], fitted.gamma_, 0.0)

        def distance(w, K=K, kappa=kappa):  # up to the target's own term
            return w @ K @ w / 1e4 - 2 * w @ kappa / 1e4

        assert distance(fitted.row_weights_) < distance(np.ones(100))


def test_permuting_rows_permutes_the_weights():
    X, y, domain = sides(150, 3, 0.5)
    order = np.random.default_rng(1).permutation(len(X))
    one = KMM().fit(X, y, domain)
    two = KMM().fit(X[order], y[order], domain[order])
    assert_array_equal(one.row_weights_, two.row_weights_)
    assert_allclose(one.weights_[order], two.weights_, rtol=1e-12)  # the mean is rounded


def test_new_rows_get_the_weights_around_them():
    X, y, domain = sides(300, 1, 1.0)
    fitted = KMM().fit(X, y, domain)
    grid = np.linspace(-2, 2, 41)[:, None]
    assert np.corrcoef(fitted.log_ratio(grid), grid[:, 0])[0, 1] > 0.95
    assert np.isfinite(fitted.log_ratio(np.array([[1e6], [-1e6]]))).all()


def test_helps_a_linear_model_of_a_curve():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = np.r_[rng.normal(0.5, 0.5, 300), rng.normal(0, 0.3, 300)]
        truth = x**3 - x
        domain = np.repeat([1, -2], 300)
        y = np.where(domain > 0, truth + 0.1 * rng.normal(size=600), np.nan)
        errors = [
            np.mean((m.fit(x[:, None], y, domain).predict(x[300:, None]) - truth[300:]) ** 2)
            for m in (KMM(Ridge(1e-6)), SourceOnly(Ridge(1e-6)))
        ]
        assert errors[0] < 0.8 * errors[1]


def test_does_not_help_under_a_concept_shift():
    gain = []
    for seed in range(5):
        made = made_shift("concept", n=200, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (KMM(), SourceOnly())]
        gain.append(fits[0].score(*made.target) - fits[1].score(*made.target))
    assert abs(np.mean(gain)) <= 0.01


def test_fault_11_a_few_rows_do_not_take_all(skada):
    from skada import KMMReweightAdapter

    n, d, rng = 1000, 50, np.random.default_rng(0)
    y = rng.integers(5, size=2 * n)
    X = 0.6 * rng.normal(size=(5, d))[y] + rng.normal(size=(2 * n, d))
    Q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    X[n:] = X[n:] @ (Q * np.exp(0.5 * rng.normal(size=d))) @ Q.T + 0.5 * rng.normal(size=d)
    domain = np.repeat([1, -2], n)
    theirs = KMMReweightAdapter(gamma=0.02).fit(X, sample_domain=domain).source_weights_
    ours = KMM(gamma=0.02).fit(X, y, domain)
    assert (ours.row_weights_ == 0).mean() < 0.7
    assert ours.effective_ > 0.2 * n
    assert_allclose(ours.row_weights_.mean(), 1.0, atol=1e-10)
    # to be dropped when the peer mends it
    assert (theirs == 0).mean() > 0.8
    assert theirs.sum() ** 2 / (theirs @ theirs) < 0.12 * n
    assert theirs.mean() < 0.8


def test_no_worse_than_the_peer_on_its_own_problem(skada):
    from skada import KMMReweightAdapter

    n = 300
    X, y, domain = sides(n, 20, 0.2)
    theirs = KMMReweightAdapter(gamma=0.02).fit(X, sample_domain=domain).source_weights_
    slack = (np.sqrt(n) - 1) / np.sqrt(n)
    ours = KMM(gamma=0.02, ridge=0.0, cap=1000.0, slack=slack).fit(X, y, domain)
    K, kappa = program(X[:n], X[n:], 0.02, 0.0)
    assert ours.objective_ <= theirs @ K @ theirs / 2 - kappa @ theirs


def test_too_many_rows_are_refused_before_anything_is_made():
    X = np.random.default_rng(0).normal(size=(30_002, 1))
    domain = np.where(np.arange(30_002) < 30_000, 1, -2)
    with pytest.raises(BadInput, match="matrix of 4 GB") as error:
        KMM().fit(X, np.arange(30_002) % 2, domain)
    assert error.value.cure == "eco.align.DiscriminatorReweight()"


def test_limits_that_allow_no_weights_are_refused():
    X, y, domain = sides(20, 2, 0.5)
    for wrong in ({"cap": 0.5}, {"slack": 1.0}, {"ridge": -1.0}, {"gamma": -1.0}, {"tol": 0.0}):
        with pytest.raises(BadInput):
            KMM(**wrong).fit(X, y, domain)
