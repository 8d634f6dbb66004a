"""Train at the recommended mixture and at doing nothing, and say which is better: `confirm`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.core.corpus import Corpus, Domain
from ecotone.core.errors import BadInput
from ecotone.core.method import catalogue, find
from ecotone.core.mixture import Mixture
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.tokens import TokenOptions, TokenStore
from ecotone.jobs.trials import tokenised, train_all
from ecotone.validate.paired import paired_verdict

RECOMMENDED = "recommended"
WORTH = 0.01  # part of the do-nothing loss from which on a gain is worth a change of the mixture


@dataclass(frozen=True)
class Confirmed:
    """A verdict and the runs behind it.

    Attributes
    ----------
    verdict : Verdict
        Choice against the do-nothing mixture.
    runs : list of dict
        One row per run: ``mixture``, ``seed``, ``target`` and ``general`` loss in nats per token,
        ``losses`` per domain, ``cpu_seconds``, ``tokens``.
    asked_got : list of dict
        What the recommended mixture asked for and got.
    """

    verdict: Verdict
    runs: list[dict[str, Any]]
    asked_got: list[dict[str, Any]]


def confirm(
    mixture: Mixture,
    corpus: Corpus | TokenStore,
    *,
    against: str | Mixture = "natural",
    seeds: int = 3,
    tokens: int = 1_000_000,
    **settings: Any,
) -> Verdict:
    """Train a mixture and the do-nothing mixture, several seeds each, and decide.

    Parameters
    ----------
    mixture : Mixture
        What to confirm.
    corpus : Corpus or TokenStore
        Where the text is; losses are measured on its test split, which nothing before has seen.
    against : {"natural", "uniform"} or Mixture
        The do-nothing mixture.
    seeds : int
        Seeds per mixture, at least 2; better 3 or more.
    tokens : int
        Training tokens of each run.
    **settings
        As for `confirm_runs`.

    Returns
    -------
    Verdict
        Gain in nats per token on the target's test text, with an interval over seeds and windows.
        *adapt* where the interval lies above 1 % of the do-nothing loss, *keep* where below.
    """
    return confirm_runs(
        mixture, corpus, against=against, seeds=seeds, tokens=tokens, **settings
    ).verdict


def confirm_runs(
    mixture: Mixture,
    corpus: Corpus | TokenStore,
    *,
    against: str | Mixture = "natural",
    also: Sequence[str] = ("uniform",),
    seeds: int = 3,
    tokens: int = 1_000_000,
    seed: int = 0,
    tolerance: float | None = None,
    findings: Sequence[Finding] = (),
    out: Path | str = "runs",
    workers: int | None = None,
    recipe: Mapping[str, Any] | None = None,
    options: TokenOptions | None = None,
    quiet: bool = False,
) -> Confirmed:
    """Do what `confirm` does and return the runs as well.

    Parameters
    ----------
    also : sequence of str
        Further rule mixtures for the table; they do not enter the verdict.
    tolerance : float, optional
        Largest rise of the general loss (mean of the source domains) over the do-nothing mixture.
    recipe : mapping, optional
        Other fields of `ecotone.train.lm.Recipe`.
    """
    store = corpus if isinstance(corpus, TokenStore) else tokenised(corpus, out, options)
    if store.target is None:
        raise BadInput("a verdict needs a target.", cure="--target NAME")
    base_name = against if isinstance(against, str) else against.made_by
    base = (
        against if isinstance(against, Mixture) else rule_mixture(against, store, mixture, tokens)
    )
    named = {RECOMMENDED: mixture, base_name: base}
    named |= {n: rule_mixture(n, store, mixture, tokens) for n in also if n not in named}
    jobs = [(name, s) for s in range(seeds) for name in named]
    # all of the target's test text, at most a million tokens of it
    settings = {"eval_tokens": min(1_000_000, store.count(store.target, "test")), **(recipe or {})}
    results = train_all(
        store, [named[n] for n, _ in jobs], [seed + s for _, s in jobs],
        {"tokens": tokens, **settings},
        out=out, split="test", workers=workers, title="confirming", quiet=quiet,
    )  # fmt: skip
    runs: list[dict[str, Any]] = []
    windows: dict[str, list[list[float]]] = {name: [] for name in named}
    for (name, s), r in zip(jobs, results, strict=True):
        windows[name].append(r["target_windows"])
        losses = r["losses"]
        general = float(np.mean([losses[n] for n in store.sources]))
        runs.append(
            {
                "mixture": name, "seed": seed + s, "target": losses[store.target],
                "general": general, "losses": losses, "cpu_seconds": r["cpu_seconds"],
                "tokens": r["tokens"],
            }
        )  # fmt: skip
    level = {n: [r["general"] for r in runs if r["mixture"] == n] for n in named}
    excess = np.array(level[RECOMMENDED]) / np.array(level[base_name]) - 1
    before = np.array(windows[base_name])
    verdict = paired_verdict(
        np.array(windows[RECOMMENDED]), before, general=list(excess), tolerance=tolerance,
        findings=findings, least=WORTH * float(before.mean()),
    )  # fmt: skip
    return Confirmed(verdict, runs, results[0]["asked_got"])


def rule_mixture(name: str, store: TokenStore, like: Mixture, tokens: int) -> Mixture:
    """Return the mixture of a rule of the room mix, under the caps of another mixture."""
    rules = [m.name for m in catalogue() if m.room == "mix" and not m.needs and not m.extra]
    if name not in rules:
        raise BadInput(f"no rule is called {name!r}.", cure="natural, uniform or temperature")
    domains = tuple(
        Domain(n, "target" if n == store.target else "source", 0, store.full_count(n), n)
        for n in store.names
    )
    rule = find(name, "mix").load()
    mixture: Mixture = rule(
        Corpus(domains), store.target, tokens=tokens, caps=like.caps, rng=stream(0, name)
    )
    return mixture
