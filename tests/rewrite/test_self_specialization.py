from __future__ import annotations

import importlib
import inspect
import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.rewrite._retrieval import Passages
from ecotone.rewrite._similarity import Novelty, rouge_l, words
from ecotone.rewrite._tasks import read_task
from ecotone.rewrite.asking import Ask
from ecotone.rewrite.generators import scripted
from ecotone.rewrite.self_specialization import WITHHELD, SelfSpecialization

TEXTS = st.lists(st.text(st.sampled_from("abcd "), max_size=24), max_size=12)


def like_one(text, others, limit):
    return any(rouge_l(words(text), words(o)) >= limit for o in others)


@given(TEXTS, st.sampled_from([0.3, 0.5, 0.7, 0.9, 1.0]))
def test_the_index_says_what_a_comparison_with_every_text_says(texts, limit):
    seen = Novelty(limit)
    for i, text in enumerate(texts):
        assert seen.like(text) == like_one(text, texts[:i], limit)
        seen.add(text)


def test_passages_are_scored_by_the_formula():
    r = np.random.default_rng(0)
    texts = [" ".join(r.choice(list("abcdefgh"), r.integers(1, 12))) for _ in range(40)]
    cut = [words(t) for t in texts]
    mean = sum(map(len, cut)) / len(cut)

    def score(question, w):
        total = 0.0
        for q in words(question):
            n, f = sum(q in other for other in cut), w.count(q)
            idf = math.log(1 + (len(cut) - n + 0.5) / (n + 0.5))
            total += idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * len(w) / mean))
        return total

    for question in ("a", "a b c", "h h g", "A, b!", "z"):
        want = [score(question, w) for w in cut]
        np.testing.assert_allclose(Passages(texts).scores(question), want, rtol=1e-12)
    assert Passages(texts).best("z", 3) == []
    assert Passages([]).best("a", 3) == []


@pytest.mark.parametrize(
    ("text", "task"),
    [
        (" Name it.\nInput: x y\n", ("Name it.", "x y")),
        ("Instruction: Name\nit.\nInput:\nx\n\ny\n", ("Name it.", "x\ny")),
        ("Task 9\nInstruction: Name it.\nInput: none", ("Name it.", "")),
        ("**Task 9**\n**Instruction:** Name it.\n**Input:** (none)", ("Name it.", "")),
        (" Name it.\nAnswer: it\nInput: x", ("Name it.", "")),
        (" Name it.\n\nTask 10\nInstruction: Name more.\nInput: z", ("Name it.", "")),
        (" Name it. Input: x", ("Name it. Input: x", "")),
        ("\nInput: x", ("", "x")),
        ("", ("", "")),
    ],
)
def test_tasks_are_read(text, task):
    found = read_task(text)
    assert (found.instruction.replace("** ", "").strip("* "), found.given.strip("* ")) == task


SEEDS = [
    Doc("s0", "Which bone lies in the upper arm of a man?", "", {"answer": "the humerus"}),
    Doc("s1", "Name the organ that does this.", "", {"input": "pumps blood", "answer": "heart"}),
]
FACTS = {
    "liver": "The liver makes the bile that the gall stores.",
    "kidney": "The kidney takes water and salts out of blood.",
    "spleen": "The spleen breaks down old red cells.",
    "thyroid": "The thyroid sets the pace at which cells burn.",
}
TEXT = [Doc(f"t{i}", t, "", {}) for i, t in enumerate(FACTS.values())]
NEW = "What does the {} do in the human body all day and night?"


def test_every_filter_counts_exactly(rng):
    tasks = [
        NEW.format("liver"),  # kept
        NEW.format("kidney"),  # one word of twelve differs: like a task of the pool
        "Which bone lies in the lower arm of a man?",  # like a seed
        "Say of which large gland this is said.\nInput: makes bile",  # kept
        "", "   ", None, "I'm sorry, but I can't do that.",
        "Name it.", "Input: something", "Draw a picture of the heart and of the lung.",
        "word " * 151, "Назови кость, которая лежит в руке.",
        "Which part of the body was it that the old king hurt on that cold day in May?",  # held out
        "Explain how old red cells are broken down.",  # kept
        "Which organ sets the pace of cells?",  # kept
        "Why would anybody drink much water at night?",  # kept
    ]  # fmt: skip
    answers = {
        "liver": "makes the bile that the gall stores",
        "gland": "Say of which large gland this is said.",
        "cells are": "Sure: unicorns dance nightly on rainbows.",
        "pace": "Щитовидная железа",
        "drink": "...",
    }
    left = iter(tasks)

    def model(prompt):
        if not prompt.endswith("Answer:"):
            return next(left)
        last = prompt.rpartition("\n\n")[2]
        return next(a for mark, a in answers.items() if mark in last)

    exam = "part of the body was it that the old king hurt on that cold day"
    method = SelfSpecialization(
        wanted=5, most=4, seeds_shown=2, least_grounded=0.0, held_out=(exam,)
    )
    done = method.run(SEEDS + TEXT, Ask(scripted(model), retries=0), rng=rng)
    assert done.ledger.causes == {
        "like a task of the pool": 2, "empty answer": 3, "too short": 1, "no instruction": 1,
        "asks for what is no text": 1, "too long": 1, "another script": 2,
        "shares text with the evaluation": 1,
        "copies the task": 1, "not supported by the passages": 1, "no words": 1,
    }  # fmt: skip
    assert (done.ledger.asked, done.ledger.kept, done.ledger.refused) == (17 + 5, 5 + 1, 1)
    assert [(e.source, e.response) for e in done.examples] == [("t0", answers["liver"])]
    assert done.untouched == {d.id for d in SEEDS + TEXT}
    assert done.notes["tasks asked"] == 17


def test_planted_paraphrases_are_removed_and_others_stay(prose):
    seen, plants = Novelty(0.7), []
    for i, text in enumerate(prose[:200]):
        w = text.split()[:20]
        seen.add(" ".join(w))
        gone = set(np.random.default_rng(i).choice(len(w), 4, replace=False).tolist())
        plants.append(" ".join(x for j, x in enumerate(w) if j not in gone))
    others = [" ".join(t.split()[:20]) for t in prose[400:600]]
    assert all(seen.like(p) for p in plants)
    known = [" ".join(t.split()[:20]) for t in prose[:200]]
    hits = [seen.like(t) for t in others]
    assert hits == [like_one(t, known, 0.7) for t in others]
    assert 0 < sum(hits) < 100  # the manual says some things twice


MODULES = ("ast", "calendar", "inspect", "itertools", "logging", "math", "operator", "os",
           "random", "shutil", "statistics")  # fmt: skip
ASKED = "Which module of the library holds what does this?"


@pytest.fixture(scope="module")
def glossary():
    """What functions of the standard library do, in its own words, and their modules."""
    out = []
    for name in MODULES:
        module = importlib.import_module(name)
        rows = []
        for function, value in sorted(vars(module).items()):
            said = " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())
            if callable(value) and function[0] != "_" and 5 <= len(said.split()) <= 40:
                rows.append((f"{name}.{function}", said, name))
        out += rows[:30]
    return out


@pytest.fixture(scope="module")
def parts(glossary):
    """Two seeds a module; passages; what is held out."""
    order = np.random.default_rng(0).permutation(len(glossary)).tolist()
    used, seeds, rest = Counter(), [], []
    for i in order:
        name, said, module = glossary[i]
        if used[module] < 2:
            used[module] += 1
            meta = {"input": said, "answer": module}
            seeds.append(Doc(f"seed-{i}", ASKED, "", meta))
        else:
            rest.append((name, said, module))
    text = [Doc(f"text-{i}", f"{n}: {s}", "", {}) for i, (n, s, _) in enumerate(rest[::2])]
    return seeds, text, rest[::2], rest[1::2]


def student(known, knows=0.35, name="student"):
    """A model that half remembers what functions do, and can read; it declines and rambles too."""
    modules = {said: module for _, said, module in known}
    everything = sorted(modules)

    def answer(prompt, n):
        own = stream(0, prompt, n)
        luck = own.random()
        if luck < 0.05:
            return "I'm sorry, but I can't help with that."
        if luck < 0.1:
            return "Input: Input: Input:"
        if not prompt.endswith("Answer:"):
            said = everything[int(own.integers(len(everything)))].split()
            kept = [w for w in said if own.random() > 0.1]
            return f" {ASKED}\nInput: {' '.join(kept)}\n\nTask 99\nInstruction: Another?"
        asked = set(words(prompt.rpartition("Input:")[2]))
        shown = re.findall(r"^- (\w+)\.\w+: (.*)$", prompt, re.MULTILINE)
        wild = MODULES[int(own.integers(len(MODULES)))]
        if shown:
            best = max(shown, key=lambda p: len(asked & set(words(p[1]))))
            return best[0] if luck < 0.9 else wild
        true = max(everything, key=lambda s: len(asked & set(words(s))))
        return modules[true] if own.random() < knows else wild

    return scripted(answer, name=name)


def classifier_score(pairs, held):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=30))
    model.fit([p for p, _ in pairs], [a for _, a in pairs])
    return model.score([said for _, said, _ in held], [module for *_, module in held])


def specialise(parts, seed=0, text=True, ask=None, **options):
    seeds, passages, known, _ = parts
    docs = seeds + (passages if text else [])
    method = SelfSpecialization(**{"wanted": 150, **options})
    return method.run(docs, ask or student(known), rng=np.random.default_rng(seed))


def pairs_of(parts, done):
    seeds = [(d.meta["input"], d.meta["answer"]) for d in parts[0]]
    return seeds, [(e.prompt.partition("Input:")[2], e.response) for e in done.examples]


def right(parts, done):
    """Share of pairs whose answer is that of the glossary entry nearest to the input."""
    known = {said: module for _, said, module in parts[2]}
    hits = 0
    for e in done.examples:
        asked = set(words(e.prompt.partition("Input:")[2]))
        hits += known[max(sorted(known), key=lambda s: len(asked & set(words(s))))] == e.response
    return hits / len(done.examples)


def test_helps_a_classifier_over_seeds_alone(parts):
    gains = []
    for seed in range(3):
        done = specialise(parts, seed=seed)
        seeds, made = pairs_of(parts, done)
        assert done.findings == ()
        gains.append(classifier_score(seeds + made, parts[3]) - classifier_score(seeds, parts[3]))
    assert np.mean(gains) >= 0.03


def test_passages_make_answers_right(parts):
    shown = right(parts, specialise(parts))
    hidden = right(parts, specialise(parts, passages=0, least_support=0.0))
    assert shown > hidden + 0.2


def test_does_not_help_when_nothing_is_known(parts):
    """No text, no knowledge: the guard lets nothing in; without it the classifier gets worse."""
    dunce = student(parts[2], knows=0.0)
    done = specialise(parts, text=False, ask=dunce)
    assert done.notes["grounded"] < 0.05
    assert done.examples == ()
    assert [f.code for f in done.findings] == ["W503"]
    forced = specialise(parts, text=False, ask=dunce, least_support=0.0)
    seeds, made = pairs_of(parts, forced)
    assert len(made) > 50
    assert classifier_score(seeds + made, parts[3]) <= classifier_score(seeds, parts[3])


def test_what_is_withheld_is_counted(rng):
    def model(prompt, n):
        if not prompt.endswith("Answer:"):
            return f"Say what {list(FACTS)[n % 4]} number {n} is for, {'x' * n} {'y ' * n}"
        return "makes the bile" if "liver number" in prompt.rpartition("\n\n")[2] else "unicorns"

    method = SelfSpecialization(wanted=4, seeds_shown=2, own_shown=0, least_grounded=0.5)
    done = method.run(SEEDS + TEXT, scripted(model), rng=rng)
    assert done.ledger.causes[WITHHELD] >= 1
    assert done.ledger.causes["not supported by the passages"] + done.ledger.causes[WITHHELD] == 4
    assert done.examples == ()


def test_same_seed_same_bytes_whatever_the_order(parts):
    seeds, passages, known, _ = parts
    one = specialise(parts)
    assert specialise(parts).fingerprint == one.fingerprint
    mixed = (passages[::-1], seeds[::-1])
    method = SelfSpecialization(wanted=150)
    two = method.run(mixed[0] + mixed[1], student(known), rng=np.random.default_rng(0))
    assert two.examples == one.examples
    assert specialise(parts, seed=1).examples != one.examples


def test_a_run_that_was_cut_asks_for_nothing_twice(parts, tmp_path):
    known = parts[2]

    def run(generator, file):
        ask = Ask(generator, name="student", cache=tmp_path / file, batch=8)
        return specialise(parts, ask=ask, wanted=25)

    whole = run(student(known), "whole.db")
    left = [60]

    def tired(prompt, n):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return student(known).answers(prompt, n)

    with pytest.raises(KeyboardInterrupt):
        run(scripted(tired), "cut.db")
    second = student(known)
    again = run(second, "cut.db")
    assert again.fingerprint == whole.fingerprint
    assert again.ledger.from_cache >= 60 - 8
    assert second.calls == again.ledger.asked - again.ledger.from_cache


def test_seeds_and_options_are_checked(rng):
    with pytest.raises(BadInput, match="no document has an answer"):
        SelfSpecialization().run(TEXT, student([]), rng=rng)
    with pytest.raises(BadInput, match="shares lie"):
        SelfSpecialization(likeness=0)
    with pytest.raises(BadInput, match="counts are at least 1"):
        SelfSpecialization(wanted=0)
