from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecotone.rewrite._similarity import HeldOut, Novelty, common_length, rouge_l, words

SHORT = st.lists(st.sampled_from("abcde"), max_size=12)


def slow(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            step = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = step
    return table[-1][-1]


@given(SHORT, SHORT)
def test_the_longest_common_subsequence_is_that_of_the_table(a, b):
    assert common_length(a, b) == slow(a, b)


@given(st.lists(SHORT.map(" ".join), max_size=6), SHORT.map(" ".join))
def test_the_pool_skips_no_text_that_is_alike(texts, new):
    brute = any(rouge_l(words(new), words(t)) >= 0.7 for t in texts)
    assert Novelty(0.7, texts).like(new) == brute


def test_held_out_text_is_found_by_runs_and_short_items_whole():
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    held = HeldOut([long, "Paris is big"])
    assert held.in_text(f"so {long.partition(' ')[2]}!")
    assert held.in_text("I think that Paris, is big.")
    assert not held.in_text("one two three four five six. Paris is not big")
    assert not HeldOut([]).in_text(long)
