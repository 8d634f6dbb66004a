from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear
from ecotone.mix.prior import KEPT, Remembered, WithPrior


class Power:
    """A smooth prior of two targets."""

    def __init__(self):
        self.asked = 0

    def predict(self, W):
        self.asked += 1
        return (np.asarray(W)[:, :2] + 0.1) ** -0.5

    def gradient(self, W):
        out = np.zeros((len(W), 2, W.shape[1]))
        for t in range(2):
            out[:, t, t] = -0.5 * (W[:, t] + 0.1) ** -1.5
        return out


class Flat:
    """A prior that says the same of every mixture, and has no slopes."""

    def predict(self, W):
        return np.full((len(W), 1), 3.0)


def mixtures(n=20, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(3), n)


def test_level_and_slope_of_an_exact_prior_come_back():
    W, new = mixtures(), mixtures(50, seed=1)
    law = WithPrior(None, Power()).fit(W, np.exp(0.2) * Power().predict(W))
    assert_allclose(law.slope_, 1.0, rtol=1e-12)
    assert_allclose(law.predict(new), np.exp(0.2) * Power().predict(new), rtol=1e-12)


def test_slope_is_the_closed_form_that_shrinks_towards_one():
    W = mixtures()
    L = np.exp(0.1 * np.random.default_rng(2).standard_normal((20, 2))) * Power().predict(W) ** 0.4
    law = WithPrior(None, Power()).fit(W, L)
    for t in range(2):
        x, y = np.log(Power().predict(W)[:, t]), np.log(L[:, t])
        free = np.cov(x, y, ddof=0)[0, 1] / x.var()
        # one extra row of weight var(x) that says 1
        assert_allclose(law.slope_[t], (20 * free + 1) / 21, rtol=1e-9)


def test_slope_of_a_constant_prior_is_one():
    W = mixtures()
    L = 2 + W[:, :1]
    law = WithPrior(None, Flat()).fit(W, L)
    assert law.slope_.tolist() == [1.0]
    assert_allclose(law.predict(W)[:, 0], np.exp(np.log(L).mean()))


def test_a_flat_prior_changes_no_law():
    W, L = mixtures(), 2 + mixtures()[:, :1]
    with_flat = WithPrior(LinearLaw(), Flat()).fit(W, L)
    assert_allclose(with_flat.predict(W), LinearLaw().fit(W, L).predict(W), rtol=1e-12)


def test_the_law_learns_what_the_prior_leaves():
    W, new = mixtures(30), mixtures(100, seed=1)

    def true(W):
        return Power().predict(W) * (1 + 0.5 * W[:, 2:])

    prior, both = (WithPrior(m, Power()).fit(W, true(W)) for m in (None, LogLinear()))
    error = [np.abs(m.predict(new) / true(new) - 1).mean() for m in (prior, both)]
    assert error[1] < 0.5 * error[0]


@pytest.mark.parametrize("law", [None, LogLinear()])
def test_gradient_is_the_slope_of_the_prediction(law):
    W = mixtures()
    fitted = WithPrior(law, Power()).fit(W, Power().predict(W) ** 0.7 * (1 + W[:, 2:]))
    assert fitted.smooth
    for w in mixtures(3, seed=4):
        found = fitted.gradient(w[None])[0]
        for t in range(2):
            slope = approx_fprime(w, lambda x, t=t: fitted.predict(x[None])[0, t], 1e-7)
            assert_allclose(found[t], slope, rtol=1e-5, atol=1e-5)


def test_a_prior_without_slopes_is_not_smooth():
    assert not WithPrior(LogLinear(), Flat()).smooth
    assert not WithPrior(None, Remembered(Flat())).smooth


def test_remembered_answers_are_the_same_and_bounded():
    inner = Power()
    prior = Remembered(inner)
    W = mixtures()
    first = prior.predict(W)
    assert prior.predict(W.copy()) is first
    assert inner.asked == 1
    assert_allclose(prior.gradient(W), inner.gradient(W))
    for seed in range(2 * KEPT):
        prior.predict(mixtures(2, seed=seed + 10))
    assert len(prior._kept) <= KEPT
    assert_allclose(prior.predict(W), first)


def test_a_clone_keeps_the_prior_and_forgets_the_fit():
    prior = Power()
    law = WithPrior(LogLinear(), prior).fit(mixtures(), Power().predict(mixtures()))
    other = clone(law)
    assert other.prior is prior
    assert not hasattr(other, "slope_")


def test_two_rows_are_too_few():
    with pytest.raises(TooFewRows, match="at least 3"):
        WithPrior(None, Power()).fit(mixtures(2), Power().predict(mixtures(2)))


def test_a_prior_of_other_targets_is_an_error_with_a_cure():
    W = mixtures()
    with pytest.raises(BadInput, match="predicts 2 targets, the losses have 1") as error:
        WithPrior(None, Power()).fit(W, Power().predict(W)[:, :1])
    assert "targets=" in error.value.cure


def test_a_descent_may_ask_off_the_simplex():
    W = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    law = WithPrior(LogLinear(), Power()).fit(W, 3 + (W[:, :2] + 0.1) ** -0.4)
    assert np.isfinite(law._predict(np.full((1, 3), 0.5))).all()
    with pytest.raises(BadInput, match=r"sum to 1\.5"):
        law.predict(np.full((1, 3), 0.5))
