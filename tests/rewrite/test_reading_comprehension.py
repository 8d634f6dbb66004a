from __future__ import annotations

import numpy as np
import pytest

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.rewrite._mining import CONNECTIVES, mine, sentences
from ecotone.rewrite.reading_comprehension import ReadingComprehension, original

FIRST = "The level of the water in the northern lake had fallen by more than two metres"
SECOND = "the boats of all the fishermen lay on dry ground for most of that summer"


def kinds(text):
    return [m.kind for m in mine(text)]


@pytest.mark.parametrize(
    ("kind", "word"), [(k, w) for k, words in CONNECTIVES.items() for w in words]
)
def test_every_connective_is_found_in_either_case(kind, word):
    for said in (word.capitalize(), word.upper()):
        found = mine(f"{FIRST}. {said}, {SECOND}.")
        assert [m.kind for m in found] == [kind]
        assert (found[0].given, found[0].answer) == (f"{FIRST}.", f"T{SECOND[1:]}.")


NONE = [
    f"{FIRST}. However {SECOND}.",  # no comma
    f"{FIRST}, therefore, {SECOND}.",  # within a sentence
    f"Too short. Therefore, {SECOND}.",
    f"{FIRST}. Therefore, it ended.",
    f'{FIRST}! "But," said the man, {SECOND}.',
    f"{FIRST}\n\n- item\n- but, item",
    "Version 3.5 is out. Thus, e.g. 3.6 is not.",
    f"See Fig. 2. {FIRST}",
    "x = 1.5; y = therefore, z",
    f"{FIRST} (cf. Hence, vol. 2) {SECOND}.",
    "It is a thing that one could hardly call defined in any sense of the word.",
]


@pytest.mark.parametrize("text", NONE)
def test_what_only_looks_like_a_task_is_none(text):
    assert kinds(text) == []


def test_causes_and_definitions():
    text = "The harvest of the northern farms failed completely due to an early frost in May."
    assert mine(text) == [
        ("cause", "The harvest of the northern farms failed completely.",
         "Due to an early frost in May.")
    ]  # fmt: skip
    text = "A diode is a component that lets current pass in one direction and not in the other."
    assert mine(text) == [("definition", "diode", text)]


def test_sentences_survive_numbers_and_abbreviations():
    text = "Dr. J. Smith paid 3.5 dollars, e.g. for tea. Was it 4.0? No!"
    assert sentences(text) == ["Dr. J. Smith paid 3.5 dollars, e.g. for tea.", "Was it 4.0?", "No!"]


def test_a_hostile_line_of_a_megabyte_comes_to_an_end():
    """Each takes a part of a second; a quadratic search would not be back today."""
    hard = ["therefore, " * 100_000, "a" * 1_000_000, "Thus, " + "word " * 200_000, "A. " * 330_000]
    assert [mine(text) for text in hard] == [[]] * 4


@pytest.fixture(scope="module")
def docs(prose):
    return ["\n\n".join(prose[i : i + 6]) for i in range(0, 756, 6)]


@pytest.mark.parametrize("completion", [0.0, 1.0])
def test_the_document_stands_verbatim_in_every_layout(docs, rng, completion):
    done = ReadingComprehension(completion=completion).run(docs, rng=rng)
    assert len(done.docs) > 20
    assert all(original(done.docs[i]) == docs[int(i)] for i in done.docs)


def test_what_a_document_becomes_hangs_on_its_id_and_the_seed_alone(docs):
    whole = [Doc(f"d{i}", t, "", {}) for i, t in enumerate(docs)]
    one = ReadingComprehension().run(whole, rng=np.random.default_rng(3))
    two = ReadingComprehension().run(whole[::-2], rng=np.random.default_rng(3))
    assert set(two.docs) < set(one.docs)
    assert all(one.docs[i] == two.docs[i] for i in two.docs)
    other = ReadingComprehension().run(whole, rng=np.random.default_rng(4))
    assert one.docs != other.docs


def test_at_most_two_of_a_kind(rng):
    text = " ".join(f"{FIRST} {i}. Thus, {SECOND} {i}." for i in ("one", "two", "six", "ten"))
    made = ReadingComprehension().run([text], rng=rng).examples
    assert sum(e.kind.startswith("entail") for e in made) == 2


def test_title_and_terms(rng):
    text = (
        f"{FIRST}. Thus, {SECOND}.\n\nThe sedimentation of microorganisms near the hydroelectric "
        "installations is of interest."
    )
    doc = Doc("d", text, "", {"title": "The dry lake"})
    made = {e.kind: e for e in ReadingComprehension().run([doc], rng=rng).examples}
    assert made["title"].response == "The dry lake"
    assert "hydroelectric" in made["words"].prompt
    known = ["sedimentation", "microorganisms", "hydroelectric", "installations"]
    made = ReadingComprehension(general=known).run([doc], rng=rng).examples
    assert "words" not in {e.kind for e in made}


def test_real_prose_holds_four_kinds_of_tasks(docs, rng):
    done = ReadingComprehension().run(docs, rng=rng)
    found = {e.kind.split("-")[0] for e in done.examples}
    assert len(found) >= 4
    assert len(done.docs) + len(done.untouched) == len(docs)


@pytest.fixture(scope="module")
def both(docs):
    """Raw texts, reading form cut to as many words, held-out texts, questions about these."""
    train, held = docs[::2], docs[1::2]
    made = ReadingComprehension().run(train, rng=np.random.default_rng(0))
    words, form = sum(len(t.split()) for t in train), []
    for i, text in enumerate(train):
        if words > 0:
            form.append(made.docs.get(str(i), text))
            words -= len(form[-1].split())
    asked = ReadingComprehension().run(held, rng=np.random.default_rng(1)).examples
    return train, form, held, [f"{e.prompt}\n{e.response}" for e in asked]


def test_reads_questions_better_at_equal_words(both, bigram_loss):
    raw, form, _, questions = both
    assert bigram_loss(form, questions) < bigram_loss(raw, questions) - 0.05


def test_does_not_help_raw_text_at_equal_words(both, bigram_loss):
    raw, form, held, _ = both
    assert bigram_loss(form, held) > bigram_loss(raw, held)


def test_does_not_help_code_and_tables(rng):
    import inspect

    code = [inspect.getsource(m) for m in (inspect, time_module(), np.lib.format)]
    tables = ["\n".join(f"{i},{i * i},{i % 7}" for i in range(500))]
    stripped = ["\n".join(x for x in c.split("\n") if "#" not in x and '"' not in x) for c in code]
    done = ReadingComprehension().run(stripped + tables, rng=rng)
    assert len(done.examples) <= 4
    assert "3" in done.untouched


def time_module():
    import calendar

    return calendar


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(BadInput, match="shares"):
        ReadingComprehension(generate=2.0)
