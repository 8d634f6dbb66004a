"""The rehearsal moves the limit by what the law was wrong, and returns what was measured best."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.trials import Trials
from ecotone.jobs.rehearse import ROUNDS, SPARE, rehearse

NAMES = ("law", "web")
NATURAL = np.array([0.1, 0.9])


def stage(excess_of, tolerance=0.05, margin=0.02):
    """Return a decision and steps whose trainings give the general loss `excess_of(share)`."""
    asked = []

    def at(tolerance):
        asked.append(tolerance)
        return np.array([0.1 + tolerance, 0.9 - tolerance])  # the law believes excess = share - .1

    def train_long(shares, eval_tokens):
        general = np.array([4 * (1 + excess_of(w)) for w in shares[:, 0]])
        scores = np.column_stack([5 - shares[:, 0], general])
        return Trials(shares, scores, NAMES, NAMES, {"seed": [0] * len(shares)})

    question = SimpleNamespace(target="law", general=("web",))
    steps = SimpleNamespace(
        settings=SimpleNamespace(tolerance=tolerance), natural=NATURAL, train_long=train_long,
        question=lambda: question,
    )  # fmt: skip
    decision = SimpleNamespace(
        weights=at(tolerance - margin), facts={"solver": {"margin": margin}}, at=at
    )
    asked.clear()
    return decision, steps, asked


def test_a_law_that_is_right_is_believed():
    decision, steps, asked = stage(lambda w: w - 0.1)
    assert_allclose(rehearse(decision, steps), [0.13, 0.87])
    assert asked == []
    rows = decision.facts["rehearsal"]["rows"]
    assert [r["kept"] for r in rows] == [False, True]


def test_a_law_that_is_too_hopeful_is_asked_for_less():
    decision, steps, asked = stage(lambda w: 2 * (w - 0.1))
    found = rehearse(decision, steps)
    goal = (1 - SPARE) * 0.05
    # asked for 3 % it gave 6 %: two points too many for the goal of 4 %, so it is asked for 1 %
    assert_allclose(asked, [0.03 - (0.06 - goal)])
    assert_allclose(found[0], 0.11)
    assert decision.facts["rehearsal"]["goal"] == pytest.approx(goal)


def test_when_nothing_keeps_the_limit_the_nearest_is_returned():
    decision, steps, asked = stage(lambda w: 0.0 if w == 0.1 else 0.3 + w)
    found = rehearse(decision, steps)
    assert_allclose(found, [0.1, 0.9])  # asked for no excess at all
    assert len(asked) <= ROUNDS
