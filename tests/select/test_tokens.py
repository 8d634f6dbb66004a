"""The shared pass: what is a token, and that the compiled pass is its numpy twin, bit by bit."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.data.docs import Docs
from ecotone.select import _grams, _tokens

TEXT = st.lists(st.text(st.sampled_from("aB9_ .-,\n\tä€é!"), max_size=30), max_size=6)


@given(TEXT)
@settings(deadline=None, max_examples=60)
def test_tokens_are_words_and_runs_of_signs(texts):
    found = _tokens.tokens(Docs.of(texts))
    # bytes above 127 are word bytes: that of the euro sign too
    wanted = [re.findall(r"[\w€]+|[^\w\s€]+", t) for t in texts]
    assert found.lengths.tolist() == [len(w) for w in wanted]
    keys = {}
    for h, w in zip(found.hashes.tolist(), (w for ws in wanted for w in ws), strict=True):
        lower = "".join(c.lower() if c.isascii() else c for c in w)
        assert keys.setdefault(lower, h) == h
    assert len(set(keys.values())) == len(keys)


@given(TEXT, st.integers(2, 300))
@settings(deadline=None, max_examples=60)
def test_the_compiled_pass_is_its_numpy_twin(texts, m):
    pytest.importorskip("numba")
    docs = Docs.of(texts)
    weights = np.random.default_rng(0).normal(size=m)
    levels = np.array([0.0, 0.7, 1.1])

    def all_passes():
        found = _tokens.tokens(docs)
        return (found.hashes, found.starts, _grams.count([docs], m).grams,
                _grams.weigh(docs, weights)[0], _grams.table(found, m).toarray(),
                *_grams.project(docs, weights, levels))  # fmt: skip

    one = all_passes()
    with pytest.MonkeyPatch.context() as patch:
        for module in (_tokens, _grams):
            patch.setattr(module, "kernels", lambda: None)
        two = all_passes()
    for a, b in zip(one[:3], two[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(one[3], two[3], atol=1e-12)
    for a, b in zip(one[4:], two[4:], strict=True):
        np.testing.assert_array_equal(a, b)
    level = levels[np.minimum(one[4], 2)]
    np.testing.assert_allclose(one[5], level @ weights, atol=1e-12)
    np.testing.assert_allclose(one[6], (level**2).sum(axis=1), atol=1e-12)


def test_a_line_of_five_words_has_nine_grams():
    assert _grams.count([Docs.of(["one two three four five"])], 64).grams.sum() == 9


def test_no_gram_goes_over_the_end_of_a_document():
    apart = _grams.count([Docs.of(["a b", "c d"])], 1 << 16).grams.sum()
    joined = _grams.count([Docs.of(["a b c d"])], 1 << 16).grams.sum()
    assert (apart, joined) == (6, 7)


def test_buckets_follow_the_size_of_the_target():
    assert _grams.buckets_for(10) == 1 << 10
    assert _grams.buckets_for(400_000) == 1 << 14
    assert _grams.buckets_for(10**9) == 1 << 18


def test_buckets_are_filled_evenly():
    found = _tokens.tokens(Docs.of([" ".join(f"w{i}" for i in range(40_000))]))
    counts = np.bincount(_grams.bucket_of(found.hashes, 100), minlength=100)
    chi = ((counts - 400) ** 2 / 400).sum()
    assert 60 < chi < 150  # 99 degrees of freedom
