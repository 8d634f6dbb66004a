"""The two scalars against a real step, TOPSIS by hand, and digits with flipped labels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ecotone.core.errors import BadInput
from ecotone.select.donod import DONOD


def rows(n=12, d=4, classes=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.integers(classes, size=n), rng.normal(size=(classes, d + 1))


def test_scalars_are_those_of_a_real_step():
    X, y, W = rows()
    found = DONOD(head=W, rate=0.1).fit(None, (X, y)).measured((X, y))
    for i, x in enumerate(X):
        h = np.append(x, 1.0)
        p = np.exp(W @ h) / np.exp(W @ h).sum()
        new = W - 0.1 * np.outer(p - np.eye(3)[y[i]], h)
        want = np.linalg.norm(W) - np.linalg.norm(new), np.linalg.norm(new - W)
        assert_allclose(found[i], want, atol=1e-12)


def test_scores_are_those_of_topsis_by_hand():
    X, y, W = rows()
    method = DONOD(head=W, prefers="decrease").fit(None, (X, y))
    R = method.measured((X, y))
    R = R / np.sqrt((R**2).sum(axis=0))
    best, worst = [R[:, 0].max(), R[:, 1].min()], [R[:, 0].min(), R[:, 1].max()]
    up, down = np.linalg.norm(R - best, axis=1), np.linalg.norm(R - worst, axis=1)
    assert_allclose(method.score((X, y)), down / (up + down), atol=1e-12)
    assert_allclose(method.score((X[3:5], y[3:5])), method.score((X, y))[3:5], atol=1e-12)


def test_one_example_is_neither_good_nor_bad():
    X, y, W = rows(1)
    assert DONOD(head=W).fit(None, (X, y)).score((X, y)).tolist() == [0.5]


def flipped(seed, share=0.4):
    """Digits; 40 % of the labels of the first five classes are wrong."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    old, new = order[:1200], order[1200:]
    labels = y[old].copy()
    bad = (labels < 5) & (rng.random(1200) < share)
    labels[bad] = (labels[bad] + rng.integers(1, 10, size=bad.sum())) % 10
    return X[old] / 16, labels, bad, X[new] / 16, y[new]


def kept_and_random(seed, keep, share=0.4, prefers="increase"):
    """Noise rate of what is kept, and accuracy of a model on it and on random rows."""
    X, y, bad, T, t = flipped(seed, share)
    scores = DONOD(prefers=prefers).fit(None, (X, y)).score((X, y))
    top = np.argsort(-scores)[: int(1200 * keep)]
    random = np.random.default_rng(seed).choice(1200, len(top), replace=False)
    found = [
        LogisticRegression(max_iter=1000).fit(X[at], y[at]).score(T, t) for at in (top, random)
    ]
    return bad[top].mean(), *found


def test_helps_where_labels_are_flipped():
    found = np.array([kept_and_random(seed, 0.3) for seed in range(3)])
    assert found[:, 0].max() < 0.02  # of 20 % in the pool
    assert (found[:, 1] - found[:, 2]).mean() > 0.015


def test_the_published_sign_keeps_the_flipped_labels():
    noise, kept, random = kept_and_random(0, 0.3, prefers="decrease")
    assert noise > 0.4
    assert kept < random - 0.3


def test_does_not_help_where_labels_are_clean():
    found = np.array([kept_and_random(seed, 0.9, 0.0) for seed in range(3)])
    assert (found[:, 1] - found[:, 2]).mean() < 0.01


def test_errors_carry_a_cure():
    X, y, W = rows()
    with pytest.raises(BadInput, match="pool is empty") as caught:
        DONOD().fit(None, (np.zeros((0, 2)), []))
    assert caught.value.cure
    with pytest.raises(BadInput, match="labels go from"):
        DONOD(head=W).fit(None, (X, y + 1))
    with pytest.raises(BadInput, match="head has the shape"):
        DONOD(head=W[:, :2]).fit(None, (X, y))
    with pytest.raises(BadInput, match="prefers"):
        DONOD(prefers="both").fit(None, (X, y))
    with pytest.raises(BadInput, match="no pair"):
        DONOD().fit(None, 3)
    with pytest.raises(BadInput, match="not fitted"):
        DONOD().score((X, y))
