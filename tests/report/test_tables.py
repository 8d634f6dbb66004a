from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.report import labels, markdown, phrases, svg, tables

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@pytest.mark.parametrize("module", [tables, svg, phrases, markdown, labels])
def test_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_columns_stand_under_each_other():
    lines = tables.text_table(
        ["domain", "share", "note"],
        [["law", "50.0 %", "at cap"], ["newsgroups", "< 0.1 %", ""], ["web", None, "x"]],
    ).split("\n")
    assert lines[0] == "DOMAIN        SHARE  NOTE"
    assert lines[1] == "law          50.0 %  at cap"
    assert lines[2] == "newsgroups  < 0.1 %"
    assert lines[3] == "web               —  x"


def test_wide_characters_take_two_columns():
    lines = tables.text_table(["name", "n"], [["法律", "1"], ["cafe\u0301", "2"]]).split("\n")
    # two wide characters are four columns; an accent on its own is none
    assert lines[1] == "法律  1"
    assert lines[2] == "cafe\u0301  2"


def test_a_name_cannot_steer_the_terminal():
    table = tables.text_table(["a"], [["\x1b[2Jx\r\ny\u202e"]])
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert len(table.split("\n")) == 2


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="row 1 has 1 cells, not 2"):
        tables.text_table(["a", "b"], [["1", "2"], ["3"]])


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=5))
def test_every_row_is_one_line_without_trailing_space(rows):
    lines = tables.text_table(["a", "b", "c"], rows).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(line == line.rstrip() for line in lines)


@given(FINITE, st.integers(0, 6))
def test_fixed_reads_back_as_the_rounded_number(value, decimals):
    text = tables.fixed(value, decimals)
    assert float(text.replace(tables.MINUS, "-").replace(",", "")) == pytest.approx(
        round(value, decimals), abs=1e-9
    )
    assert not text.startswith(tables.MINUS + "0") or text.strip(tables.MINUS + "0.,")


@given(st.floats(-10, 10), st.floats(1e-6, 5))
def test_an_interval_never_hides_on_which_side_of_zero_it_lies(low, width):
    high = low + width
    ends = tables.interval(low, high).replace(tables.MINUS, "-").split(" to ")
    for shown, true in zip(ends, (low, high), strict=True):
        if abs(true) >= 5e-7:  # at most six decimals are shown
            assert math.copysign(1, float(shown)) == math.copysign(1, true)
            assert float(shown) != 0


@given(st.floats(0, 1e7))
def test_seconds_are_never_sixty(value):
    text = tables.seconds(value)
    assert "60 s" not in text
    assert "60 min" not in text


@given(st.floats(1, 1e15))
def test_short_counts_are_right_to_three_digits(value):
    text = tables.tokens_short(value)
    number, _, unit = text.partition(" ")
    scale = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.006, abs=0.5)


@pytest.mark.parametrize(
    "words",
    [
        tables.loss,
        tables.loss_change,
        tables.share,
        tables.tolerance,
        tables.relative_change,
        tables.epochs,
        tables.tokens,
        tables.tokens_short,
        tables.seconds,
        tables.correlation,
    ],
)
@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_a_missing_number_is_a_dash(words, missing):
    assert words(missing) == tables.MISSING


def test_a_perfect_correlation_is_claimed_only_when_it_is_one():
    assert tables.correlation(1.0) == "1.00"
    assert tables.correlation(0.99996) == "0.999"
    assert tables.correlation(-0.9999) == "−0.999"
