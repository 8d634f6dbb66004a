"""Is a choice worth more than random documents: the target's held-out text is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.docs import Docs
from ecotone.jobs.select_parts import load_docs, save_docs

Array = NDArray[np.float64]
SIDES = ("learn", "dev", "test")  # of a target, as `thirds` cuts it
RESAMPLES = 1_000  # bootstraps of held-out documents
SMALL = 0.01  # nats a token not worth a change


def thirds(target: Docs, seed: int) -> tuple[Docs, Docs, Docs]:
    """Cut the target 60 / 20 / 20 by document, copies on one side; each side has one at least."""
    keys = target.fingerprints()
    unique = stream(seed, "target").permutation(np.unique(keys))
    if len(unique) < 3:
        raise BadInput(
            f"target has {len(unique)} different documents.",
            why="one is to learn from, one to choose by, one to prove on.",
            cure="split its text into documents: one a line of a .jsonl file",
        )
    held = max(1, len(unique) // 5)
    sides = unique[2 * held :], unique[:held], unique[held : 2 * held]
    a, b, c = (target.take(np.flatnonzero(np.isin(keys, side))) for side in sides)
    return a, b, c


def save_target(place: Path, sides: tuple[Docs, Docs, Docs]) -> None:
    """Write what `thirds` made, for `target_side`."""
    for side, docs in zip(SIDES, sides, strict=True):
        save_docs(place / f"target-{side}.npz", docs)


def target_side(place: Path, side: str) -> Docs:
    """Return one of `SIDES`."""
    return load_docs(place / f"target-{side}.npz")


def perplexity(log_likelihood: Array, lengths: NDArray[np.int64]) -> float:
    """Return the perplexity of documents of which these are log likelihoods and tokens."""
    return float(np.exp(-log_likelihood.sum() / max(lengths.sum(), 1)))


def proved(best: Array, random: Array, lengths: NDArray[np.int64], name: str, seed: int) -> Verdict:
    """Compare log likelihoods of held-out documents, in nats a token, by a paired bootstrap.

    The interval is over documents and over draws of the random choice.
    """
    rng = stream(seed, "bootstrap")
    n = len(lengths)
    gains = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        at = rng.integers(n, size=n)
        against = random[rng.integers(len(random))]
        gains[i] = (best[at] - against[at]).sum() / max(lengths[at].sum(), 1)
    total = max(float(lengths.sum()), 1.0)
    score, baseline = -float(best.sum()) / total, -float(random.mean(axis=0).sum()) / total
    low, high = (float(v) for v in np.quantile(gains, [0.025, 0.975]))
    same = name == "random"
    if same:
        low = high = 0.0
        baseline = score
    decision = "adapt" if low > 0 else "keep" if same or high < SMALL else "cannot tell"
    says = {
        "adapt": (),
        "keep": (Finding("S104", "random documents are as good at equal tokens", "nothing"),),
        "cannot tell": (
            Finding("S105", "no rule is clearly better than random documents; random ones are kept",
                    "more target text"),
        ),
    }  # fmt: skip
    return Verdict(
        score, baseline, baseline - score, (low, high), decision,  # type: ignore[arg-type]
        used_target_labels=False, findings=says[decision],
        metric="nats a token of held-out target text, bigram model",
    )  # fmt: skip
