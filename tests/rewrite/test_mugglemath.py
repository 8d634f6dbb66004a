from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.rewrite._grading import final_answer, same_answer
from ecotone.rewrite._scaling import LEAST_NEAR, reach, scaling_fit
from ecotone.rewrite._variants import OPERATORS, agreed, form, read_variants
from ecotone.rewrite.asking import Ask
from ecotone.rewrite.generators import scripted
from ecotone.rewrite.mugglemath import SOLVE, VARY, MuggleMath

RARITY = 0.7  # the k-th verb is as frequent as k to the power of -0.7


def verbs(many, ending):
    """Made-up verbs, all different: what they do can only be learnt."""
    heads = ("b", "bl", "c", "d", "dr", "f", "g", "gl", "h", "k")
    tails = ("an", "el", "im", "od", "ug", "at", "en", "ib", "ol", "un")
    return [f"{h}{t}{ending}" for t in tails for h in heads][:many]


# two families of stories that share neither things nor verbs
STORIES = {
    "A": {
        "start": "Mara has {} marbles.",
        "who": "She",
        "ask": "How many marbles does she have now?",
        "+": verbs(60, "s"),
        "-": verbs(60, "ts"),
    },
    "B": {
        "start": "A tank holds {} litres of oil.",
        "who": "The pump",
        "ask": "What volume is in the tank at night?",
        "+": verbs(25, "kes"),
        "-": verbs(25, "xes"),
    },
}
WHAT = {v: sign for s in STORIES.values() for sign in "+-" for v in s[sign]}
RARITY = 0.7
FRAMES = {
    "%": (re.compile(r"Then (\d+) % of it is gone\."), "Then {} % of it is gone."),
    "*": (re.compile(r"Then it grows (\d+) times as large\."), "Then it grows {} times as large."),
}
PLAIN = re.compile(
    r"(?:If more than (\d+) are there, )?(?:She|she|The pump|the pump) (\w+) (\d+)\."
)


def event(kind, family, own):
    """One sentence of what happens, by seed."""
    if kind == "%":
        return FRAMES["%"][1].format(own.choice([10, 20, 25, 50]))
    if kind == "*":
        return FRAMES["*"][1].format(own.integers(2, 5))
    story = STORIES[family]
    known = story[kind[-1]]
    often = np.arange(1, len(known) + 1) ** -RARITY
    verb = known[own.choice(len(known), p=often / often.sum())]
    who, n = story["who"], own.integers(2, 20)
    if kind[0] == "?":
        return f"If more than {own.integers(10, 90)} are there, {who.lower()} {verb} {n}."
    return f"{who} {verb} {n}."


def problem(family, kinds, own):
    story = STORIES[family]
    events = [event(k, family, own) for k in kinds]
    return " ".join([story["start"].format(20 * own.integers(2, 11)), *events, story["ask"]])


def told(question):
    """Return the sentences of what happens."""
    return re.findall(r"[^.?]+\.", question)[1:]


def steps(question):
    """Solve exactly, as lines of one step; None where it cannot be solved."""
    found = re.search(r"\d+", question)
    if not found or "?" not in question:
        return None
    now, lines = Fraction(found[0]), []
    for sentence in (s.strip() for s in told(question)):
        part, grown = (FRAMES[k][0].fullmatch(sentence) for k in "%*")
        plain = PLAIN.fullmatch(sentence)
        if part:
            after = now - now * int(part[1]) / 100
            lines.append(f"{now} - {part[1]} % = {after}")
        elif grown:
            after = now * int(grown[1])
            lines.append(f"{now} * {grown[1]} = {after}")
        elif plain and plain[2] in WHAT:
            n = int(plain[3])
            after = now + n if WHAT[plain[2]] == "+" else now - n
            if plain[1] and now <= int(plain[1]):
                after = now
                lines.append(f"{now} > {plain[1]} does not hold: {now}")
            else:
                lines.append(f"{now} {WHAT[plain[2]]} {n} = {after}")
        else:
            return None
        if after < 0 or after.denominator > 1:
            return None
        now = after
    return lines


def answer_of(question):
    lines = steps(question)
    return None if lines is None else Fraction(lines[-1].split()[-1])


def family_of(question):
    return "A" if "marbles" in question else "B"


def solvable(family, kinds, own):
    while True:
        question = problem(family, kinds, own)
        if answer_of(question) is not None:
            return question


def seeds(n, share_of_b=0.0, seed=0):
    docs = []
    for i in range(n):
        own = stream(seed, "seed", i)
        family = "B" if i < share_of_b * n else "A"
        text = solvable(family, own.choice(["+", "-"], 2), own)
        docs.append(Doc(f"q{i:04}", text, "", {"answer": str(answer_of(text))}))
    return docs


def exam(family, n, seed=0):
    """Questions nobody trains on; every pair of gain and loss is as frequent."""
    pairs = ["++", "+-", "-+", "--"]
    return [solvable(family, pairs[i % 4], stream(seed, "exam", family, i)) for i in range(n)]


def varied(question, own):
    """Five variants of a question, one in ten of them no good."""
    family, events = family_of(question), told(question)
    story, first = STORIES[family], re.search(r"\d+", question)[0]

    def put(*more):
        return " ".join([story["start"].format(first), *(e.strip() for e in events), *more])

    def new(*kinds):
        return put(*(event(k, family, own) for k in kinds), story["ask"])

    pair = own.choice(["+", "-"], 2)
    out = [
        problem(family, pair, own),
        problem(family, ["%", *pair], own),
        new("*", own.choice(["+", "-"])),
        new(own.choice(["?+", "?-"])),
        new(*pair),
    ]
    for i in range(5):
        luck = own.random()
        if luck < 0.03:
            out[i] = question
        elif luck < 0.06:
            out[i] = put("She wonders about it.", story["ask"])
        elif luck < 0.1:
            out[i] = out[i].replace(" is gone", " are gone").replace(".", ". She lost 900.", 1)
    return out


def tutor(skill=0.7, name="tutor"):
    """A model that mostly knows what to do: it refuses, rambles, repeats itself, miscounts."""

    def answer(prompt, n):
        own = stream(0, prompt, n)
        question = prompt.rpartition("Problem: ")[2]
        luck = own.random()
        if luck < 0.03:
            return "I'm sorry, but I can't help with that."
        if luck < 0.06:
            return "Mathematics is a large field with many uses."
        if prompt.startswith(VARY[:20]):
            lines = enumerate(varied(question, own), 1)
            return "Sure!\n" + "\n".join(f"{i}. {v}" for i, v in lines)
        lines = steps(question)
        if lines is None:
            return f"Hard to say. The answer is {own.integers(1, 99)}."
        opening = ("", "Step by step.\n", "We count.\n")[own.integers(3)]
        found = answer_of(question)
        if own.random() > skill:  # it takes one step the wrong way round
            i = own.integers(len(lines))
            lines[i] = lines[i].translate(str.maketrans("+-", "-+"))
            found += int(own.integers(1, 9))
        return opening + "\n".join([*lines, f"The answer is {found}."])

    return scripted(answer, name=name)


class Learner:
    """Naive Bayes: which words of a sentence go with which step; then it calculates."""

    def __init__(self, pairs):
        self.words, self.kinds = defaultdict(Counter), Counter()
        for question, solution in pairs:
            lines = [s for s in solution.splitlines() if s[:1].isdigit()]
            for sentence, line in zip(told(question), lines, strict=False):
                kind = "hold" if "hold" in line else " ".join(re.findall(r"[-+*%]", line))
                self.kinds[kind] += 1
                self.words[kind].update(re.findall(r"[a-z%]+", sentence.lower()))
        self.known = set().union(*self.words.values())

    def kind(self, sentence):
        seen = [w for w in re.findall(r"[a-z%]+", sentence.lower()) if w in self.known]

        def score(k):
            total = self.words[k].total() + len(self.known)
            found = sum(math.log((self.words[k][w] + 1) / total) for w in seen)
            return math.log(self.kinds[k]) + found

        return max(sorted(self.kinds), key=score)

    def answer(self, question):
        now = Fraction(re.search(r"\d+", question)[0])
        for sentence in told(question):
            n = int(re.findall(r"\d+", sentence)[-1])
            kind = self.kind(sentence)
            now = {"+": now + n, "-": now - n, "*": now * n, "- %": now - now * n / 100}.get(
                kind, now
            )
        return now

    def score(self, questions):
        return np.mean([self.answer(q) == answer_of(q) for q in questions])


def run(docs, ask=None, **options):
    return MuggleMath(**options).run(docs, ask or tutor(), rng=np.random.default_rng(0))


# what is read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1. Ann has 5.\n2. Bob has 6.", {1: "Ann has 5.", 2: "Bob has 6."}),
        ("Sure:\n\n1) Ann has 5.\n\n2) Bob.\n\nI hope it helps!", {1: "Ann has 5.", 2: "Bob."}),
        ("**1.** Ann has 5.", {1: "Ann has 5."}),
        ("**1. Other numbers:** Ann has 5.", {1: "Ann has 5."}),
        ("1. **Other numbers**: Ann has 5.", {1: "Ann has 5."}),
        ("**Problem 2:** Ann has 5.", {2: "Ann has 5."}),
        ("### New problem 3:\nAnn has 5\nand Bob 6.", {3: "Ann has 5 and Bob 6."}),
        ("- Question #4: Ann has 5.", {4: "Ann has 5."}),
        ("1. Ann.\nAnswer: 5\n2. Bob.\n**Solution:** 6\nso 6", {1: "Ann.", 2: "Bob."}),
        ("1. Ann has 5.\n1. Bob has 6.", {1: "Ann has 5."}),
        ("6. Ann has 5.\n7. Bob has 6.", {}),
        ("1.\n2.", {}),
        ("Ann has 5.", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_variants_are_read_in_every_dress(text, found):
    names = list(OPERATORS)
    assert read_variants(text) == [(names[i - 1], said) for i, said in found.items()]


@pytest.mark.parametrize("hard", ["*", "**a", "\n", " \n", "1. ", "**1", "- *", "1.\n"])
def test_reading_does_not_stumble(hard):
    """A pattern with two ways to match would not come to an end here."""
    assert not any("\n" in q or not q.strip() for _, q in read_variants(hard * 100_000))


def test_the_vote_by_hand():
    assert agreed([None] * 4, 0.0) is None
    assert agreed(["a", None, None, None], 0.25) == "a"
    assert agreed(["a", None, None, None], 0.26) is None
    assert agreed(["a", "b", "b", None], 0.5) == "b"
    pairs = [("0.5", "50%"), ("1,000", "1000"), ("$\\frac{1}{2}$", "1/2"), ("x + 1", "x+1")]
    assert all(form(a) == form(b) and same_answer(a, b) for a, b in pairs)


SEED = "Mara has 40 marbles. She bans 6. How many marbles does she have now?"
A, B, C = (SEED.replace("40", n) for n in ("50", "60", "70"))


def test_every_answer_is_counted_once(rng):
    variants = [
        "\n".join([f"1. {A}", f"2. {SEED}", f"3. {B}", "4. Ann has", f"5. {A}"]),
        "\n".join(f"{i}. {o}" for i, o in enumerate(OPERATORS.values(), 1)),
        f"1. У Мары {'было ' * 6}?\n2. {'word ' * 151}\n3. {SEED} {'exam ' * 13}",
        "Mathematics is large.",
        None,
        f"1. {C}",
    ]  # fmt: skip
    solutions = {
        SEED: ["The answer is 46.", "I add.\nThe answer is 46.", "The answer is 34.", "No."],
        A: ["The answer is 56.", "The answer is 56.", "It is 56.", "We get 44."],
        B: ["It is 66.", "It is 54.", "I'm sorry, but I can't.", ""],
        C: ["It is 1.", "It is 2.", "It is 3.", SOLVE.format(question=C)],
    }  # fmt: skip

    def model(prompt, n):
        question = prompt.rpartition("Problem: ")[2]
        return variants[n] if prompt.startswith(VARY[:20]) else solutions[question][n]

    ask = Ask(scripted(model), retries=0)
    method = MuggleMath(rounds=6, samples=4, held_out=[f"Say {'exam ' * 13}"])
    done = method.run([Doc("s", SEED, "", {"answer": "46"})], ask, rng=rng)
    assert done.notes["variants"] == {
        "kept": 3, "like another problem": 2, "too short": 1, "copies the prompt": 5,
        "another script": 1, "too long": 1, "shares text with the evaluation": 1,
    }  # fmt: skip
    assert done.ledger.causes == {
        "copies the prompt": 2, "another script": 1, "no numbered question": 1, "empty answer": 2,
        "no variant was answered": 1, "wrong answer": 1, "no final answer": 1,
        "the same solution again": 1, "outvoted": 1, "no agreement": 5,
    }  # fmt: skip
    assert (done.ledger.asked, done.ledger.refused, done.ledger.kept) == (6 + 16, 1, 1 + 4)
    assert [(e.kind, e.response) for e in done.examples] == [
        ("seed", "The answer is 46."), ("seed", "I add.\nThe answer is 46."),
        ("numbers", "The answer is 56."), ("numbers", "It is 56."),
    ]  # fmt: skip
    assert done.notes["vote"] == {"agreed": 1, "right": 1}
    assert done.untouched == {"s"}


# what the vote is worth


def test_precision_rises_with_samples_as_the_binomial_says():
    """Wrong answers all agree, the worst case; each sample is right with probability 0.65."""
    docs = [Doc(f"{i:04}", f"Question {i}", "", {"answer": "1"}) for i in range(500)]

    def answer(prompt, n):
        right = stream(1, prompt, n).random() < 0.65
        return "none" if prompt.startswith(VARY[:20]) else f"Way {n}. The answer is {int(right)}."

    found = []
    for k in (1, 3, 9):
        vote = run(docs, scripted(answer), samples=k).notes["vote"]
        share, want = vote["right"] / vote["agreed"], stats.binom.sf(k // 2, k, 0.65)
        assert vote["agreed"] == 500
        assert abs(share - want) < 4 * math.sqrt(want * (1 - want) / 500)
        found.append(share)
    assert found[0] + 0.1 < found[2]
    assert found == sorted(found)


def precision(done):
    made = [e for e in done.examples if e.kind != "seed"]
    right = [same_answer(str(answer_of(e.prompt)), final_answer(e.response)) for e in made]
    return len(made), np.mean(right)


def test_operators_and_vote_keep_problems_solvable():
    seen = []

    def spy(prompt, n):
        said = tutor().answers(prompt, n)
        if prompt.startswith(VARY[:20]):
            seen.extend(q for _, q in read_variants(said))
        return said

    done = run(seeds(100), scripted(spy))
    raw = np.mean([answer_of(q) is not None for q in seen])
    asked = {e.prompt: e.kind for e in done.examples}
    assert raw < 0.95
    assert np.mean([answer_of(q) is not None for q in asked]) > 0.99
    kinds = Counter(asked.values())
    assert set(kinds) == {"seed", *OPERATORS}
    assert min(kinds.values()) > 30


def test_a_vote_of_five_is_more_precise_than_none():
    (many, voted), (all_of_them, single) = (precision(run(seeds(100), samples=k)) for k in (5, 1))
    assert single < 0.75
    assert voted > 0.97
    assert many > all_of_them


# the line


def test_the_line_is_that_of_ordinary_regression():
    r = np.random.default_rng(0)
    n, s = r.integers(10, 5000, 9), r.random(9)
    fit, known = scaling_fit(n, s), stats.linregress(np.log2(n), s)
    t = stats.t.ppf(0.975, 7)
    np.testing.assert_allclose(
        [fit.slope, fit.intercept, *fit.slope_interval, *fit.intercept_interval],
        [known.slope, known.intercept]
        + [known.slope + k * t * known.stderr for k in (-1, 1)]
        + [known.intercept + k * t * known.intercept_stderr for k in (-1, 1)],
        rtol=1e-9,
    )
    assert fit.predict(64) == pytest.approx(fit.intercept + 6 * fit.slope)
    exact = scaling_fit([1, 2, 4, 8], [1, 3, 5, 7])
    np.testing.assert_allclose([exact.intercept, exact.slope, exact.noise], [1, 2, 0], atol=1e-12)


def test_planted_lines_lie_in_their_intervals_as_often_as_said():
    sizes, hits = np.array([250, 500, 1000, 2000, 4000]), []
    for i in range(1000):
        own = stream(0, "line", i)
        fit = scaling_fit(sizes, 0.2 + 0.05 * np.log2(sizes) + 0.01 * own.standard_normal(5))
        (a, b), (c, d) = fit.intercept_interval, fit.slope_interval
        hits.append([a < 0.2 < b, c < 0.05 < d])
    assert np.abs(np.mean(hits, axis=0) - 0.95).max() < 4 * math.sqrt(0.95 * 0.05 / 1000)


@pytest.mark.parametrize(
    ("sizes", "scores", "says"),
    [
        ([1, 2, 4], [1, 2, 3], "3 different sizes"),
        ([1, 2, 4, 4, 4], [1, 2, 3, 3, 3], "3 different sizes"),
        ([], [], "0 different sizes"),
        ([0, 1, 2, 4], [1, 2, 3, 4], "smallest of 0"),
        ([1, 2, 4, 8], [1, 2, 3], "shape"),
        ([1, 2, 4, 8], [1, 2, 3, np.nan], "no numbers"),
    ],
)
def test_no_line_through_few_sizes(sizes, scores, says):
    with pytest.raises(BadInput, match=says) as caught:
        scaling_fit(sizes, scores)
    assert caught.value.cure


# what it is worth, in its domain and outside


def pairs_of(docs):
    return [(d.text, "\n".join(steps(d.text))) for d in docs]


@pytest.fixture(scope="module")
def exams():
    return {family: exam(family, 400) for family in "AB"}


@pytest.fixture(scope="module")
def gains(exams):
    """Accuracy from seeds alone and with what is made of them, alarm and distances, by seed."""
    out = defaultdict(list)
    for share in (0.0, 0.1):
        for seed in range(3):
            docs = seeds(100, share, seed)
            done = run(docs, target_questions=exams["B"])
            made = [(e.prompt, e.response) for e in done.examples]
            before, after = Learner(pairs_of(docs)), Learner(pairs_of(docs) + made)
            scores = {f: (before.score(e), after.score(e)) for f, e in exams.items()}
            out[share].append((scores, [f.code for f in done.findings], done.notes["reach"]))
    return out


def mean_gain(runs, family):
    return np.mean([scores[family][1] - scores[family][0] for scores, *_ in runs])


def test_helps_within_the_domain_with_the_logarithm_of_the_size(exams):
    sizes, scores = [50, 100, 200, 400, 800], defaultdict(list)
    for seed in range(3):
        made = run(seeds(100, seed=seed), rounds=2).examples
        order = stream(seed, "subset").permutation(len(made)).tolist()
        for n in sizes:
            part = [made[i] for i in order[:n]]
            scores[n].append(Learner([(e.prompt, e.response) for e in part]).score(exams["A"]))
    fit = scaling_fit(np.repeat(sizes, 3), [1 - s for n in sizes for s in scores[n]])
    assert fit.slope_interval[1] < -0.05
    means = [np.mean(scores[n]) for n in sizes]
    assert means == sorted(means)


def test_does_not_help_out_of_the_domain_and_the_alarm_says_so(gains):
    assert mean_gain(gains[0.0], "A") > 0.1
    assert abs(mean_gain(gains[0.0], "B")) < 0.02
    assert all(codes == ["W507"] for _, codes, _ in gains[0.0])


def test_one_seed_in_ten_of_the_other_domain_mends_it(gains):
    assert mean_gain(gains[0.1], "A") > 0.1
    assert mean_gain(gains[0.1], "B") > 0.1
    assert all(codes == [] for _, codes, _ in gains[0.1])


def test_no_alarm_about_questions_of_the_seeds_kind(exams):
    done = [run(seeds(100, seed=s), target_questions=exams["A"][:100]) for s in range(3)]
    assert all(d.findings == () for d in done)
    assert all(abs(d.notes["reach"]["near"] - 0.8) < 0.15 for d in done)


def test_the_alarm_on_real_prose(prose):
    """Seeds of the manual and other words of them; docstrings lie outside, other seeds within."""
    import math as module_math
    import os
    import random
    import shutil

    from ecotone.rewrite._similarity import words

    def heads(texts):
        return [" ".join(words(t)[:30]) for t in texts if len(words(t)) >= 20]

    said = [
        getattr(m, name).__doc__ or "" for m in (os, random, shutil, module_math) for name in dir(m)
    ]
    inside, outside = heads(prose), heads(dict.fromkeys(said))
    order = np.random.default_rng(0).permutation(len(inside)).tolist()
    known, new = [inside[i] for i in order[:150]], [inside[i] for i in order[150:300]]
    made, sources = [], []
    for i, text in enumerate(known):
        for j in range(4):
            own = stream(0, i, j)
            made.append(" ".join(w for w in text.split() if own.random() > 0.2))
            sources.append(i)
    near, far = (reach(t, made, known, sources).near for t in (new, outside))
    assert near > 0.75
    assert far < LEAST_NEAR - 0.05


def test_same_bytes_whatever_the_order_and_nothing_is_asked_twice(tmp_path):
    docs, left = seeds(12), [40]
    whole = run(docs, Ask(tutor(), cache=tmp_path / "whole.db", batch=4))

    def tired(prompt, n):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return tutor().answers(prompt, n)

    cut = tmp_path / "cut.db"
    with pytest.raises(KeyboardInterrupt):
        run(docs, Ask(scripted(tired, name="tutor"), cache=cut, batch=4))
    again = run(docs[::-1], Ask(tutor(), cache=cut, batch=5))
    assert again.examples == whole.examples
    assert again.ledger.from_cache >= 40 - 4
    assert whole.fingerprint == run(docs).fingerprint


def test_options_and_seeds_are_checked(rng):
    with pytest.raises(BadInput, match="samples=0"):
        MuggleMath(samples=0)
    with pytest.raises(BadInput, match="4 seeds are too few"):
        run(seeds(4), target_questions=["How many?"])
    with pytest.raises(BadInput, match="no seed beside"):
        reach(["a b"], ["a c"], ["a d"], [0])
    unknown = [Doc(d.id, d.text, "", {}) for d in seeds(6)]
    done = run(unknown)
    assert "seed" not in {e.kind for e in done.examples}
    assert done.notes["vote"] == {}
    assert len(done.examples) > 10
