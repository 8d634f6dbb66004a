"""What one worker does for a choice as a whole: measure, learn, match, judge, look.

The process that runs the job holds columns of the pool, one number a document, and no text. Text,
and what is learnt from it, stays in its workers: the two never add up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ecotone.core.method import find
from ecotone.data.docs import joined
from ecotone.jobs.select_parts import collected, gather, load, save
from ecotone.jobs.select_proof import SIDES, perplexity, target_side
from ecotone.jobs.select_told import told
from ecotone.select._grams import Counted
from ecotone.select._lm import Bigrams
from ecotone.select._pick import pick
from ecotone.select._text import counted
from ecotone.select._tokens import tokens


def measure(folder: str) -> dict[str, Any]:
    """Write how many tokens each document of the target has."""
    place = Path(folder)
    lengths = {side: tokens(target_side(place, side)).lengths for side in SIDES}
    save(place / "target-lengths.npz", **lengths)
    return {side: int(n.sum()) for side, n in lengths.items()}


def learn(parts: int, buckets: int, folder: str) -> dict[str, Any]:
    """Fit DSIR on counts of the whole pool and classifier odds on a sample; write ``model.npz``."""
    place = Path(folder)
    grams, sample, docs, total = np.zeros(buckets, dtype=np.int64), list[str](), 0, 0
    for i in range(parts):
        held = load(place / f"counts-{i:05d}.npz", "grams", "sample", "lengths")
        grams += held["grams"]
        sample += orjson.loads(held["sample"].tobytes())
        docs, total = docs + len(held["lengths"]), total + int(held["lengths"].sum())
    target = target_side(place, "learn")
    dsir = find("dsir", "select").load()(buckets=buckets)
    dsir.fit_counts(counted(target, buckets, "target"), Counted(grams, docs, total, 0))
    odds = find("classifier_odds", "select").load()().fit(target, sample)
    save(place / "model.npz", log_ratio=dsir.log_ratio_, weights=odds.weights_,
         offset=np.array([odds.offset_]))  # fmt: skip
    return {"docs": docs, "tokens": total, "sample": len(sample)}


def match(
    parts: list[dict[str, Any]], block: int, share: float, buckets: int, text_field: str,
    folder: str,
) -> dict[str, Any]:  # fmt: skip
    """Write which documents of a block look together most like the target.

    ``block-NUMBER.npz`` holds their places, ``rows``, tokens, ``lengths``, and where each of
    `parts` begins, ``starts``.
    """
    place = Path(folder)
    held = load(place / f"block-{block:05d}.npz")
    docs = gather(parts, held["starts"], held["rows"], text_field)
    target = target_side(place, "learn")
    model = find("greedy_matching", "select").load()(share=share, buckets=buckets)
    model.fit(target, docs.take(np.arange(1)))  # the pool is not looked at
    budget = share * float(held["lengths"].sum())
    taken = pick(model.score(docs), budget, sizes=held["lengths"]).rows
    save(place / f"matched-{block:05d}.npz", rows=held["rows"][taken])
    return {"docs": len(taken)}


def judge(choice: str, folder: str) -> dict[str, Any]:
    """Ask a bigram model counted on a choice for the held-out target; return its perplexities.

    Log likelihoods of the documents that prove go into ``judged-CHOICE.npz``.
    """
    place = Path(folder)
    rows = load(place / "judging-rows.npz", choice)[choice]
    model = Bigrams.fit([collected(place, "judging", rows)])
    dev, test = (tokens(target_side(place, side)) for side in ("dev", "test"))
    on_test = model.log_likelihood(test)
    save(place / f"judged-{choice}.npz", log_likelihood=on_test)
    return {
        "choosing": perplexity(model.log_likelihood(dev), dev.lengths),
        "proof": perplexity(on_test, test.lengths),
    }


def look(seed: int, folder: str) -> dict[str, Any]:
    """Return what the report says of samples of text."""
    place = Path(folder)
    rows = load(place / "shown-rows.npz")
    sides = {s: collected(place, "shown", rows[s]) for s in ("pool", "random", "kept", "dropped")}
    held = joined([target_side(place, "dev"), target_side(place, "test")])
    return told(sides, target_side(place, "learn"), held, seed)
