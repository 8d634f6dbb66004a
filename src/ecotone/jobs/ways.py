"""How a method of the room mix becomes a mixture: by law, by oracle, by rule or by mixer."""

from __future__ import annotations

from typing import Any

from ecotone.core.method import Method
from ecotone.core.mixture import Mixture
from ecotone.core.run import Run
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding
from ecotone.jobs.decide import as_mixture, decide, problem_of
from ecotone.jobs.proxies import train_proxies
from ecotone.jobs.rehearse import rehearse
from ecotone.jobs.steps import Steps
from ecotone.mix._law import Law
from ecotone.mix.auto import Auto
from ecotone.mix.counting_oracle import CountingOracle
from ecotone.mix.solver import solve

Way = tuple[Mixture, dict[str, Any], list[Finding]]


def by_method(entry: Method, params: dict[str, Any], steps: Steps, run: Run) -> Way:
    """Let a method choose."""
    thing = entry.load()
    if not isinstance(thing, type):
        return _by_rule(entry, thing, params, steps)
    if thing is CountingOracle or steps.settings.proxies == 0:
        return _by_oracle(steps, run)
    if not issubclass(thing, Law):
        return _by_mixer(entry, thing, params, steps, run)
    return _by_law(entry, thing, params, steps, run)


def _by_rule(entry: Method, rule: Any, params: dict[str, Any], steps: Steps) -> Way:
    mixture = rule(
        steps.corpus, steps.corpus.target.name, tokens=steps.settings.tokens,
        caps=steps.settings.caps, rng=stream(steps.seed, entry.name), **params,
    )  # fmt: skip
    sentence = f"{entry.name} is a rule: it has not looked at any run. Confirm it with --confirm."
    return mixture, {"advice": {"decision": "cannot tell", "sentence": sentence}}, []


def _by_oracle(steps: Steps, run: Run) -> Way:
    """Solve on the counting oracle alone: no proxies, no evidence but what `confirm` brings."""
    oracle = steps.oracle(steps.settings.tokens)
    question = steps.question()
    problem = problem_of(oracle, steps.store.names, steps.store.names, question)
    solution = solve(problem, rng=stream(steps.seed, "solve"), candidates=500)
    mixture = as_mixture(solution.weights, steps.store.names, steps.caps, run.manifest.name)
    sentence = (
        "The counting oracle has seen no run: its mixture is a first guess. Confirm it with "
        "--confirm, or train proxies (--proxies 12)."
    )
    return mixture, {"advice": {"decision": "cannot tell", "sentence": sentence}}, []


def _by_mixer(entry: Method, mixer: Any, params: dict[str, Any], steps: Steps, run: Run) -> Way:
    """Let a mixer design the trials; its proposal goes through the same checks as a law's."""
    made = mixer(**{"proxies": steps.settings.proxies, "seed": steps.seed, **params})
    trials = steps.train(made.design(steps.natural, limits=steps.limits.upper))
    trials.save(run.artifacts / "trials.json")
    law = Auto({entry.name: made.law()}, seed=steps.seed)
    decision = decide(trials, steps.question(), law, seed=steps.seed)
    mixture = made.propose(
        trials, steps.corpus.target.name, limits=steps.limits.upper, prior=steps.natural
    )
    if not decision.evidence.supported:
        mixture = as_mixture(steps.natural, steps.store.names, steps.caps, "natural")
    return mixture, decision.facts, decision.findings


def _by_law(entry: Method, law: type, params: dict[str, Any], steps: Steps, run: Run) -> Way:
    """Fit a law on sequentially chosen proxies; `Auto` brings cross-validation to any law."""
    oracle = steps.oracle(steps.settings.proxy_tokens)
    if law is Auto:
        auto = Auto(prior=oracle, **{"seed": steps.seed, **params})
    else:
        auto = Auto({entry.name: law(**params)}, seed=steps.seed)
    trials = train_proxies(oracle, steps)
    trials.save(run.artifacts / "trials.json")
    decision = decide(trials, steps.question(), auto, seed=steps.seed)
    weights = decision.weights
    if steps.confirming and decision.evidence.supported and steps.settings.tolerance is not None:
        weights = rehearse(decision, steps)
    mixture = as_mixture(weights, steps.store.names, steps.caps, run.manifest.name)
    return mixture, decision.facts, decision.findings
