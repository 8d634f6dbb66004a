"""From scores on tasks to tables: gains over doing nothing, choosers without labels, ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ecotone.bench.guarded import GUARDED, results_of
from ecotone.bench.posed import CONTROLS, POINT
from ecotone.core.files import replacing

Rows = list[dict[str, Any]]
PLAIN = "source_only"


class Ranked(NamedTuple):
    """Contenders in the order of their mean ranks.

    Attributes
    ----------
    ways, ranks : tuple
        Names, and mean ranks over tasks; 1 is best.
    difference : float
        Ranks closer than this are no further apart than chance.
    tasks : int
    """

    ways: tuple[str, ...]
    ranks: tuple[float, ...]
    difference: float
    tasks: int


def leaderboard(results: Rows, path: Path) -> Rows:
    """Return the leaderboard, and write the score of every contender on every task as parquet.

    Returns
    -------
    list of dict
        Per contender: tasks, mean gain of balanced accuracy over source_only with half the width
        of its 95 % interval over tasks, wins, ties and losses at one point, share harmed, worst
        task, tasks on which it broke, mean rank; then the share of *keep* on the controls.
    """
    _write(results, path)
    ranked = mean_ranks(results)
    ways = ranked.ways
    place = dict(zip(ranked.ways, ranked.ranks, strict=True))
    rows = [_row(way, results) | {"mean rank": place[way]} for way in ways if way != PLAIN]
    # a contender that never ran stands last
    rows.sort(key=lambda r: (r["way"] != GUARDED, r["tasks"] == 0, -(r["mean gain"] or 0)))
    controls = [r for r in results if r["family"] in CONTROLS]
    kept = float(np.mean([r["decision"] == "keep" for r in controls])) if controls else None
    rows.append({"way": "keep where nothing shifted", "tasks": len(controls), "kept": kept})
    return rows


def choosers(out: Path | str, *, workers: int | None = None) -> Rows:
    """Return what choosing by each label-free score gains, and how far it is from the oracle.

    For every task each score picks the method of ours (or source_only) it likes best on nested
    splits; the pick's gain is its final score over source_only's.

    Returns
    -------
    list of dict
        Per score: mean gain with half the width of its 95 % interval, gap to the oracle (the best
        contender of each task, known only with labels), share harmed, worst task, and the mean
        rank correlation with the final scores inside a task.
    """
    results = results_of(out, workers=workers)
    names = list(dict.fromkeys(s for r in results for seen in r["seen"].values() for s in seen))
    oracle = np.array([_oracle(r) for r in results])
    rows = [_chooser(name, results, oracle) for name in names]
    rows.sort(key=lambda r: -r["mean gain"])
    guard = np.array([r["scores"][GUARDED] - r["scores"][PLAIN] for r in results])
    random = np.array([_mean_of_ours(r) for r in results])
    return [
        {"score": "the oracle", **_summary(oracle, oracle)},
        {"score": GUARDED, **_summary(guard, oracle)},
        {"score": PLAIN, **_summary(0 * oracle, oracle)},
        {"score": "a method at random", **_summary(random, oracle)},
        *rows,
    ]


def _oracle(result: dict[str, Any]) -> float:
    return float(max(result["scores"][w] for w in result["seen"]) - result["scores"][PLAIN])


def _mean_of_ours(result: dict[str, Any]) -> float:
    found = [result["scores"][w] for w in result["seen"] if w != PLAIN]
    return float(np.mean(found) - result["scores"][PLAIN])


def _chooser(name: str, results: Rows, oracle: NDArray[Any]) -> dict[str, Any]:
    from scipy.stats import spearmanr

    gains, alike = [], []
    for r in results:
        # a score that could not judge a model is None once it has been written as JSON
        said = {w: seen.get(name) for w, seen in r["seen"].items()}
        ways = [w for w, value in said.items() if value is not None and np.isfinite(value)]
        if not ways:
            gains.append(0.0)
            continue
        liked = np.array([said[w] for w in ways])
        true = np.array([r["scores"][w] for w in ways])
        gains.append(true[liked.argmax()] - r["scores"][PLAIN])
        if np.ptp(liked) > 0 and np.ptp(true) > 0:
            alike.append(float(spearmanr(liked, true).statistic))
    return {
        "score": name, **_summary(np.array(gains), oracle), "rank correlation": np.mean(alike)
    }  # fmt: skip


def _summary(gain: NDArray[Any], oracle: NDArray[Any]) -> dict[str, Any]:
    return {
        "tasks": len(gain), "mean gain": float(gain.mean()), "±": _half(gain),
        "oracle gap": float((oracle - gain).mean()), "harmed": float((gain < -POINT).mean()),
        "worst": float(gain.min()),
    }  # fmt: skip


def _half(gains: NDArray[Any]) -> float:
    """Return half the width of the 95 % interval of a mean over tasks."""
    if len(gains) < 2:
        return float("nan")
    return float(1.96 * gains.std(ddof=1) / np.sqrt(len(gains)))


def _row(way: str, results: Rows) -> dict[str, Any]:
    able = [r for r in results if way in r["scores"]]
    if not able:
        return {"way": way, "tasks": 0, "mean gain": None, "broke": len(results)}
    g = np.array([r["scores"][way] - r["scores"][PLAIN] for r in able])
    wins, losses = int((g > POINT).sum()), int((g < -POINT).sum())
    return {
        "way": way, "tasks": len(g), "mean gain": float(g.mean()), "±": _half(g),
        "w/t/l": f"{wins}/{len(g) - wins - losses}/{losses}",
        "harmed": float((g < -POINT).mean()), "worst": float(g.min()),
        "broke": len(results) - len(g), "kept": None,
    }  # fmt: skip


def mean_ranks(results: Rows) -> Ranked:
    r"""Rank contenders on each task, and tell which mean ranks are no further apart than chance.

    The critical difference of Nemenyi at 5 %: :math:`q\sqrt{k(k+1)/6N}` for k contenders on N
    tasks, q the quantile of the studentised range over :math:`\sqrt 2`. A contender that broke on a
    task is last there.

    Notes
    -----
    Tasks of one family share rows, so that N counts too much: read the picture as a lower bound
    of what is chance.
    """
    from scipy.stats import rankdata, studentized_range

    ways = list(dict.fromkeys(w for r in results for w in (*r["scores"], *r["failed"])))
    table = np.array([[r["scores"].get(w, -1.0) for w in ways] for r in results])
    ranks = np.apply_along_axis(lambda row: rankdata(-row), 1, table).mean(axis=0)
    k, n = len(ways), len(results)
    q = float(studentized_range.ppf(0.95, k, np.inf)) / np.sqrt(2)
    order = np.argsort(ranks, kind="stable")
    return Ranked(
        tuple(ways[i] for i in order), tuple(float(ranks[i]) for i in order),
        float(q * np.sqrt(k * (k + 1) / (6 * n))), n,
    )  # fmt: skip


def _write(results: Rows, path: Path) -> None:
    """Write one row a task and contender: family, task, way, balanced accuracy, error."""
    columns: dict[str, list[Any]] = {"family": [], "task": [], "way": [], "score": [], "error": []}
    for r in results:
        for way in (*r["scores"], *r["failed"]):
            values = (r["family"], r["task"], way, r["scores"].get(way), r["failed"].get(way))
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    with replacing(path) as part:
        pq.write_table(pa.table(columns), part)
