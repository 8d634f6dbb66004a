"""The tasks of the comparison of the room align: made-up shifts and real ones."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from ecotone.data.domains import mask_targets
from ecotone.data.shifts import KINDS, made_shift
from ecotone.data.tasks import pose, tasks

Rows = list[dict[str, Any]]
MOST, FEWER = 1_500, 1_000  # rows of a domain: for the margin; for every contender
POINT = 0.01  # of balanced accuracy: a loss above it is harm
CONTROLS = ("made none", "employment_year")  # nothing shifted: keep


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


def load(given: dict[str, Any], most: int = MOST) -> tuple[str, tuple[NDArray[Any], ...]]:
    """Return the name of a task and X, masked y, sample_domain, X_test, y_test, standardised."""
    if "kind" in given:
        kind, seed = given["kind"], given["seed"]
        made, fresh = (made_shift(kind, n=300, seed=s) for s in (seed, seed + 1_000))
        name, X, y, domain = f"made {kind} {seed}", made.X, made.y, made.sample_domain
        X_test, y_test = fresh.target
    else:
        task = tasks()[given["number"]]
        posed = pose(task, most=most)
        name, X, domain = task.name, posed.X, posed.sample_domain
        y, X_test, y_test = mask_targets(posed.y, domain), posed.X_test, posed.y_test
    scale = StandardScaler().fit(X)
    return name, (scale.transform(X), y, domain, scale.transform(X_test), y_test)


def score(model: Any, X: NDArray[Any], y: NDArray[Any]) -> float:
    """Return the balanced accuracy of a fitted model: the final score of every contender."""
    return float(balanced_accuracy_score(y, model.predict(X)))
