from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput, Infeasible
from ecotone.mix.uniform import uniform
from ecotone.mix.unimax import fill, unimax


@given(allowed=st.lists(st.floats(0, 1e9), min_size=1, max_size=12), part=st.floats(1e-6, 1.0))
def test_filling_is_as_equal_as_allowed(allowed, part):
    allowed = np.array(allowed)
    total = part * allowed.sum()
    parts = fill(allowed, total)
    assert parts.sum() == pytest.approx(total, rel=1e-9)
    assert (parts <= allowed).all()
    free = parts < allowed * (1 - 1e-9)
    if free.any():
        # all that are not full are equal, and no full one has more
        assert_allclose(parts[free], parts[free].max(), rtol=1e-9)
        assert (parts <= parts[free].max() * (1 + 1e-9)).all()


def test_four_epochs_of_the_small_and_equal_parts_of_the_large(mix, corpus):
    got = mix(unimax, tokens=1000, epochs=4).weights
    assert got == pytest.approx({"law": 0.04, "code": 0.08, "news": 0.28, "web": 0.6})
    assert mix(unimax, tokens=1000, epochs=4).caps == dict.fromkeys(corpus.names, 4.0)


def test_infinite_epochs_are_uniform(mix):
    got = mix(unimax, tokens=1000, epochs=math.inf)
    assert got.weights == pytest.approx(mix(uniform, tokens=1000).weights)
    assert got.caps == {}


def test_equals_uniform_under_the_same_cap(mix):
    # the nearest mixture to uniform within caps is the same water-filling, another way
    got = mix(unimax, tokens=500, epochs=4).weights
    assert got == pytest.approx(mix(uniform, tokens=500, caps=4).weights)


def test_a_smaller_cap_of_the_user_holds(mix):
    mixture = mix(unimax, tokens=1000, epochs=4, caps={"news": 1})
    assert mixture.weights["news"] == pytest.approx(0.07)
    assert mixture.caps["news"] == 1.0
    assert mixture.caps["law"] == 4.0


def test_helps_over_uniform_no_domain_beyond_its_epochs(mix, corpus):
    mix(unimax, tokens=1000).tokens(1000, corpus)
    free = mix(uniform, tokens=1000).weights["law"] * 1000 / 10
    assert free == pytest.approx(25)


def test_does_not_help_when_the_training_is_too_long(mix):
    with pytest.raises(Infeasible, match="4,000 tokens") as error:
        mix(unimax, tokens=5000)
    assert "4000" in error.value.cure
    with pytest.raises(BadInput, match="epochs"):
        mix(unimax, tokens=500, epochs=0)
