from __future__ import annotations

import re
import sysconfig
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import DSIR, Random
from ecotone.select._grams import bucket_of
from ecotone.select._lm import Bigrams, perplexity
from ecotone.select._pick import pick
from ecotone.select._tokens import pairs, tokens


def test_score_is_the_log_likelihood_ratio():
    target, pool, m = ["a b", "b a b"], ["a a", "c"], 64
    model = DSIR(buckets=m, prior=0.5).fit(target, pool)
    counts = []
    for texts in (target, pool):
        found = tokens(Docs.of(texts))
        both = np.concatenate([bucket_of(found.hashes, m), bucket_of(pairs(found)[0], m)])
        counts.append(np.bincount(both, minlength=m))
    p, q = ((c + 0.5) / (c.sum() + 0.5 * m) for c in counts)
    assert p.sum() == pytest.approx(1)
    found = tokens(Docs.of(["b a"]))
    at = np.concatenate([bucket_of(found.hashes, m), bucket_of(pairs(found)[0], m)])
    assert model.score(["b a"])[0] == pytest.approx(np.log(p / q)[at].sum())


def test_a_joined_text_is_worth_its_parts_and_the_bigram_between():
    model = DSIR(buckets=512).fit(["x y z"] * 5, ["u v w"] * 5)
    whole, one, two = model.score(["x y u v", "x y", "u v"])
    between = model.score(["y u"])[0] - model.score(["y"])[0] - model.score(["u"])[0]
    assert whole == pytest.approx(one + two + between)


def test_the_best_hold_the_target_domain(mixed, share_inside):
    target, pool, inside = mixed
    scores = DSIR().fit(target, pool).score(pool)
    assert share_inside(scores, pool, inside) > 0.9
    assert share_inside(Random().score(pool), pool, inside) < 0.5
    mean = DSIR(how="mean").fit(target, pool).score(pool)
    assert share_inside(mean, pool, inside) > 0.9


def test_a_target_like_the_pool_gains_nothing(same):
    target, pool, held = same
    docs = Docs.of(pool)
    held_out = [Docs.of(held)]
    sizes = tokens(docs).lengths
    budget = 0.2 * sizes.sum()

    def worth(scores):
        return perplexity(
            Bigrams.fit([docs.take(pick(scores, budget, sizes=sizes).rows)]), held_out
        )

    random = [worth(Random(seed=s).score(pool)) for s in range(5)]
    assert worth(DSIR().fit(target, pool).score(pool)) > min(random)


def test_ranks_like_exact_counts():
    # real text: the standard library in pieces, its package email is the target
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        f for name in ("email", "json", "xml", "asyncio") for f in root.glob(f"{name}/*.py")
    )
    pieces = [
        (f.parent.name, t[i : i + 1500])
        for f in files
        for t in [f.read_text()]
        for i in range(0, len(t), 1500)
    ]
    target = [t for n, t in pieces if n == "email"][::2]
    pool = [t for n, t in pieces if n != "email"] + [t for n, t in pieces if n == "email"][1::2]
    m, prior = 1 << 22, 1e-6  # hardly two grams share a bucket

    def grams(text):
        words = re.findall(r"\w+|[^\w\s]+", text.lower())
        return [*words, *pairwise(words)]

    p, q = (Counter(g for t in texts for g in grams(t)) for texts in (target, pool))
    bottom = [sum(c.values()) + prior * m for c in (p, q)]

    def weight(text):
        found = grams(text)
        ratios = [
            np.log((p[g] + prior) / bottom[0]) - np.log((q[g] + prior) / bottom[1]) for g in found
        ]
        return sum(ratios)

    ours = DSIR(buckets=m, prior=prior).fit(target, pool).score(pool)
    assert spearmanr(ours, [weight(t) for t in pool]).statistic >= 0.999


def test_options_that_make_no_sense_say_what_would():
    for bad in (DSIR(how="max"), DSIR(prior=0.0), DSIR(buckets=1)):
        with pytest.raises(BadInput) as caught:
            bad.fit(["a"], ["b"])
        assert caught.value.cure
    with pytest.raises(BadInput, match="not fitted"):
        DSIR().score(["a"])
