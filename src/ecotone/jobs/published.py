"""From runs that somebody has trained already to a mixture: nothing is trained, no text is read."""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone._version import __version__
from ecotone.core.errors import BadInput, NoTarget
from ecotone.core.files import plain
from ecotone.core.method import Method, find
from ecotone.core.mixture import Mixture, check_weights
from ecotone.core.run import Manifest, Run
from ecotone.core.trials import Trials
from ecotone.core.verdict import Finding
from ecotone.jobs.choose import Chosen, finish
from ecotone.jobs.decide import Decision, Question, as_mixture, decide
from ecotone.mix._law import Law
from ecotone.mix.auto import Auto
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.calibrate import Calibrated
from ecotone.mix.problem import Limits

Array = NDArray[np.float64]


def choose_from_trials(
    trials: Trials,
    target: str | None,
    *,
    method: str = "auto",
    params: Mapping[str, Any] | None = None,
    tolerance: float | None = 0.03,
    kl: float = 0.0,
    calibrate: Trials | None = None,
    natural: Mapping[str, float] | None = None,
    floors: Mapping[str, float] | None = None,
    frozen: Sequence[Sequence[str]] = (),
    seed: int = 0,
    out: Path | str = "runs",
    command: str = "",
) -> Chosen:
    """Choose a training mixture from finished runs.

    The law is cross-validated on the runs; when it does not rank them better than chance, the
    answer is to keep the natural mixture. There are no caps: how many tokens each domain has is not
    known here.

    Parameters
    ----------
    trials : Trials
        Finished runs, 5 or more.
    target : str
        One of ``trials.targets``. The mean of all the others is the general loss.
    method : str
        A law or a mixer of the room mix.
    params : mapping, optional
        Parameters of the method.
    tolerance : float or None
        Largest rise of the general loss over natural; None for no limit.
    kl : float
        Pull towards natural, nats per nat of divergence.
    calibrate : Trials, optional
        Two or more large runs: the losses of `trials` are first carried to their scale
        (`ecotone.mix.calibrate.Calibrated`), so that the general loss is an average at that scale.
        The law is then fitted twice.
    natural : mapping of str to float, optional
        Shares of the tokens at hand, the do-nothing mixture; equal shares by default.
    floors : mapping of str to float, optional
        Least shares.
    frozen : sequence of groups of str
        Domains whose inner ratios stay those of `natural`.
    seed, out, command
        As everywhere.

    Returns
    -------
    Chosen
        Without a verdict: that needs training.

    Raises
    ------
    NoTarget
        No loss on `target` was measured.
    TooFewRows
        Fewer runs than the method needs.
    BadInput
        Unknown domains; a method that needs text; large runs of other domains or targets.
    """
    began = time.monotonic(), time.process_time()
    entry, target = find(method, "mix"), _known(trials, target)
    shares, findings = _natural(trials, natural)
    floors, groups = dict(floors or {}), tuple(tuple(g) for g in frozen)
    limits = _limits(trials, floors, groups)
    mixer, law = _law(entry, dict(params or {}), seed)
    if mixer is not None and (floors or groups or kl):
        raise BadInput(
            f"{method} proposes a mixture by itself and knows neither floors, frozen groups nor a "
            "pull.",
            cure="--method boosted_trees, or leave out --floors, --frozen and --kl",
        )
    inputs = {"trials": trials.fingerprint}
    if calibrate is not None:
        _known(calibrate, target, "the large runs")
        inputs["large"] = calibrate.fingerprint
    settings = {
        "target": target, "tolerance": tolerance, "kl": kl, "floors": floors, "frozen": groups,
        "natural": dict(zip(trials.domains, shares.tolist(), strict=True)),
    }  # fmt: skip
    manifest = Manifest(
        "mix", method, {**settings, "params": dict(params or {})}, inputs, seed, command
    )
    run = Run.open(out, manifest)
    trials.save(run.artifacts / "trials.json")
    facts: dict[str, Any] = {}
    if calibrate is not None:
        trials, facts["calibration"], more = _carried(trials, calibrate, law)
        findings += more
    general = tuple(t for t in trials.targets if t != target)
    # without a limit the general loss is still traced: a limit nobody can reach
    allowed = math.inf if tolerance is None else tolerance
    question = Question(target, shares, limits, allowed, general, kl=kl)
    decision = decide(trials, question, law, seed=seed)
    mixture = _mixture(decision, mixer, trials, question, run)
    facts |= decision.facts
    facts["cost"] = _cost(trials, began)
    analysis = _described(
        trials, settings, mixture, facts, [*findings, *decision.findings], command
    )
    return finish(run, mixture, None, plain(analysis))


def _known(trials: Trials, target: str | None, whose: str = "these runs") -> str:
    if target in trials.targets:
        return str(target)
    near = difflib.get_close_matches(target or "", trials.targets, n=1, cutoff=0.5)
    what = "no target was named" if target is None else f"{whose} measured no loss on {target!r}"
    raise NoTarget(
        what + (f"; did you mean {near[0]!r}?" if near else "."),
        why=f"{whose} have losses on: {', '.join(trials.targets)}.",
        cure=f"--target {(near or trials.targets)[0]}",
    )


def _natural(trials: Trials, given: Mapping[str, float] | None) -> tuple[Array, list[Finding]]:
    """Return the do-nothing shares in the order of the domains; equal ones by default."""
    if given is None:
        k = len(trials.domains)
        words = ",".join(f"{n}=..." for n in trials.domains)
        return np.full(k, 1 / k), [
            Finding(
                "M402",
                "the natural mixture is not known; equal shares of all domains stand for it: in "
                "the comparison, in the limit on the general loss and in the pull.",
                f"--natural {words}",
            )
        ]
    _check_names(trials, given, "--natural")
    clean = check_weights(given, "--natural")
    return np.array([clean.get(n, 0.0) for n in trials.domains]), []


def _check_names(trials: Trials, names: Sequence[str] | Mapping[str, Any], what: str) -> None:
    for name in names:
        if name not in trials.domains:
            raise BadInput(
                f"{what}: no domain is called {name!r}.",
                cure=f"use: {', '.join(trials.domains)}",
            )


def _limits(
    trials: Trials, floors: Mapping[str, float], groups: tuple[tuple[str, ...], ...]
) -> Limits:
    _check_names(trials, floors, "--floors")
    for group in groups:
        _check_names(trials, group, "--frozen")
    lower = np.array([floors.get(n, 0.0) for n in trials.domains])
    return Limits(np.full(len(lower), np.inf), lower, groups)


def _law(entry: Method, params: dict[str, Any], seed: int) -> tuple[Any, Auto]:
    """Return the mixer, if the method is one, and the law with cross-validation around it."""
    kind = entry.load()
    if kind is Auto:
        return None, Auto(**{"seed": seed, **params})
    if isinstance(kind, type) and issubclass(kind, Law) and "proxies" in entry.needs:
        return None, Auto({entry.name: kind(**params)}, seed=seed)
    if isinstance(kind, type) and hasattr(kind, "propose"):
        mixer = kind(**{"seed": seed, **params})
        # a mixer is judged by the law it proposes with
        own = mixer.law() if hasattr(mixer, "law") else BoostedTrees()
        return mixer, Auto({entry.name: own}, seed=seed)
    raise BadInput(
        f"{entry.name} learns nothing from finished runs.",
        why="it is a rule about the tokens at hand, or it counts in text.",
        cure="--method auto, or a corpus folder instead of --trials",
    )


def _carried(
    trials: Trials, large: Trials, law: Auto
) -> tuple[Trials, dict[str, Any], list[Finding]]:
    """Return the runs as they are expected at the scale of the large ones."""
    targets = tuple(t for t in trials.targets if t in large.targets)
    lost = [t for t in trials.targets if t not in large.targets]
    small = _only(trials, targets)
    fitted = Calibrated(law, large, domains=trials.domains, targets=targets)
    fitted.fit(small.weights, small.scores)
    table = {
        t: {"level": float(a), "slope": float(b), "runs": len(large)}
        for t, a, b in zip(targets, fitted.level_, fitted.slope_, strict=True)
    }
    findings = [
        Finding(
            "M403",
            f"losses are those expected at the scale of the {len(large)} large runs; gaps of the "
            f"small runs shrink to between {fitted.slope_.min():.2f} and {fitted.slope_.max():.2f} "
            "of their logarithm.",
        )
    ]
    if lost:
        findings.append(
            Finding(
                "M404",
                f"the large runs have no losses on {', '.join(lost)}, which is left out of the "
                "general loss.",
                "measure them in the large runs as well",
            )
        )
    if fitted.contradicted_:
        findings.append(
            Finding(
                "M405",
                "the large runs do not rank as the small ones on "
                f"{', '.join(fitted.contradicted_)}.",
                "more large runs, or larger small ones: the choice may not carry over",
            )
        )
    return fitted.scaled(small), table, findings


def _only(trials: Trials, targets: tuple[str, ...]) -> Trials:
    columns = [trials.targets.index(t) for t in targets]
    return Trials(trials.weights, trials.scores[:, columns], trials.domains, targets, trials.about)


def _mixture(
    decision: Decision, mixer: Any, trials: Trials, question: Question, run: Run
) -> Mixture:
    name = run.manifest.name if decision.evidence.supported else "natural"
    if mixer is None or not decision.evidence.supported:
        return as_mixture(decision.weights, trials.domains, {}, name)
    proposed: Mixture = mixer.propose(trials, question.target, prior=question.natural)
    return proposed


def _cost(trials: Trials, began: tuple[float, float]) -> dict[str, Any]:
    wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
    what = f"fitting {len(trials)} finished runs, solving"
    return {"rows": [{"what": what, "cpu_seconds": cpu, "tokens": 0}], "wall_seconds": wall}


def _described(
    trials: Trials, settings: Mapping[str, Any], mixture: Mixture, facts: Mapping[str, Any],
    findings: Sequence[Finding], command: str,
) -> dict[str, Any]:  # fmt: skip
    """Join what was found to the dictionary that reports are made from."""
    target, names = settings["target"], trials.domains
    others = [t for t in trials.targets if t != target]
    return {
        "title": f"A training mixture for {target}, from {len(trials)} finished runs",
        "command": command,
        "version": __version__,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "target": target,
        "domains": [{"name": n, "role": "target" if n == target else "source"} for n in names],
        "budget": {
            "tolerance": settings["tolerance"],
            "general": f"mean loss of the {len(others)} other targets" if others else "",
        },
        "mixture": {n: mixture.weights.get(n, 0.0) for n in names},
        "natural": settings["natural"],
        "uniform": dict.fromkeys(names, 1 / len(names)),
        "findings": [asdict(f) for f in findings],
        "saw": [
            f"{len(trials)} runs, each with the loss on {target} that the law was fitted to and "
            "cross-validated on. No text was read and no model was trained.",
        ],
        "repeat": [command] if command else [],
        **facts,
    }
