"""Rules: a score and a picker by one name; what a portfolio tries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import find
from ecotone.data.docs import Docs
from ecotone.select._pick import pick
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """How documents are chosen.

    Attributes
    ----------
    name : str
        Such as ``dsir_gumbel``.
    method : str
        In the room select.
    how : str
        Of `pick`.
    params : Mapping
        Of the method.
    within : str
        A method whose best documents alone are asked, `times` the budget of them; "" for all.
    times : float
    temperature : float or None
        Of the Gumbel picker.
    """

    name: str
    method: str
    how: str = "top"
    params: Mapping[str, Any] = field(default_factory=dict)
    within: str = ""
    times: float = 1.0
    temperature: float | None = None


RULES = (
    Rule("random", "random"),
    # as published: 10,000 buckets, next to no smoothing, Gumbel noise as it is
    Rule("dsir_published", "dsir", "gumbel", {"buckets": 10_000, "prior": 0.01}, temperature=1.0),
    Rule("dsir", "dsir"),
    Rule("dsir_mean", "dsir", "top", {"how": "mean"}),
    Rule("dsir_gumbel", "dsir", "gumbel"),
    Rule("classifier_odds", "classifier_odds"),
    Rule("classifier_odds_gumbel", "classifier_odds", "gumbel"),
    Rule("cross_entropy_difference", "cross_entropy_difference"),
    Rule("greedy_matching", "greedy_matching"),
    Rule("greedy_within_odds", "greedy_matching", within="classifier_odds", times=2.0),
)

# what `ecotone select` tries; the others are there to be compared with
PORTFOLIO = {
    rule.name: rule for rule in RULES
    if rule.name in ("random", "dsir", "classifier_odds", "classifier_odds_gumbel",
                     "greedy_within_odds")
}  # fmt: skip


def in_order(
    rules: Sequence[Rule], target: Docs, pool: Docs, share: float, seed: int
) -> Iterator[tuple[Rule, Array]]:
    """Fit and score in memory: yield each rule with its scores; a method is run once."""
    known: dict[str, Array] = {}
    sizes = np.maximum(tokens(pool).lengths, 1)

    def scores(method: str, params: Mapping[str, Any]) -> Array:
        key = f"{method} {sorted(params.items())}"
        if key not in known:
            made = find(method, "select").load()(**params)
            known[key] = made.fit(target, pool).score(pool)
        return known[key]

    for rule in rules:
        params = dict(rule.params)
        if rule.method == "random":
            params["seed"] = seed
        if rule.method == "greedy_matching":
            params["share"] = share
        if not rule.within:
            yield rule, scores(rule.method, params)
            continue
        part = min(rule.times * share, 1.0)
        rows = pick(scores(rule.within, {}), part * sizes.sum(), sizes=sizes).rows
        made = find(rule.method, "select").load()(**(params | {"share": share / part}))
        out = np.full(len(pool), -np.inf)
        out[rows] = made.fit(target, pool).score(pool.take(rows))
        yield rule, out
