"""Against sums written out and a dense decomposition; what only company of words can find."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import normalize

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import _tokens, pick
from ecotone.select._grams import table
from ecotone.select._lm import Bigrams, perplexity
from ecotone.select._sample import drawn
from ecotone.select._tokens import tokens
from ecotone.select.classifier_odds import ClassifierOdds
from ecotone.select.embedding_neighbours import EmbeddingNeighbours
from ecotone.select.random import Random


def letters(texts):
    """An encoder: how often each of the first eight letters stands in a text."""
    return np.array([[t.count(c) for c in "abcdefgh"] for t in texts], dtype=float)


def test_score_is_the_mean_of_the_k_largest_cosines():
    target, docs = ["abc", "ab", "ffa", "hhh", "bad"], ["aab", "h", "fed cab", "ee"]
    made = EmbeddingNeighbours(k=3, encoder=letters).fit(target, ["x"])
    for text, found in zip(docs, made.score(docs), strict=True):
        e = letters([text])[0]
        cosines = [float(e @ t) / (np.linalg.norm(e) * np.linalg.norm(t)) for t in letters(target)]
        assert_allclose(found, sum(sorted(cosines)[-3:]) / 3, atol=1e-12)
    every = EmbeddingNeighbours(k=99, encoder=letters).fit(target, ["x"])
    assert_allclose(every.score(["a"]), normalize(letters(target))[:, 0].mean(), atol=1e-12)


def weighted(texts, buckets=512):
    """Rows of length 1 of the log counts times rarities, written out densely."""
    C = table(tokens(Docs.of(texts)), buckets).toarray()
    rarity = np.log((1 + len(C)) / (1 + (C > 0).sum(axis=0))) + 1
    return normalize(np.log1p(C) * rarity)


def test_with_all_components_cosines_are_those_of_the_grams(mixed):
    target, pool = mixed[0][:6], mixed[1][:6]
    made = EmbeddingNeighbours(k=2, buckets=512).fit(target * 2, pool * 2)
    X = weighted(target * 2 + pool * 2)
    near = np.sort(X @ X[:12].T, axis=1)[:, -2:].mean(axis=1)
    assert made.vectors_.shape == (512, 12)  # 24 documents, but no more than 12 are different
    assert_allclose(made.score(target * 2 + pool * 2), near, atol=1e-9)


def test_default_embedding_is_latent_semantic_analysis():
    target, pool, _, _ = other_words()
    found = EmbeddingNeighbours(k=2, components=2, buckets=512).fit(target, pool).score(pool)
    X = weighted(target + pool)
    V = np.linalg.svd(X, full_matrices=False)[2][:2].T
    near = normalize(X[50:] @ V) @ normalize(X[:50] @ V).T
    # random projections and a few rounds of iteration come near to the vectors, not onto them
    assert_allclose(found, np.sort(near, axis=1)[:, -2:].mean(axis=1), atol=1e-3)


def test_neither_order_nor_batches_move_a_bit(mixed, monkeypatch):
    target, pool, _ = mixed
    found = EmbeddingNeighbours(components=16).fit(target, pool).score(pool)
    turned = np.random.default_rng(0).permutation(len(pool))
    cut = [Docs.of([pool[i] for i in part]) for part in np.array_split(turned, 7)]
    made = EmbeddingNeighbours(components=16).fit(target[::-1], cut)
    assert_array_equal(made.score(cut), found[turned])
    made = EmbeddingNeighbours(components=16, batch=7).fit(target, pool)
    assert_allclose(made.score(pool), found, atol=1e-12)
    monkeypatch.setattr(_tokens, "kernels", lambda: None)
    monkeypatch.setattr("ecotone.select._grams.kernels", lambda: None)
    made = EmbeddingNeighbours(components=16).fit(target, pool)
    assert_array_equal(made.score(pool), found)


def test_samples_are_those_of_the_texts_alone(mixed):
    _, pool, _ = mixed
    cut = [Docs.of(pool[400:]), Docs.of([]), Docs.of(pool[:400])]
    for given in ({"most": 100}, {"most": 10_000, "size": 20_000}, {"most": 10_000, "size": 1}):
        one, two = drawn([Docs.of(pool)], **given), drawn(cut, **given)
        assert one.texts() == two.texts()
        assert 0 < len(one) < 150
    assert sorted(drawn(cut, 600).texts()) == sorted(pool)
    for most, size in ((7, 1 << 20), (1000, 2000)):
        parts = list(Docs.of(pool).pieces(size, most))
        assert [t for p in parts for t in p.texts()] == pool
        assert max(len(p) for p in parts) <= most
        assert max(len(p.data) for p in parts) <= size


class Stream:
    """A pool that is made while it is read."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        for b in range(self.batches):
            rng = np.random.default_rng(b)
            yield Docs.of([" ".join(f"w{i}" for i in rng.integers(300, size=200))] * 50)


def test_memory_does_not_grow_with_the_pool():
    def peak(batches):
        tracemalloc.start()
        made = EmbeddingNeighbours(components=8, most=100).fit(
            ["w1 w2 w3", "w4 w5"], Stream(batches)
        )
        assert len(made.score(Stream(batches))) == 50 * batches
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)  # what is loaded once
    assert peak(40) < 1.5 * peak(10)


def test_the_best_hold_the_target_domain(mixed, share_inside):
    target, pool, inside = mixed
    assert share_inside(EmbeddingNeighbours().fit(target, pool).score(pool), pool, inside) > 0.9


def best(scores, pool, share=0.1):
    """The best tenth of the tokens, as batches of text."""
    batch = Docs.of(pool)
    sizes = tokens(batch).lengths
    return [batch.take(pick(scores, share * sizes.sum(), sizes=sizes).rows)]


def test_a_model_of_the_best_knows_the_target_better_than_of_random(mixed):
    target, pool, _ = mixed
    held = [Docs.of(target[30:])]
    ours, nothing = (
        perplexity(Bigrams.fit(best(m.fit(target[:30], pool).score(pool), pool)), held)
        for m in (EmbeddingNeighbours(), Random())
    )
    assert ours < 0.8 * nothing


def other_words(seed=0):
    """A target in one vocabulary; documents of its domain in another; the pool mixes both."""
    rng = np.random.default_rng(seed)

    def draw(stems, n, length=40):
        return [" ".join(rng.choice(stems, length)) for _ in range(n)]

    one, two = [f"heart{i}" for i in range(40)], [f"cardio{i}" for i in range(40)]
    else_one, else_two = [f"goal{i}" for i in range(40)], [f"match{i}" for i in range(40)]
    bridge = draw(one + two, 100) + draw(else_one + else_two, 100)
    asked = draw(two, 50) + draw(else_two, 50)
    return draw(one, 50), bridge + asked, asked, np.repeat([True, False], 50)


def test_finds_documents_that_share_no_word_with_the_target():
    target, pool, asked, inside = other_words()
    assert not set(" ".join(target).split()) & set(" ".join(asked).split())

    def right(method):
        return inside[pick(method.fit(target, pool).score(asked), 50).rows].mean()

    assert right(EmbeddingNeighbours(components=2)) > 0.95
    # to regression both are pool, and it pays for the target's words that stand beside one of them
    assert right(ClassifierOdds()) < 0.6
    assert right(EmbeddingNeighbours(components=32)) < 0.7  # room for a direction a vocabulary


def test_copies_fill_what_is_kept(mixed):
    target, pool, _ = mixed
    made = EmbeddingNeighbours(components=16).fit(target, pool)
    copied = pool + [pool[made.score(pool).argmax()]] * 59
    assert (pick(made.score(copied), 60).rows >= len(pool)).sum() == 59


def test_a_target_like_the_pool_gains_nothing(same):
    target, pool, held = same
    held = [Docs.of(held)]
    ours, nothing = (
        perplexity(Bigrams.fit(best(m.fit(target, pool).score(pool), pool)), held)
        for m in (EmbeddingNeighbours(), Random())
    )
    assert ours > 0.98 * nothing


def test_a_document_without_a_known_word_is_last():
    made = EmbeddingNeighbours().fit(["to be or not", "be it so"], ["to be", "goal and match"])
    scores = made.score(["", "zebra", "to be", "goal"])
    assert scores[:2].tolist() == [-1.0, -1.0]
    assert scores[2] > scores[3] >= -1


def test_errors_carry_a_cure():
    target, pool = ["to be or not", "be it so"], ["to be", "goal and match"]
    for wrong in (lambda t: t, lambda t: np.zeros(3), lambda t: np.zeros((len(t) + 1, 2)), list):
        with pytest.raises(BadInput, match="encoder made") as caught:
            EmbeddingNeighbours(encoder=wrong).fit(target, pool)
        assert caught.value.cure
    with pytest.raises(BadInput, match="not finite"):
        EmbeddingNeighbours(encoder=lambda t: np.full((len(t), 2), np.nan)).fit(target, pool)
    with pytest.raises(BadInput, match="no target document has an embedding"):
        EmbeddingNeighbours(encoder=lambda t: np.zeros((len(t), 2))).fit(target, pool)
    with pytest.raises(BadInput, match="encoder is no function"):
        EmbeddingNeighbours(encoder="minilm").fit(target, pool)
    widths = iter([2, 3])
    made = EmbeddingNeighbours(encoder=lambda t: np.ones((len(t), next(widths)))).fit(target, pool)
    with pytest.raises(BadInput, match="encoder made ndarray"):
        made.score(pool)
    with pytest.raises(BadInput, match="k is 0"):
        EmbeddingNeighbours(k=0).fit(target, pool)
    with pytest.raises(BadInput, match="holds no token"):
        EmbeddingNeighbours().fit(["", " "], pool)
    with pytest.raises(BadInput, match="not fitted"):
        EmbeddingNeighbours().score(pool)
