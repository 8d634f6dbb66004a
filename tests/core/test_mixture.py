"""Mixtures: phases, exact tokens, caps, and errors that name a cure."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.mixture import Mixture, Phase, check_weights
from ecotone.testing.fixtures import counted_corpus, mixtures


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mixture=mixtures())
def test_survives_the_road(mixture, tmp_path):
    mixture.save(tmp_path / "m.json")
    again = Mixture.load(tmp_path / "m.json")
    assert again.made_by == mixture.made_by
    assert list(again.weights) == list(mixture.weights)
    assert again.caps == mixture.caps
    for a, b in zip(again.phases, mixture.phases, strict=True):
        assert a.until == b.until
        assert a.weights == pytest.approx(b.weights, abs=1e-15)
    assert again.weights == pytest.approx(mixture.weights, abs=1e-15)


@given(mixture=mixtures(), progress=st.floats(0, 1))
def test_shares_sum_to_one_at_all_times(mixture, progress):
    assert sum(mixture.at(progress).values()) == pytest.approx(1)
    assert min(mixture.at(progress).values()) >= 0


@given(mixture=mixtures(), budget=st.integers(1, 10**9))
def test_tokens_sum_to_the_budget(mixture, budget):
    corpus = counted_corpus(dict.fromkeys(mixture.weights, 10**12))
    free = Mixture(mixture.weights)
    got = free.tokens(budget, corpus)
    assert sum(got.values()) == budget
    assert all(abs(got[n] - w * budget) <= 1 for n, w in free.weights.items())
    assert all(got[n] == 0 for n, w in free.weights.items() if w == 0)


def test_phases_hold_until_their_end_and_weights_are_their_average():
    m = Mixture.scheduled((Phase(0.25, {"a": 1.0}), Phase(1.0, {"a": 0.2, "b": 0.8})))
    assert m.weights == pytest.approx({"a": 0.4, "b": 0.6})
    assert m.at(0.0) == {"a": 1.0}
    assert m.at(0.2499) == {"a": 1.0}
    assert m.at(0.25) == m.at(1.0) == {"a": 0.2, "b": 0.8}
    assert repr(m) == "Mixture(b 60.0%, a 40.0%, 2 phases, by hand)"


def test_the_fingerprint_is_of_the_contents():
    one = Mixture({"a": 0.5, "b": 0.5}, made_by="x")
    assert one.fingerprint == Mixture({"b": 0.5, "a": 0.5}, made_by="y").fingerprint
    assert one.fingerprint != Mixture({"a": 0.5, "b": 0.5}, caps={"a": 1.0}).fingerprint


@pytest.mark.parametrize(
    ("weights", "says", "cure"),
    [
        ({}, "no domain", "domain=share"),
        ({"a": -0.1, "b": 1.1}, "a has the weight -0.1", "0 or more"),
        ({"a": float("nan")}, "nan", "0 or more"),
        ({"a": 1, "b": 3}, "sum to 4", "a=0.25,b=0.75"),
        ({"a": 0.0}, "sum to 0", "positive"),
    ],
)
def test_weights_are_checked_once_here(weights, says, cure):
    with pytest.raises(BadInput, match=says) as error:
        Mixture(weights)
    assert cure in error.value.cure


@pytest.mark.parametrize("ends", [(0.5, 0.5), (0.7, 0.3, 1.0), (0.5,), (0.0, 1.0)])
def test_phases_rise_to_one(ends):
    with pytest.raises(BadInput):
        Mixture({"a": 1.0}, tuple(Phase(e, {"a": 1.0}) for e in ends))


def test_weights_must_be_the_average_of_the_phases():
    with pytest.raises(BadInput, match="average") as error:
        Mixture({"a": 0.5, "b": 0.5}, (Phase(1.0, {"a": 1.0}),))
    assert "Mixture.scheduled" in error.value.cure


def test_a_cap_is_kept_or_named_with_its_cure():
    corpus = counted_corpus({"a": 100, "b": 10_000})
    m = Mixture({"a": 0.5, "b": 0.5}, caps={"a": 4.0})
    assert m.tokens(800, corpus) == {"a": 400, "b": 400}
    with pytest.raises(Infeasible, match=r"5\.00 epochs") as error:
        m.tokens(1000, corpus)
    assert error.value.cure == "--caps 5, or at most 40.00% of a"
    assert Mixture({"a": 0.4, "b": 0.6}, caps={"a": 4.0}).tokens(1000, corpus)["a"] == 400
    with pytest.raises(BadInput, match="cap 0"):
        Mixture({"a": 1.0}, caps={"a": 0.0})


def test_an_uncounted_domain_is_said():
    from ecotone.testing.fixtures import text_corpus

    with pytest.raises(BadInput, match="not counted"):
        Mixture({"a": 1.0}).tokens(10, text_corpus({"a": ["x"]}))


@pytest.mark.parametrize("text", ["[]", "{}", '{"weights": {"a": "x"}, "made_by": ""}', "nonsense"])
def test_a_file_that_holds_no_mixture_is_said(text, tmp_path):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(BadInput, match="not a mixture file"):
        Mixture.load(tmp_path / "m.json")


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8))
def test_checked_shares_keep_their_bits(parts):
    total = sum(parts)
    once = check_weights({str(i): p / total for i, p in enumerate(parts)})
    assert check_weights(once) == once
