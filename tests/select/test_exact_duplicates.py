from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import ExactDuplicates, NearDuplicates, Random
from ecotone.select._lm import Bigrams, perplexity
from ecotone.select._near_pairs import first_places
from ecotone.select.exact_duplicates import fingerprints

TEXTS = st.lists(st.text(st.sampled_from("aA. "), max_size=4), max_size=12)


def by_text(text):
    return text


def by_tokens(text):
    return tuple(re.findall(r"\w+|[^\w\s]+", text.lower()))


@given(TEXTS, TEXTS)
@settings(deadline=None, max_examples=80)
def test_is_a_dictionary_of_contents(existing, texts):
    for by, key in (("text", by_text), ("tokens", by_tokens)):
        filter_ = ExactDuplicates(by=by)
        if existing:
            filter_.fit(Docs.of(existing, [f"old{i}" for i in range(len(existing))]))
        marks = filter_.mark(texts)
        first = {}
        for i, t in enumerate(existing):
            first.setdefault(key(t), f"old{i}")
        old = set(first)
        match, fired, seen = {}, [], set()
        for i, t in enumerate(texts):
            k = key(t)
            fired.append([k in old, k in seen])
            if any(fired[-1]):
                match[i] = first[k]
            first.setdefault(k, str(i))
            seen.add(k)
        assert marks.fired.tolist() == fired
        assert marks.match == match


def paragraphs():
    """Real prose: the manual that Python carries in its own library."""
    from pydoc_data.topics import topics

    found = (" ".join(p.split()) for name in sorted(topics) for p in topics[name].split("\n\n"))
    return list(dict.fromkeys(p for p in found if len(p) > 120))


def test_a_model_of_what_is_left_knows_held_out_text_better():
    texts, rng = paragraphs(), np.random.default_rng(0)
    order = rng.permutation(len(texts)).tolist()
    held, train = order[:300], order[300:900]
    pool = [texts[i] for i in train + 150 * train[:20]]  # twenty documents, 150 copies of each
    rng.shuffle(pool)
    kept = np.flatnonzero(~ExactDuplicates().mark(pool).dropped)
    docs, held_out = Docs.of(pool), [Docs.of([texts[i] for i in held])]
    assert len(kept) == 600

    def worth(rows):  # as many bytes each time
        rows = rows[np.cumsum(docs.sizes[rows]) <= 150_000]
        return perplexity(Bigrams.fit([docs.take(rows)]), held_out)

    best = min(worth(np.argsort(-Random(seed=s).score(pool))) for s in range(3))
    assert worth(kept) < 0.7 * best


def test_a_changed_word_is_no_exact_copy():
    texts = paragraphs()[:200]
    edited = [t.replace(" the ", " that ", 1) + " Really." for t in texts]
    assert not ExactDuplicates().mark(texts + edited).dropped.any()
    assert NearDuplicates().mark(texts + edited).dropped.mean() > 0.2


def test_capitals_and_white_space_count_only_by_text():
    pool = ["One cat.", "one\n  cat .", "one cat", "ONE CAT."]
    assert ExactDuplicates().mark(pool).dropped.tolist() == [False] * 4
    assert ExactDuplicates(by="tokens").mark(pool).match == {1: "0", 3: "0"}


def test_empty_documents_are_copies_of_each_other():
    marks = ExactDuplicates().mark(["", "a", "", " "])
    assert marks.match == {2: "0"}
    assert ExactDuplicates(by="tokens").mark(["", "a", "", " "]).match == {2: "0", 3: "0"}


def test_fingerprints_need_the_batch_alone():
    texts = paragraphs()[:50]
    for by in ("text", "tokens"):
        whole = fingerprints(Docs.of(texts), by)
        parts = [fingerprints(Docs.of(texts[:7]), by), fingerprints(Docs.of(texts[7:]), by)]
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_keys_on_disk_are_joined_alike(tmp_path):
    keys = np.random.default_rng(0).integers(0, 500, 2000).astype(np.uint64)
    mapped = np.memmap(tmp_path / "keys", dtype=np.uint64, mode="w+", shape=keys.shape)
    mapped[:] = keys
    np.testing.assert_array_equal(first_places(mapped), first_places(keys))
    assert (keys[first_places(keys)] == keys).all()


def test_what_makes_no_sense_is_refused():
    for wrong in (
        lambda: ExactDuplicates(by="words").mark(["a"]),
        lambda: ExactDuplicates().fit([]),
    ):
        with pytest.raises(BadInput) as caught:
            wrong()
        assert caught.value.cure
