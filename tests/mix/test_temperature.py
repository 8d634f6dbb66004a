from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.mix.natural import natural
from ecotone.mix.temperature import temperature
from ecotone.mix.uniform import uniform


def test_limits_are_natural_and_uniform(mix):
    one, many = mix(temperature, tokens=40, tau=1), mix(temperature, tokens=40, tau=math.inf)
    assert one.weights == pytest.approx(mix(natural, tokens=40).weights)
    assert many.weights == pytest.approx(mix(uniform, tokens=40).weights)


def test_ratios_are_powers(mix):
    got = mix(temperature, tokens=40, tau=2).weights
    assert got["web"] / got["law"] == pytest.approx(math.sqrt(90))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tau=st.floats(1, 1e6))
def test_lies_between(mix, tau):
    got = mix(temperature, tokens=40, tau=tau).weights
    assert sum(got.values()) == pytest.approx(1)
    assert 0.01 - 1e-9 <= got["law"] <= 0.25 + 1e-9
    assert 0.25 - 1e-9 <= got["web"] <= 0.9 + 1e-9
    assert got["law"] <= got["code"] <= got["news"] <= got["web"]


def test_helps_a_small_domain_without_emptying_a_large_one(mix):
    got = mix(temperature, tokens=40).weights
    assert got["law"] > 5 * 0.01
    assert got["web"] > 0.25


def test_does_not_help_where_all_domains_are_equally_large(mix):
    from ecotone.core.corpus import Corpus, Domain

    even = Corpus(tuple(Domain(n, "source", 1, 50, n) for n in "abc"))
    assert mix(temperature, on=even, tokens=9).weights == pytest.approx(
        mix(natural, on=even, tokens=9).weights
    )


@pytest.mark.parametrize("tau", [0.5, 0, -1, math.nan])
def test_tau_is_one_or_more(mix, tau):
    with pytest.raises(BadInput, match="tau"):
        mix(temperature, tokens=40, tau=tau)
