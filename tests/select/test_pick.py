"""Under a budget: nothing above it, the best first, a draw with the right chances."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.select import pick
from ecotone.select._pick import fair_temperature

SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@given(SIZES, st.floats(0.01, 1.0), st.sampled_from(["top", "gumbel", "stratified"]))
@settings(deadline=None, max_examples=80)
def test_the_budget_is_kept_and_used(sizes, share, how):
    sizes = np.array(sizes)
    scores = np.random.default_rng(len(sizes)).normal(size=len(sizes))
    found = pick(scores, share * sizes.sum(), how, sizes=sizes)
    assert found.spent <= share * sizes.sum() * (1 + 1e-9)
    left = np.setdiff1d(np.arange(len(sizes)), found.rows)
    # whatever was left out would not have fitted any more
    assert not len(left) or sizes[left].min() > share * sizes.sum() * (1 - 1e-9) - found.spent
    assert found.weights.sum() == len(found.rows)


def test_gumbel_draws_like_drawing_one_by_one():
    p = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
    wanted = np.zeros(5)
    for a, b in permutations(range(5), 2):
        wanted[[a, b]] += p[a] * p[b] / (1 - p[a])
    draws = 4_000
    rows = [pick(np.log(p), 2, "gumbel", temperature=1.0, seed=s).rows for s in range(draws)]
    got = np.bincount(np.concatenate(rows), minlength=5) / draws
    assert np.abs(got - wanted).max() < 4 * 0.5 / np.sqrt(draws)


def test_the_temperature_gives_the_wanted_effective_size():
    s = np.random.default_rng(0).normal(size=1000) * 1_200
    w = np.exp((s - s.max()) / fair_temperature(s, 100))
    assert w.sum() ** 2 / (w**2).sum() == pytest.approx(100, rel=0.01)


def test_a_draw_depends_on_ids_and_not_on_places():
    scores, ids = np.arange(30.0), [f"d{i}" for i in range(30)]
    one = pick(scores, 10, "gumbel", ids=ids).rows
    turned = pick(scores[::-1], 10, "gumbel", ids=ids[::-1]).rows
    assert {ids[i] for i in one} == {ids[::-1][i] for i in turned}


def test_every_group_gets_its_share():
    groups = np.repeat(["a", "b"], [80, 20])
    found = pick(np.r_[np.ones(80), np.zeros(20)], 10, groups=groups)
    assert (groups[found.rows] == "b").sum() == 2


def test_quotas_are_kept_and_what_is_left_goes_to_others():
    groups = np.repeat(["a", "b", "c"], [80, 15, 5])
    counts = {}
    for quotas in ({"a": 1, "b": 1}, {"b": 1.0}, {"a": 0.5, "b": 0.25, "c": 0.25}):
        rows = pick(np.arange(100.0), 20, groups=groups, quotas=quotas).rows
        counts[tuple(quotas)] = [int((groups[rows] == g).sum()) for g in "abc"]
    assert counts["a", "b"] == [10, 10, 0]
    assert counts["b",][1] == 15  # all there are; the other five go to the rest
    assert sum(counts["b",]) in (19, 20)
    assert counts["a", "b", "c"] == [10, 5, 5]
    with pytest.raises(BadInput, match="quotas"):
        pick(np.arange(3.0), 1, groups=["a", "b", "b"], quotas={"d": 1.0})


def worth(X, weights, rows):
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    return float(weights @ np.maximum(U @ U[list(rows)].T, 0).max(axis=1))


@given(st.integers(0, 50))
@settings(deadline=None, max_examples=15)
def test_facility_location_is_near_the_best_set(seed):
    r = np.random.default_rng(seed)
    X, s = r.normal(size=(11, 3)), r.random(11)
    rows = pick(s, 4, "facility", features=X).rows
    weights = (s - s.min()) / (s - s.min()).mean()
    best = max(worth(X, weights, c) for c in combinations(range(11), 4))
    assert worth(X, weights, rows) >= (1 - 1 / np.e) * best
    # the lazy order is the greedy one
    taken = []
    for _ in range(4):
        taken.append(max(set(range(11)) - set(taken), key=lambda i: worth(X, weights, [*taken, i])))
    assert worth(X, weights, rows) == pytest.approx(worth(X, weights, taken))


def test_facility_location_covers_where_the_top_repeats_itself():
    r = np.random.default_rng(0)
    X = np.repeat(np.eye(6), 30, axis=0) + 0.02 * r.normal(size=(180, 6))
    scores = np.repeat([3.0, 2.9, 2.8, 2.7, 2.6, 2.5], 30)
    top, spread = pick(scores, 6).rows, pick(scores, 6, "facility", features=X).rows
    assert len(set(top // 30)) == 1
    assert len(set(spread // 30)) >= 5  # one cluster scores lowest and weighs nothing
    with pytest.raises(BadInput, match="features"):
        pick(scores, 6, "facility")


def test_what_was_kept_trains_and_mixes():
    torch = pytest.importorskip("torch")
    found = pick(np.arange(10.0), 4)
    one, two = (list(s) for s in (found.sampler(seed=1), found.sampler(seed=1)))
    assert sorted(one) == [6, 7, 8, 9]
    assert one == two
    assert isinstance(found.sampler(), torch.utils.data.Sampler)
    domains = np.array(["law"] * 7 + ["web"] * 3)
    assert found.shares(domains) == {"law": 0.25, "web": 0.75}
    assert found.shares(domains, sizes=np.r_[np.full(7, 9.0), np.ones(3)])["law"] == 0.75


def test_strata_share_alike():
    scores = np.arange(200.0)
    rows = pick(scores, 40, "stratified").rows
    assert np.bincount(rows // 10, minlength=20).tolist() == [2] * 20


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (([1.0], 2), "above the pool"),
        (([np.nan, 1.0], 1), "not a number"),
        (([1.0], 1, "best"), "how is 'best'"),
        (([], 1), "shape"),
        (([1.0], 0), "above 0"),
    ],
)
def test_wrong_input_says_what_would_be_right(args, says):
    with pytest.raises(BadInput, match=says) as caught:
        pick(*args)
    assert caught.value.cure
