"""Rounding shares to whole tokens, and capping shares, against independent solutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import brentq, minimize

from ecotone.core.errors import Infeasible
from ecotone.core.simplex import cap_shares, largest_remainder
from ecotone.testing.fixtures import shares


@given(w=shares(max_size=30), total=st.integers(0, 10**12))
def test_parts_are_whole_sum_exactly_and_are_near(w, total):
    parts = largest_remainder(w, total)
    assert parts.sum() == total
    assert (parts >= 0).all()
    assert (np.abs(parts - w * total) <= 1 + 1e-3).all()
    assert (parts[w == 0] == 0).all()


@given(w=shares(min_size=2, max_size=6), total=st.integers(1, 500))
def test_no_division_is_nearer(w, total):
    # largest remainders minimise the sum of absolute differences: moving one token never helps
    parts = largest_remainder(w, total).astype(float)
    cost = np.abs(parts - w * total).sum()
    for i in range(len(w)):
        for j in range(len(w)):
            if i != j and parts[i] >= 1:
                moved = parts.copy()
                moved[i] -= 1
                moved[j] += 1
                assert np.abs(moved - w * total).sum() >= cost - 1e-6


def test_ties_go_to_the_earlier_part():
    assert largest_remainder(np.full(3, 1 / 3), 4).tolist() == [2, 1, 1]


@given(p=shares(min_size=2, max_size=8), data=st.data())
def test_capping_equals_the_scaled_prior_found_by_root_search(p, data):
    many = st.lists(st.floats(0.05, 2.0), min_size=len(p), max_size=len(p))
    caps = np.array(data.draw(many))
    if np.minimum(caps, 1)[p > 0].sum() < 1 + 1e-6:
        return
    x = cap_shares(p, caps)
    assert x.sum() == pytest.approx(1, abs=1e-12)
    assert (x <= caps + 1e-9).all()
    top = 2 / p[p > 0].min()
    scale = brentq(lambda s: np.minimum(s * p, caps)[p > 0].sum() - 1, 0, top, xtol=1e-14)
    assert_allclose(x, np.where(p > 0, np.minimum(scale * p, caps), 0.0), atol=1e-7)


def test_capping_is_the_nearest_in_divergence():
    p, caps = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.2, 0.4, 1.0, 0.1])
    found = minimize(
        lambda x: float((x * np.log(x / p)).sum()),
        np.full(4, 0.25).clip(None, caps),
        bounds=[(1e-9, c) for c in caps],
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        options={"ftol": 1e-14},
    )
    assert_allclose(cap_shares(p, caps), found.x, atol=1e-5)


def test_caps_without_room_name_the_factor():
    with pytest.raises(Infeasible, match=r"room for 50\.0%") as error:
        cap_shares(np.array([0.5, 0.5]), np.array([0.2, 0.3]))
    assert "factor of 2" in error.value.cure
    # a domain without a share is not filled up with what others may not have
    with pytest.raises(Infeasible):
        cap_shares(np.array([1.0, 0.0]), np.array([0.9, 1.0]))
