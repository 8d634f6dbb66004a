from __future__ import annotations

import numpy as np
import pytest
import sklearn

from ecotone.bench import contenders, guarded, posed
from ecotone.validate.harm import default_margin

MARGIN = default_margin().__dict__


def test_a_task_scores_every_way_and_the_guard():
    row = guarded.run_task(
        "made location_scale", ["coral", "tca"], 300, MARGIN, kind="location_scale", seed=0
    )
    assert set(row["scores"]) == {"source_only", "coral", "tca", "guarded portfolio"}
    assert row["decision"] == "adapt"
    assert row["scores"]["guarded portfolio"] > row["scores"]["source_only"] + 0.1
    assert set(row["seen"]) == {"source_only", "coral", "tca"} <= set(guarded.CHOICES)
    assert set(row["seen"]["coral"]) == set(guarded.label_free())
    assert row["seen"]["coral"]["circular"] > row["seen"]["source_only"]["circular"]


def test_a_contender_that_breaks_is_a_result():
    row = guarded.run_task("made none", ["moon"], 300, MARGIN, kind="none", seed=0)
    assert "moon" not in row["scores"]
    assert row["failed"]["moon"].startswith("UnknownMethod")


def test_controls_are_among_the_tasks():
    families = {g["family"] for g in posed.given_tasks(seeds=2)}
    assert set(posed.CONTROLS) <= families
    assert {"sentiment", "topics", "spam"} <= families
    assert len(posed.given_tasks(seeds=5)) >= 60
    made = [g for g in posed.given_tasks(real=False) if g["family"] == "made none"]
    assert len(made) == 20


def test_every_method_that_a_task_can_feed_takes_part():
    names = set(contenders.ours())
    assert {"coral", "tca", "jdot", "dasvm", "self_training", "kmm"} <= names
    assert not names & {"source_only", "few_shot"}  # few_shot needs target labels


def test_the_peer_leaves_the_settings_of_scikit_learn_alone():
    if not contenders.peers():
        pytest.skip("skada is not installed")
    before = sklearn.get_config()
    _, (X, y, domain, X_test, y_test) = posed.load({"kind": "location_scale", "seed": 0})
    model = contenders.fitted("skada CORAL", X, y, domain)
    assert sklearn.get_config() == before
    assert posed.score(model, X_test, y_test) > 0.7
    assert sklearn.get_config() == before
    np.testing.assert_array_equal(model.predict(X_test[:5]), model.predict(X_test)[:5])
