"""The extension against all subsets, corrupted sources that must go, clean ones that must stay."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs

from ecotone.core.errors import BadInput
from ecotone.select._ranked import blocks, extension, neighbours
from ecotone.select.retrieval_importance import RetrievalImportance


def brute(p, c, k):
    """Value and gradient over all 2^M sets, as the definition writes them."""
    M, value, gradient = len(p), 0.0, np.zeros(len(p))
    for exists in product((0, 1), repeat=M):
        E = np.array(exists)
        used = c[E == 1][:k].sum() / k
        chance = np.where(E, p, 1 - p)
        value += used * chance.prod()
        for i in range(M):
            gradient[i] += used * (1 if E[i] else -1) * np.delete(chance, i).prod()
    return value, gradient


@pytest.mark.parametrize("k", [1, 2, 3])
def test_value_and_gradient_are_those_of_all_subsets(k):
    rng = np.random.default_rng(k)
    p, c = rng.random((2, 12)), rng.normal(size=(2, 12))
    value, gradient, _ = extension(p, c, k)
    for row in range(2):
        want = brute(p[row], c[row], k)
        assert_allclose(value[row], want[0], atol=1e-12)
        assert_allclose(gradient[row], want[1], atol=1e-12)


def test_at_the_corners_it_is_the_utility():
    rng = np.random.default_rng(0)
    p, c = rng.integers(2, size=(50, 9)).astype(float), rng.random((50, 9))
    value = extension(p, c, 3)[0]
    assert_allclose(value, [w[e == 1][:3].sum() / 3 for e, w in zip(p, c, strict=True)], atol=1e-15)


def test_one_item_has_a_closed_form():
    rng = np.random.default_rng(0)
    p, c = rng.random(7), rng.random(7)
    reached = np.concatenate([[1.0], np.cumprod(1 - p)[:-1]])
    after = [
        sum(c[j] * p[j] * np.prod(1 - p[i + 1 : j]) for j in range(i + 1, 7)) for i in range(7)
    ]
    assert_allclose(extension(p[None], c[None], 1)[1][0], reached * (c - after), atol=1e-14)


def test_cut_lists_err_by_no_more_than_epsilon():
    rng = np.random.default_rng(2)
    of = np.array([rng.permutation(200) for _ in range(60)])
    c, v, k, cut = rng.random((60, 200)), rng.random(200) ** 2, 5, 1e-2
    full = k * extension(v[of], c, k)[1]
    seen = 0
    for at, p, _, worth in blocks(of, c, v, k, cut):
        found = k * extension(p, worth, k)[1]
        seen += len(at)
        assert p.shape[1] < 100
        assert np.abs(found - full[at, : p.shape[1]]).max() <= cut
        assert np.abs(full[at, p.shape[1] :]).max() <= cut
    assert seen == 60


def test_sampled_gradients_keep_the_order_of_exact_ones():
    q, source = corpus(0)[2:4]
    exact = RetrievalImportance(steps=5).fit(q, source)
    loose = RetrievalImportance(steps=5, epsilon=0.4, delta=0.1).fit(q, source)
    assert loose._budget(400)[0] == 150
    assert np.corrcoef(exact.weights_, loose.weights_)[0, 1] > 0.8


def corpus(seed, corrupt=0.3, questions=400):
    """A pool of 2,000 rows from 100 sources, some of which vote at random, and questions."""
    X, y = make_blobs(4000, n_features=5, centers=6, cluster_std=4.0, random_state=seed)
    rng = np.random.default_rng(seed)
    source, votes = np.repeat(np.arange(100), 20), y[:2000].copy()
    bad = np.arange(100) < 100 * corrupt
    lies = bad[source]
    votes[lies] = (votes[lies] + rng.integers(1, 6, size=lies.sum())) % 6
    asked = slice(2000, 2000 + questions)
    q = neighbours(X[asked], y[asked], X[:2000], votes, length=60)
    test = neighbours(X[3000:], y[3000:], X[:2000], votes, length=2000)
    return test, votes, q, source, bad


def accuracy(test, votes, keep, k=10):
    """Of the majority of the first k neighbours that are kept; utility of a neighbour: is right."""
    right = 0
    for row, utility in zip(*test, strict=True):
        near = row[keep[row]][:k]
        truth = votes[row[utility > 0][0]]
        right += np.bincount(votes[near], minlength=6).argmax() == truth
    return right / len(test.ranked)


def leave_one_source_out(q, source, k=10):
    """Loss of utility when a source is taken away from all."""

    def utility(p):
        return extension(p, q.utility, k)[0].mean()

    full = utility(np.ones(q.ranked.shape))
    of = source[q.ranked]
    return np.array([full - utility((of != s).astype(float)) for s in range(source.max() + 1)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_helps_where_sources_are_corrupted(seed):
    test, votes, q, source, bad = corpus(seed)
    found = RetrievalImportance(k=3).fit(q, source)
    assert found.gain_[1] > 0
    assert found.weights_[bad].mean() < 0.1
    before = accuracy(test, votes, np.ones(2000, dtype=bool), 3)
    after = accuracy(test, votes, found.keep(source), 3)
    alone = accuracy(test, votes, leave_one_source_out(q, source, 3)[source] >= 0, 3)
    assert after >= before + 0.1
    assert after >= alone


def test_clean_sources_keep_more_than_a_half_on_average():
    _, _, q, source, bad = corpus(0)
    found = RetrievalImportance().fit(q, source)
    assert found.weights_[bad].mean() < 0.4
    assert found.weights_[~bad].mean() > 0.6
    # but many of them go: the worst of the clean displace better ones
    assert (found.weights_[~bad] < 0.5).mean() > 0.2


def test_keeps_everything_where_all_sources_are_clean():
    _, _, q, source, _ = corpus(1, corrupt=0.0)
    found = RetrievalImportance().fit(q, source)
    assert found.keep(source).all()
    assert found.score(source).min() < 0.5  # what it would have dropped without the check


def test_five_questions_are_too_few_to_prune():
    _, _, q, source, _ = corpus(0)
    few = (q.ranked[:5], q.utility[:5])
    assert RetrievalImportance().fit(few, source).gain_[1] <= 0


def test_a_source_that_no_question_sees_keeps_a_half():
    found = RetrievalImportance(k=1).fit(([[0, 1, -1]], [[0.0, 1.0, 9.0]]), ["a", "b", "c"])
    assert found.score(["a", "b", "c", "unknown"])[2:].tolist() == [0.5, 0.5]
    assert found.seen_[2] == 0
    assert (np.diff(found.utility_) >= 0).all()


def test_order_of_questions_and_names_of_sources_do_not_matter():
    _, _, q, source, _ = corpus(0, questions=60)
    a = RetrievalImportance(steps=3).fit(q, source).score(source)
    order = np.random.default_rng(0).permutation(60)
    b = RetrievalImportance(steps=3).fit((q.ranked[order], q.utility[order]), -source)
    assert_allclose(b.score(-source), a, atol=1e-9)
    assert_array_equal(RetrievalImportance(steps=3).fit(q, source).score(source), a)
    assert b.score([]).shape == (0,)


def test_errors_carry_a_cure():
    with pytest.raises(BadInput, match="places from 0 to 1") as caught:
        RetrievalImportance().fit(([[0, 2]], [[1.0, 0.0]]), ["a", "b"])
    assert caught.value.cure
    with pytest.raises(BadInput, match="pair of arrays"):
        RetrievalImportance().fit(3, ["a"])
    with pytest.raises(BadInput, match="shape"):
        RetrievalImportance().fit((np.zeros((0, 3), int), np.zeros((0, 3))), ["a"])
    with pytest.raises(BadInput, match="0 items"):
        RetrievalImportance().fit(([[-1]], [[1.0]]), [])
    with pytest.raises(BadInput, match="k is 0"):
        RetrievalImportance(k=0).fit(([[0]], [[1.0]]), ["a"])
    with pytest.raises(BadInput, match="not fitted"):
        RetrievalImportance().score(["a"])
