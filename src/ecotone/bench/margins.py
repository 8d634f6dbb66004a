"""The guard's margin: learnt on some families of tasks, judged on the others."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.align.source_only import SourceOnly
from ecotone.bench.posed import CONTROLS, POINT, given_tasks, load, score
from ecotone.core.errors import EcotoneError
from ecotone.core.files import write_json
from ecotone.core.method import find
from ecotone.core.run import Manifest, Run
from ecotone.engine import pool
from ecotone.jobs.adapt import PORTFOLIO
from ecotone.shift._diagnosis import diagnose
from ecotone.validate.harm import Margin, passes, proportions_apart
from ecotone.validate.signs import signs_of

Rows = list[dict[str, Any]]
GRID = {
    "least": (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15),
    "errors": (1.0, 2.0),
    "proportions": (0.05, 0.08, 0.12, 1.0),
}
HARMED, WORST = 0.02, -0.02  # what a margin may do to the tasks it is learnt on


def run_task(family: str, methods: list[str], **given: Any) -> dict[str, Any]:
    """Return the signs of every candidate on one task, and what each would have gained."""
    name, (X, y, domain, X_test, y_test) = load({"family": family, **given})
    diagnosis = diagnose(X, y, domain)
    base = SourceOnly()
    plain = SourceOnly().fit(X, y, sample_domain=domain)
    before, rows = score(plain, X_test, y_test), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in methods:
            try:
                model = find(method, "align").load()()
                fitted = model.fit(X, y, sample_domain=domain)
                signs = signs_of(model, base, X, y, domain)
            except (EcotoneError, np.linalg.LinAlgError):
                continue
            after = fitted.predict(X_test)
            accuracy = float((after == y_test).mean() - (plain.predict(X_test) == y_test).mean())
            rows.append(
                {
                    "method": method, "handles": sorted(find(method, "align").handles),
                    "circular": signs.circular.tolist(), "source": float(signs.source.mean()),
                    "variety": signs.variety, "apart": proportions_apart(fitted, X, domain),
                    "rows": int(min((domain > 0).sum(), (domain < 0).sum())),
                    "gain": score(fitted, X_test, y_test) - before, "accuracy": accuracy,
                }
            )  # fmt: skip
    return {"family": family, "task": name, "kind": diagnosis.kind, "rows": rows}


def choice(task: dict[str, Any], margin: Margin) -> dict[str, Any] | None:
    """Return the candidate that a margin lets pass with the highest lower end, if any."""
    best, highest = None, -np.inf
    for row in task["rows"]:
        found = np.array(row["circular"])
        half = margin.errors * found.std(ddof=1) / np.sqrt(len(found))
        if passes(row, task["kind"], margin) and found.mean() - half > max(margin.least, highest):
            best, highest = row, found.mean() - half
    return best


def judged(tasks: Rows, margin: Margin, key: str = "gain") -> np.ndarray[Any, Any]:
    """Return what each task gains under a margin."""
    picked = [choice(t, margin) for t in tasks]
    return np.array([0.0 if p is None else p[key] for p in picked])


def learn(tasks: Rows, learnt_on: str) -> Margin:
    """Return the strictest margin that costs little gain, among those that harm few tasks.

    Careful margins harm at most `HARMED` of the tasks and none by more than `WORST`. Of the careful
    ones the highest mean gain is found, and the strictest taken whose mean gain is within one
    standard error of it: what looks best on these tasks is not best on the next. If none is
    careful, the one that harms least.
    """
    tried = []
    for least, errors, proportions in itertools.product(*GRID.values()):
        margin = Margin(least, errors, 0.1, 0.5, proportions, learnt_on)
        tried.append((margin, judged(tasks, margin)))
    careful = [(m, g) for m, g in tried if (g < -POINT).mean() <= HARMED and g.min() >= WORST]
    if not careful:
        return max(tried, key=lambda t: (-(t[1] < -POINT).mean(), t[1].min()))[0]
    best = max(careful, key=lambda t: t[1].mean())[1]
    enough = best.mean() - best.std(ddof=1) / np.sqrt(len(best))
    strict = [m for m, g in careful if g.mean() >= enough]
    return max(strict, key=lambda m: (m.least, m.errors, -m.proportions))


def _signs(out: Path | str, workers: int | None) -> Rows:
    methods = list(PORTFOLIO)
    given = [{**g, "methods": methods} for g in given_tasks()]
    run = Run.open(out, Manifest("bench", "margin", {"methods": methods}, {}, 1))
    return pool.map(
        "ecotone.bench.margins:run_task", given, run, workers=workers, title="tasks of the margin"
    )


def left_out(out: Path | str, *, workers: int | None = None) -> dict[str, Margin]:
    """Return for each family of tasks the margin that is learnt on all the others."""
    tasks = _signs(out, workers)
    return {
        family: learn([t for t in tasks if t["family"] != family], f"all but {family}")
        for family in dict.fromkeys(t["family"] for t in tasks)
    }


def margin_suite(out: Path | str, *, workers: int | None = None, write: Path | None = None) -> Rows:
    """Learn the margin with each family left out in turn, and judge it on that family.

    Parameters
    ----------
    write : Path, optional
        Where the margin learnt on all families goes.
    """
    tasks = _signs(out, workers)
    rows, all_gains, all_accuracy, all_tasks = [], [], [], []
    for family in dict.fromkeys(t["family"] for t in tasks):
        inside = [t for t in tasks if t["family"] == family]
        margin = learn([t for t in tasks if t["family"] != family], f"all but {family}")
        gain, accuracy = judged(inside, margin), judged(inside, margin, "accuracy")
        all_gains.append(gain)
        all_accuracy.append(accuracy)
        all_tasks += inside
        rows.append({"left out": family, **_row(gain, inside, margin)})
    everything = learn(tasks, f"{len(tasks)} tasks: ecotone bench align --suite margin")
    if write is not None:
        write_json(write, everything.__dict__)
    total, correct = np.concatenate(all_gains), np.concatenate(all_accuracy)
    rows.append({"left out": "all, each by a margin of the others", **_row(total, all_tasks, None)})
    rows.append({"left out": "the same in accuracy", **_row(correct, all_tasks, None)})
    gain = judged(tasks, everything)
    rows.append({"left out": "none (the margin that ships)", **_row(gain, tasks, everything)})
    return rows


def _row(gain: np.ndarray[Any, Any], tasks: Rows, margin: Margin | None) -> dict[str, Any]:
    kept = [g == 0 for g, t in zip(gain, tasks, strict=True) if t["family"] in CONTROLS]
    return {
        "tasks": len(gain), "mean gain": float(gain.mean()), "used": int((gain != 0).sum()),
        "harmed": float((gain < -POINT).mean()), "worst": float(gain.min()),
        "kept": float(np.mean(kept)) if kept else None,
        "least": margin and margin.least, "errors": margin and margin.errors,
        "proportions": margin and margin.proportions,
    }  # fmt: skip
