from __future__ import annotations

import pytest

from ecotone.core.errors import Infeasible
from ecotone.core.method import find
from ecotone.mix.natural import natural


def test_shares_are_those_of_the_tokens(mix):
    mixture = mix(natural, tokens=500)
    assert mixture.weights == pytest.approx({"law": 0.01, "code": 0.02, "news": 0.07, "web": 0.9})
    assert mixture.made_by == "natural"
    assert mixture.caps == {}


def test_one_cap_for_all_moves_nothing_or_cannot_hold(mix):
    assert mix(natural, tokens=4000, caps=4).weights == pytest.approx(
        mix(natural, tokens=500).weights
    )
    with pytest.raises(Infeasible) as error:
        mix(natural, tokens=4001, caps=4)
    assert error.value.cure


def test_a_cap_on_one_domain_goes_to_the_others_in_proportion(mix):
    got = mix(natural, tokens=1000, caps={"web": 0.5}).weights
    assert got["web"] == pytest.approx(0.45)
    assert got["news"] / got["law"] == pytest.approx(7)
    assert sum(got.values()) == pytest.approx(1)


def test_is_the_do_nothing_method():
    # must not help: it does not look at the target, whatever it is
    method = find("natural", "mix")
    assert method.needs == frozenset()
    assert method.load() is natural


def test_target_and_rng_change_nothing(mix):
    assert (
        mix(natural, target="web", tokens=9).fingerprint
        == mix(natural, target="law", tokens=9).fingerprint
    )


def test_helps_over_uniform_where_small_domains_would_be_repeated(mix, corpus):
    from ecotone.mix.uniform import uniform

    budget = 1000

    def most_epochs(mixture):
        return max(mixture.weights[d.name] * budget / d.tokens for d in corpus.domains)

    assert most_epochs(mix(natural, tokens=budget)) == pytest.approx(1)
    assert most_epochs(mix(uniform, tokens=budget)) == pytest.approx(25)
