from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from ecotone.align import DASVM, SourceOnly
from ecotone.align._margins import OneVsRest
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def gains(kind, base=None, seeds=5, n=200):
    out = []
    plain = SourceOnly(DASVM()._base() if base is None else base)
    for seed in range(seeds):
        made = made_shift(kind, n=n, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (DASVM(base), plain)]
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return float(np.mean(out))


def test_at_home_it_agrees_with_the_plain_machine():
    made = made_shift("rotation", n=200, size=0.0)
    rows = made.X[made.sample_domain > 0]
    y = made.truth[made.sample_domain > 0]
    X, domain = np.vstack([rows, rows]), np.repeat([1, -2], len(rows))
    fitted = DASVM().fit(X, np.r_[y, -np.ones(len(y), dtype=int)], domain)
    assert (fitted.predict(rows) == SVC(gamma="auto").fit(rows, y).predict(rows)).mean() >= 0.98


def test_source_rows_only_leave():
    for kind in ("affine", "rotation"):
        made = made_shift(kind, n=150)
        fitted = DASVM().fit(made.X, made.y, made.sample_domain)
        assert all(a >= b for a, b in pairwise([150, *fitted.kept_]))
        assert len(fitted.kept_) == len(fitted.labelled_) == fitted.rounds_ <= 40
        assert fitted.labelled_[0] <= 3 * max(3, np.ceil(0.05 * 150 / 2))
        assert fitted.labelled_[-1] > fitted.labelled_[0]
    short = DASVM(rounds=2).fit(made.X, made.y, made.sample_domain)
    assert short.rounds_ == 2
    assert_array_equal(short.kept_, fitted.kept_[:2])


def test_without_rounds_it_is_the_target_by_the_source_labels():
    made = made_shift("affine", n=120)
    fitted = DASVM(rounds=0).fit(made.X, made.y, made.sample_domain)
    at = made.sample_domain > 0
    first = [SVC(gamma="auto").fit(made.X[at], made.truth[at] == c) for c in range(3)]
    labels = np.argmax([m.decision_function(made.X[~at]) for m in first], axis=0)
    last = [SVC(gamma="auto").fit(made.X[~at], labels == c) for c in range(3)]
    want = np.column_stack([m.decision_function(made.X) for m in last])
    assert_allclose(fitted.decision_function(made.X), want, atol=1e-2)


def test_helps_where_clusters_drift():
    assert gains("rotation", SVC()) >= 0.02
    assert gains("affine", SVC()) >= 0.02
    assert gains("affine") >= 0.02


def test_follows_wrong_labels_when_clusters_are_reversed():
    made = made_shift("rotation", n=200, size=3.0)
    fitted = DASVM().fit(made.X, made.y, made.sample_domain)
    plain = SourceOnly(DASVM()._base()).fit(made.X, made.y, made.sample_domain)
    assert fitted.score(*made.target) <= plain.score(*made.target) <= 0.3


def test_hurts_under_a_label_shift():
    assert gains("label") <= -0.03


def test_fault_8_many_classes_and_no_pipeline():
    made = made_shift("affine", n=150)
    for base in (None, LogisticRegression()):
        fitted = DASVM(base).fit(made.X, made.y, made.sample_domain)
        assert set(fitted.predict(made.X)) == {0, 1, 2}
    assert fitted.predict_proba(made.X).shape == (300, 3)
    assert_allclose(fitted.predict_proba(made.X).sum(axis=1), 1)


def test_fault_8_the_peer_has_it(skada):
    """Drop this when the peer takes more than two classes."""
    made = made_shift("affine", n=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = skada.DASVMClassifier(SVC())
        with pytest.raises((IndexError, ValueError)):
            peer.fit(made.X, made.y, made.sample_domain)


def test_one_machine_serves_two_classes():
    made = made_shift("rotation", n=80)
    y = made.truth
    both = OneVsRest(lambda X, y, w: SVC().fit(X, y, w), 2).fit(made.X, y, np.ones(160))
    assert len(both.machines_) == 1
    assert_array_equal(both.predict(made.X), SVC().fit(made.X, y).predict(made.X))
    assert_allclose(both.margins(made.X)[:, 0], -both.decision_function(made.X))


def test_bad_input():
    made = made_shift("none", n=30)
    for wrong, says in (
        (DASVM(GaussianNB()), "has no decision_function"),
        (DASVM(Ridge()), "needs margins of classes"),
        (DASVM(step=0), "step is 0"),
    ):
        with pytest.raises(BadInput, match=says) as error:
            wrong.fit(made.X, np.abs(made.y) * 1.0, made.sample_domain)
        assert error.value.cure
