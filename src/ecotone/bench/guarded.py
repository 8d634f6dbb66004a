"""Should one adapt at all: every contender and the guarded portfolio, scored on every task."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.bench.contenders import fitted, ours, peers
from ecotone.bench.margins import left_out
from ecotone.bench.posed import FEWER, given_tasks, load, score
from ecotone.core.errors import EcotoneError
from ecotone.core.method import catalogue
from ecotone.core.run import Manifest, Run
from ecotone.engine import pool
from ecotone.jobs.adapt import PORTFOLIO, adapt
from ecotone.validate.harm import Margin
from ecotone.validate.scoring import scorer
from ecotone.validate.splits import DomainSplit

Rows = list[dict[str, Any]]
GUARDED = "guarded portfolio"
# what the label-free scores choose from: one or two of each kind, all of them fast
CHOICES = (
    "source_only", *PORTFOLIO, "kmm", "density_reweight", "entropic_ot", "tca", "self_training",
)  # fmt: skip


def run_task(
    family: str, ways: list[str], most: int, margin: dict[str, Any], **given: Any
) -> dict[str, Any]:
    """Score every contender used blindly, and what the guarded portfolio picks, on one task.

    The methods in `CHOICES` are also fitted on three nested splits of the rows at hand and asked by
    every label-free score on the part left out: what a chooser without target labels would see.
    """
    name, (X, y, domain, X_test, y_test) = load({"family": family, **given}, most)
    out: dict[str, Any] = {"family": family, "task": name, "scores": {}, "failed": {}, "seen": {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # solvers that stop early are part of the comparison
        for way in ("source_only", *ways):
            try:
                out["scores"][way] = score(fitted(way, X, y, domain), X_test, y_test)
                if way in CHOICES:
                    out["seen"][way] = _seen(way, X, y, domain)
            except Exception as error:  # noqa: BLE001  a contender that breaks is a result
                out["failed"][way] = f"{type(error).__name__}: {error}"[:200]
        chosen = adapt(X, y, domain, methods=PORTFOLIO, margin=Margin(**margin))
    out["scores"][GUARDED] = score(chosen.verdict.pick, X_test, y_test)
    out |= {"picked": chosen.method, "decision": chosen.verdict.decision,
            "shift": chosen.diagnosis.kind}  # fmt: skip
    return out


def _seen(way: str, X: Any, y: Any, domain: Any) -> dict[str, float]:
    """Return the mean of every label-free score over three nested splits."""
    found: dict[str, list[float]] = {}
    for train, held in DomainSplit(3).split(X, y, sample_domain=domain):
        model = fitted(way, X[train], y[train], domain[train])
        for name in label_free():
            try:
                value = scorer(name)(model, X[held], y[held], domain[held])
            except EcotoneError:  # this score cannot judge this model, which others can
                value = float("nan")
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def label_free() -> list[str]:
    """Return the scores of the room validate that need no target labels."""
    return [m.name for m in catalogue() if m.room == "validate" and not m.extra]


def results_of(
    out: Path | str, *, real: bool = True, made: bool = True, workers: int | None = None
) -> Rows:
    """Run, or read, every contender on every task; resumable.

    The guard judges each family of tasks by a margin that was learnt on the others.
    """
    margins = left_out(out, workers=workers)
    ways = [*ours(), *peers()]
    given = [
        {**g, "ways": ways, "most": FEWER, "margin": margins[g["family"]].__dict__}
        for g in given_tasks(real, made)
    ]
    run = Run.open(out, Manifest("bench", "guard", {"ways": ways, "choices": CHOICES}, {}, 0))
    return pool.map(
        "ecotone.bench.guarded:run_task", given, run, workers=workers, title="tasks of the guard"
    )
