"""What is worth saying about a corpus once it is read as tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.verdict import Finding
from ecotone.data.splits import Survey

if TYPE_CHECKING:
    from ecotone.data.tokens import TokenStore


def reading_findings(
    surveys: Mapping[str, Survey], domains: Mapping[str, Any], target: str | None
) -> Iterator[Finding]:
    """Tell of copies (C101), of sampling (C102) and of held-out text left out (C201)."""
    for name, survey in surveys.items():
        if survey.copies > 0.01 * survey.documents:
            yield Finding(
                "C101",
                f"{survey.copies:,} of the {survey.documents:,} documents of {name} are exact "
                "copies of others.",
                "remove them: repeated text counts as epochs that nobody asked for",
            )
        left = domains[name]["left_out"]
        if left and target:
            yield Finding(
                "C201",
                f"{left:,} documents of {name} also stand in held-out text and were left out of "
                "training.",
                "nothing to do for this run; remove them from your own training data too",
            )
        if domains[name]["sampled"] < 1:
            yield Finding(
                "C102",
                f"{name} is large: {domains[name]['sampled']:.1%} of its documents were "
                "tokenised; its size is estimated from them.",
                "",
            )


def overlap(store: TokenStore, length: int = 24) -> Iterator[Finding]:
    """Find how much of the target's held-out text stands in the training text of the sources.

    Runs of `length` tokens are compared by a 64-bit rolling hash.

    Yields
    ------
    Finding
        ``C202`` for each source that holds more than 0.5 % of the runs.
    """
    if store.target is None:
        return
    runs = [_runs(store.tokens(store.target, s), length) for s in ("dev", "test")]
    wanted = np.unique(np.concatenate(runs))
    if not len(wanted):
        return
    for name in store.sources:
        seen = np.zeros(len(wanted), dtype=bool)
        tokens = store.tokens(name, "train")
        for start in range(0, max(len(tokens) - length + 1, 0), 1 << 20):
            codes = _runs(tokens[start : start + (1 << 20) + length - 1], length)
            place = np.minimum(np.searchsorted(wanted, codes), len(wanted) - 1)
            seen[place[wanted[place] == codes]] = True
        share = float(seen.mean()) if len(seen) else 0.0
        if share > 0.005:
            yield Finding(
                "C202",
                f"{share:.1%} of the {length}-token runs of the held-out {store.target} text "
                f"stand in the training text of {name}.",
                f"losses on {store.target} will flatter {name}: remove the shared passages",
            )


def _runs(tokens: NDArray[Any], length: int) -> NDArray[np.uint64]:
    """Return a polynomial hash of every run of `length` tokens, modulo 2**64."""
    if len(tokens) < length:
        return np.empty(0, np.uint64)
    mixed = (tokens.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    total = np.zeros(len(tokens) - length + 1, np.uint64)
    factor = np.uint64(0x100000001B3)
    for i in range(length):
        total = total * factor + mixed[i : i + len(total)]
    return total
