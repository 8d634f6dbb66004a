from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from ecotone.align import BBSE, MLLS
from ecotone.align._priors import Calibration
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def error(make, seed, *, n=100, copies=1):
    made = made_shift("label", n=n, size=0.7, seed=seed)
    X = np.hstack([made.X] * copies)
    base = None if copies == 1 else GaussianNB()
    fitted = make(base, level=0.0).fit(X, made.y, made.sample_domain)
    drawn = np.bincount(made.target[1], minlength=3) / n
    return ((fitted.priors_ - drawn) ** 2).sum()


def on_digits(make, seed):
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    X, y, share = X[order] / 16, y[order], rng.dirichlet(np.full(10, 0.3))
    # a target row is kept with a chance in proportion to the share of its class
    keep = (np.arange(len(y)) < 700) | (rng.random(len(y)) < share[y] / share.max())
    X, y = X[keep], y[keep]
    domain = np.repeat([1, -2], [700, len(y) - 700])
    fitted = make(level=0.0).fit(X, y, domain)
    return np.abs(fitted.priors_ - np.bincount(y[700:], minlength=10) / (len(y) - 700)).sum()


def test_is_nearer_than_the_confusion_matrix_on_digits():
    ours, theirs = (np.mean([on_digits(m, s) for s in range(8)]) for m in (MLLS, BBSE))
    assert ours < 0.8 * theirs


def test_is_not_nearer_where_classes_overlap():
    ours, theirs = (np.mean([error(m, s) for s in range(30)]) for m in (MLLS, BBSE))
    assert 0.9 * theirs < ours < 1.5 * theirs


def test_needs_its_calibration(monkeypatch):
    # naive Bayes takes six copies of a feature for six witnesses
    with_it = np.mean([error(MLLS, s, copies=6) for s in range(15)])
    plain = Calibration(1.0, np.zeros(3))
    monkeypatch.setattr("ecotone.align._label_shift.calibrate", lambda held: plain)
    assert with_it < 0.8 * np.mean([error(MLLS, s, copies=6) for s in range(15)])


def test_recovers_shares_from_many_rows():
    made = made_shift("label", n=4000, size=0.7)
    fitted = MLLS().fit(made.X, made.y, made.sample_domain)
    drawn = np.bincount(made.target[1], minlength=3) / 4000
    assert np.abs(fitted.priors_ - drawn).max() < 0.02
    assert fitted.steps_ < 2000


def test_invents_shares_where_rows_moved():
    made = made_shift("location_scale", n=400, size=1.0)
    fitted = MLLS(level=0.0).fit(made.X, made.y, made.sample_domain)
    drawn = np.bincount(made.target[1], minlength=3) / 400
    assert np.abs(fitted.priors_ - drawn).sum() > 0.3
    assert fitted.assumption_p_ < 0.01


def test_probabilities_are_needed():
    made = made_shift("label", n=60)
    with pytest.raises(BadInput, match="MLLS needs probabilities") as raised:
        MLLS(LinearSVC(), use="weights").fit(made.X, made.y, made.sample_domain)
    assert "BBSE" in raised.value.cure
