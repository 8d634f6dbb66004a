from __future__ import annotations

import inspect
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.rewrite._similarity import HeldOut
from ecotone.rewrite._terms import Dictionary, plain_term
from ecotone.rewrite.generators import scripted
from ecotone.rewrite.top_training import OPENING, TopTraining

TAGGED = [
    ("Atrial fibrillation is treated with warfarin; the dose of warfarin follows the INR.",
     {"atrial fibrillation", "warfarin", "inr"}),
    ("Patients with atrial fibrillation and heart failure have a higher risk of stroke.",
     {"atrial fibrillation", "heart failure", "stroke"}),
    ("After a stroke, aspirin was given, and warfarin was stopped.",
     {"stroke", "aspirin", "warfarin"}),
    ("The INR was 2.4 while heart failure got worse and a diuretic had to be given.",
     {"inr", "heart failure", "diuretic"}),
    ("A diuretic may lower potassium, and low potassium may bring on atrial fibrillation.",
     {"diuretic", "potassium", "atrial fibrillation"}),
    ("Neither aspirin nor potassium did prevent a second stroke in this woman.",
     {"aspirin", "potassium", "stroke"}),
    ("Blood pressure fell when the diuretic was begun; the INR did not move.",
     {"blood pressure", "diuretic", "inr"}),
    ("High blood pressure is the first cause of heart failure and of stroke.",
     {"blood pressure", "heart failure", "stroke"}),
    ("A beta blocker brings blood pressure down and slows atrial fibrillation.",
     {"beta blocker", "blood pressure", "atrial fibrillation"}),
    ("The beta blocker was kept, potassium was 4.1, and warfarin went on.",
     {"beta blocker", "potassium", "warfarin"}),
    ("Aspirin after a bypass, a beta blocker for life.", {"aspirin", "beta blocker"}),
]  # fmt: skip
GERMAN = ("Der alte Kahn lag seit vielen Jahren am Ufer, niemand wollte ihn haben, und der "
          "Fischer, dem er einmal geholfen hatte, war längst fortgezogen.")  # fmt: skip


def paragraphs(module, kind):
    """Paragraphs of real documentation, by the thing they document."""
    out = {}
    for name in sorted(dir(module)):
        thing = getattr(module, name)
        text = inspect.getdoc(thing) if kind(thing) else None
        parts = [" ".join(p.split()) for p in (text or "").split("\n\n")]
        parts = [p for p in parts if p[:1].isupper() and p.endswith(".") and len(p) > 100]
        if parts:
            out[name] = parts
    return out


@pytest.fixture(scope="module")
def fields():
    """Two fields, each in three parts that share no function: contexts, held out, known."""
    import scipy.signal
    import scipy.stats

    out = {}
    for name, module in (("stats", scipy.stats), ("signal", scipy.signal)):
        seen, parts = set(), {"contexts": [], "held": [], "known": []}
        for i, found in enumerate(paragraphs(module, inspect.isfunction).values()):
            part = ("contexts", "held", "known", "known")[i % 4]
            new = [p for p in found if p not in seen]
            seen.update(new)
            parts[part] += new
        # functions that are much alike share whole sentences
        held = HeldOut(parts["held"])
        parts["known"] = [p for p in parts["known"] if not held.in_text(p)]
        out[name] = parts
    return out


def writer(known, evaluation=()):
    """A model that has read about the field; one answer in six is of no use, in one way each."""
    plain = [f" {plain_term(p)} " for p in known]

    def answer(prompt, n):
        entity = prompt.rpartition("Subject: ")[2]
        mine = [p for p, t in zip(known, plain, strict=True) if f" {entity} " in t]
        r = np.random.default_rng(sum(entity.encode()))
        mine = [mine[i] for i in r.permutation(len(mine))]
        h = sum(entity.encode()) + n
        bad = h % 36
        if bad == 0:
            return "I'm sorry, but I can't help with that."
        if bad == 6:
            return prompt
        if bad == 12:
            return f"The {entity} is known. " * 12
        if bad == 18:
            return (
                "It is a thing that many people have thought about for a very long time, and " * 2
            )
        if bad == 24 and evaluation:
            return f"About the {entity}: {evaluation[h % len(evaluation)]}"
        if bad == 30:
            return f"{entity}: {GERMAN}"
        return mine[n % len(mine)] if mine else f"A {entity} is a {entity}."

    return scripted(answer)


def test_entities_of_tagged_text_are_found(prose, rng):
    asked = []
    ask = scripted(lambda p: asked.append(p.rpartition("Subject: ")[2]))
    method = TopTraining(general=prose[:200], most_of_docs=1.0, samples=1)
    done = method.run([text for text, _ in TAGGED], ask, rng=rng)
    wanted = {e for _, mine in TAGGED for e in mine}
    assert len(wanted & set(asked)) >= 0.9 * len(wanted)
    assert len(wanted & set(asked)) >= 0.7 * len(set(asked))
    assert done.ledger.failed + done.ledger.invalid == len(asked)


@pytest.fixture(scope="module")
def made(fields, prose):
    part = fields["stats"]
    method = TopTraining(general=prose, held_out=part["held"], entities=150, samples=3)
    docs = [Doc(f"c{i}", t, "stats", {}) for i, t in enumerate(part["contexts"])]
    return method.run(docs, writer(part["known"], part["held"]), rng=np.random.default_rng(0)), docs


def test_every_passage_names_its_entity_and_the_ledger_adds_up(made, fields):
    done, docs = made
    kept = done.notes["passages"]
    ledger = done.ledger
    assert ledger.asked == 3 * len(kept)
    assert ledger.kept == sum(kept.values()) == len(done.examples)
    assert max(kept.values()) <= 3
    assert {
        "a copy of the prompt", "goes in circles", "does not name its entity", "a near-copy",
        "in another language", "shares text with the evaluation",
    } <= set(ledger.causes)  # fmt: skip
    assert ledger.refused > 0
    examples = iter(done.examples)
    for entity, n in kept.items():
        for _ in range(n):
            e = next(examples)
            assert entity in Dictionary([entity]).terms(e.response)
            assert entity in plain_term(next(d.text for d in docs if d.id == e.source))
    assert OPENING not in "".join(e.response for e in done.examples)
    # planted text of the evaluation is gone
    held = " ".join(" ".join(p.lower().split()) for p in fields["stats"]["held"])
    for e in done.examples:
        w = e.response.lower().split()
        assert not any(" ".join(w[i : i + 16]) in held for i in range(len(w) - 15))
    assert done.untouched | set(done.dropped) == {d.id for d in docs}
    assert set(done.dropped.values()) <= {"shares text with the evaluation"}


def tokens(text):
    return plain_term(text).split()


class Bigrams:
    """An interpolated bigram model of words, asked about the words of entities alone."""

    def __init__(self, train):
        self.ones, self.twos = Counter(), Counter()
        for text in train:
            t = tokens(text)
            self.ones.update(t)
            self.twos.update(pairwise(t))
        self.total, self.kinds = self.ones.total(), len(self.ones) + 1

    def p(self, a, b):
        one = (self.ones[b] + 0.5) / (self.total + 0.5 * self.kinds)
        return 0.5 * one + (0.5 * self.twos[a, b] / self.ones[a] if self.ones[a] else 0.0)

    def loss(self, places):
        return -sum(math.log(self.p(a, b)) for a, b in places) / len(places)

    def cloze(self, places, choices):
        """Share of entity words that are found by the word before them, among all entity words."""
        best = {a: max(choices, key=lambda b: (self.p(a, b), b)) for a in {a for a, _ in places}}
        return sum(best[a] == b for a, b in places) / len(places)


def places(held, entities):
    """Return (word before, word) for every word of an entity in held-out text."""
    own = {w for e in entities for w in e.split()}
    return [(a, b) for t in held for a, b in pairwise(tokens(t)) if b in own], sorted(own)


def cut(texts, words):
    out = []
    for text in texts:
        if words > 0:
            out.append(" ".join(text.split()[:words]))
            words -= len(text.split())
    assert words <= 0
    return out


@pytest.fixture(scope="module")
def asked(made, fields):
    """Texts to train on in any case, and the places of entities in held-out text."""
    done, docs = made
    context = [d.text for d in docs if d.id in done.untouched]
    return context, *places(fields["stats"]["held"], done.notes["passages"])


def passages(done):
    return [e.response for e in done.examples]


def test_helps_on_entities_over_as_much_general_text(made, asked, prose):
    context, there, own = asked
    ours = passages(made[0])
    size = sum(len(p.split()) for p in ours)
    target, general = (Bigrams([*context, *cut(t, size)]) for t in (ours, prose))
    # a perplexity 10 % lower is a loss lower by 0.105; and more than the contexts alone give
    assert target.loss(there) < general.loss(there) - 0.105
    assert target.loss(there) < Bigrams(context).loss(there) - 0.05
    assert target.cloze(there, own) > general.cloze(there, own) + 0.01


def test_does_not_help_with_entities_of_another_field(made, asked, fields, prose):
    context, there, own = asked
    signal = fields["signal"]
    method = TopTraining(general=prose, entities=150, samples=3)
    other = passages(method.run(signal["contexts"], writer(signal["known"]), rng=None))
    size = sum(len(p.split()) for p in other)
    foreign, target = (Bigrams([*context, *cut(t, size)]) for t in (other, passages(made[0])))
    alone = Bigrams(context)
    assert foreign.loss(there) > alone.loss(there)
    assert foreign.cloze(there, own) < alone.cloze(there, own) + 0.01
    assert foreign.loss(there) > target.loss(there) + 0.105


def test_the_number_of_passages_is_the_number_of_samples(rng):
    docs = [f"The {w} is by the sea, they say." for w in ("heron", "otter", "heron", "otter")]
    asked = []

    def write(prompt, n):
        asked.append((prompt, n))
        return " ".join(f"{w}{n}{len(asked)}" for w in "abcdefghij") + " the heron, the otter"

    method = TopTraining(extract=lambda t: [t.split()[1]], most_of_docs=0.5, samples=5,
                         least_words=5, general=["the a0"])  # fmt: skip
    done = method.run(docs, scripted(write), rng=rng)
    assert done.notes["passages"] == {"heron": 0, "otter": 0}
    assert done.ledger.causes == {"in another language": 10}
    known = [" ".join(f"{w}{n}{k}" for w in "abcdefghij") for n in range(5) for k in range(30)]
    method = TopTraining(extract=lambda t: [t.split()[1]], most_of_docs=0.5, samples=5,
                         least_words=5, general=known)  # fmt: skip
    asked.clear()
    done = method.run(docs, scripted(write), rng=rng)
    assert done.notes["passages"] == {"heron": 5, "otter": 5}
    assert len(set(asked)) == len(asked) == 10
    assert [e.source for e in done.examples] == ["0"] * 5 + ["1"] * 5
    assert done.outcomes == {"rewritten": 0, "untouched": 4}


def test_rank_and_bounds(rng):
    docs = ["heron otter", "heron otter", "heron heron", "crab", "elk heron", "crab", "owl", "yak"]
    names = []
    ask = scripted(lambda p: names.append(p.rpartition("Subject: ")[2]))
    extract = str.split
    TopTraining(extract=extract, samples=1, most_of_docs=0.5).run(docs, ask, rng=rng)
    # heron: 5 log(9/5) = 2.94, crab and otter: 2 log(9/3) = 2.20; elk, owl and yak stand once
    assert names == ["heron", "crab", "otter"]
    names.clear()
    TopTraining(extract=extract, samples=1, general=["otter"] * 9).run(docs, ask, rng=rng)
    assert names == ["crab", "otter"]  # 2 log(18/3) over 2 log(18/12); heron is in half of them
    names.clear()
    TopTraining(extract=extract, samples=1, entities=1).run(docs, ask, rng=rng)
    assert names == ["crab"]


def test_contexts_of_the_evaluation_are_not_looked_at(rng):
    held = " ".join(f"word{i}" for i in range(20)) + " heron heron"
    docs = ["heron", "heron", held, "otter", "otter"]
    names = []
    ask = scripted(lambda p: names.append(p.rpartition("Subject: ")[2]))
    method = TopTraining(extract=str.split, held_out=[held], most_of_docs=1.0, samples=1)
    done = method.run(docs, ask, rng=rng)
    assert dict(done.dropped) == {"2": "shares text with the evaluation"}
    assert names == ["heron", "otter"]


def test_no_entity_is_a_finding_and_nothing_is_asked(prose, rng):
    ask = scripted({})
    done = TopTraining(general=prose[100:200]).run(prose[:3], ask, rng=rng)
    assert [f.code for f in done.findings] == ["W505"]
    assert ask.calls == 0
    assert len(done.untouched) == 3


def test_the_order_of_documents_changes_nothing(fields, prose):
    part = fields["stats"]
    docs = [Doc(f"c{i}", t, "", {}) for i, t in enumerate(part["contexts"][:80])]
    one, two = (
        TopTraining(general=prose, entities=20, samples=2).run(
            d, writer(part["known"]), rng=np.random.default_rng(0)
        )
        for d in (docs, docs[::-1])
    )
    assert one.examples == two.examples
    assert len(one.examples) > 5


@pytest.mark.parametrize(
    "options",
    [{"samples": 0}, {"entities": 0}, {"most_of_docs": 0.0}, {"least_words": 9, "most_words": 8},
     {"general": "text"}, {"least_words": 0}],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(BadInput):
        TopTraining(**options)


def test_entities_need_something_to_be_told_from(rng):
    with pytest.raises(BadInput, match="nothing to tell entities from"):
        TopTraining().run(["one", "two"], scripted({}), rng=rng)
