"""Tables from scores: what is counted, and what a chooser without labels would have had."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from ecotone.bench import leaderboard as board
from ecotone.report.ranks import picture


def result(family, plain, coral, tca, liked, decision="keep"):
    seen = {w: {"circular": v} for w, v in zip(("source_only", "coral", "tca"), liked, strict=True)}
    scores = {"source_only": plain, "coral": coral, "tca": tca, board.GUARDED: plain}
    scores = {w: v for w, v in scores.items() if v is not None}
    failed = {} if tca is not None else {"tca": "TooFewRows: no"}
    seen = {w: s for w, s in seen.items() if w in scores}
    return {"family": family, "task": f"{family} {coral}", "scores": scores, "failed": failed,
            "seen": seen, "decision": decision}  # fmt: skip


RESULTS = [
    result("made none", 0.5, 0.6, 0.4, (0.1, 0.2, 0.9)),
    result("arms", 0.5, 0.45, None, (0.3, 0.2, 0.1)),
    result("made none", 0.5, 0.505, 0.7, (0.1, 0.2, 0.3), decision="adapt"),
]


def test_gains_are_over_doing_nothing_and_harm_is_a_point(tmp_path):
    rows = {r["way"]: r for r in board.leaderboard(RESULTS, tmp_path / "scores.parquet")}
    coral = rows["coral"]
    assert coral["mean gain"] == pytest.approx((0.1 - 0.05 + 0.005) / 3)
    assert coral["w/t/l"] == "1/1/1"
    assert coral["harmed"] == pytest.approx(1 / 3)
    assert coral["worst"] == pytest.approx(-0.05)
    assert rows["tca"]["broke"] == 1
    assert rows["keep where nothing shifted"]["kept"] == 0.5
    table = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    broken = [r for r in table if r["score"] is None]
    assert [(r["way"], r["error"]) for r in broken] == [("tca", "TooFewRows: no")]


def test_a_chooser_gets_what_it_likes_and_the_oracle_the_best(monkeypatch):
    monkeypatch.setattr(board, "results_of", lambda *_, **__: RESULTS)
    rows = {r["score"]: r for r in board.choosers("nowhere")}
    assert rows["the oracle"]["mean gain"] == pytest.approx((0.1 + 0.0 + 0.2) / 3)
    # it picks tca, source_only, tca
    assert rows["circular"]["mean gain"] == pytest.approx((-0.1 + 0.0 + 0.2) / 3)
    assert rows["circular"]["oracle gap"] == pytest.approx(0.2 / 3)
    assert rows["a method at random"]["mean gain"] == pytest.approx((0.0 - 0.05 + 0.1025) / 3)


def test_what_a_score_could_not_judge_is_not_picked(monkeypatch):
    """No number is None once it was written as JSON."""
    dumb = result("arms", 0.5, 0.45, 0.6, (0.3, 0.2, 0.1))
    dumb["seen"]["tca"]["circular"] = None
    silent = result("arms", 0.5, 0.45, 0.6, (None, None, None))
    monkeypatch.setattr(board, "results_of", lambda *_, **__: [dumb, silent])
    rows = {r["score"]: r for r in board.choosers("nowhere")}
    assert rows["circular"]["mean gain"] == 0.0  # source_only, and nothing to go by


def test_the_critical_difference_is_the_published_one():
    # Demsar (2006): 14 data sets, 4 classifiers, alpha .05: q = 2.569, CD = 1.25
    names = ["source_only", "coral", "tca", "kmm"]
    results = [{"scores": dict(zip(names, (4, 3, 2, 1), strict=True)), "failed": {}}] * 14
    ranked = board.mean_ranks(results)
    assert ranked.difference == pytest.approx(1.25, abs=0.005)
    assert ranked.ways == tuple(names)
    np.testing.assert_allclose(ranked.ranks, [1, 2, 3, 4])


def test_the_picture_of_ranks_names_every_contender():
    drawn = picture(*board.mean_ranks(RESULTS)).standalone()
    assert all(f">{w}<" in drawn for w in ("coral", "tca", "source_only", board.GUARDED))
