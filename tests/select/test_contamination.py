"""Contamination: runs of words by their definition, real copies found, boilerplate left alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import Contamination, _words
from ecotone.testing.fixtures import babble

LICENCE = (Path(__file__).parents[2] / "LICENSE").read_text()
QUOTE = ("We hold these truths to be self-evident, that all men are created equal, that they are "
         "endowed by their Creator with certain unalienable Rights")  # fmt: skip


def brute(items, docs, n, most, distinct):
    """Write the definition again, with sets of words: causes, best item, bytes of each document."""

    def runs(text, size):
        places = [(m.group().lower(), m.span()) for m in re.finditer(r"[^\W_]+", text)]
        return [(tuple(w for w, _ in places[i : i + size]), places[i][1][0],
                 places[i + size - 1][1][1])
                for i in range(len(places) - size + 1)] if size else []  # fmt: skip

    wanted = {}
    for k, item in enumerate(items):
        size = min(n, len(re.findall(r"[^\W_]+", item)))
        for r, *_ in runs(item, size):
            if len({w for w in r if len(w.encode()) >= 4}) >= distinct:
                wanted.setdefault(r, set()).add(k)
    sizes = {len(r) for r in wanted}
    held = [[x for size in sizes for x in runs(d, size) if x[0] in wanted] for d in docs]
    df = Counter(r for found in held for r in {r for r, *_ in found})
    out = []
    for found in held:
        found = [x for x in found if df[x[0]] <= most]
        votes = Counter(k for r in {r for r, *_ in found} for k in wanted[r])
        best = min(votes, key=lambda k: (-votes[k], k)) if votes else None
        covered = {b for _, i, j in found for b in range(i, j)}
        long, short = (any((len(r) == n) == whole for r, *_ in found) for whole in (True, False))
        out.append(([long, short], best, covered))
    return out


@pytest.mark.parametrize(("n", "most", "distinct"), [(4, 2, 2), (3, 99, 1), (4, 3, 3)])
def test_marks_are_those_of_the_definition(n, most, distinct):
    rng = np.random.default_rng(n)
    items = [t for size in (2, 3, 4, 9) for t in babble("alpha Beta of gamma. it", 3, rng, size)]
    docs = babble("ALPHA beta, of gamma it - delta", 40, rng, 25)
    docs = [d.replace(" ", "\n", 3) for d in docs]
    model = Contamination(n=n, most=most, distinct=distinct).fit(items)
    marks = model.mark(docs)
    wanted = brute(items, docs, n, most, distinct)
    assert 0 < sum(any(w[0]) for w in wanted) < 40
    for i, (fired, best, covered) in enumerate(wanted):
        assert marks.fired[i].tolist() == fired
        assert marks.match.get(i) == (None if best is None else str(best))
        bytes_ = {b for a, z in marks.spans.get(i, ()) for b in range(a, z)}
        # between two words of a run lie signs that belong to it
        assert bytes_ == covered


@given(st.lists(st.text(st.sampled_from("aB9_ .-\n\t€é—“”«»\xa0。あ"), max_size=30), max_size=6))
def test_the_compiled_pass_is_its_numpy_twin(texts):
    pytest.importorskip("numba")
    docs = Docs.of(texts)

    def passes():
        found = _words.words(docs)
        if not len(found.hashes):
            return [*found]
        wanted = _words.Wanted(np.unique(_words.runs(found, 2)[1][::2]), np.array([2]))
        return [*found, *wanted.find(found)]

    one = passes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_words, "kernels", lambda: None)
        two = passes()
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    cut = re.compile(r"[^aB9éあ€]+")  # the euro sign is no sign of these blocks
    wanted = [w.lower() for t in texts for w in cut.split(t) if w]
    ends = zip(one[1].tolist(), one[2].tolist(), strict=True)
    assert [docs.data[i:j].tobytes().decode().lower() for i, j in ends] == wanted


def paragraphs():
    """Real prose: the manual that Python carries in its own library."""
    parts = [" ".join(p.split()) for name in sorted(topics) for p in topics[name].split("\n\n")]
    return list(dict.fromkeys(p for p in parts if p[:1].isupper() and 25 <= len(p.split()) <= 120))


def wrapped(text):
    words = text.split()
    return "\n".join(" ".join(words[i : i + 8]) for i in range(0, len(words), 8))


def test_real_copies_are_found_and_other_text_is_not():
    real = paragraphs()
    long, rest = real[:100], real[100:]
    # a paragraph that says again what an item says is no innocent text
    short = [s for p in rest[:120] for s in re.split(r"(?<=\.) ", p) if 7 <= len(s.split()) < 13]
    items, other = [*long, *short[:60]], rest[120:]
    model = Contamination().fit(items)
    looked = np.array([str(i) not in model.unchecked_ for i in range(len(items))])
    assert looked.mean() > 0.8
    host = " ".join(other[:40])
    for hide in (str, wrapped, lambda t: host[: 5 * len(t)] + " " + t + " " + host[: 5 * len(t)]):
        planted = [hide(t) for t in items]
        marks = model.mark([*other[40:], *planted])
        at = len(other) - 40
        assert marks.dropped[at:][looked].mean() >= 0.98
        # the manual repeats itself here and there
        assert marks.dropped[:at].mean() < 0.05
        # the whole-text comparison finds the verbatim ones alone
        if hide is not str:
            assert len(set(planted) & set(items)) < 0.2 * len(items)
    assert sum(marks.match[at + i] == str(i) for i in np.flatnonzero(looked)) > 0.95 * looked.sum()


def test_boilerplate_is_no_evidence_and_the_rest_of_its_item_is():
    prose = paragraphs()
    clause = " ".join(LICENCE.split("2. Grant of Copyright License.")[1].split()[:60])
    item = f"Read: {clause} Which right is missing from this list, and who would need it most?"
    licensed = [f"{p}\n\n{LICENCE}" for p in prose[:30]]
    quoting = [f"{p} {QUOTE}. {q}" for p, q in zip(prose[30:60], prose[60:90], strict=True)]
    items = [item, f'Who wrote "{QUOTE}" and when?', *prose[200:260]]
    leak = prose[90] + "\n" + wrapped(item)
    pool = [*licensed, *quoting, *prose[90:120], leak]
    marks = Contamination().fit(items).mark(pool)
    assert np.flatnonzero(marks.dropped).tolist() == [len(pool) - 1]
    text = leak.encode()[slice(*marks.spans[len(pool) - 1][-1])].decode()
    assert " ".join(text.split()).endswith("and who would need it most")
    loose = Contamination(most=10**9).fit(items).mark(pool)
    assert loose.dropped[:60].all()


def test_a_quotation_in_few_documents_looks_like_a_leak():
    prose = paragraphs()
    pool = [*prose[:30], f"{prose[31]} {QUOTE}. {prose[32]}"]
    model = Contamination().fit([f"Who wrote: {QUOTE}?"])
    assert model.mark(pool).dropped.tolist() == [False] * 30 + [True]
    # counts of a larger pool know that it is famous
    large = [f"{p} {QUOTE}" for p in prose[40:60]]
    counts = model.document_counts(Docs.of(large))
    assert not model.counted(counts, len(large)).mark(pool).dropped.any()


def test_words_changed_often_hide_a_copy():
    items = paragraphs()[:50]
    changed = [" ".join("other" if i % 6 == 3 else w for i, w in enumerate(t.split()))
               for t in items]  # fmt: skip
    assert not Contamination().fit(items).mark(changed).dropped.any()


def test_a_stream_in_parts_is_the_pool_in_memory():
    prose = paragraphs()
    items, pool = prose[:40], [*prose[40:90], *(wrapped(t) for t in prose[:20]), *[prose[5]] * 12]
    whole = Contamination().fit(items).mark(pool)
    model = Contamination().fit(items)
    batches = [Docs.of(pool[i : i + 7]) for i in range(0, len(pool), 7)]
    counts = sum(model.document_counts(b) for b in batches)
    model.counted(counts, len(pool))
    assert counts.shape == model.hashes_.shape
    parts = [model.mark(b) for b in batches]
    np.testing.assert_array_equal(np.concatenate([p.fired for p in parts]), whole.fired)
    assert [p.match.get(i) for p in parts for i in range(len(p))] == [
        whole.match.get(i) for i in range(len(pool))
    ]
    assert model.common_ == ("5",)
    assert [f.code for f in model.findings()] == ["S122"]
    assert "evidence_" not in vars(model.fit(items))


def test_a_hash_alone_marks_nothing():
    item = paragraphs()[0]
    model = Contamination().fit([item])
    assert model.mark([item]).dropped.all()
    text = model._sought.text.translate(bytes([*range(97), *[120] * 26, *range(123, 256)]))
    object.__setattr__(model._sought, "text", text)
    assert not model.mark([item]).dropped.any()


def test_an_item_with_little_to_say_is_named_and_not_looked_for():
    plain, joined = "What is the capital of it?", "What is the capital of it? Paris"
    model = Contamination().fit([plain, joined])
    assert model.unchecked_ == ("0",)
    assert [f.code for f in model.findings()] == ["S121"]
    marks = model.mark([plain, f"Q: {joined.upper()}!"])
    assert marks.counts() == {"passage of an item": 0, "whole short item": 1}
    assert marks.values["share"].tolist() == [0.0, 1.0]


def test_what_makes_no_sense_says_what_would():
    with pytest.raises(BadInput, match="not fitted"):
        Contamination().mark(["a"])
    for bad, items in (
        (Contamination(n=1), ["a"]), (Contamination(most=0), ["a"]), (Contamination(), ["a b"]),
        (Contamination(), []),
    ):  # fmt: skip
        with pytest.raises(BadInput) as caught:
            bad.fit(items)
        assert caught.value.cure
    model = Contamination().fit(paragraphs()[:2])
    with pytest.raises(BadInput, match="counts of shape"):
        model.counted(np.zeros(1), 10)
    with pytest.raises(BadInput, match="over 1 documents"):
        model.counted(np.full(model.hashes_.shape, 2), 1)
