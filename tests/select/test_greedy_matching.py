from __future__ import annotations

from itertools import combinations

import numpy as np

from ecotone.data.docs import Docs
from ecotone.select import GreedyMatching, Random
from ecotone.select._grams import smoothed, table
from ecotone.select._lm import Bigrams, perplexity
from ecotone.select._pick import pick
from ecotone.select._tokens import tokens


def test_is_near_the_best_set_of_a_small_pool():
    rng = np.random.default_rng(0)
    for _ in range(10):
        words = [f"w{i}" for i in range(12)]
        pool = [" ".join(rng.choice(words, 6)) for _ in range(10)]
        target = [" ".join(rng.choice(words[:6], 6)) for _ in range(5)]
        model = GreedyMatching(share=0.3, buckets=256, rounds=40).fit(target, pool)
        C = table(tokens(Docs.of(pool)), 256).toarray()
        start = smoothed(C.sum(axis=0))

        def worth(rows, C=C, start=start, p=model.p_):
            return p @ np.log(start + C[list(rows)].sum(axis=0)) - p @ np.log(start)

        best = max(worth(rows) for rows in combinations(range(10), 3))
        assert worth(np.argsort(-model.score(pool))[:3]) >= 0.9 * best


def test_copies_do_not_crowd_out_the_rest():
    target = ["fever cough dose", "scan tumour stage"] * 10
    pool = ["fever cough dose"] * 10 + ["scan tumour stage"] + ["goal match team"] * 30
    order = np.argsort(-GreedyMatching(share=0.1).fit(target, pool).score(pool), kind="stable")
    assert 10 in order[:2]  # one copy of the first, then what is still lacking


def test_a_model_of_the_choice_knows_held_out_target_better(mixed):
    target, pool, _ = mixed
    docs, held = Docs.of(pool), [Docs.of(target[30:])]
    sizes = tokens(docs).lengths

    def worth(scores):
        rows = pick(scores, 0.05 * sizes.sum(), sizes=sizes).rows
        return perplexity(Bigrams.fit([docs.take(rows)]), held)

    greedy = worth(GreedyMatching().fit(target[:30], pool).score(pool))
    assert greedy < 0.9 * min(worth(Random(seed=s).score(pool)) for s in range(5))


def test_with_the_whole_budget_all_is_taken(mixed):
    target, pool, _ = mixed
    scores = GreedyMatching(share=1.0).fit(target, pool).score(pool)
    assert len(np.unique(scores)) == len(pool)
    assert len(pick(scores, len(pool)).rows) == len(pool)
