"""Divergence, budgets and the concept graph by hand; a network that has lost two of five skills."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon
from scipy.special import expit

from ecotone.core.errors import BadInput
from ecotone.select import _spectral, pick
from ecotone.select._phrases import ConceptGraph, key_phrases
from ecotone.select.paser import PASER


def test_divergence_is_symmetric_bounded_and_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b, of = rng.normal(size=(900, 7)), rng.normal(size=(900, 7)), rng.integers(40, size=900)
    found = PASER.divergence(a, b, of)
    p, q = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in (a, b))
    each = jensenshannon(p, q, axis=1) ** 2
    assert_allclose(found, [each[of == d].mean() for d in range(40)], rtol=1e-10)
    assert_array_equal(found, PASER.divergence(b, a, of))
    assert PASER.divergence(a, a + 3.0, of).max() < 1e-12  # a constant changes no prediction
    apart = PASER.divergence([[900.0, 0.0]], [[0.0, 900.0]], [0])  # no logarithm of 0
    assert_allclose(apart, np.log(2), rtol=1e-12)


def test_length_does_not_make_an_example_damaged():
    rng = np.random.default_rng(0)
    a, b = np.repeat(rng.normal(size=(1, 5)), 60, 0), np.repeat(rng.normal(size=(1, 5)), 60, 0)
    short, long = PASER.divergence(a, b, np.repeat([0, 1], [10, 50]))
    assert_allclose(short, long, rtol=1e-12)


def blobs(sizes, gap=12.0, d=6, seed=0):
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return gap * np.eye(d)[of] + rng.normal(size=(len(of), d)), of


def same_partition(one, two):
    return len(np.unique(np.stack([one, two]), axis=1).T) == len(set(one)) == len(set(two))


@pytest.mark.parametrize("sizes", [[40, 40], [90, 10], [30, 50, 20], [40, 40, 40, 40, 40]])
def test_separated_blobs_are_the_clusters(sizes):
    X, of = blobs(sizes)
    assert same_partition(_spectral.clusters(X, None, 20, 0), of)
    few = PASER(most=60).fit(None, (X, np.ones(len(X)), np.ones(len(X))))
    assert same_partition(few.cluster_, of)  # most rows follow the nearest of those drawn


def test_walk_has_the_eigenvectors_of_the_random_walk():
    X, _ = blobs([12, 8], gap=2.0)
    values, vectors = _spectral.walk(X)
    gaps = np.linalg.norm(X[:, None] - X, axis=2)
    A = np.exp(-(gaps**2) / (2 * np.median(gaps[np.triu_indices(20, 1)]) ** 2))
    W = A / A.sum(axis=1, keepdims=True)
    assert_allclose(W @ vectors, vectors * values, atol=1e-10)
    assert_allclose(values[0], 1.0)


def fitted(sizes, harm, **options):
    X, of = blobs(sizes)
    pool = X, np.asarray(harm)[of], np.full(len(X), 30)
    method = PASER(clusters=len(sizes), **options).fit(None, pool)
    name = np.array([method.cluster_[of == c][0] for c in range(len(sizes))])
    return method, pool, of, name


def test_budgets_follow_the_damage_and_add_up():
    method, _, _, name = fitted([50, 50, 50], [0.1, 0.2, 0.4])
    assert method.budgets([50] * 3, 10)[name].tolist() == [1, 3, 6]  # 1.43, 2.86, 5.71
    assert method.budgets([50] * 3, 140)[name].tolist() == [40, 50, 50]  # full ones hand it on
    for budget in (1, 2, 7, 99, 150):
        found = method.budgets([50] * 3, budget)
        assert found.sum() == budget
        assert found.min() >= 0
        assert found.max() <= 50


def test_concepts_that_were_accepted_apart_are_not_joined():
    graph = ConceptGraph()
    found = [graph.accept(c) for c in (["tax", "income"], ["fever", "dose"], ["tax", "dose"],
                                       ["dose", "child", "fever"])]  # fmt: skip
    assert found == [True, True, False, True]
    assert ("child", "fever") in graph.pairs
    text = "Red wine and red meat: a study of red wine."
    assert key_phrases(text) == ("red meat",)  # a third of four words; 5 + 3 over 2 and 3


def test_efficiency_decides_within_a_cluster_and_conflicts_come_last():
    X, _ = blobs([6])
    harm, tokens = np.array([0.1, 0.2, 0.3, 0.3, 0.25, 0.0]), np.array([4, 4, 4, 400, 4, 4])
    method = PASER(share=0.5, clusters=1).fit(None, (X, harm, tokens))
    scores = method.score((X, harm, tokens))
    assert pick(scores, 3).rows.tolist() == [1, 2, 4]  # 3 is as damaged, and long
    assert (scores > 1).sum() == 3
    concepts = [["a", "b"], ["c"], ["a"], [], ["a", "c", "d"], []]  # c and a were accepted apart
    harm[1] = 0.28
    scores = method.score((X, harm, tokens, concepts))
    assert (scores > 1).nonzero()[0].tolist() == [0, 1, 2]
    assert (scores < 0).nonzero()[0].tolist() == [4]


# five skills of a linear network; inputs of two are large, so their weights are small, and pruned

SKILLS, WIDE, SIZES = 5, 8, (320, 320, 320, 60, 60)
LARGE = np.array([1.0, 1.0, 1.0, 6.0, 6.0])


def skills(seed, sizes):
    """Rows, classes, and the skill of each; a row is not 0 in the part of its skill alone."""
    rng = np.random.default_rng(seed)
    rules = np.random.default_rng(99).normal(size=(SKILLS, WIDE))
    rules /= np.linalg.norm(rules, axis=1, keepdims=True)
    of = np.repeat(np.arange(SKILLS), sizes)
    x = rng.normal(size=(len(of), WIDE))
    X = np.zeros((len(of), SKILLS, WIDE))
    X[np.arange(len(of)), of] = x * LARGE[of, None]
    return X.reshape(len(of), -1), ((x * rules[of]).sum(axis=1) > 0).astype(int), of


def trained(X, y, start, pull):
    """Logistic regression that is pulled toward where it started."""

    def loss(w):
        z = X @ w
        value = np.logaddexp(0, z).sum() - y @ z + pull / 2 * ((w - start) ** 2).sum()
        return value, X.T @ (expit(z) - y) + pull * (w - start)

    return minimize(loss, start, jac=True, method="L-BFGS-B").x


def logits(X, w):
    return np.stack([np.zeros(len(X)), X @ w], axis=1)


def repair(seed, prune=0.5):
    """Accuracy of every skill: original, damaged, repaired by PASER, and by random rows."""
    X, y, _ = skills(1000 + seed, (400,) * SKILLS)
    whole = trained(X, y, np.zeros(X.shape[1]), 1.0)
    damaged = np.where(np.abs(whole) < np.quantile(np.abs(whole), prune), 0.0, whole)
    P, p, of = skills(seed, SIZES)
    rng = np.random.default_rng(seed)
    embedding = 6 * np.eye(SKILLS)[of] + rng.normal(size=(len(of), SKILLS))
    harm = PASER.divergence(logits(P, whole), logits(P, damaged), np.arange(len(of)))
    pool = embedding, harm, rng.integers(5, 60, size=len(of))
    method = PASER(share=0.1, seed=seed).fit(None, pool)
    budget = round(0.1 * len(of))
    rows = pick(method.score(pool), budget).rows
    T, t, skill = skills(2000 + seed, (400,) * SKILLS)
    found = []
    for w in (
        whole, damaged, trained(P[rows], p[rows], damaged, 1.0),
        *(trained(P[r], p[r], damaged, 1.0)
          for r in (rng.choice(len(of), budget, replace=False) for _ in range(5))),
    ):  # fmt: skip
        right = ((T @ w > 0) == t).astype(float)
        found.append([right[skill == s].mean() for s in range(SKILLS)])
    share = np.bincount(of[rows], minlength=SKILLS) / budget
    return method, share, np.array(found[:3]), np.array(found[3:]).mean(axis=0)


def test_helps_where_two_of_five_skills_are_broken():
    gains = []
    for seed in range(5):
        method, share, (whole, damaged, ours), random = repair(seed)
        assert method.damaged_
        assert len(method.degradation_) == SKILLS  # found, not told
        assert (whole - damaged)[3:].min() > 2 * (whole - damaged)[:3].mean()
        assert share[3:].sum() > 0.6  # of the budget; they are a ninth of the pool
        gains.append(ours.mean() - random.mean())
    assert np.mean(gains) > 0.05
    assert min(gains) > 0.03


def test_does_not_help_a_model_without_damage():
    gains = []
    for seed in range(5):
        method, _, (whole, _, ours), random = repair(seed, prune=0.0)
        assert [f.code for f in method.findings] == ["S107"]
        assert method.budgets([50] * SKILLS, 100).tolist() == [20] * SKILLS
        gains.append(ours.mean() - random.mean())
        assert ours.mean() < whole.mean()  # a repair without damage does harm
    assert abs(np.mean(gains)) < 0.01


def test_errors_carry_a_cure():
    X, one = np.arange(8.0).reshape(4, 2), np.ones(4)
    for wrong, says in (
        ((X[:0], one[:0], one[:0]), "pool is empty"),
        ((X, one), "no triple"),
        ((X, one[:3], one), "4 rows"),
        ((X, -one, one), "below 0"),
        ((X, one, 0 * one), "without tokens"),
        ((X * np.nan, one, one), "missing or infinite"),
    ):
        with pytest.raises(BadInput, match=says) as caught:
            PASER().fit(None, wrong)
        assert caught.value.cure
    with pytest.raises(BadInput, match="share"):
        PASER(share=0.0).fit(None, (X, one, one))
    with pytest.raises(BadInput, match="not fitted"):
        PASER().score((X, one, one))
    with pytest.raises(BadInput, match="a budget of 9"):
        PASER(clusters=1).fit(None, (X, one, one)).budgets([4], 9)
    with pytest.raises(BadInput, match="logits of the shapes"):
        PASER.divergence(X, X[:, :1], [0, 1, 2, 3])
    assert PASER().fit(None, (X, one, one)).score((X[:0], one[:0], one[:0])).shape == (0,)
    assert len(PASER().fit(None, (X[:1], one[:1], one[:1])).score((X, one, one))) == 4
