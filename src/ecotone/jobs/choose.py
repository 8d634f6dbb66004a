"""The main job: from a corpus (or from finished trials) to a mixture, a verdict and a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ecotone.core.corpus import Corpus
from ecotone.core.files import plain, write_json
from ecotone.core.method import find
from ecotone.core.mixture import Mixture
from ecotone.core.run import Manifest, Run
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.tokens import TokenOptions
from ecotone.jobs.confirm import confirm_runs
from ecotone.jobs.describe import cost, describe
from ecotone.jobs.steps import Settings, Steps, limits_of
from ecotone.jobs.trials import tokenised
from ecotone.jobs.ways import by_method


@dataclass(frozen=True)
class Chosen:
    """What the job ends with.

    Attributes
    ----------
    mixture : Mixture
        What to train on: natural when nothing better is supported.
    verdict : Verdict or None
        From confirmation runs, when they were asked for.
    analysis : dict
        What the report is made from.
    run : Run
        Where everything is.
    """

    mixture: Mixture
    verdict: Verdict | None
    analysis: dict[str, Any]
    run: Run


def choose(
    corpus: Corpus,
    settings: Settings,
    *,
    method: str = "auto",
    params: Mapping[str, Any] | None = None,
    seeds: int = 0,
    seed: int = 0,
    workers: int | None = None,
    out: Path | str = "runs",
    options: TokenOptions | None = None,
    command: str = "",
    note: Callable[[str], None] = lambda _: None,
) -> Chosen:
    """Choose a training mixture for the corpus's target.

    Parameters
    ----------
    corpus : Corpus
        With a target.
    settings : Settings
        Budget and limits.
    method : str
        A law, a rule or a mixer of the room mix.
    params : mapping, optional
        Parameters of the method.
    seeds : int
        Seeds of the confirmation; 0 leaves it out.
    seed, workers, out, options
        As everywhere.
    command : str
        What the user typed, for the report.
    note : callable
        Told what is being done.
    """
    began = time.monotonic(), time.process_time()
    entry = find(method, "mix")
    _ = corpus.target  # a missing target is said before anything is read
    store = tokenised(corpus, out, options, progress=note)
    corpus = store.counted(corpus)
    limits, natural = limits_of(store, settings)
    manifest = Manifest(
        "mix", method,
        {**asdict(settings), "params": dict(params or {}), "seeds": seeds,
         "options": asdict(options or TokenOptions()), "origin": dict(corpus.origin)},
        {"tokens": store.fingerprint}, seed, command,
    )  # fmt: skip
    run = Run.open(out, manifest)
    steps = Steps(
        corpus, store, settings, natural, limits, seed, workers, out, note, confirming=seeds > 0
    )
    mixture, facts, findings = by_method(entry, dict(params or {}), steps, run)
    confirmed, verdict = None, None
    if seeds and any(f.code == "M401" for f in findings):
        # without evidence the mixture is natural: training it against itself would tell nothing
        verdict = _keep(facts, findings)
    elif seeds:
        confirmed = confirm_runs(
            mixture, store, seeds=seeds, tokens=settings.tokens, seed=seed + 1000,
            tolerance=settings.tolerance, findings=findings, out=out, workers=workers,
            recipe={"depth": settings.depth},
        )  # fmt: skip
        facts["confirm"] = confirmed.runs
        facts["asked_got"] = confirmed.asked_got
        verdict = confirmed.verdict
    if verdict is not None:
        facts["verdict"] = verdict.facts()
    analysis = describe(corpus, store, settings, natural, mixture, facts, findings, command)
    analysis["cost"] = cost(steps, confirmed.runs if confirmed else [], began)
    return finish(run, mixture, verdict, analysis)


def _keep(facts: Mapping[str, Any], findings: Sequence[Finding]) -> Verdict:
    """Return the verdict of trials that hold no evidence: keep natural, nothing gained or lost."""
    loss = float(facts["predicted"]["natural"]["target"][1])
    return Verdict(
        loss, loss, 0.0, (0.0, 0.0), "keep", used_target_labels=False, findings=tuple(findings)
    )


def finish(run: Run, mixture: Mixture, verdict: Verdict | None, analysis: dict[str, Any]) -> Chosen:
    """Write mixture, verdict and analysis into the run, and close it."""
    mixture.save(run.artifacts / "mixture.json")
    if verdict is not None:
        verdict.save(run.artifacts / "verdict.json")
    analysis = plain(analysis)
    write_json(run.artifacts / "analysis.json", analysis)
    run.close()
    return Chosen(mixture, verdict, analysis, run)
