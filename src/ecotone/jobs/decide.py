"""From trials to a mixture: fit, check, solve, trace the frontier. No training happens here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.mixture import Mixture
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.core.verdict import Finding
from ecotone.mix.auto import Auto
from ecotone.mix.frontier import frontier
from ecotone.mix.objective import GeneralLimit, Objective, TargetLoss
from ecotone.mix.problem import Limits, Problem
from ecotone.mix.solver import Solution, solve
from ecotone.validate.evidence import Evidence, rank_evidence

Array = NDArray[np.float64]
GENERAL = "mean loss of the source domains"
CANDIDATES = 2_000  # looked at where a law is not convex


@dataclass(frozen=True)
class Question:
    """What is asked of the trials.

    Attributes
    ----------
    target : str
        Domain whose loss counts.
    natural : ndarray, shape (k,)
        The do-nothing mixture, within the caps.
    limits : Limits
        Bounds on shares.
    tolerance : float or None
        Largest rise of the general loss over natural; None for no limit.
    general : tuple of str
        Domains whose mean loss is the general loss.
    objective : Objective, optional
        Default: the target's loss.
    kl : float
        Pull towards natural.
    """

    target: str
    natural: Array
    limits: Limits
    tolerance: float | None = None
    general: tuple[str, ...] = ()
    objective: Objective | None = None
    kl: float = 0.0


@dataclass
class Decision:
    """What the trials say.

    Attributes
    ----------
    weights : ndarray, shape (k,)
        Recommended shares: those of natural when there is no evidence.
    evidence : Evidence
        For the target.
    solution : Solution
        What the solver found, also when it is not recommended.
    facts : dict
        Parts of the report: ``predicted``, ``cv``, ``laws``, ``frontier``, ``points``, ``advice``.
    at : callable
        The best shares under another limit on the general loss, (tolerance) -> (k,).
    """

    weights: Array
    evidence: Evidence
    solution: Solution
    facts: dict[str, Any]
    findings: list[Finding]
    at: Callable[[float], Array]


def decide(trials: Trials, question: Question, law: Auto, *, seed: int = 0) -> Decision:
    """Fit the law, test whether it ranks, and find the best mixture within the limits.

    The limit on the general loss is tightened by the law's error on it (at most by half), so that
    the real run keeps the limit as well.
    """
    kept = [t for t in trials.targets if t == question.target or t in question.general]
    columns = [trials.targets.index(t) for t in kept]
    law = law.fit(trials.weights, trials.scores[:, columns])
    at = kept.index(question.target)
    evidence = rank_evidence(
        trials.target(question.target), law.oof_[:, at], rng=stream(seed, "evidence")
    )
    general = [kept.index(t) for t in question.general if t in kept]
    margin = _margin(law, trials.scores[:, columns], general, question.tolerance)
    problem = problem_of(law, tuple(kept), trials.domains, question, margin, trials.weights)
    rng = stream(seed, "solve")
    solution = solve(problem, rng=rng, candidates=CANDIDATES)
    weights = solution.weights if evidence.supported else question.natural
    facts = {
        "predicted": {
            "mixture": _predicted(law, weights, at, general),
            "natural": _predicted(law, question.natural, at, general),
        },
        "cv": _checks(law, trials, columns, at, general, evidence, seed),
        "laws": _laws(law, at),
        "points": _points(trials.scores[:, columns], at, general),
        "advice": _advice(evidence, question.target),
        "solver": {
            "exact": solution.exact, "gap": solution.gap, "active": list(solution.active),
            "margin": margin,
        },
    }  # fmt: skip
    if problem.general is not None and evidence.supported:
        facts["frontier"] = _frontier(problem, trials.domains, rng)

    def at_tolerance(tolerance: float) -> Array:
        assert problem.general is not None
        again = replace(problem, general=replace(problem.general, tolerance=tolerance))
        return solve(again, rng=stream(seed, "solve", tolerance), candidates=CANDIDATES).weights

    return Decision(weights, evidence, solution, facts, _findings(evidence), at_tolerance)


def problem_of(
    law: Any,
    targets: tuple[str, ...],
    domains: tuple[str, ...],
    question: Question,
    margin: float = 0.0,
    tried: Array | None = None,
) -> Problem:
    """Join a law and a question to a problem for the solver."""
    names = tuple(t for t in question.general if t in targets)
    limit = None
    if names:
        # without a limit the general loss is still measured, for the frontier
        tolerance = np.inf if question.tolerance is None else question.tolerance - margin
        limit = GeneralLimit(names, tolerance=float(tolerance))
    return Problem(
        law=law,
        targets=targets,
        domains=domains,
        objective=question.objective or TargetLoss(question.target),
        limits=question.limits,
        general=limit,
        prior=question.natural,
        kl=question.kl,
        tried=tried,
    )


def _margin(law: Auto, L: Array, general: list[int], tolerance: float | None) -> float:
    """Return the law's relative error on the general loss, at most half the tolerance."""
    if not general or tolerance is None:
        return 0.0
    error = np.log(L[:, general].mean(axis=1)) - np.log(law.oof_[:, general].mean(axis=1))
    return float(min(np.sqrt((error**2).mean()), max(tolerance, 0.0) / 2))


def _predicted(law: Auto, weights: Array, at: int, general: list[int]) -> dict[str, list[float]]:
    middle = law.predict(weights[None]).reshape(-1)
    span = law.predict_interval(weights[None])[0]
    out = {"target": [span[at, 0], middle[at], span[at, 1]]}
    if general:
        parts = (span[general, 0], middle[general], span[general, 1])
        out["general"] = [float(p.mean()) for p in parts]
    return {k: [float(x) for x in v] for k, v in out.items()}


def _checks(
    law: Auto, trials: Trials, columns: list[int], at: int, general: list[int],
    evidence: Evidence, seed: int,
) -> dict[str, Any]:  # fmt: skip
    L = trials.scores[:, columns]
    half = np.quantile(np.abs(law.residuals_), 0.9, axis=0)
    checks = {
        "target": {
            "spearman": evidence.spearman, "p": evidence.p, "n": evidence.n,
            "measured": L[:, at], "predicted": law.oof_[:, at],
            "low": law.oof_[:, at] * np.exp(-half[at]), "high": law.oof_[:, at] * np.exp(half[at]),
            "labels": [f"trial {i}" for i in range(len(L))],
        }
    }  # fmt: skip
    if general:
        measured, predicted = L[:, general].mean(axis=1), law.oof_[:, general].mean(axis=1)
        other = rank_evidence(measured, predicted, rng=stream(seed, "evidence", "general"))
        checks["general"] = {
            "spearman": other.spearman, "p": other.p, "n": other.n,
            "measured": measured, "predicted": predicted,
        }  # fmt: skip
    return checks


def _laws(law: Auto, at: int) -> list[dict[str, Any]]:
    return [
        {
            "name": c.name, "spearman": c.spearman[at], "mae": c.mae[at], "rmse": c.rmse[at],
            "weight": c.weight[at], "chosen": bool(c.weight[at] > 0 and c.name != "auto"),
            "seconds": c.seconds, "note": c.note,
        }
        for c in law.compared_
    ]  # fmt: skip


def _points(L: Array, at: int, general: list[int]) -> list[dict[str, Any]]:
    if not general:
        return []
    return [
        {"label": f"trial {i}", "target": float(row[at]), "general": float(row[general].mean())}
        for i, row in enumerate(L)
    ]


def _frontier(
    problem: Problem, domains: tuple[str, ...], rng: np.random.Generator
) -> list[dict[str, Any]]:
    # a law that is not convex is searched anew at every point
    points = 21 if problem.convex else 13 if problem.smooth else 9
    line = frontier(problem, points=points, rng=rng)
    return [
        {
            "tolerance": float(line.tolerance[i]),
            "target": float(line.target[i]),
            "general": float(line.general[i]),
            "weights": dict(zip(domains, map(float, line.weights[i]), strict=True)),
        }
        for i in range(len(line))
    ]


def _advice(evidence: Evidence, target: str) -> dict[str, str]:
    if evidence.supported:
        return {
            "decision": "adapt",
            "sentence": f"The law ranks held-out trials on {target} with a rank correlation of "
            f"{evidence.spearman:.2f} (p = {evidence.p:.4f}, {evidence.n} trials). Confirm the "
            "mixture before a long training.",
        }
    return {
        "decision": "keep",
        "sentence": f"Keep natural: the trials hold no evidence about {target}. The rank "
        f"correlation out of fold is {evidence.spearman:.2f} (p = {evidence.p:.2f}, {evidence.n} "
        "trials), which chance explains.",
    }


def _findings(evidence: Evidence) -> list[Finding]:
    if evidence.supported:
        return []
    return [
        Finding(
            "M401",
            "no law ranks the held-out trials better than chance: the recommendation is natural.",
            "--proxies 24, or larger proxies (--proxy-tokens 2M)",
        )
    ]


def as_mixture(
    weights: Array, domains: tuple[str, ...], caps: Mapping[str, float], made_by: str
) -> Mixture:
    """Return shares as a `Mixture`; shares below one in a million are dropped to 0."""
    clean = np.where(weights < 1e-6, 0.0, weights)
    clean = clean / clean.sum()
    return Mixture(dict(zip(domains, map(float, clean), strict=True)), (), dict(caps), made_by)
