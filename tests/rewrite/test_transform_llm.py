from __future__ import annotations

import inspect
import re
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.rewrite._mining import is_sentence, sentences
from ecotone.rewrite._pairs import grounded, pieces, read_pairs
from ecotone.rewrite.generators import scripted
from ecotone.rewrite.reading_comprehension import INTRODUCTIONS
from ecotone.rewrite.transform_llm import GOES_ON, KINDS, PROMPT, TransformLLM, original

TEXT = (
    "The pump of the old engine had not been mended for more than 12 years. "
    "The engine of the boat then stopped in the middle of the wide river at night."
)

PAIRS = [  # 20 answers that hold pairs, and how many
    ("Q: Why?\nA: Rain.", 1),
    ("q: Why?\nA: Rain.\nQ: Who?\nA: Ann.", 1),
    ("Question: Why?\nAnswer: Rain.", 1),
    ("QUESTION 1: Why?\nANSWER 1: Rain.", 1),
    ("Q1: Why?\nA1: Rain.\nQ2: Who?\nA2: Ann.", 2),
    ("**Q:** Why?\n**A:** Rain.", 1),
    ("**Question 1:** Why?\n**Answer:** Rain.", 1),
    ("- Q: Why?\n- A: Rain.", 1),
    ("1. Q: Why?\n   A: Rain.\n2. Q: Who?\n   A: Ann.", 2),
    ("### Q: Why?\nA: Rain.", 1),
    ("> Q: Why?\n> A: Rain.", 1),
    ("Sure, here you go:\n\nQ: Why?\n\nA: Rain.", 1),
    ("Q: Why,\nin the end?\nA: Rain,\nand wind.", 1),
    ("Q: Which? A. red B. blue\nA: red", 1),
    ("Q: Which?\nA. red\nB. blue\nA: red", 1),
    ("Q: What is a?\nA: See `a: int`\na: int", 1),
    ("Q: How much?\nA: 3.5", 1),
    ("Q: What of e.g. 3.5?\nA: It is approx. 4.", 1),
    ("Q: Why?\r\nA: Rain.\r\n", 1),
    ("Q: Why?\nA:\nRain.", 1),
]
NONE = [  # 20 that hold none
    "", "   \n ", "Q: Why?", "A: Rain.", "Q:\nA: Rain.", "Q: Why?\nA:", "A: Rain.\nQ: Why?",
    "Q: Why?\nQ: Who?", "Why? Because of the rain.", "Version 3.5 is out, e.g. for A. Smith.",
    "A. red\nB. blue", "1. Rain\n2. Wind", "Q. Horatius Flaccus\nA. Smith", "Q&A: many",
    "a: int\nq: int", "FAQ: Why?\nAnswered: yes", "Question\nAnswer", "The Q: is\nthe A: was",
    "Q 3.5: Why?\nA 4.5: Rain.", "{'Q': 'Why?', 'A': 'Rain.'}",
]  # fmt: skip


@pytest.mark.parametrize(("text", "many"), PAIRS)
def test_pairs_are_read_in_every_dress(text, many):
    found = read_pairs(text)
    assert len(found) == many
    assert not any("\n\n" in half or not half.strip() for pair in found for half in pair)


@pytest.mark.parametrize("text", NONE)
def test_what_only_looks_like_a_pair_is_none(text):
    assert read_pairs(text) == []


def test_forms_are_forty():
    assert len(PAIRS) + len(NONE) == 40


@pytest.mark.parametrize(
    "hard", ["Q: a\nA: b\n", "Q", "Q: ", "1. ", "**", " ", "\n", "a. ", "\n \n"]
)
def test_a_long_hostile_text_comes_to_an_end(hard):
    """A megabyte: a quadratic reader would not be back today."""
    text = hard * (1_000_000 // len(hard))
    assert all(p.question and p.answer for p in read_pairs(text))
    assert "".join(pieces(text, 1000)) == text


@given(st.text(st.sampled_from("ab. é\n\t\u2028"), max_size=300), st.integers(1, 40))
def test_pieces_join_to_the_text_and_fit(text, tokens):
    cut = pieces(text, tokens)
    assert "".join(cut) == text
    assert all(len(p.encode()) <= 4 * tokens for p in cut)


def one(kind, answer, rng, text=TEXT, **options):
    options = {"kinds": (kind,), **options}
    return TransformLLM(**options).run([text], scripted(lambda p: answer), rng=rng)


@pytest.mark.parametrize(
    ("kind", "answer", "cause"),
    [
        ("question", "Q: Where did it stop?\nA: in the middle of the wide river", None),
        ("question", "Q: Where did it stop?\nA: river wide middle old engine", "not supported"),
        ("explain", "Q: What is it?\nA: An engine, old, of a boat on the wide river.", None),
        ("explain", "Q: What is it?\nA: Bicycles have pedals.", "not supported"),
        ("infer", "Q: How long?\nA: more than 12 years", None),
        ("infer", "Q: How long?\nA: more than 13 years", "not supported"),
        ("check", "Q: Had the pump been mended?\nA: No.", None),
        ("check", "Q: Had the pump been mended for 99 years?\nA: No", None),
        ("check", "Q: Had the pump been mended for 99 years?\nA: Yes", "not supported"),
        ("check", "Q: Had the senate been elected?\nA: Yes", "not supported"),
        ("check", "Q: Had the pump been mended?\nA: the pump", "the answer is no label"),
        ("summary", f"Q: Sum up.\nA: {TEXT}", "the answer is no shorter"),
        ("cause", "Q: Why?\nA: I'm sorry, but I can't say.", "refused within the answer"),
        ("cause", "I'm sorry, but I can't help with that.", "refused"),
        ("cause", "The engine stopped.", "no question and answer"),
        ("cause", "Q: engine\nA: engine", "copies the prompt"),
        ("cause", PROMPT.format(task="x", most=2, title="", text=TEXT), "copies the prompt"),
    ],
)
def test_pairs_are_checked(kind, answer, cause, rng):
    done = one(kind, answer, rng)
    if cause is None:
        assert (done.ledger.kept, len(done.examples)) == (1, 1)
        return
    found = ["refused"] * done.ledger.refused + list(done.ledger.causes)
    assert len(found) == 1
    assert found[0].startswith(cause)
    assert done.untouched == {"0"}


def test_repetitions_and_more_than_two_of_a_kind_stay_out(rng):
    said = "Q: Where did it stop?\nA: in the middle of the wide river\n"
    done = one("question", said * 3, rng)
    assert done.notes["pairs"] == {"kept": 1, "repeats another pair": 2}
    many = said + "Q: What is old?\nA: the old engine\nQ: What is wide?\nA: the wide river\n"
    done = one("question", many, rng)
    assert done.notes["pairs"] == {"kept": 2, "more pairs than wanted": 1}
    assert max(Counter(e.kind for e in done.examples).values()) == 2


def test_support_by_hand():
    assert grounded("the old boat", "the old engine of the boat", 2) == 1 / 2
    assert grounded("boats", "the old boat", 1) == 0
    assert grounded("1,200.5 boats", "1,200.5 boats", 2) == 1
    assert grounded("...", "the old boat", 2) == 0


def test_a_title_is_shown_and_counts_as_known(rng):
    asked = []

    def model(prompt):
        asked.append(prompt)
        return "Q: Of what?\nA: Shipwrecks and salvage"

    doc = Doc("d", TEXT, "", {"title": "Shipwrecks and salvage"})
    assert TransformLLM(tasks=1).run([doc], scripted(model), rng=rng).ledger.kept == 1
    assert "Title: Shipwrecks and salvage\n" in asked[0]
    assert TransformLLM(tasks=1).run([TEXT], scripted(model), rng=rng).ledger.kept == 0


TAIL = re.compile(
    r"(?P<who>[A-Z][^,;:.()]{8,60}?) (?P<what>(?:is|are|can|must|may|has|have) .{25,})\."
)


def facts(text):
    """Sentences that say something of a subject, as (subject, what is said)."""
    found = [TAIL.fullmatch(s) for s in sentences(text) if is_sentence(s)]
    return [(f["who"], f["what"]) for f in found if f]


def reader(refuses=0.08, garbles=0.08, invents=0.12, seed=0, name="reader"):
    """A model that mostly reads well, and sometimes declines, rambles or makes things up."""

    def answer(prompt):
        task, _, text = prompt.partition("\n")
        text = text.partition("Text:\n")[2]
        kind = next(k for k, wordings in KINDS.items() if task in wordings)
        own = stream(seed, prompt)
        luck = own.random()
        if luck < refuses:
            return "I'm sorry, but I can't help with that."
        if luck < refuses + garbles:
            return "Here is what I think about it. " * 3
        if luck < refuses + garbles + invents:
            return "Q: Who ruled Prussia?\nA: Frederick reigned with an iron fist until 1786."
        return "\n".join(f"Q: {q}\nA: {a}" for q, a in asked(kind, text, own)) or "Nothing to ask."

    return scripted(answer, name=name)


def asked(kind, text, own):
    whole = [s for s in sentences(text) if is_sentence(s)]
    known = facts(text)
    if kind == "question":
        return [(f"What {what}?", who) for who, what in known]
    if kind == "explain":
        return [(f"What is to be said of {who.lower()}?", f"It {what}.") for who, what in known]
    if kind == "summary":
        return [("Say it in brief.", whole[0])]
    if kind == "check":
        pick = whole[int(own.integers(len(whole)))]
        return [(f"Is it so? {pick}", "Yes"), (f"Is it not so? {pick}", "No")]
    linked = [s for s in whole if re.search(r"\b(because|since|so that|due to|therefore)\b", s)]
    return [(f"Why? What does it follow from? {s[:40]}", s) for s in linked]


@pytest.fixture(scope="module")
def docs(prose):
    return ["\n\n".join(prose[i : i + 6]) for i in range(0, 756, 6)]


def test_four_kinds_of_tasks_about_real_prose(docs, rng):
    done = TransformLLM(piece_tokens=250).run(docs, reader(), rng=rng)
    assert len({e.kind for e in done.examples}) >= 4
    assert done.ledger.asked == done.ledger.kept + done.ledger.refused + done.ledger.invalid
    assert {"no question and answer", "not supported by the text"} <= set(done.ledger.causes)
    assert not any("Prussia" in text for text in done.docs.values())
    assert done.findings == ()


def test_the_document_can_be_had_back_in_every_layout(docs, rng):
    for tokens in (60, 250, 4000):
        done = TransformLLM(piece_tokens=tokens).run(docs, reader(), rng=rng)
        assert len(done.docs) > 40
        assert all(original(done.docs[i]) == docs[int(i)] for i in done.docs)


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([TEXT, "\n", "\n\n", " ", "\t\n \n", "Short.", "x y", "12"]), max_size=12
    ),
    st.integers(20, 200),
)
def test_any_layout_of_blanks_can_be_had_back(parts, tokens):
    text = "".join(parts)
    said = "Q: What is old?\nA: the old engine\n\nQ: What is wide?\nA: the wide river"
    method = TransformLLM(kinds=("question",), piece_tokens=tokens, least_sentences=1)
    done = method.run([text], scripted(lambda p: said), rng=np.random.default_rng(0))
    assert original(done.docs.get("0", text)) == text


@pytest.mark.parametrize("line", [GOES_ON, *INTRODUCTIONS])
def test_a_text_that_holds_our_own_lines_is_left_alone(line, rng):
    done = one("question", "Q: What?\nA: the old engine", rng, text=f"{TEXT}\n\n{line}\n\n{TEXT}")
    assert done.untouched == {"0"}
    assert done.ledger.asked == 0


def test_what_a_document_becomes_hangs_on_its_id_and_the_seed_alone(docs):
    whole = [Doc(f"d{i}", t, "", {}) for i, t in enumerate(docs)]

    def run(some, seed):
        return TransformLLM().run(some, reader(), rng=np.random.default_rng(seed))

    one, two = run(whole, 3), run(whole[::-2], 3)
    assert set(two.docs) < set(one.docs)
    assert all(one.docs[i] == two.docs[i] for i in two.docs)
    assert run(whole, 3).fingerprint == one.fingerprint
    assert run(whole, 4).docs != one.docs


REACH = 40  # words back that the model below looks


class Associations:
    """A tiny causal model: how often a word comes within reach behind another one."""

    def __init__(self, texts):
        self.after = defaultdict(Counter)
        self.seen = Counter()
        for text in texts:
            w = re.findall(r"\w+", text.lower())
            self.seen.update(w)
            for i, word in enumerate(w):
                for before in set(w[max(i - REACH, 0) : i]):
                    self.after[before][word] += 1

    def score(self, question, answer):
        total = sum(self.seen.values())
        asks = set(re.findall(r"\w+", question.lower()))
        says = [w for w in re.findall(r"\w+", answer.lower()) if len(w) > 3] or [answer.lower()]
        out = 0.0
        for word in says:
            p = (self.seen[word] + 0.5) / total
            for q in asks:
                out += np.log((self.after[q][word] + 3 * p) / ((self.seen[q] + 3) * p))
        return out / len(says)


def exam(texts, rng):
    """Questions in a wording no training text has, with four subjects to choose from."""
    known = sorted({f for t in texts for f in facts(t)})
    out = []
    for who, what in known:
        others = sorted({w for w, _ in known} - {who})
        three = rng.choice(len(others), 3, replace=False).tolist()
        out.append(
            (f"Name the thing of which it holds that it {what}:", who, [others[i] for i in three])
        )
    return out


def accuracy(model, questions):
    right = [
        model.score(q, who) > max(model.score(q, other) for other in others)
        for q, who, others in questions
    ]
    return float(np.mean(right))


def equal_words(texts, words):
    """The texts again and again, up to so many words."""
    out, i = [], 0
    while words > 0:
        out.append(" ".join(texts[i % len(texts)].split()[:words]))
        words -= len(out[-1].split())
        i += 1
    return out


@pytest.fixture(scope="module")
def trained(docs):
    """Training texts raw and in reading form, as many words of each."""
    train = docs[::2]
    made = TransformLLM(piece_tokens=250).run(train, reader(), rng=np.random.default_rng(0))
    form = [made.docs.get(str(i), t) for i, t in enumerate(train)]
    return equal_words(train, sum(len(t.split()) for t in form)), form


def test_answers_questions_better_at_equal_words(docs, trained):
    raw, form = trained
    questions = exam(docs[::2], np.random.default_rng(1))
    assert len(questions) > 200
    taught, untaught = (accuracy(Associations(texts), questions) for texts in (form, raw))
    assert taught >= untaught + 0.05


def test_raw_text_loses_little(docs, trained, bigram_loss):
    raw, form = trained
    more = bigram_loss(form, docs[1::2]) - bigram_loss(raw, docs[1::2])
    assert 0 < more < np.log(1.03)


def test_does_not_help_with_texts_that_nobody_read(docs, trained):
    raw, form = trained
    questions = exam(docs[1::2], np.random.default_rng(1))
    taught, untaught = (accuracy(Associations(texts), questions) for texts in (form, raw))
    assert abs(taught - untaught) < 0.05


def test_does_not_help_when_the_generator_invents(docs, rng):
    done = TransformLLM().run(docs, reader(refuses=0, garbles=0, invents=1), rng=rng)
    assert len(done.untouched) == len(docs)
    assert set(done.ledger.causes) == {"not supported by the text", "the answer is no label"}
    assert done.ledger.invalid == done.ledger.asked
    assert [f.code for f in done.findings] == ["W503"]


def test_does_not_help_code_and_tables(rng):
    import calendar

    code = [inspect.getsource(m) for m in (inspect, calendar, np.lib.format)]
    bare = ["\n".join(x for x in c.split("\n") if "#" not in x and '"' not in x) for c in code]
    table = "\n".join(f"{i},{i * i},{i % 7}" for i in range(500))
    eager = scripted(lambda p: f"Q: What is it?\nA: {p.partition('Text:')[2].split()[0]}")
    done = TransformLLM().run([*bare, table], eager, rng=rng)
    pieces_of_code = sum(len(pieces(c, 1000)) for c in bare)
    assert len(done.examples) < 0.1 * pieces_of_code
    assert "3" in done.untouched


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(BadInput, match="kinds is"):
        TransformLLM(kinds=("poetry",))
    with pytest.raises(BadInput, match="counts are at least 1"):
        TransformLLM(least_support=2)
