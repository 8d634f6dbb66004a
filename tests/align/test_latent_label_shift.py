from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import check_estimator

from ecotone.align._corners import factorise
from ecotone.align.latent_label_shift import LatentLabelShift
from ecotone.core.errors import BadInput, TooFewRows


def matched(truth, shares):
    """Columns of shares, (r, k), in the order in which they fit the truth best."""
    cost = np.abs(truth[:, :, None] - shares[:, None, :]).sum(axis=0)
    return shares[:, linear_sum_assignment(cost)[1]]


def agreement(y, found):
    table = np.zeros((y.max() + 1, y.max() + 1))
    np.add.at(table, (y, found), 1)
    return table[linear_sum_assignment(-table)].sum() / len(y)


def digits(seed, *, classes=3, domains=5, same=False):
    """Digits dealt to domains, beside two features of large noise that drown k-means."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    kept = np.sort(rng.permutation(10)[:classes])
    at = np.flatnonzero(np.isin(y, kept))
    X, y = X[at], np.searchsorted(kept, y[at])
    shares = np.ones((classes, domains)) if same else rng.dirichlet([0.5] * classes, domains).T
    d = np.array([rng.choice(domains, p=shares[c] / shares[c].sum()) for c in y])
    return np.c_[X, 300 * rng.normal(size=(len(X), 2))], y, d + 1


# five symbols: each class has one of its own, two are shared
SYMBOLS = np.array([[0.5, 0, 0], [0, 0.4, 0], [0, 0, 0.6], [0.3, 0.6, 0.1], [0.2, 0, 0.3]])
SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.4, 0.3, 0.3]])  # P(y | d)


@pytest.mark.parametrize("seed", range(5))
def test_exact_cells_give_exact_shares(seed):
    rng = np.random.default_rng(seed)
    given = rng.dirichlet(np.full(3, 0.7), 5)  # five domains, three classes
    table = SYMBOLS @ given.T
    found = factorise(table / table.sum(axis=1, keepdims=True), 3)
    assert_allclose(matched(given, found.shares.T), given, atol=1e-3)
    assert_allclose(found.corners.sum(axis=1), 1)


def rows_of_symbols(n):
    """Rows that hold each symbol exactly as often as the model says, as indicators."""
    counts = np.rint(n * SYMBOLS @ SHARES.T).astype(int)  # (symbols, domains)
    symbol = np.concatenate([np.repeat(np.arange(5), counts[:, d]) for d in range(4)])
    return np.eye(5)[symbol], np.repeat(np.arange(1, 5), counts.sum(axis=0))


class Counted:
    """A domain classifier that counts: exact for rows that are symbols."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X, d):
        self.classes_ = np.unique(d)
        table = X.T @ (d[:, None] == self.classes_)
        self.table_ = table / table.sum(axis=1, keepdims=True)
        return self

    def predict_proba(self, X):
        return self.table_[X.argmax(axis=1)]


def test_rows_with_anchors_give_the_shares_to_a_thousandth():
    X, d = rows_of_symbols(10_000)
    found = LatentLabelShift(3, Counted(), cells=5, cv=2).fit(X, sample_domain=d)
    assert_allclose(matched(SHARES, found.domain_proportions_), SHARES, atol=1e-3)
    assert_allclose(found.condition_number_, np.linalg.cond(SHARES), rtol=0.02)
    # posteriors of the shared symbol 3, from Bayes
    q = SYMBOLS[3] * SHARES.mean(axis=0)
    P = found.predict_proba(np.eye(5)[[3]])[0]
    assert_allclose(np.sort(P), np.sort(q / q.sum()), atol=0.01)
    here = SYMBOLS[3] * SHARES[1]
    P = found.predict_proba(np.eye(5)[[3]], [2])[0]
    assert_allclose(np.sort(P), np.sort(here / here.sum()), atol=0.01)


def test_overlapping_classes_want_more_cells_than_classes():
    X, d = rows_of_symbols(2_000)
    errors = []
    for cells in (None, 5):
        found = LatentLabelShift(3, Counted(), cells=cells, cv=2).fit(X, sample_domain=d)
        errors.append(np.abs(matched(SHARES, found.domain_proportions_) - SHARES).max())
    assert errors[0] > 0.05 > 0.01 > errors[1]


@pytest.mark.parametrize("classes", [3, 4])
def test_finds_digits_where_k_means_is_lost(classes):
    ours, plain = [], []
    for seed in range(3):
        X, y, d = digits(seed, classes=classes)
        ours.append(agreement(y, LatentLabelShift(classes).fit_predict(X, sample_domain=d)))
        plain.append(agreement(y, KMeans(classes, n_init=3, random_state=0).fit_predict(X)))
    assert np.mean(ours) >= np.mean(plain) + 0.1
    assert np.mean(ours) >= 0.85


def test_its_shares_are_those_of_the_digits():
    X, y, d = digits(0)
    found = LatentLabelShift(3).fit(X, sample_domain=d)
    truth = np.array([[np.mean(y[d == j] == c) for c in range(3)] for j in found.domains_])
    assert np.abs(matched(truth, found.domain_proportions_) - truth).mean() < 0.03
    assert found.findings_ == ()


def test_domains_of_equal_shares_tell_nothing_and_it_says_so():
    for seed in range(3):
        X, y, d = digits(seed, same=True)
        found = LatentLabelShift(3).fit(X, sample_domain=d)
        assert [f.code for f in found.findings_] == ["A401", "A402"]
        assert found.condition_number_ > 8
        assert all(f.cure for f in found.findings_)
        assert agreement(y, found.labels_) < 0.85


def test_a_few_labels_name_the_classes():
    X, y, d = digits(1)
    words = np.array(["two", "one", "three"], dtype=object)[y]
    few = np.full(len(y), None, dtype=object)
    for name in np.unique(words.astype(str)):
        at = np.flatnonzero(words == name)[:3]
        few[at] = name
    found = LatentLabelShift(3).fit(X, sample_domain=d)
    before = found.predict(X)
    P = found.predict_proba(X, d)
    found.name_classes(X, few)
    assert found.classes_.tolist() == ["one", "three", "two"]
    assert np.mean(found.predict(X) == words) > 0.85
    assert_array_equal(found.labels_, found.predict(X))
    # the same partition, under names
    assert len(set(zip(before.tolist(), found.predict(X).tolist(), strict=True))) == 3
    assert_allclose(np.sort(found.predict_proba(X, d), axis=1), np.sort(P, axis=1), atol=1e-12)
    with pytest.raises(BadInput, match="the labels name 1 classes"):
        found.name_classes(X[:2], ["one", None])


def test_neither_order_nor_numbers_nor_labels_nor_batches_matter():
    X, y, d = digits(2)
    one = LatentLabelShift(3).fit(X, sample_domain=d)
    order = np.random.default_rng(0).permutation(len(X))
    two = LatentLabelShift(3).fit(X[order], y[order], sample_domain=9 - 2 * d[order])
    assert_allclose(np.sort(two.priors_), np.sort(one.priors_), atol=1e-9)
    assert agreement(one.predict(X), two.predict(X)) == 1.0
    X.flags.writeable = d.flags.writeable = False
    same = LatentLabelShift(3).fit(X[order], sample_domain=d[order])
    assert_array_equal(same.predict_proba(X), one.predict_proba(X))
    alone = np.concatenate([one.predict_proba(X[[i]], d[[i]]) for i in range(5)])
    assert_allclose(alone, one.predict_proba(X, d)[:5], atol=1e-9)


class WithDomains(LatentLabelShift):
    """Domains from the rows, for checks that know of none."""

    def fit(self, X, y=None, *, sample_domain=None):
        n = np.shape(X)[0] if np.ndim(X) else 0
        return super().fit(X, y, sample_domain=np.arange(n) % 4)


def test_scikit_learn_accepts_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks that are skipped
        found = check_estimator(WithDomains(), on_fail=None)
    failed = {c["check_name"]: c["exception"] for c in found if c["status"] == "failed"}
    assert not failed


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"X": np.full((40, 2), np.nan)}, BadInput, "X holds NaN or inf in column 0"),
        ({"domain": None}, BadInput, "sample_domain is missing"),
        ({"domain": np.ones(39, dtype=int)}, BadInput, r"the shape \(39,\)"),
        ({"domain": np.full(40, 0.5)}, BadInput, "float64"),
        ({"domain": np.ones(40, dtype=int)}, BadInput, "there are 1 domains"),
        ({"domain": np.r_[1, np.full(39, 2)]}, TooFewRows, "domain 1 has one row"),
        ({"n_classes": 3}, BadInput, "n_classes is 3, and there are 2 domains"),
        ({"cells": 1}, BadInput, "cells is 1"),
        ({"cv": 1}, BadInput, "cv is 1"),
        ({"X": np.zeros((40, 2))}, TooFewRows, "different answers for 2 classes"),
    ],
)
def test_bad_input_is_one_sentence_with_a_cure(change, kind, says):
    X = change.pop("X", np.random.default_rng(0).normal(size=(40, 2)))
    domain = change.pop("domain", np.arange(40) % 2 + 1)
    with pytest.raises(kind, match=says) as error:
        LatentLabelShift(**change).fit(X, sample_domain=domain)
    assert error.value.cure


def test_rows_of_an_unknown_domain_are_refused():
    X, _, d = digits(0)
    found = LatentLabelShift(3).fit(X, sample_domain=d)
    with pytest.raises(BadInput, match="domain 7 was not in fit"):
        found.predict(X[:2], [1, 7])
