"""Choosing 5 % of the tokens of a pool: what each rule is worth on held-out target text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.seeds import stream
from ecotone.data.docs import Docs
from ecotone.data.real import corpus
from ecotone.select._lm import Bigrams, perplexity
from ecotone.select._pick import pick
from ecotone.select._rules import PORTFOLIO, RULES, in_order
from ecotone.select._tokens import tokens

Rows = list[dict[str, Any]]
TARGETS = ("clinical", "reviews", "newsgroups", "licences", "code")
EACH, LONG = 3_000, 4_000  # documents of a domain; characters of one
SHARE, COPIES = 0.05, 0.24  # of the pool: what is taken; what is made near-copies, as measured
PART = 0.25  # of the target's domain: what is learnt from, and each of two that are held out


def texts_by_domain() -> dict[str, list[str]]:
    """Return the texts of the demo corpus, each cut to 4,000 characters, at most 3,000 a domain."""
    found = corpus("demo")
    out = {}
    for name in found.names:
        texts = [d.text[:LONG] for d in found.docs(name) if len(d.text) > 100]
        rng = stream(0, "select bench", name)
        out[name] = [texts[i] for i in rng.permutation(len(texts))[:EACH]]
    return out


def pose(
    texts: dict[str, list[str]], target: str, seed: int, copies: float = COPIES, part: float = PART
) -> tuple[Docs, Docs, Docs, Docs, NDArray[np.bool_]]:
    """Return target, dev, test, pool, and which documents of the pool are of the target domain.

    Of the target domain a `part` is the target's text, a part each is held out for choosing and
    for the final score, the rest is in the pool. In the pool, documents drawn once are copied with
    one word in twenty left out until so large a share of it is near-copies.
    """
    rng = stream(seed, "select task", target)
    own = [texts[target][i] for i in rng.permutation(len(texts[target]))]
    q = int(part * len(own))
    pool = own[3 * q :] + [t for name, all_ in texts.items() if name != target for t in all_]
    inside = np.arange(len(pool)) < len(own) - 3 * q
    count = int(copies / (1 - copies) * len(pool))
    copied = rng.choice(max(len(pool) // 20, 1), count)  # a few documents, many times
    first = rng.permutation(len(pool))[: max(len(pool) // 20, 1)]
    for i in first[copied].tolist():
        words = pool[i].split(" ")
        pool.append(
            " ".join(
                w for w, keep in zip(words, rng.random(len(words)) > 0.05, strict=True) if keep
            )
        )
    inside = np.append(inside, inside[first[copied]])
    order = rng.permutation(len(pool))
    parts = [Docs.of(own[i * q : (i + 1) * q]) for i in range(3)]
    return parts[0], parts[1], parts[2], Docs.of([pool[i] for i in order]), inside[order]


def run_one(
    target: str, seed: int, texts: dict[str, list[str]], copies: float = COPIES, part: float = PART
) -> Rows:
    """Return the held-out perplexity of every rule's choice, of auto's, and of the oracle's."""
    here, dev, test, pool, inside = pose(texts, target, seed, copies, part)
    found = tokens(pool)
    sizes = np.maximum(found.lengths, 1)
    budget = SHARE * sizes.sum()
    chosen = {
        rule.name: pick(
            score, budget, rule.how, sizes=sizes, temperature=rule.temperature, seed=seed
        ).rows
        for rule, score in in_order(RULES, here, pool, SHARE, seed)
    }
    # the oracle: random documents that truly are of the domain
    scores = stream(seed, "oracle").random(len(pool)) - 10.0 * ~inside
    enough = min(budget, float(sizes[inside].sum()))
    chosen["oracle"] = pick(scores, enough, sizes=sizes).rows
    on_dev, on_test = {}, {}
    for name, rows in chosen.items():
        model = Bigrams.fit([pool.take(rows)])
        on_dev[name], on_test[name] = perplexity(model, [dev]), perplexity(model, [test])
    best = min(PORTFOLIO, key=on_dev.__getitem__)
    on_test["auto"] = on_test[best]
    return [
        {"target": target, "seed": seed, "rule": n, "perplexity": p,
         "inside": float(inside[chosen[best if n == "auto" else n]].mean())}
        for n, p in on_test.items()
    ]  # fmt: skip


def rules_suite() -> Rows:
    """Return for each target and rule the mean perplexity of three seeds, and ratios of it.

    Ratios are over the oracle, random documents that truly are of the target's domain; over DSIR's
    rule as published; and over random documents of the pool.
    """
    texts = texts_by_domain()
    return summary([r for t in TARGETS for s in range(3) for r in run_one(t, s, texts)])


def summary(found: Rows) -> Rows:
    """Return one row a target and rule: means over seeds, and ratios of them."""
    rows = []
    for target in dict.fromkeys(r["target"] for r in found):
        by_rule: dict[str, Rows] = {}
        for r in found:
            if r["target"] == target:
                by_rule.setdefault(r["rule"], []).append(r)
        mean = {rule: float(np.mean([r["perplexity"] for r in rs])) for rule, rs in by_rule.items()}
        for rule, value in sorted(mean.items(), key=lambda p: p[1]):
            rs = by_rule[rule]
            rows.append(
                {"target": target, "rule": rule, "perplexity": value,
                 "±": float(np.std([r["perplexity"] for r in rs], ddof=1)),
                 "/ oracle": value / mean["oracle"], "/ dsir": value / mean["dsir_published"],
                 "/ random": value / mean["random"],
                 "in domain": float(np.mean([r["inside"] for r in rs]))}
            )  # fmt: skip
    return rows
