"""The law "stays on the simplex", protocol by protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ecotone.core.method import Method
from ecotone.core.seeds import stream
from ecotone.testing import cases
from ecotone.testing.fixtures import counted_corpus, law_trials
from ecotone.testing.says import demand

# rules whose share of a domain is proportional to its tokens: only for these does cutting a domain
# in two change no total; the others count domains, and say so
ADDITIVE = ("natural",)


def rules(method: Method) -> None:
    """Check shares, caps, twins and halves of a rule."""
    for tokens, caps in ((500_000, None), (500_000, 4.0), (4_000_000, {"code": 2.0, "law": 1.0})):
        if method.name == "hand" and caps is not None:
            caps = 50.0  # what is written by hand is kept or refused, never bent
        mixture = cases.rule_mixture(method, cases.sized(), tokens=tokens, caps=caps)
        _shares(method, mixture.weights)
        for name, share in mixture.weights.items():
            cap = caps.get(name, np.inf) if isinstance(caps, Mapping) else (caps or np.inf)
            epochs = share * tokens / cases.SIZES[name]
            demand(epochs <= cap * (1 + 1e-9), f"{method.name}: {epochs:.3g} epochs of {name}")
    if method.name in cases.EXAMPLES:
        return  # its shares are given by domain: twins and halves would be given too
    sizes = {"a": 300, "b": 100, "twin": 100, "web": 900}
    twins = cases.rule_mixture(method, counted_corpus(sizes, "a"), tokens=100).weights
    same = abs(twins["b"] - twins["twin"]) < 1e-12
    demand(same, f"{method.name}: twins get {twins['b']} and {twins['twin']}")
    if method.name in ADDITIVE:
        whole = counted_corpus({"a": 300, "b": 200, "web": 900}, "a")
        parts = counted_corpus({"a": 300, "b1": 100, "b2": 100, "web": 900}, "a")
        for caps in (None, 4.0):
            one = cases.rule_mixture(method, whole, tokens=100, caps=caps).weights
            two = cases.rule_mixture(method, parts, tokens=100, caps=caps).weights
            gap = abs(one["b"] - two["b1"] - two["b2"])
            demand(gap < 1e-12, f"{method.name}: halving a domain moves its total by {gap:.1e}")


def laws(method: Method) -> None:
    """Check the mixture that the solver finds under a law: shares within bounds."""
    from ecotone.mix.objective import TargetLoss
    from ecotone.mix.problem import Limits, Problem
    from ecotone.mix.solver import solve

    trials = law_trials(24, 4, noise=0.01, rng=stream(0, "laws"))
    law = cases.make(method).fit(trials.weights, trials.scores)
    upper, lower = np.array([0.3, 0.5, 1.0, 1.0]), np.array([0.0, 0.1, 0.05, 0.0])
    problem = Problem(
        law=law,
        targets=trials.targets,
        domains=trials.domains,
        objective=TargetLoss("d0"),
        limits=Limits(upper, lower),
        general=None,
        prior=np.full(4, 0.25),
    )
    found = solve(problem, rng=stream(0, "solve"), candidates=500).weights
    _shares(method, dict(zip(trials.domains, found.tolist(), strict=True)))
    inside = (found <= upper + 1e-9).all() and (found >= lower - 1e-9).all()
    demand(bool(inside), f"{method.name}: the solver's {found} is outside its bounds")


def mixers(method: Method) -> None:
    """Check design and proposal: shares within limits."""
    limits = np.array([0.3, 0.5, 1.0, 1.0])
    trials = law_trials(24, 4, noise=0.01, rng=stream(0, "laws"))
    mixer = cases.make(method)
    design = mixer.design(np.array([0.1, 0.2, 0.3, 0.4]), limits=limits)
    for row in [*design, list(mixer.propose(trials, "d0", limits=limits).weights.values())]:
        _shares(method, dict(zip(trials.domains, row, strict=True)))
        demand(bool((row <= limits + 1e-9).all()), f"{method.name}: {row} is beyond its limits")


def _shares(method: Method, weights: Mapping[str, float]) -> None:
    values = np.array(list(weights.values()))
    good = bool((values >= 0).all()) and abs(float(values.sum()) - 1) < 1e-9
    demand(good, f"{method.name}: {dict(weights)} are not shares")


CHECKS: dict[str, Callable[[Method], None]] = {"rule": rules, "law": laws, "mixer": mixers}
