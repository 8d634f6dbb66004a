from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ecotone.core.errors import BadInput
from ecotone.rewrite._book import Unfit
from ecotone.rewrite.bonito import KINDS, PIPE, Bonito, Pair, meta_answer, meta_prompt, read_pair
from ecotone.rewrite.generators import scripted

PASSAGE = "The cat is on the mat. The dog is in the yard."


def passage_of(prompt):
    return prompt.partition("<|context|>\n")[2].partition("\n<|task|>")[0]


def test_the_template_to_the_byte():
    want = "<|tasktype|>\nextractive question answering\n<|context|>\nx {y}\n<|task|>\n"
    assert meta_prompt("exqa", " x {y}\n") == want
    assert len(KINDS) == 16


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("no mark", "no <|pipe|>"),
        (f"a{PIPE}b{PIPE}c", "more than one"),
        (f"  {PIPE}b", "empty half"),
        (f"a{PIPE} ", "empty half"),
    ],
)
def test_answers_without_one_mark_and_two_halves_are_none(text, cause):
    with pytest.raises(Unfit, match=re.escape(cause)):
        read_pair(text, PASSAGE)


def test_the_placeholder_stands_for_the_passage_on_both_sides():
    odd = f"A passage with {{{{braces}}}}, {{0}} and {PIPE} in it."
    pair = read_pair(f" {{{{context}}}} Q? {PIPE} {{{{context}}}} A ", odd)
    assert pair == (f"{odd} Q?", f"{odd} A")


def test_training_data_of_a_generator_is_the_inverse():
    for pair in (Pair(f"{PASSAGE}\nWhere?", "on the mat"), Pair("Repeat.", f"{PASSAGE} Yes.")):
        assert read_pair(meta_answer(pair, PASSAGE), PASSAGE) == pair


def one(kind, answer, rng, **options):
    return Bonito(kinds=(kind,), **options).run([PASSAGE], scripted(lambda p: answer), rng=rng)


@pytest.mark.parametrize(
    ("kind", "answer", "cause"),
    [
        ("exqa", "Where?<|pipe|>on the mat", None),
        ("exqa", "Where?<|pipe|>On the mat", "the answer is not in the passage"),
        ("ynqa", "Is it?<|pipe|>Yes.", None),
        ("ynqa", "Is it?<|pipe|>Perhaps", "the answer is no label"),
        ("nli", "Does it follow?<|pipe|>Maybe", None),
        ("nli", "Does it follow?<|pipe|>banana", "the answer is no label"),
        ("summarization", "Sum up<|pipe|>{{context}}", "the summary is no shorter"),
        ("exqa", "I'm sorry, but I can't do that.", "refused"),
    ],
)
def test_answers_are_checked_by_kind(kind, answer, cause, rng):
    done = one(kind, answer, rng)
    assert dict(done.dropped) == ({} if cause is None else {"0": cause})
    assert done.ledger.asked == 1


def test_held_out_text_and_repetitions_stay_out(rng):
    exam = "What colour was the hat that the man in the boat wore on the second day"
    done = one("qa", f"{exam}?<|pipe|>red", rng, held_out=(exam,))
    assert done.ledger.causes == {"shares text with the evaluation": 1}
    done = one("exqa", "{{context}} Where?<|pipe|>on the mat", rng, samples=3)
    assert done.ledger.causes == {"repeats another instruction": 2}
    assert len(done.examples) == 1


def test_no_label_crowds_out_the_others(rng):
    def mostly_yes(prompt):
        n = int(re.search(r"\d+", passage_of(prompt))[0])
        return f"Is it {n}?<|pipe|>{'no' if n % 10 == 0 else 'yes'}"

    docs = [f"Number {i} stands here." for i in range(100)]
    done = Bonito(kinds=("ynqa",)).run(docs, scripted(mostly_yes), rng=rng)
    counts = Counter(e.response for e in done.examples)
    assert counts == {"no": 10, "yes": 15}
    assert done.outcomes["dropped: its label is too frequent"] == 75
    only = Bonito(kinds=("ynqa",)).run(docs, scripted(lambda p: f"{p}?<|pipe|>yes"), rng=rng)
    assert [f.code for f in only.findings] == ["W501"]


def test_long_and_empty_passages_are_dropped_with_a_cause(rng):
    ask = scripted(lambda p: "Q?<|pipe|>A")
    done = Bonito(kinds=("qa",), most_tokens=10).run([" ", "x" * 41, "fine"], ask, rng=rng)
    assert set(done.dropped) == {"0", "1"}
    assert done.ledger.asked == 1


TERMS = [
    f"{a}{b}" for a in ("lor", "mip", "ten", "vak", "sul") for b in ("ane", "ite", "ose", "in")
]
CLASSES = ("metal", "sugar", "acid", "dye")


@pytest.fixture(scope="module")
def glossary():
    r = np.random.default_rng(0)
    return {t: CLASSES[i] for t, i in zip(TERMS, r.integers(4, size=len(TERMS)), strict=True)}


def learner(pairs, raw):
    """A tiny model of answers: counts of (word of the question, answer), and of raw neighbours."""
    counts = Counter()
    for prompt, answer in pairs:
        counts.update((w, answer) for w in set(re.findall(r"\w+", prompt.lower())))
    for text in raw:
        w = re.findall(r"\w+", text.lower())
        counts.update(pairwise(w))

    def answer(question):
        found = Counter()
        for w in re.findall(r"\w+", question.lower()):
            rare = sum(c for (a, _), c in counts.items() if a == w) or 1
            for c in CLASSES:
                found[c] += counts[w, c] / rare
        return max(CLASSES, key=lambda c: (found[c], c))

    return answer


def test_helps_over_raw_text_on_questions(glossary, rng):
    docs = [
        f"Workers carry {t} in drums. Of all things, {t} is by nature a kind of {c}."
        for t, c in glossary.items()
    ]

    def cloze(prompt):
        term, kind = re.search(r"things, (\w+) is by nature a kind of (\w+)", prompt).groups()
        return f"What kind of thing is {term}?<|pipe|>{kind}"

    made = Bonito(kinds=("exqa",)).run(docs, scripted(cloze), rng=rng)
    taught = learner([(e.prompt, e.response) for e in made.examples], [])
    raw = learner([], docs)
    held = {f"Tell me the class of {t}.": c for t, c in glossary.items()}
    score = [np.mean([m(q) == c for q, c in held.items()]) for m in (taught, raw)]
    assert score[0] >= score[1] + 0.05


def test_does_not_help_when_responses_are_permuted(glossary, rng):
    docs = [f"Of all things, {t} is a kind of {c}." for t, c in glossary.items()]
    kinds = dict(zip(glossary, rng.permutation(list(glossary.values())), strict=True))

    def wrong(prompt):
        term = re.search(r"things, (\w+) is", prompt)[1]
        return f"What kind of thing is {term}?<|pipe|>{kinds[term]}"

    made = Bonito(kinds=("exqa",)).run(docs, scripted(wrong), rng=rng)
    # the extractive check lets only those pass that the permutation left in place
    right = sum(kinds[t] == c for t, c in glossary.items())
    assert len(made.examples) == right < len(docs) / 2
    assert made.ledger.causes["the answer is not in the passage"] == len(docs) - right


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(BadInput, match="kinds is"):
        Bonito(kinds=("poetry",))
    with pytest.raises(BadInput, match="samples=0"):
        Bonito(samples=0)
