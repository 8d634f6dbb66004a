"""How a method of the room mix becomes a mixture: by law, by oracle, by rule or by mixer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.method import Method
from ecotone.core.mixture import Mixture
from ecotone.core.run import Run
from ecotone.core.seeds import stream
from ecotone.core.simplex import cap_shares
from ecotone.core.trials import Trials
from ecotone.core.verdict import Finding
from ecotone.data.tokens import TokenStore
from ecotone.jobs.decide import Question, as_mixture, decide, problem_of
from ecotone.jobs.trials import natural_shares, try_mixtures
from ecotone.mix._design import regmix_design, spread_design
from ecotone.mix._law import Law
from ecotone.mix.auto import Auto
from ecotone.mix.counting_oracle import CountingOracle
from ecotone.mix.log_linear import LogLinear
from ecotone.mix.objective import TargetLoss
from ecotone.mix.prior import WithPrior
from ecotone.mix.problem import Limits
from ecotone.mix.sequential import next_runs
from ecotone.mix.solver import solve

Array = NDArray[np.float64]
Way = tuple[Mixture, dict[str, Any], list[Finding]]


@dataclass(frozen=True)
class Settings:
    """What the user wants and may spend.

    Attributes
    ----------
    tokens : int
        Training tokens of the real run; caps refer to it.
    proxy_tokens : int
        Training tokens of each proxy.
    proxies : int
        Number of proxies; 0 asks the counting oracle alone.
    caps : float
        Most epochs of any domain.
    tolerance : float or None
        Largest rise of the general loss over natural.
    kl : float
        Pull towards natural.
    floors : mapping of str to float
        Least shares.
    frozen : tuple of tuple of str
        Groups whose inner ratios stay natural.
    depth : int
        Dial of the tiny decoder.
    """

    tokens: int
    proxy_tokens: int = 300_000
    proxies: int = 12
    caps: float = 4.0
    tolerance: float | None = 0.03
    kl: float = 0.0
    floors: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[tuple[str, ...], ...] = ()
    depth: int = 2


def limits_of(store: TokenStore, settings: Settings) -> tuple[Limits, Array]:
    """Return the limits on shares, and the natural mixture within its caps."""
    unique = np.array([store.full_count(n) for n in store.names], dtype=np.float64)
    unknown = sorted({*settings.floors, *(n for g in settings.frozen for n in g)} - {*store.names})
    if unknown:
        raise BadInput(
            f"no domain is called {unknown[0]!r}.", cure=f"use: {', '.join(store.names)}"
        )
    lower = np.array([settings.floors.get(n, 0.0) for n in store.names])
    limits = Limits.epochs(
        settings.caps, unique=unique, tokens=settings.tokens, lower=lower, frozen=settings.frozen
    )
    return limits, cap_shares(natural_shares(store), limits.upper)


@dataclass
class Steps:
    """The pieces that several ways share: oracle, trials, question."""

    corpus: Corpus
    store: TokenStore
    settings: Settings
    natural: Array
    limits: Limits
    seed: int
    workers: int | None
    out: Path | str
    note: Callable[[str], None]
    trials: Trials | None = None
    counting: float = 0.0

    @property
    def caps(self) -> dict[str, float]:
        """Most epochs, by domain."""
        return dict.fromkeys(self.store.names, self.settings.caps)

    def oracle(self, tokens: int) -> CountingOracle:
        """Count for a training of this many tokens that stands for the real one."""
        self.note("counting n-grams")
        began = time.process_time()
        made = CountingOracle.of(self.store, tokens=tokens, horizon=self.settings.tokens)
        self.counting += time.process_time() - began
        return made

    def train(self, shares: Array) -> Trials:
        """Train proxies at these mixtures; the finished ones are taken from the run."""
        s = self.settings
        self.trials = try_mixtures(
            self.store, shares, tokens=s.proxy_tokens, horizon=s.tokens, seed=self.seed,
            workers=self.workers, out=self.out, recipe={"depth": s.depth},
        )  # fmt: skip
        return self.trials

    def question(self) -> Question:
        """Return what is asked of the trials."""
        target = self.corpus.target.name
        return Question(
            target, self.natural, self.limits, self.settings.tolerance,
            tuple(n for n in self.store.names if n != target), kl=self.settings.kl,
        )  # fmt: skip


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
    trials = _sequentially(oracle, steps)
    trials.save(run.artifacts / "trials.json")
    decision = decide(trials, steps.question(), auto, seed=steps.seed)
    mixture = as_mixture(decision.weights, steps.store.names, steps.caps, run.manifest.name)
    return mixture, decision.facts, decision.findings


def _sequentially(oracle: CountingOracle, steps: Steps) -> Trials:
    """Train half of the proxies on a spread of mixtures, the rest where the first half points.

    The spread begins with natural (the baseline must be inside the data) and the oracle's own
    optimum (the likely answer).
    """
    total, names = steps.settings.proxies, steps.store.names
    first = max(min(total, 6), total // 2)
    problem = problem_of(oracle, names, names, steps.question())
    guess = solve(problem, rng=stream(steps.seed, "guess"), candidates=500).weights
    rng = stream(steps.seed, "design")
    spread = spread_design(steps.natural, first, rng, limits=steps.limits.upper)
    shares = np.vstack([steps.natural, guess, spread])
    shares = shares[np.sort(np.unique(shares.round(9), axis=0, return_index=True)[1])][:first]
    trials = steps.train(shares)
    if total > first:
        pool = regmix_design(steps.natural, 400, rng, limits=steps.limits.upper)
        pool = _promising(WithPrior(LogLinear(), oracle), trials, pool, steps)
        objective = TargetLoss(steps.corpus.target.name).on(trials.targets)
        # the law is fitted on the target alone there, so its prior may say nothing else
        law = WithPrior(LogLinear(), oracle.only(names.index(steps.corpus.target.name)))
        picks = next_runs(
            trials, objective=objective, law=law, candidates=pool, n=total - first, rng=rng
        )
        trials = steps.train(np.vstack([shares, pool[picks]]))
    return trials


def _promising(law: Law, trials: Trials, pool: Array, steps: Steps) -> Array:
    """Keep the candidates whose predicted general loss is near its limit or below."""
    question = steps.question()
    general = [trials.targets.index(n) for n in question.general]
    if question.tolerance is None or not general:
        return pool
    fitted = clone(law).fit(trials.weights, trials.scores)
    level = fitted.predict(np.vstack([question.natural, pool]))[:, general].mean(axis=1)
    excess = level[1:] / level[0] - 1
    # some room above the limit: the law is still rough, and the frontier wants both sides
    near = pool[excess <= question.tolerance + 0.02]
    enough = 4 * steps.settings.proxies
    return near if len(near) >= enough else pool[np.argsort(excess, kind="stable")[:enough]]
