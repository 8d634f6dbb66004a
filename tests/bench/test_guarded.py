from __future__ import annotations

import numpy as np

from ecotone.bench import guarded


def test_a_task_scores_every_way_and_the_guard():
    row = guarded.run_task("made location_scale", ["coral"],
                           kind="location_scale", seed=0)  # fmt: skip
    assert set(row["scores"]) == {"source_only", "coral", "guarded portfolio"}
    assert row["decision"] == "adapt"
    assert row["scores"]["guarded portfolio"] > row["scores"]["source_only"] + 0.1


def test_gains_are_over_doing_nothing_and_harm_is_a_point():
    results = [
        {"family": "a", "scores": {"source_only": 0.5, "coral": 0.6}},
        {"family": "a", "scores": {"source_only": 0.5, "coral": 0.45}},
        {"family": "b", "scores": {"source_only": 0.5}},
    ]
    gains = list(guarded._gains(results, "coral"))
    np.testing.assert_allclose(gains, [0.1, -0.05])
    row = guarded._row("coral", gains)
    assert row["w/t/l"] == "1/0/1"
    assert row["harmed"] == 0.5
    assert row["worst"] == np.min(gains)


def test_controls_are_among_the_tasks():
    families = {g["family"] for g in guarded.given_tasks(seeds=2)}
    assert set(guarded.CONTROLS) <= families
    assert len(guarded.given_tasks(seeds=5)) >= 60
    made = [g for g in guarded.given_tasks(real=False) if g["family"] == "made none"]
    assert len(made) == 20
