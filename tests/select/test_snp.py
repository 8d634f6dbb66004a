"""Distances in closed form, the prefix that is returned, and turned digits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import sqrtm
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from ecotone.core.errors import BadInput
from ecotone.select._frechet import ToTarget, frechet, sums
from ecotone.select.snp import SnP, balanced, farthest


def test_distance_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    a, b = rng.random(4), rng.random(4)
    m, k = rng.normal(size=(2, 4))
    closed = ((m - k) ** 2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert_allclose(frechet(m, np.diag(a), k, np.diag(b)), closed, atol=1e-12)
    A, B = (np.cov(rng.normal(size=(9, 4)), rowvar=False) for _ in range(2))
    direct = ((m - k) ** 2).sum() + np.trace(A + B - 2 * sqrtm(A @ B).real)
    assert_allclose(frechet(m, A, k, B), direct, atol=1e-9)


def test_a_set_is_at_no_distance_from_itself():
    X = np.random.default_rng(1).normal(size=(30, 5))
    far = ToTarget(X, np.eye(5))
    assert far(*(s[0] for s in sums(X, np.zeros(30, dtype=int), 1))) < 1e-6


def test_farthest_rows_on_a_line_are_the_ends_and_then_the_middle():
    X = np.linspace(0, 1, 11)[:, None]
    assert farthest(X, np.array([0]), 3).tolist() == [0, 10, 5]
    assert sorted(farthest(np.ones((4, 2)), np.array([2]), 4)) == [0, 1, 2, 3]


def test_clusters_are_balanced_and_blobs_are_found():
    rng = np.random.default_rng(2)
    X = np.repeat(np.eye(4) * 9, [5, 5, 5, 5], axis=0) + rng.normal(size=(20, 4))
    found = balanced(X, 4, rng)
    assert sorted(np.bincount(found)) == [5, 5, 5, 5]
    assert all(len(set(found[i : i + 5])) == 1 for i in range(0, 20, 5))
    assert sorted(np.bincount(balanced(X[:18], 5, rng))) == [3, 3, 4, 4, 4]


def test_the_prefix_of_least_distance_is_kept():
    P, g, _, T, _ = digits(0)
    found = SnP(clusters=20).fit(T, (P, g))
    kept = found.keep(g)
    assert found.best_ == found.curve_.argmin() + 1
    # the curve's entry is the distance of the rows that are kept, worked out from them
    both = np.vstack([T, P])
    far = ToTarget(T, np.cov(both, rowvar=False, bias=True))
    union = far(*(s[0] for s in sums(P[kept], np.zeros(kept.sum(), dtype=int), 1)))
    assert_allclose(SnP(clusters=20).fit(T, (P, g)).curve_.min(), union, rtol=1e-6)
    assert (found.score(g) > 0).tolist() == kept.tolist()


def turned(X, angle, light):
    images = rotate(X.reshape(-1, 8, 8), angle, axes=(1, 2), reshape=False, order=1)
    return light * images.reshape(-1, 64)


def digits(seed, angles=((80, 2), (100, 3))):
    """Ten domains of turned digits in 30 groups of 20 rows each; the target lies near two."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    old, new = order[:1200], order[1200:]
    P, labels, T, truth = [], [], [], []
    for d in range(10):
        rows = rng.choice(old, 600)
        P.append(turned(X[rows], 36 * d, 0.6 + 0.08 * d))
        labels.append(y[rows])
    for angle, d in angles:
        rows = rng.choice(new, 800 // len(angles))
        T.append(turned(X[rows], angle, 0.6 + 0.08 * d))
        truth.append(y[rows])
    groups = np.repeat(np.arange(300), 20)
    return np.vstack(P), groups, np.concatenate(labels), np.vstack(T), np.concatenate(truth)


@pytest.mark.parametrize("seed", [0, 1])
def test_helps_where_the_target_is_near_two_of_ten_domains(seed):
    P, g, labels, T, truth = digits(seed)
    found = SnP(seed=seed).fit(T, (P, g))
    kept = found.keep(g)
    rng = np.random.default_rng(seed)
    random = np.isin(g, rng.choice(300, len(np.unique(g[kept])), replace=False))

    def accuracy(rows):
        return KNeighborsClassifier(1).fit(P[rows], labels[rows]).score(T, truth)

    assert found.curve_.min() < 0.5 * found.curve_[-1]
    assert kept.mean() < 0.3
    assert accuracy(kept) >= accuracy(random) + 0.04
    assert accuracy(kept) >= accuracy(slice(None)) - 0.01  # a fifth of the rows does as well
    few = found.rows(400)
    assert accuracy(few) >= accuracy(rng.choice(len(P), 400, replace=False)) + 0.04


def test_does_not_help_where_the_target_is_a_mix_of_all():
    P, g, _, T, _ = digits(0, [(36 * d, d) for d in range(10)])
    assert SnP().fit(T, (P, g)).keep(g).mean() > 0.9


def test_a_budget_keeps_one_of_every_group():
    P, g, _, T, _ = digits(0)
    found = SnP(clusters=20).fit(T, (P, g))
    kept = np.unique(g[found.keep(g)])
    assert np.unique(g[found.rows(len(kept))]).tolist() == kept.tolist()
    assert len(np.unique(g[found.rows(40, groups=10)])) == 10
    assert_array_equal(found.rows(200), SnP(clusters=20).fit(T, (P, g)).rows(200))
    with pytest.raises(BadInput, match="1 items"):
        found.rows(1)


def test_scores_follow_names_and_not_places():
    P, g, _, T, _ = digits(0)
    found = SnP(clusters=10).fit(T, (P, g))
    assert_array_equal(found.score(g[::-1]), found.score(g)[::-1])
    assert found.score([12345])[0] <= found.score(g).min()
    assert found.score([]).shape == (0,)


def test_errors_carry_a_cure():
    X = np.zeros((4, 2))
    with pytest.raises(BadInput, match="no pair") as caught:
        SnP().fit(X, 3)
    assert caught.value.cure
    with pytest.raises(BadInput, match="groups of the shape"):
        SnP().fit(X, (X, ["a"]))
    with pytest.raises(BadInput, match="pool is empty"):
        SnP().fit(X, (np.zeros((0, 2)), []))
    with pytest.raises(BadInput, match="target is empty"):
        SnP().fit(np.zeros((0, 2)), (X, list("aabb")))
    with pytest.raises(BadInput, match="clusters is 0"):
        SnP(clusters=0).fit(X, (X, list("aabb")))
    with pytest.raises(BadInput, match="not fitted"):
        SnP().score(["a"])
