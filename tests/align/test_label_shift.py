"""What BBSE, RLLS and MLLS share: helping under label shift, and keeping still elsewhere."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from ecotone.align import BBSE, MLLS, RLLS, SourceOnly
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift

METHODS = [BBSE, RLLS, MLLS]


@lru_cache
def digits(seed, scale=1.0):
    """700 source rows, and as many target rows as Dirichlet(0.3) shares leave of the others."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    source, pool = order[:700], order[700:]
    shares = np.maximum(rng.dirichlet(np.full(10, 0.3)), 1e-9)
    counts = np.bincount(y[pool], minlength=10)
    drawn = rng.multinomial(int(min(600, (counts / shares).min())), shares).clip(max=counts)
    target = np.concatenate([pool[y[pool] == c][: drawn[c]] for c in range(10)])
    rows = np.vstack([X[source], X[target] * scale]) / 16
    domain = np.repeat([1, -2], [len(source), len(target)])
    labels = np.r_[y[source], y[target]]
    return rows, np.where(domain > 0, labels, -1), domain, labels[domain < 0]


def on_digits(make, base, draws, scale=1.0):
    out = []
    for seed in range(draws):
        X, y, domain, truth = digits(seed, scale)
        ours, plain = make(base).fit(X, y, domain), SourceOnly(base).fit(X, y, domain)
        shares = np.bincount(truth, minlength=10) / len(truth)
        there = X[domain < 0]
        out.append(
            (
                np.abs(ours.priors_ - shares).sum(),
                ours.score(there, truth) - plain.score(there, truth),
                ours.applied_,
            )
        )
    return np.array(out).T


@pytest.mark.parametrize("make", METHODS)
def test_helps_on_digits_with_other_shares(make):
    error, gain, applied = on_digits(make, GaussianNB(var_smoothing=1e-2), 20)
    assert np.median(error) < 0.1
    assert gain.mean() >= 0.015
    assert gain.min() >= -0.005
    assert applied.mean() >= 0.9


@pytest.mark.parametrize("make", METHODS)
def test_helps_a_good_classifier_less(make):
    # 97 % are right before: half of 1.5 points is what is left to gain
    error, gain, _ = on_digits(make, LogisticRegression(max_iter=1000), 8)
    assert np.median(error) < 0.1
    assert gain.mean() >= 0.0075
    assert gain.min() >= -0.005


@pytest.mark.parametrize("make", METHODS)
def test_does_not_touch_what_is_no_label_shift(make):
    base = LogisticRegression(max_iter=1000)
    _, gain, applied = on_digits(make, base, 10, scale=0.7)
    assert (~applied.astype(bool)).mean() >= 0.8
    assert (gain[applied == 0] == 0).all()


@pytest.mark.parametrize("make", METHODS)
def test_finds_no_shift_where_there_is_none(make):
    found = []
    for seed in range(30):
        made = made_shift("none", n=200, seed=seed)
        fitted = make(level=0.0).fit(made.X, made.y, made.sample_domain)
        drawn = np.bincount(made.target[1], minlength=3) / 200
        found.append(fitted.priors_ - drawn)
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(30)
    assert (np.abs(mean) < 3 * error + 1e-3).all()


@pytest.mark.parametrize("make", METHODS)
def test_rejected_means_the_plain_classifier(make):
    made = made_shift("location_scale", n=300, size=2.0)
    ours = make().fit(made.X, made.y, made.sample_domain)
    assert ours.assumption_p_ < 0.01
    assert not ours.applied_
    plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
    for name in ("predict", "predict_proba", "decision_function"):
        assert_array_equal(getattr(ours, name)(made.X), getattr(plain, name)(made.X))
    assert make(level=0.0).fit(made.X, made.y, made.sample_domain).applied_


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("use", ["posterior", "weights"])
def test_both_uses_help(make, use):
    gain = []
    for seed in range(5):
        made = made_shift("label", n=400, size=0.8, seed=seed)
        ours = make(use=use).fit(made.X, made.y, made.sample_domain)
        plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
        gain.append(ours.score(*made.target) - plain.score(*made.target))
    assert np.mean(gain) >= 0.04


def test_decisions_agree_with_probabilities():
    made = made_shift("label", n=300)
    fitted = BBSE().fit(made.X, made.y, made.sample_domain)
    P = fitted.predict_proba(made.X)
    assert_allclose(P.sum(axis=1), 1.0)
    assert_array_equal(fitted.decision_function(made.X).argmax(axis=1), fitted.predict(made.X))
    keep = made.truth < 2
    two = BBSE().fit(made.X[keep], made.y[keep].clip(max=1), made.sample_domain[keep])
    decided = two.decision_function(made.X)
    assert decided.shape == (600,)
    assert_array_equal(decided > 0, two.predict(made.X) == 1)


@pytest.mark.parametrize("make", [BBSE, RLLS])
def test_class_predictions_are_enough(make):
    made = made_shift("label", n=600, size=0.8)
    fitted = make(LinearSVC(), use="weights").fit(made.X, made.y, made.sample_domain)
    drawn = np.bincount(made.target[1], minlength=3) / 600
    assert np.abs(fitted.priors_ - drawn).sum() < 0.15
    with pytest.raises(BadInput, match="LinearSVC gives none") as error:
        make(LinearSVC()).fit(made.X, made.y, made.sample_domain)
    assert error.value.cure == "use='weights'"


@pytest.mark.parametrize("make", METHODS)
def test_weights_of_rows_count_as_copies(make):
    made = made_shift("label", n=300)
    source = made.sample_domain > 0
    weight = np.where(made.y == 0, 3.0, 1.0)
    fitted = make().fit(made.X, made.y, made.sample_domain, sample_weight=weight)
    share = 3 * (made.y[source] == 0).sum() / weight[source].sum()
    assert_allclose(fitted.source_priors_[0], share)
    plain = make().fit(made.X, made.y, made.sample_domain)
    assert np.abs(fitted.priors_ - plain.priors_).sum() < 0.1


@pytest.mark.parametrize("make", METHODS)
def test_what_cannot_be_done_is_refused(make):
    made = made_shift("label", n=60)
    with pytest.raises(BadInput, match="Ridge is a regressor"):
        make(Ridge()).fit(made.X, made.y.astype(float), made.sample_domain)
    with pytest.raises(BadInput, match="use is 'both'"):
        make(use="both").fit(made.X, made.y, made.sample_domain)
    with pytest.raises(BadInput, match="cv is 1"):
        make(cv=1).fit(made.X, made.y, made.sample_domain)
    lone = made.y.copy()
    lone[np.flatnonzero(lone == 2)[1:]] = 1
    with pytest.raises(TooFewRows, match="one row of 2 is too few"):
        make().fit(made.X, lone, made.sample_domain)
