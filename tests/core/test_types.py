"""The seven types: save, load, fingerprint and repr, also for contents nobody thought of."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.core.corpus import Corpus, Doc, Domain
from ecotone.core.errors import BadInput, NoTarget
from ecotone.core.selection import Selection
from ecotone.core.trials import Trials
from ecotone.core.verdict import EXIT_CODES, Finding, Verdict
from ecotone.data.made import made_corpus
from ecotone.testing.fixtures import counted_corpus, text_corpus
from ecotone.testing.fixtures import trials as any_trials

numbers = st.floats(-100, 100)
verdicts = st.builds(
    Verdict,
    score=st.one_of(numbers, st.just(math.nan)),
    baseline=numbers,
    gain=numbers,
    interval=st.tuples(numbers, numbers).map(sorted).map(tuple),
    decision=st.sampled_from(sorted(EXIT_CODES)),
    used_target_labels=st.booleans(),
    findings=st.lists(
        st.builds(Finding, code=st.just("C101"), says=st.text(max_size=20), cure=st.text())
    ).map(tuple),
)
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@same_folder
@given(verdict=verdicts)
def test_verdict_survives_the_road(verdict, tmp_path):
    verdict.save(tmp_path / "v.json")
    again = Verdict.load(tmp_path / "v.json")
    assert again.fingerprint == verdict.fingerprint
    assert repr(again) == repr(verdict)
    assert again.exit_code == {"adapt": 0, "keep": 3, "cannot tell": 4}[verdict.decision]


def test_verdict_knows_three_decisions():
    with pytest.raises(BadInput, match="maybe"):
        Verdict(1.0, 1.0, 0.0, (0, 0), "maybe", False)
    assert str(Finding("C1", "a", "b")) == "C1 a  cure: b"
    assert str(Finding("C1", "a")) == "C1 a"


@same_folder
@given(trials=any_trials())
def test_trials_survive_the_road(trials, tmp_path):
    trials.save(tmp_path / "t.json")
    again = Trials.load(tmp_path / "t.json")
    assert again.fingerprint == trials.fingerprint
    assert np.array_equal(again.weights, trials.weights)
    assert np.array_equal(again.scores, trials.scores)
    assert {k: list(v) for k, v in again.about.items()} == trials.about
    assert repr(again) == repr(trials)


def test_trials_are_read_only_and_leave_the_input_alone():
    W, L = np.array([[0.5, 0.5]]), np.array([[1.0]])
    trials = Trials(W, L, ("a", "b"), ("a",))
    with pytest.raises(ValueError, match="read-only"):
        trials.weights[0, 0] = 1.0
    L[0, 0] = 2.0  # the caller's array is the caller's
    assert trials.scores[0, 0] == 1.0


def test_trials_rows_by_number_and_by_mask():
    W = np.eye(3)
    t = Trials(W, np.arange(3.0)[:, None], ("a", "b", "c"), ("x",), {"seed": [7, 8, 9]})
    assert t.rows([2, 0]).about == {"seed": [9, 7]}
    assert t.rows(np.array([False, True, False])).target("x").tolist() == [1.0]
    with pytest.raises(BadInput, match="no losses for 'y'"):
        t.target("y")


def test_published_rounding_is_divided_out():
    t = Trials(np.array([[0.5, 0.496]]), np.ones((1, 1)), ("a", "b"), ("x",))
    assert t.weights.sum() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("weights", "scores", "says"),
    [
        ([[0.5, 0.6]], [[1.0]], "row 0 sum to 1.1"),
        ([[-0.5, 1.5]], [[1.0]], "negative"),
        ([[np.nan, 1.0]], [[1.0]], "not a number"),
        ([[0.5, 0.5]], [[np.inf]], "loss that is not a number"),
        ([[0.5, 0.5]], [[1.0], [2.0]], "scores has the shape"),
        ([[1.0]], [[1.0]], "weights has the shape"),
    ],
)
def test_trials_say_what_is_wrong(weights, scores, says):
    with pytest.raises(BadInput, match=says):
        Trials(np.array(weights), np.array(scores), ("a", "b"), ("x",))


@pytest.mark.parametrize("text", ["[]", "{}", '{"domains": ["a"], "weights": 3}', "nonsense"])
def test_a_file_that_holds_no_trials_is_said(text, tmp_path):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(BadInput, match="not a trials file"):
        Trials.load(tmp_path / "t.json")


def test_selection_survives_the_road(tmp_path):
    chosen = Selection(np.array(["a", "b"]), np.array([0.1, 0.0]), {"a": "ä"}, "dsir")
    chosen.save(tmp_path / "s.json")
    again = Selection.load(tmp_path / "s.json")
    assert again.fingerprint == chosen.fingerprint
    assert repr(again) == repr(chosen) == "Selection(1 of 2, by dsir)"
    assert again.weights.dtype == np.float32


@pytest.mark.parametrize(
    ("ids", "weights"), [([1, 1], [1, 1]), ([1], [1, 1]), ([1], [-1]), ([1], [np.nan])]
)
def test_selection_says_what_is_wrong(ids, weights):
    with pytest.raises(BadInput):
        Selection(np.array(ids), np.array(weights, dtype=np.float64))


def test_domain_survives_the_road(tmp_path):
    one = Domain("law", "target", 3, None, "abc")
    one.save(tmp_path / "d.json")
    assert Domain.load(tmp_path / "d.json") == one


def test_corpus_survives_the_road_and_notices_other_text(tmp_path):
    corpus = made_corpus(seed=1, docs=20, target_docs=5)
    corpus.save(tmp_path / "c.json")
    again = Corpus.load(tmp_path / "c.json")
    assert again.fingerprint == corpus.fingerprint
    assert repr(again) == repr(corpus)
    assert next(again.docs("alder")) == next(corpus.docs("alder"))
    record = json.loads((tmp_path / "c.json").read_text())
    record["origin"]["seed"] = 2
    (tmp_path / "c.json").write_text(json.dumps(record))
    with pytest.raises(BadInput, match="has changed"):
        Corpus.load(tmp_path / "c.json")


def test_corpus_finds_domains_and_says_when_it_cannot():
    corpus = counted_corpus({"a": 1, "b": 2})
    assert corpus["b"].tokens == 2
    assert corpus.sources == corpus.domains
    with pytest.raises(BadInput, match="no domain is called 'c'"):
        corpus["c"]
    with pytest.raises(NoTarget) as error:
        _ = corpus.target
    assert "--target NAME" in error.value.cure
    with pytest.raises(BadInput, match="no reader"):
        corpus.docs("a")
    with pytest.raises(BadInput, match="share a name"):
        Corpus((corpus.domains[0], corpus.domains[0]))


def test_documents_come_in_order():
    corpus = text_corpus({"a": ["x", "y"]})
    assert list(corpus.docs("a")) == [Doc("a:0", "x", "a", {}), Doc("a:1", "y", "a", {})]
