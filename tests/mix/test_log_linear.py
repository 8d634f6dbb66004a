from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import STRENGTHS, LogLinear


def runs(n=30, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.ones(3), n)
    return W, rng


def test_strength_is_that_of_brute_force_leave_one_out():
    W, rng = runs(16)
    L = 4 * (W[:, 0] + 0.05) ** -0.1 * np.exp(0.1 * rng.standard_normal(16))
    X, y = np.log(W + 1e-2), np.log(L)
    errors = []
    for strength in STRENGTHS:
        left = [
            y[i] - Ridge(strength).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])[0]
            for i in range(16)
        ]
        errors.append(np.mean(np.square(left)))
    law = LogLinear().fit(W, L)
    assert law.strength_[0] == STRENGTHS[int(np.argmin(errors))]
    want = np.exp(Ridge(law.strength_[0]).fit(X, y).predict(X))
    assert_allclose(law.predict(W), want, rtol=1e-9)


def test_recovers_a_product_of_powers():
    W, _ = runs(40)
    exponents = np.array([-0.3, -0.1, 0.05])
    L = 3 * ((W + 1e-2) ** exponents).prod(axis=1)
    law = LogLinear().fit(W, L)
    assert_allclose(law.coef_[0], exponents, atol=1e-4)


def test_convex_is_said_of_the_target_it_holds_for():
    W, _ = runs(40)
    L = np.column_stack([(W + 1e-2) ** e @ np.eye(3)[0] for e in (-0.3, 0.2)])
    law = LogLinear().fit(W, L + 0.0)
    both = (law.coef_ <= 0).all(axis=1)
    assert law.convex_targets_.tolist() == both.tolist()
    assert not law.convex_targets_[1]
    assert not law.convex_


def test_helps_over_a_line_with_few_published_runs(ranks):
    assert ranks(LogLinear(), 40) > ranks(LinearLaw(), 40) + 0.15


def test_does_not_help_where_losses_are_linear():
    W, _ = runs(60)
    L = 5 - 3 * W[:, 0]
    new, _ = runs(200, seed=1)
    bent = np.abs(LogLinear().fit(W, L).predict(new) - 5 + 3 * new[:, 0]).mean()
    line = np.abs(LinearLaw().fit(W, L).predict(new) - 5 + 3 * new[:, 0]).mean()
    assert line < 1e-9 < 0.02 < bent
