from __future__ import annotations

import numpy as np
import pytest

from ecotone.data.docs import Docs
from ecotone.select import CrossEntropyDifference
from ecotone.select._lm import WORDS, Bigrams, perplexity
from ecotone.select._tokens import tokens


def test_bigram_probabilities_by_hand():
    model = Bigrams.fit([Docs.of(["a b a", "b"])])
    # words: a 2, b 2; kinds 2. Pairs: start-a, a-b, b-a, start-b
    single = (2 + 2 / WORDS) / (4 + 2)
    unseen = (0 + 2 / WORDS) / (4 + 2)
    start = (1 + 2 * single) / (2 + 2)  # two kinds followed the start, twice in all
    after_a = (1 + 1 * single) / (1 + 1)
    new = (0 + 1 * unseen) / (1 + 1)
    got = np.exp(model.token_log_probabilities(tokens(Docs.of(["a b", "a z"]))))
    np.testing.assert_allclose(got, [start, after_a, start, new])
    assert 2 * single + (WORDS - 2) * unseen == pytest.approx(1)


def test_batches_are_one_text():
    one = Bigrams.fit([Docs.of(["a b a", "b c"])])
    two = Bigrams.fit([Docs.of(["a b a"]), Docs.of(["b c"])])
    held = [Docs.of(["a b c a"])]
    assert perplexity(one, held) == perplexity(two, held)


def test_the_best_hold_the_target_domain(mixed, share_inside):
    target, pool, inside = mixed
    scores = CrossEntropyDifference().fit(target, pool).score(pool)
    assert share_inside(scores, pool, inside) > 0.9


def test_models_of_the_user_are_asked():
    made = CrossEntropyDifference(models=(lambda t: [len(x) for x in t], lambda t: [0] * len(t)))
    np.testing.assert_allclose(made.fit(["a"], ["b"]).score(["ab cd", "abcd"]), [2.5, 4.0])


def test_the_pool_is_drawn_by_text_when_it_is_large(mixed, share_inside):
    target, pool, inside = mixed
    scores = CrossEntropyDifference(pool_tokens=2_000).fit(target, pool).score(pool)
    assert share_inside(scores, pool, inside) > 0.9


def test_a_target_like_the_pool_gains_nothing(same):
    target, pool, _ = same
    scores = CrossEntropyDifference().fit(target, pool).score(pool)
    law = np.array(["law" in t for t in pool])
    spread = scores.std()
    assert abs(scores[law].mean() - scores[~law].mean()) < spread
