"""A second opinion on a choice: a tiny neural model is trained on it, and asked of target text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus, Doc, Domain
from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint
from ecotone.core.run import Run
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.docs import Docs
from ecotone.data.tokens import TokenOptions, TokenStore, prepare
from ecotone.engine import pool as engine
from ecotone.train.lm import Recipe
from ecotone.validate.paired import paired_verdict

TOKENS, SEEDS, LEAST = 300_000, 3, 8  # of a training; trainings of a choice; windows to judge by
TARGET = "target"
Losses = dict[str, NDArray[np.float64]]


def neural_losses(
    choices: Mapping[str, Docs], target: Docs, run: Run, *, seed: int, workers: int | None
) -> Losses:
    """Train a tiny decoder on what each rule chose; return losses on target text, (seeds, windows).

    Parameters
    ----------
    choices : mapping from rule to Docs
        Equal in tokens.
    target : Docs
        Held-out target text.
    run : Run
        Keeps tokens and finished trainings.
    seed, workers
        As everywhere.

    Raises
    ------
    BadInput
        The target is too short to be cut into windows.
    """
    held = (0.02, 0.02, 0.96)  # all but what the store must have of every side
    store = prepare(
        _corpus({**choices, TARGET: target}), run.path / "tokens",
        TokenOptions(target_split=held, seed=seed),
    )  # fmt: skip
    recipe = Recipe(TOKENS)
    windows = store.count(TARGET, "test") // recipe.context
    if windows < LEAST:
        raise BadInput(
            f"the target's held-out text has {store.count(TARGET, 'test'):,} tokens.",
            why=f"a neural model is asked of windows of {recipe.context}, {LEAST} at least.",
            cure="more target text, or leave --neural out",
        )
    rules = list(choices)
    given = [_task(store, rule, recipe, seed + s) for rule in rules for s in range(SEEDS)]
    found = engine.map(
        "ecotone.train.lm:run_task", given, run, workers=workers, title="tiny models"
    )
    rows = [np.asarray(f["target_windows"], dtype=np.float64) for f in found]
    return {rule: np.stack(rows[i * SEEDS : (i + 1) * SEEDS]) for i, rule in enumerate(rules)}


def _task(store: TokenStore, rule: str, recipe: Recipe, seed: int) -> dict[str, Any]:
    return {
        "_store": str(store.path), "mixture": {"weights": {rule: 1.0}}, "recipe": asdict(recipe),
        "seed": seed, "split": "test", "corpus": store.fingerprint,
    }  # fmt: skip


def _corpus(sides: Mapping[str, Docs]) -> Corpus:
    domains = tuple(
        Domain(n, "target" if n == TARGET else "source", len(d), None,
               fingerprint([n, d.fingerprints()]))
        for n, d in sides.items()
    )  # fmt: skip

    def opener(name: str) -> Iterator[Doc]:
        docs = sides[name]
        return (Doc(f"{name}:{i}", docs[i], name, {}) for i in range(len(docs)))

    return Corpus(domains, None, {}, opener)


def second_opinion(verdict: Verdict, losses: Losses, rule: str) -> tuple[Verdict, Verdict]:
    """Return a verdict that is *adapt* only where the neural model agrees, and the model's own."""
    own = paired_verdict(losses[rule], losses["random"])
    if verdict.decision != "adapt" or own.decision == "adapt":
        return verdict, own
    low, high = own.interval
    says = (
        f"a tiny neural model does not confirm it: gain over random {own.gain:+.3f} "
        f"({low:+.3f} to {high:+.3f}) nats a token"
    )
    finding = Finding("S111", says, "more target text, or trust the bigram model: no --neural")
    return replace(verdict, decision=own.decision, findings=(*verdict.findings, finding)), own
