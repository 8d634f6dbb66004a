from __future__ import annotations

import math

import numpy as np
import pytest

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.rewrite.asking import Ask
from ecotone.rewrite.dart_math import DartMath
from ecotone.rewrite.generators import scripted


def questions(n):
    return [Doc(f"q{i}", f"Question {i}", "", {"answer": str(i)}) for i in range(n)]


def sampler(rates, name="coins"):
    """Solves question i with probability rates[i], each sample by a coin of its own."""

    def answer(prompt, n):
        i = int(prompt.rpartition(" ")[2])
        right = stream(0, i, n).random() < rates[i]
        return f"Way {n}. \\boxed{{{i if right else -1}}}"

    return scripted(answer, name=name)


def counts(done, n):
    return [sum(e.source == f"q{i}" for e in done.examples) for i in range(n)]


def test_uniform_gives_every_question_its_number_and_pays_for_it(rng):
    rates = [0.9, 0.5, 0.2] * 100
    method = DartMath(rule="uniform", wanted=4, probe=4, most=400)
    done = method.run(questions(300), sampler(rates), rng=rng)
    assert counts(done, 300) == [4] * 300
    trials = np.array(list(done.notes["trials"].values())).reshape(100, 3)
    for j, p in enumerate(rates[:3]):  # negative binomial: mean k / p, variance k (1 - p) / p^2
        standard_error = math.sqrt(4 * (1 - p)) / p / 10
        assert abs(trials[:, j].mean() - 4 / p) < 3 * standard_error + 0.25 * (j == 0)


def test_difficulty_asks_in_proportion(rng):
    rates = [1.0, 0.75, 0.5, 0.25]
    done = DartMath(wanted=12, probe=64, most=400).run(questions(4), sampler(rates), rng=rng)
    hard = np.array(list(done.notes["difficulty"].values()))
    want = np.maximum(1, np.floor(12 * hard / hard.max() + 0.5))
    assert counts(done, 4) == want.tolist()
    assert counts(done, 4)[0] == 1
    assert counts(done, 4)[3] == 12


def test_no_question_gets_more_samples_than_allowed(rng):
    ask = sampler([0.0, 1.0])
    done = DartMath(wanted=3, probe=2, most=10).run(questions(2), ask, rng=rng)
    assert done.notes["trials"] == {"q0": 10, "q1": 2}
    assert dict(done.dropped) == {"q0": "never solved"}
    assert [f.code for f in done.findings] == ["W502"]
    assert done.ledger.asked == ask.calls == 12


def test_the_same_solution_counts_once(rng):
    ask = scripted(lambda p: "\\boxed{0}")
    done = DartMath(rule="uniform", wanted=3, probe=2, most=5).run(questions(1), ask, rng=rng)
    assert len(done.examples) == 1
    assert done.ledger.causes == {"the same solution again": 4}


def test_a_run_that_was_cut_gives_the_same_set(tmp_path):
    rates, n = [0.6, 0.3, 0.1, 0.9], 4

    def run(generator, cache):
        ask = Ask(generator, name="coins", cache=cache, batch=3)
        return DartMath(wanted=5).run(questions(n), ask, rng=np.random.default_rng(5))

    whole = run(sampler(rates), tmp_path / "whole.db")
    left = [40]

    def tired(prompt, number):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return sampler(rates).answers(prompt, number)

    with pytest.raises(KeyboardInterrupt):
        run(scripted(tired), tmp_path / "cut.db")
    again = run(sampler(rates), tmp_path / "cut.db")
    assert again.fingerprint == whole.fingerprint
    assert again.ledger.from_cache >= 36


def additions(seed):
    """Sums of numbers of one to four digits: the longer, the harder for the sampler."""
    r, docs, rates = np.random.default_rng(seed), [], []
    for i in range(200):
        digits = i % 4 + 1
        a, b = r.integers(10 ** (digits - 1), 10**digits, 2).tolist()
        docs.append(Doc(f"q{i}", f"{a} + {b} {i}", "", {"answer": str(a + b)}))
        rates.append((0.95, 0.6, 0.3, 0.1)[digits - 1])
    return docs, rates


def hard_examples(rule, budget):
    """Share of the hardest quarter among the examples, at one size of the set."""
    docs, rates = additions(0)

    def answer(prompt, n):
        i = int(prompt.split()[-1])
        right = stream(1, i, n).random() < rates[i]
        return f"Way {n}. \\boxed{{{docs[i].meta['answer'] if right else 'no'}}}"

    method = DartMath(rule=rule, wanted=8, probe=8, most=160)
    done = method.run(docs, scripted(answer), rng=np.random.default_rng(0))
    kept = np.random.default_rng(1).permutation(len(done.examples))[:budget]
    sizes = [int(done.examples[i].source[1:]) % 4 for i in kept.tolist()]
    return np.bincount(sizes, minlength=4) / len(sizes)


def test_helps_hard_questions_at_equal_size():
    """The hardest quarter of the questions, in sets of 600 solutions."""
    hard = {rule: hard_examples(rule, 600)[3] for rule in ("vanilla", "uniform", "difficulty")}
    assert hard["uniform"] > hard["vanilla"] + 0.1
    assert hard["difficulty"] > hard["uniform"] + 0.1


def test_does_not_help_where_all_are_equally_hard(rng):
    rates = [0.5] * 150
    shares = []
    for rule in ("vanilla", "uniform", "difficulty"):
        method = DartMath(rule=rule, wanted=8, probe=16, most=200)
        made = np.array(counts(method.run(questions(150), sampler(rates), rng=rng), 150))
        shares.append(made.reshape(3, 50).sum(axis=1) / made.sum())
    assert np.abs(np.array(shares) - 1 / 3).max() < 0.03


def test_questions_need_answers(rng):
    with pytest.raises(BadInput, match="no answer to check"):
        DartMath().run(["2 + 2?"], sampler([1.0]), rng=rng)
    with pytest.raises(BadInput, match="no rule"):
        DartMath(rule="best")
    with pytest.raises(BadInput, match="do not fit"):
        DartMath(probe=9, most=8)
