from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.rewrite._book import Unfit
from ecotone.rewrite._trajectory import (
    boxes,
    loss_mask,
    model_spans,
    output_block,
    parse,
    printed,
    read_turn,
    subtasks,
)
from ecotone.rewrite.asking import Ask
from ecotone.rewrite.dotamath import FAILED, WRONG, DotaMath
from ecotone.rewrite.generators import scripted
from ecotone.rewrite.sandbox import Ran


def block(code, heading="Sub-task 1: find it."):
    return f"{heading}\n```python\n{code}\n```\n"


LINES = st.lists(
    st.sampled_from(
        ["a", "", "x = 1", "```python", "```py ", "```output", "```", " ```", "```c", "\u2028", "é"]
    ),
    max_size=14,
)


@given(LINES, st.booleans())
def test_parts_join_to_the_solution_and_spans_leave_out_outputs_alone(lines, ends):
    text = "\n".join(lines) + "\n" * ends
    parts = parse(text)
    assert "".join(p.text for p in parts) == text
    spans = model_spans(text)
    own = "".join(p.text for p in parts if p.kind != "output")
    assert "".join(text[a:b] for a, b in spans) == own
    assert all(b < c for (_, b), (c, _) in pairwise(spans))


CODES = st.lists(st.sampled_from(["x = 1", "print(2)", "# ``` no fence", "y = '```'"]), min_size=1)
OUTPUTS = st.text(st.sampled_from("ab`1 \n"), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["Sub-task 1: a", "So:\n"]), CODES, OUTPUTS), max_size=4))
def test_what_is_built_is_read_back(turns):
    text, want = "", []
    for thought, lines, output in turns:
        code = "\n".join(lines)
        shown = output_block(Ran(output, "", ""), 1)
        text += f"{thought.rstrip()}\n```python\n{code}\n```\n{shown}"
        want += [("text", f"{thought.rstrip()}\n"), ("code", f"{code}\n"), ("output", None)]
    text += r"It is \boxed{1}."
    found = parse(text)
    assert [p.kind for p in found] == [*(k for k, _ in want), "text"]
    for part, (_, body) in zip(found, want, strict=False):
        assert body is None or part.body == body
    assert "```" not in "".join(p.body for p in found if p.kind == "output")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("I think so.", "neither code nor answer"),
        ("Sub-task 1\n```python\n\n```", "empty block"),
        ("Sub-task 1\n```python\nprint(1)", "not closed"),
        ("```output\n5\n```\nIt is \\boxed{5}.", "neither code nor answer"),
        ("```c\nint a;\n```", "neither code nor answer"),
        ("It is \\boxed{7", "neither code nor answer"),
    ],
)
def test_turns_without_code_and_answer_are_none(text, cause):
    with pytest.raises(Unfit, match=cause):
        read_turn(text)


def test_what_a_generator_invents_behind_its_code_is_cut():
    turn = read_turn(f"\n{block('print(1)')}```output\n7\n```\nIt is \\boxed{{7}}.")
    assert turn == (block("print(1)"), "print(1)\n")
    assert read_turn("It is \\boxed{7}.\n```output\n7\n```\nmore").text == "It is \\boxed{7}.\n"


def test_boxes_subtasks_and_what_was_printed():
    assert boxes(r"\boxed{1} \boxed{\frac{1}{2}} \boxed{2 \boxed{\frac{1}") == ["1", r"\frac{1}{2}"]
    assert subtasks("Sub-task 1: a\n- sub-task 1.2: b\n**Subtask 2** c\nno sub-task 9") == [
        "1", "1.2", "2",
    ]  # fmt: skip
    assert printed("0.5", ["half = 1/2\n"])
    assert printed("(3, 4)", ["(3, 4)\n"])
    assert printed("2", ["[1, 2]\n"])
    assert printed("x+1", ["x + 1\n"])
    assert not printed("3", ["13\n", "", "3.001\n"])


def ask_of(*turns):
    """A generator that says one thing after the other, whatever it is asked."""
    left = iter(turns)
    return scripted(lambda prompt: next(left))


def solve(ask, rng, answer="7", text="What is 3 + 4?", **options):
    doc = Doc("q", text, "", {"answer": answer})
    return DotaMath(**{"allow_code": True, **options}).run([doc], ask, rng=rng)


RIGHT, BAD = r"It is \boxed{7}.", r"It is \boxed{8}."


def test_a_solution_is_put_together_turn_by_turn(rng):
    first, second = block("x = 3 + 4\nprint('x')"), block("print(x)", "Sub-task 2: show it.")
    done = solve(ask_of(first, second, RIGHT), rng)
    (made,) = done.examples
    assert made.prompt == "What is 3 + 4?"
    # the second block builds on the first, and shows nothing of what that one printed
    assert made.response == (
        f"{first}```output\nx\n```\n{second}```output\n7\n```\nIt is \\boxed{{7}}."
    )
    assert done.ledger.asked == done.ledger.kept == 3
    assert done.notes["blocks"] == {2: 1}
    assert done.notes["mended"] == 0


def test_loss_lies_on_the_generators_words_alone(rng):
    bad, good = block("print(x)"), block("print(7)", "x was not set.")
    done = solve(ask_of(bad, good, BAD, "No: seven. \\boxed{7}"), rng)
    (made,) = done.examples
    spans = done.notes["model_spans"][made.id]
    own = [made.response[a:b] for a, b in spans]
    assert own == [bad, good, f"{BAD}\nNo: seven. \\boxed{{7}}"]
    between = [made.response[b:c] for (_, b), (c, _) in pairwise(spans)]
    assert between[0].startswith("```output\nNameError")
    assert between[1] == "```output\n7\n```\n"
    characters = [(i, i + 1) for i in range(len(made.response))]
    mask = loss_mask(made.response, characters)
    assert "".join(made.response[i] for i in np.flatnonzero(mask)) == "".join(own)
    assert not loss_mask(made.response, [(spans[0][1] - 1, spans[0][1] + 1), (3, 3)]).any()
    # what the generator was told is no part of the solution
    assert FAILED.strip() not in made.response
    assert WRONG.strip() not in made.response


@pytest.mark.parametrize(
    ("turns", "options", "cause"),
    [
        ((block("print(7)"), RIGHT), {}, None),
        ((block("print(7)"), BAD, "I added one. " + RIGHT), {}, None),
        ((block("print(8)"), BAD, block("print(7)", "Once more."), RIGHT), {}, None),
        ((block("print(7)"), BAD, RIGHT), {"corrections": 0}, "wrong answer"),
        ((block("print(7)"), BAD, BAD, BAD), {}, "wrong answer"),
        ((block("1 / 0"), block("print(7)"), RIGHT), {"corrections": 0}, "its code fails"),
        ((block("1 / 0"), block("print(7)"), RIGHT), {}, None),
        ((RIGHT[:-1] + ", or " + block("print(7)"), BAD), {}, "gave up a right answer"),
        ((block("print(7)"), f"{RIGHT} No. {BAD}"), {}, "gave up a right answer"),
        ((block("print(7)"), f"{RIGHT} No. {BAD} No. {RIGHT}"), {}, "gave up a right answer"),
        ((block("print(9)"), RIGHT), {}, "nothing printed the answer"),
        ((block("print(9)"), RIGHT), {"must_print": False}, None),
        ((RIGHT,), {}, "no code that ran"),
        ((block("print(7)", "Well."), RIGHT), {}, "no numbered sub-task"),
        ((block("print(7)"), "I'm sorry, but I can't go on."), {}, "refused"),
        ((block("print(7)"), "Let me see."), {}, "neither code nor answer"),
        ((block("print(7)"), ""), {}, "empty answer"),
    ],
)
def test_wrong_then_right_is_kept_and_right_then_wrong_is_not(turns, options, cause, rng):
    done = solve(ask_of(*turns), rng, **options)
    assert dict(done.dropped) == ({} if cause is None else {"q": cause})
    assert done.ledger.kept == (len(turns) if cause is None else 0)
    mended = sum("1 / 0" in t or t == BAD for t in turns)
    assert done.notes["mended"] == (cause is None and mended > 0)


def test_the_generator_is_told_of_its_mistakes_and_sees_outputs(rng):
    asked = []

    def model(prompt):
        asked.append(prompt)
        return (block("print(y)"), block("print(8)"), BAD, RIGHT)[len(asked) - 1]

    solve(scripted(model), rng, must_print=False)
    assert not asked[0].endswith((FAILED, WRONG))
    assert asked[1].endswith("NameError: name 'y' is not defined\n```\n" + FAILED)
    assert asked[2].endswith("```output\n8\n```\n")
    assert asked[3].endswith(f"{BAD}\n{WRONG}")
    assert not any("meta" in p or "answer: 7" in p for p in asked)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("while True: pass", "TimeoutError: stopped after 0.5 seconds"),
        ("x = bytearray(10 * 2**30)", "MemoryError"),
        ("open('/tmp/dotamath-was-here', 'w').write('x')", "TypeError"),
        ("import socket", "ImportError: the sandbox has no module socket"),
        ("import random\nrandom._os.mkdir('/tmp/dotamath-was-here')", "Error"),
        ("print('`' * 3 + 'python')", "'''python"),
        ("pass", "(nothing)"),
    ],
)
def test_code_stays_in_the_sandbox_and_says_how_it_ended(code, shown, rng):
    seen = []

    def model(prompt):
        seen.append(prompt)
        return block(code) if len(seen) == 1 else RIGHT

    done = solve(scripted(model), rng, seconds=0.5)
    output = seen[1].rpartition("```output\n")[2].partition("\n```")[0]
    assert shown in output
    assert done.examples == ()


def test_long_output_keeps_head_and_tail(rng):
    said = block("print('a' * 9000)\nprint(7)")
    (made,) = solve(ask_of(said, RIGHT), rng, most_output=200).examples
    assert len(made.response) < 500
    assert "left out" in made.response


def test_nothing_runs_unless_it_is_allowed(rng):
    ask = ask_of(block("print(7)"), RIGHT)
    with pytest.raises(BadInput, match="nobody has allowed it"):
        DotaMath().run([Doc("q", "3 + 4?", "", {"answer": "7"})], ask, rng=rng)
    assert ask.calls == 0


def test_equal_solutions_count_once(rng):
    ask = scripted(
        lambda p, n: RIGHT if "output" in p.rpartition("Problem")[2] else block("print(7)")
    )
    done = solve(ask, rng, samples=3)
    assert len(done.examples) == 1
    assert done.ledger.causes == {"its solution: the same solution again": 4}


def problems(n):
    r = np.random.default_rng(0)
    out = []
    for i in range(n):
        a, b, c = r.integers(2, 99, 3).tolist()
        text = f"{a} boxes of {b} pens, and {c} pens more: how many pens? ({i})"
        out.append(Doc(f"q{i}", text, "", {"answer": str(a * b + c)}))
    return out


def apprentice(mends=0.85, seed=0):
    """A model with bugs in three questions of ten; told of one, it mostly mends it."""

    def answer(prompt, n):
        question, _, solution = prompt.rpartition("Problem: ")[2].partition("\n\nSolution:\n")
        a, b, c, i = map(int, re.findall(r"\d+", question))
        tries = solution.count("```python")
        own = stream(seed, i, tries, n)
        if solution.endswith("```\n") and "Error" not in solution.rpartition("```output")[2]:
            found = solution.rpartition("```output\n")[2].split()[0]
            return f"There are \\boxed{{{found}}} pens."
        buggy = i % 10 < 3 and (tries == 0 or own.random() > mends)
        code = f"boxed = {a} * {b}\nprint(boxed + {c})"
        if buggy:
            code = code.replace("+", "-") if i % 2 else code.replace("print(boxed", "print(pens")
        why = "That went wrong; I mend it. " if tries else ""
        return f"{why}\nSub-task {tries + 1}: all pens.\n```python\n{code}\n```"

    return scripted(answer, name="apprentice")


def accepted(n, **options):
    method = DotaMath(allow_code=True, **options)
    return method.run(problems(n), apprentice(), rng=np.random.default_rng(0))


def test_helps_where_bugs_can_be_mended():
    without, mended = accepted(20, corrections=0), accepted(20)
    assert len(without.examples) == 14
    assert len(mended.examples) / 20 > 0.9
    assert mended.notes["mended"] == len(mended.examples) - 14


def test_does_not_help_a_generator_that_repeats_its_bug(rng):
    docs = problems(3)
    stubborn = scripted(lambda p: block("print(pens)"))
    done = DotaMath(allow_code=True, corrections=99, most_turns=4).run(docs, stubborn, rng=rng)
    assert done.examples == ()
    assert dict(done.dropped) == dict.fromkeys(("q0", "q1", "q2"), "too many turns")
    assert done.ledger.asked == stubborn.calls == 3 * 4
    assert done.ledger.causes == {"its solution: too many turns": 12}
    few = DotaMath(allow_code=True, corrections=1).run(docs, stubborn, rng=rng)
    assert few.ledger.asked == 3 * 2
    assert set(few.dropped.values()) == {"its code fails"}


def test_same_run_same_bytes_and_nothing_is_asked_twice(tmp_path):
    def run(cache):
        ask = Ask(apprentice(), cache=tmp_path / cache, batch=2)
        method = DotaMath(allow_code=True, samples=2)
        return method.run(problems(2), ask, rng=np.random.default_rng(0))

    one, two = run("one.db"), run("two.db")
    assert one.fingerprint == two.fingerprint
    again = run("one.db")
    assert again.fingerprint == one.fingerprint
    assert again.ledger.from_cache == again.ledger.asked


def test_random_numbers_in_code_are_the_same_each_time(rng):
    code = "import random\nprint(random.random())"

    def asked():
        left, seen = iter([block(code), block(code, "Sub-task 2"), RIGHT]), []

        def model(prompt):
            seen.append(prompt)
            return next(left)

        solve(scripted(model), rng)
        return seen

    runs = [asked(), asked()]
    assert runs[0] == runs[1]
    shown = re.findall(r"```output\n(0\.\d+)", runs[0][2])
    assert len(set(shown)) == 2


def test_questions_and_options_are_checked(rng):
    with pytest.raises(BadInput, match="no answer to check"):
        DotaMath(allow_code=True).run(["3 + 4?"], ask_of(), rng=rng)
    with pytest.raises(BadInput, match="samples=0"):
        DotaMath(samples=0)
