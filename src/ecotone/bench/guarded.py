"""Should one adapt at all: the portfolio with its guard, beside every method used blindly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from ecotone.core.errors import EcotoneError
from ecotone.core.method import catalogue, find
from ecotone.core.run import Manifest, Run
from ecotone.data.domains import mask_targets
from ecotone.data.shifts import KINDS, made_shift
from ecotone.data.tasks import pose, tasks
from ecotone.engine import pool
from ecotone.jobs.adapt import PORTFOLIO, adapt

Rows = list[dict[str, Any]]
MOST = 1_500  # rows of a domain
POINT = 0.01  # of balanced accuracy: a loss above it is harm
CONTROLS = ("made none", "employment_year")  # nothing shifted: keep
# quadratic or slower: measured with the others, but on a smaller number of rows elsewhere
TOO_SLOW = ("transfer_subspace", "jdot", "class_regularised_ot", "ot_mapping", "tjm", "dasvm")


def given_tasks(real: bool = True, made: bool = True, seeds: int = 5) -> Rows:
    """Return the inputs of all tasks: made-up shifts by seed, and the real ones."""
    out: Rows = []
    if made:
        for kind in KINDS:
            count = 4 * seeds if kind == "none" else seeds
            out += [{"family": f"made {kind}", "kind": kind, "seed": s} for s in range(count)]
    if real:
        out += [
            {"family": t.family, "number": i} for i, t in enumerate(tasks()) if not t.regression
        ]
    return out


def load(given: dict[str, Any]) -> tuple[str, tuple[NDArray[Any], ...]]:
    """Return the name of a task and X, masked y, sample_domain, X_test, y_test, standardised."""
    if "kind" in given:
        kind, seed = given["kind"], given["seed"]
        made, fresh = (made_shift(kind, n=300, seed=s) for s in (seed, seed + 1_000))
        name, X, y, domain = f"made {kind} {seed}", made.X, made.y, made.sample_domain
        X_test, y_test = fresh.target
    else:
        task = tasks()[given["number"]]
        posed = pose(task, most=MOST)
        name, X, domain = task.name, posed.X, posed.sample_domain
        y, X_test, y_test = mask_targets(posed.y, domain), posed.X_test, posed.y_test
    scale = StandardScaler().fit(X)
    return name, (scale.transform(X), y, domain, scale.transform(X_test), y_test)


def run_task(family: str, methods: list[str], **given: Any) -> dict[str, Any]:
    """Score every method used blindly, and what the guarded portfolio picks, on one task."""
    name, (X, y, domain, X_test, y_test) = load({"family": family, **given})
    out: dict[str, Any] = {"family": family, "task": name, "scores": {}, "failed": {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # solvers that stop early are part of the comparison
        for method in ("source_only", *methods):
            try:
                fitted = find(method, "align").load()().fit(X, y, sample_domain=domain)
                out["scores"][method] = _score(fitted, X_test, y_test)
            except (EcotoneError, np.linalg.LinAlgError) as error:
                out["failed"][method] = str(error)[:200]
        chosen = adapt(X, y, domain, methods=PORTFOLIO)
    out["scores"]["guarded portfolio"] = _score(chosen.verdict.pick, X_test, y_test)
    out |= {"picked": chosen.method, "decision": chosen.verdict.decision,
            "shift": chosen.diagnosis.kind}  # fmt: skip
    return out


def _score(model: Any, X: NDArray[Any], y: NDArray[Any]) -> float:
    return float(balanced_accuracy_score(y, model.predict(X)))


def guard_suite(
    out: Path | str, *, real: bool = True, made: bool = True, workers: int | None = None
) -> Rows:
    """Compare the guarded portfolio with every method used blindly, on all tasks.

    Returns
    -------
    list of dict
        Per way: tasks, mean gain of balanced accuracy over source_only with half the width of its
        95 % interval over tasks, wins, ties and losses at one point, share harmed, worst task.
    """
    methods = [
        m.name for m in catalogue()
        if m.room == "align" and m.name not in ("source_only", *TOO_SLOW)
        and m.needs <= {"source_rows", "source_labels", "target_rows"} and not m.extra
    ]  # fmt: skip
    given = [{**g, "methods": methods} for g in given_tasks(real, made)]
    run = Run.open(out, Manifest("bench", "guard", {"methods": methods}, {}, 0))
    results = pool.map(
        "ecotone.bench.guarded:run_task", given, run, workers=workers, title="tasks of the guard"
    )
    rows = [_row(way, list(_gains(results, way))) for way in ("guarded portfolio", *methods)]
    rows.sort(key=lambda r: (r["way"] != "guarded portfolio", -r["mean gain"]))
    controls = [r for r in results if r["family"] in CONTROLS]
    kept = sum(r["decision"] == "keep" for r in controls)
    rows.append({"way": "keep where nothing shifted", "tasks": len(controls),
                 "mean gain": None, "kept": kept / max(len(controls), 1)})  # fmt: skip
    return rows


def _gains(results: Rows, way: str) -> Iterator[float]:
    for r in results:
        if way in r["scores"]:
            yield r["scores"][way] - r["scores"]["source_only"]


def _row(way: str, gains: list[float]) -> dict[str, Any]:
    g = np.array(gains)
    half = 1.96 * float(g.std(ddof=1)) / np.sqrt(len(g)) if len(g) > 1 else float("nan")
    wins, losses = int((g > POINT).sum()), int((g < -POINT).sum())
    return {
        "way": way, "tasks": len(g), "mean gain": float(g.mean()), "±": half,
        "w/t/l": f"{wins}/{len(g) - wins - losses}/{losses}",
        "harmed": float((g < -POINT).mean()), "worst": float(g.min()), "kept": None,
    }  # fmt: skip
