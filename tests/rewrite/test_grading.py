from __future__ import annotations

import pytest

from ecotone.rewrite._grading import final_answer, number, same_answer, solves


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"x \boxed{1} then \boxed{\sqrt{2}}", r"\sqrt{2}"),
        (r"The answer is 3, no: the final answer is: 1,250.", "1,250"),
        ("it is 3.5 or -7", "-7"),
        (r"\boxed{unfinished", None),
        ("nothing", None),
    ],
)
def test_final_answers_are_found(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0.5", r"\frac{1}{2}"), ("50\\%", "1/2"), ("1,250", "1250.0"), (r"$\dfrac34$", "0.75"),
        (r"x = 7", "7"), (r"90^\circ", "90"), (r"\text{Monday}", "monday"), ("(1, 2)", "(1,2)"),
        (r"12\text{ cm}", "12cm"), ("-3", "-6/2"),
    ],
)  # fmt: skip
def test_the_same_in_other_writing(a, b):
    assert same_answer(a, b)


@pytest.mark.parametrize(
    ("a", "b"), [("0.3333", "1/3"), ("12", "21"), ("1,2", "12"), ("x", "y"), ("1/0", "0")]
)
def test_not_the_same(a, b):
    assert not same_answer(a, b)


def test_huge_numbers_are_not_expanded():
    assert number("9" * 10_000) is None
    assert solves("so \\boxed{4}", "4.0")
