"""The sampler honours a mixture exactly: counts, caps, phases, epochs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.mixture import Mixture, Phase
from ecotone.core.simplex import largest_remainder
from ecotone.testing.fixtures import shares
from ecotone.train.sampler import batches, plan

SHAPE = {"context": 16, "batch": 2, "seed": 0}
EVEN = Mixture({"high": 0.5, "low": 0.3, "target": 0.2})


@given(w=shares(3, 3), steps=st.integers(1, 60))
def test_counts_are_largest_remainders(store, w, steps):
    mixture = Mixture(dict(zip(store.names, w.tolist(), strict=True)))
    got = plan(store, mixture, steps * 32 + 31, **SHAPE)
    assert [got.windows[n] for n in store.names] == largest_remainder(w, steps * 2).tolist()
    assert len(got.domain) == len(got.start) == steps * 2


def test_windows_lie_inside_their_domain_and_repeat_only_by_epochs(store):
    got = plan(store, EVEN, 32_000, **SHAPE)
    for i, name in enumerate(got.names):
        starts = got.start[got.domain == i]
        assert starts.min() >= 0
        assert starts.max() + 17 <= store.count(name)
        epochs = np.split(starts, range(got.pool[name], len(starts), got.pool[name]))
        assert all(len(np.unique(e // 16)) == len(e) for e in epochs)
        assert all(len(np.unique(e)) == len(e) for e in epochs)


def test_domains_are_spread_evenly(store):
    got = plan(store, EVEN, 32_000, **SHAPE)
    for i, name in enumerate(got.names):
        seen = np.cumsum(got.domain == i)
        ideal = EVEN.weights[name] * np.arange(1, len(seen) + 1)
        assert np.abs(seen - ideal).max() <= 2


def test_caps_are_exact(store):
    pool = plan(store, EVEN, 3200, **SHAPE).pool["low"]
    tokens = 40_000
    share = 2.0 * pool * 16 / tokens
    capped = Mixture({"high": 1 - share, "low": share}, caps={"low": 2.0})
    got = plan(store, capped, tokens, **SHAPE)
    assert got.windows["low"] == 2 * pool
    _, counts = np.unique(got.start[got.domain == 1] // 16, return_counts=True)
    assert counts.max() <= 3  # an epoch's offset may move a window over a border
    beyond = Mixture({"high": 1 - 1.1 * share, "low": 1.1 * share}, caps={"low": 2.0})
    with pytest.raises(Infeasible, match="caps on low") as error:
        plan(store, beyond, tokens, **SHAPE)
    assert "--caps" in error.value.cure


def test_a_cap_holds_over_all_phases(store):
    phases = (Phase(0.5, {"low": 0.8, "high": 0.2}), Phase(1.0, {"low": 0.7, "high": 0.3}))
    free = plan(store, Mixture.scheduled(phases), 8_000, **SHAPE)
    epochs = free.windows["low"] / free.pool["low"]
    tight = Mixture.scheduled(phases, caps={"low": epochs * 0.7})
    with pytest.raises(Infeasible):
        plan(store, tight, 8_000, **SHAPE)
    plan(store, Mixture.scheduled(phases, caps={"low": epochs}), 8_000, **SHAPE)


def test_phases_are_read_in_their_time(store):
    phases = (Phase(0.25, {"low": 1.0}), Phase(1.0, {"high": 0.5, "target": 0.5}))
    got = plan(store, Mixture.scheduled(phases), 32_000, **SHAPE)
    quarter = len(got.domain) // 4
    assert set(got.domain[:quarter]) == {1}
    assert set(got.domain[quarter:]) == {0, 2}
    assert got.windows["high"] == got.windows["target"]


@pytest.mark.parametrize("ends", [(0.5, 1.0), (0.1, 0.33, 1.0)])
def test_phases_that_change_nothing_are_no_phases(store, ends):
    same = Mixture.scheduled(tuple(Phase(e, EVEN.weights) for e in ends))
    one, two = (plan(store, m, 9_600, **SHAPE) for m in (EVEN, same))
    assert np.array_equal(one.domain, two.domain)
    assert np.array_equal(one.start, two.start)


def test_which_windows_are_read_hangs_on_domain_and_seed_not_on_the_mixture(store):
    other = Mixture({"high": 0.2, "low": 0.3, "target": 0.5})
    one, two = (plan(store, m, 9_600, **SHAPE) for m in (EVEN, other))
    assert np.array_equal(one.start[one.domain == 1], two.start[two.domain == 1])
    third = plan(store, EVEN, 9_600, context=16, batch=2, seed=1)
    assert not np.array_equal(one.start, third.start)


def test_a_proxy_repeats_as_often_as_the_training_it_stands_for(store):
    long = plan(store, EVEN, 96_000, **SHAPE).asked_got(EVEN)
    short = plan(store, EVEN, 24_000, horizon=96_000, **SHAPE).asked_got(EVEN)
    for a, b in zip(long, short, strict=True):
        assert b["epochs"] == pytest.approx(a["epochs"], rel=0.05)
        assert a["got"] == pytest.approx(a["asked"], abs=1e-3)


def test_batches_are_the_windows_of_the_plan(store):
    got = plan(store, EVEN, 3200, **SHAPE)
    rows = list(batches(store, got, 2))
    assert len(rows) == 100
    for i, row in enumerate(np.concatenate(rows)):
        name, start = got.names[got.domain[i]], got.start[i]
        assert np.array_equal(row, store.tokens(name)[start : start + 17])
    late = list(batches(store, got, 2, first=60))
    assert all(np.array_equal(a, b) for a, b in zip(late, rows[60:], strict=True))
    assert rows[0].dtype == np.int64


def test_errors_carry_a_cure(store):
    with pytest.raises(BadInput, match="less than one batch") as error:
        plan(store, EVEN, 31, **SHAPE)
    assert error.value.cure == "--tokens 32"
    with pytest.raises(BadInput, match="lacks: news"):
        plan(store, Mixture({"news": 1.0}), 320, **SHAPE)
    with pytest.raises(BadInput, match="fewer than one window"):
        plan(store, EVEN, 10**6, context=10**5, batch=1, seed=0)
