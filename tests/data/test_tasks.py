"""Posing a task: what a method may see, and what is kept for the final score."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ecotone.core.errors import BadInput
from ecotone.data import tasks
from ecotone.data.r_data import data_frame


@pytest.fixture
def days(monkeypatch):
    """Two airports, 500 rows each, 50 days of 20 rows."""
    rng = np.random.default_rng(0)
    rows = tasks.Rows(
        rng.normal(size=(1000, 3)), rng.integers(2, size=1000), np.repeat(["a", "b"], 500),
        np.tile(np.repeat(np.arange(25), 20), 2),
    )  # fmt: skip
    monkeypatch.setitem(tasks.LOADERS, "days", lambda cache: rows)
    tasks.rows_of.cache_clear()
    yield rows
    tasks.rows_of.cache_clear()


def test_half_of_the_targets_groups_is_for_the_final_score(days):
    posed = tasks.pose(tasks.Task("days", ("a",), "b"))
    target = posed.sample_domain < 0
    assert target.sum() + len(posed.X_test) == 500
    seen = {tuple(r) for r in posed.X[target]}
    assert not seen & {tuple(r) for r in posed.X_test}
    assert len(np.unique(posed.group[target])) == 12  # whole days


def test_a_small_target_is_scored_whole(days):
    posed = tasks.pose(tasks.Task("days", ("b",), "a"), most=100)
    assert (posed.sample_domain > 0).sum() == 100
    few = tasks.Rows(days.X[:600], days.y[:600], days.domain[:600])
    tasks.LOADERS["days"] = lambda cache: few
    tasks.rows_of.cache_clear()
    posed = tasks.pose(tasks.Task("days", ("a",), "b"))
    assert len(posed.X_test) == 100 == (posed.sample_domain < 0).sum()


def test_the_same_seed_poses_the_same_rows(days):
    task = tasks.Task("days", ("a",), "b")
    one, two, other = (tasks.pose(task, seed=s) for s in (0, 0, 1))
    assert (one.X == two.X).all()
    assert (one.X != other.X).any()


def test_there_are_sixty_tasks_and_more_with_the_controlled_ones():
    names = [t.name for t in tasks.tasks()]
    assert len(names) == len(set(names)) >= 50
    assert {t.family for t in tasks.tasks()} <= set(tasks.LOADERS)
    with pytest.raises(BadInput, match="no tasks are called 'moon'"):
        tasks.rows_of("moon")


def _int(*values):
    return struct.pack(f">{len(values)}i", *values)


def _word(text):
    return _int(9, len(text)) + text.encode()


def _symbol(text):
    return _int(1) + _word(text)


def test_a_data_frame_of_r_is_read():
    numbers = _int(14, 2) + struct.pack(">2d", 1.5, 2.5)
    levels = _int(1026) + _symbol("levels") + _int(16, 2) + _word("no") + _word("yes") + _int(254)
    factor = _int(13 | 512, 2) + _int(2, 1) + levels
    names = _int(1026) + _symbol("names") + _int(16, 2) + _word("x") + _word("y") + _int(254)
    frame = _int(19 | 512, 2) + numbers + factor + names
    whole = b"RDX2\nX\n" + _int(2, 0x30600, 0x20300) + _int(1026) + _symbol("f") + frame + _int(254)
    found = data_frame(whole)
    assert found["x"].tolist() == [1.5, 2.5]
    assert found["y"].tolist() == [1, 0]
    with pytest.raises(BadInput, match="not an R data file"):
        data_frame(b"RDX3")


@pytest.mark.real
def test_the_real_tasks_load():
    for task in tasks.tasks():
        posed = tasks.pose(task, most=300)
        assert np.isfinite(posed.X).all(), task.name
        assert (posed.sample_domain < 0).sum() >= 20
        assert len(posed.X_test) == len(posed.y_test) >= 20
