from __future__ import annotations

import re
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import ExactDuplicates, NearDuplicates, Random, _minhash, _near_pairs
from ecotone.select._lm import Bigrams, perplexity
from ecotone.select._minhash import resemblance, shingle_sets, signatures
from ecotone.select._near_pairs import bands, jaccard, join

TEXT = st.lists(st.text(st.sampled_from("ab ."), max_size=40), max_size=8)


def shingled(text, width=5):
    """Write the set of shingles again, without any hash."""
    # bytes above 127 are word bytes
    t = re.findall(rb"[\w\x80-\xff]+|[^\w\s\x80-\xff]+", text.encode().lower())
    if not t:
        return set()
    return {tuple(t[i : i + width]) for i in range(max(len(t) - width, 0) + 1)}


def alike(a, b):
    a, b = shingled(a), shingled(b)
    return len(a & b) / max(len(a | b), 1)


def paragraphs(least=400):
    """Real prose: the manual that Python carries in its own library."""
    from pydoc_data.topics import topics

    found = (" ".join(p.split()) for name in sorted(topics) for p in topics[name].split("\n\n"))
    return list(dict.fromkeys(p for p in found if len(p) > least))


def edited(text, edits, rng):
    """Replace some words by words of nobody."""
    words = text.split()
    for i in rng.choice(len(words), min(edits, len(words)), replace=False):
        words[i] = f"x{rng.integers(10**9)}"
    return " ".join(words)


def unlike(texts):
    """Return texts that share few shingles with all before: pairs planted are the whole truth."""
    out, seen = [], set()
    for t in texts:
        own = shingled(t)
        if len(own & seen) < 0.2 * len(own):
            out.append(t)
        seen |= own
    return out


def planted(rng, n=250):
    """Return real paragraphs with a copy each, whose resemblances lie all over .5 to 1."""
    texts = [t for t in paragraphs(300) if len(t.split()) > 40]
    originals = unlike([texts[i] for i in rng.permutation(len(texts))[:n]])
    copies = []
    for t in originals:
        # an edit breaks up to five shingles, so that J is about 1 / (1 + 10 edits / words)
        wanted = rng.uniform(0.55, 1)
        edits = round(len(t.split()) * (1 / wanted - 1) / 10)
        copies.append(edited(t, edits, rng))
    return originals, copies


@pytest.mark.parametrize("size", [1, 3, 12, 60, 250, 2000])
def test_the_share_of_equal_slots_is_unbiased(size):
    rng = np.random.default_rng(size)
    errors, spreads = [], []
    texts = []
    for _ in range(80):
        common = rng.integers(0, size + 1)
        both, one, two = (
            [f"w{rng.integers(10**12)}" for _ in range(k)]
            for k in (common, size - common, size - common)
        )
        texts += [both + one, both + two]
    # a shingle of one token: the sets are drawn as wanted
    found = signatures(Docs.of([" ".join(t) for t in texts]), width=1)
    at = np.arange(0, len(texts), 2)
    estimates = resemblance(found, at, at + 1)
    for i, estimate in zip(at, estimates, strict=True):
        a, b = set(texts[i]), set(texts[i + 1])
        J = len(a & b) / len(a | b)
        errors.append(estimate - J)
        spreads.append(J * (1 - J) / found.shape[1])
    error = np.sqrt(np.mean(spreads) / len(errors))
    assert abs(np.mean(errors)) <= 4 * error
    # no wider than the estimate of independent permutations, but for chance
    assert np.mean(np.square(errors)) <= 1.4 * np.mean(spreads) + 1e-12


@given(TEXT, st.integers(1, 40), st.integers(1, 6))
@settings(deadline=None, max_examples=60)
def test_the_compiled_passes_are_their_numpy_twins(texts, slots, width):
    pytest.importorskip("numba")
    docs = Docs.of(texts)
    pairs = np.array(list(combinations(range(len(texts)), 2)), dtype=np.int64).reshape(-1, 2)
    left, right = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])

    def all_passes():
        found, sets = signatures(docs, slots, width), shingle_sets(docs, width)
        near = resemblance(found, left, right) >= 0.5
        parent = np.arange(len(texts))
        _near_pairs._unite(parent, left[near], right[near])
        return found, jaccard(sets, left, right), resemblance(found, left, right), parent

    one = all_passes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_minhash, "kernels", lambda: None)
        two = all_passes()
    for a, b in zip(one[:3], two[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    roots = [_near_pairs._roots(p, np.arange(len(texts))) for p in (one[3], two[3])]
    np.testing.assert_array_equal(*roots)


def test_long_documents_have_the_same_twin():
    pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    docs = Docs.of([" ".join(f"w{i}" for i in rng.integers(0, 10**6, n))
                    for n in (0, 1, 4, 5, 6, 90, 400, 1500)])  # fmt: skip
    one = signatures(docs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_minhash, "kernels", lambda: None)
        np.testing.assert_array_equal(signatures(docs), one)
    assert (one[0] == _minhash.EMPTY).all()
    assert (one[1:] != _minhash.EMPTY).all()


@given(TEXT, TEXT)
@settings(deadline=None, max_examples=60)
def test_jaccard_of_sets_is_that_of_words(some, others):
    texts = some + others
    sets = shingle_sets(Docs.of(texts))
    pairs = [(i, j) for i in range(len(texts)) for j in range(len(texts))]
    left, right = (np.array([p[k] for p in pairs], dtype=np.int64) for k in (0, 1))
    wanted = [alike(texts[i], texts[j]) for i, j in pairs]
    np.testing.assert_allclose(jaccard(sets, left, right), wanted)


def test_finds_the_planted_copies_and_no_others():
    rng = np.random.default_rng(1)
    originals, copies = planted(rng)
    n = len(originals)
    J = np.array([alike(a, b) for a, b in zip(originals, copies, strict=True)])
    assert n > 100
    assert ((J > 0.6) & (J < 0.8)).sum() > 25
    assert ((J > 0.8) & (J < 0.95)).sum() > 25
    marks = NearDuplicates().mark(originals + copies)
    found = marks.dropped[n:]
    assert not marks.dropped[:n].any()
    assert all(marks.match[n + i] == str(i) for i in np.flatnonzero(found))
    right = found & (J >= 0.8)
    assert right.sum() / (J >= 0.8).sum() >= 0.99  # recall; by bands alone .9995
    assert right.sum() == found.sum()  # precision: verified by the shingles themselves
    np.testing.assert_allclose(marks.values["resemblance"][n:][found], J[found])
    # by signatures alone a pair near the threshold may fall on either side
    rough = NearDuplicates(verify="signatures").mark(originals + copies).dropped[n:]
    sure = np.abs(J - 0.8) > 4 * np.sqrt(0.8 * 0.2 / 128)
    np.testing.assert_array_equal(rough[sure], (J >= 0.8)[sure])


def test_a_model_of_what_is_left_knows_held_out_text_better():
    rng = np.random.default_rng(2)
    texts = paragraphs(120)
    order = rng.permutation(len(texts)).tolist()
    held, train = order[:300], order[300:1000]
    long = [i for i in train if len(texts[i].split()) > 60][:20]
    pool = [texts[i] for i in train]
    pool += [edited(texts[i], 1, rng) for i in long for _ in range(120)]
    pool = [pool[i] for i in rng.permutation(len(pool))]
    docs, held_out = Docs.of(pool), [Docs.of([texts[i] for i in held])]

    def worth(rows):  # as many bytes each time
        rows = rows[np.cumsum(docs.sizes[rows]) <= 150_000]
        return perplexity(Bigrams.fit([docs.take(rows)]), held_out)

    assert ExactDuplicates().mark(docs).dropped.sum() < 10
    kept = np.flatnonzero(~NearDuplicates().mark(docs).dropped)
    best = min(worth(np.argsort(-Random(seed=s).score(pool))) for s in range(3))
    assert worth(kept) < 0.7 * best


def test_a_copy_inside_a_longer_document_is_not_seen():
    a, *rest = [t for t in paragraphs() if 80 < len(t.split()) < 120]
    assert not NearDuplicates().mark([a, f"{rest[0]} {a} {rest[1]}"]).dropped.any()


def chain():
    words = [f"w{i}" for i in range(200)]
    return [" ".join(words[i : i + 150]) for i in (0, 13, 26)]


def test_of_a_chain_the_first_is_kept():
    a, b, c = chain()
    assert alike(a, b) >= 0.8
    assert alike(b, c) >= 0.8
    assert alike(a, c) < 0.8
    marks = NearDuplicates().mark([a, b, c])
    assert marks.match == {1: "0", 2: "0"}
    assert marks.values["resemblance"][2] == pytest.approx(alike(a, c))
    assert NearDuplicates().mark([b, a, c]).match == {1: "0", 2: "0"}
    assert not NearDuplicates().mark([a, c]).dropped.any()
    # what is held joins the chain like any document before it
    new = NearDuplicates().fit(Docs.of([a], ["old"])).mark([c, b])
    assert new.match == {0: "old", 1: "old"}
    assert new.counts() == {"near-copy of existing": 2, "near-copy": 0}


def test_a_header_that_all_share_merges_none():
    texts = paragraphs(300)
    header = " ".join(texts[0].split()[:60])
    bodies = unlike([" ".join(t.split()[:60]) for t in texts[1:] if len(t.split()) >= 60])
    pool = [f"{header} {b}" for b in bodies]
    assert len(pool) > 100
    # half of every document is the same, and still less than .8 of the shingles of a pair
    assert alike(pool[0], pool[1]) > 0.25
    for verify in ("shingles", "signatures"):
        assert not NearDuplicates(verify=verify).mark(pool).dropped.any()


def test_a_crowd_is_parted_and_copies_in_it_are_found():
    rng = np.random.default_rng(3)
    header = [f"h{i}" for i in range(150)]
    pool = [" ".join(header + [f"w{i}" for i in rng.integers(0, 10**9, 50)]) for _ in range(1200)]
    copies = [edited(t, 1, rng) for t in pool[:100]]
    found = signatures(Docs.of(pool + copies))
    rows = np.arange(len(found))
    once = found[:, :6].astype(np.int64) @ rng.integers(1, 10**6, 6)
    assert np.unique(once, return_counts=True)[1].max() > _near_pairs.CROWD  # else no test
    for start in (0, 60, 120):
        keys, order = _near_pairs._sorted_band(found, rows, start, 6)
        sizes = np.unique(keys, return_counts=True)[1]
        assert sizes.max() <= _near_pairs.CROWD
        assert 1 + (keys[1:] != keys[:-1]).sum() == len(sizes)  # equal keys stand together
        np.testing.assert_array_equal(np.sort(order), rows)
    marks = NearDuplicates().mark(pool + copies)
    assert not marks.dropped[:1200].any()
    assert marks.dropped[1200:].mean() >= 0.95


def test_a_thousand_equal_documents_make_no_pair(monkeypatch):
    found = signatures(Docs.of(paragraphs()[:3] * 1000))
    met = []
    stream = _near_pairs.candidates
    monkeypatch.setattr(
        _near_pairs, "candidates", lambda *a: (met.append(len(p[0])) or p for p in stream(*a))
    )
    np.testing.assert_array_equal(join(found, 0.8), np.arange(3000) % 3)
    assert sum(met) < 100


def test_short_and_empty_documents():
    pool = ["", "one two", "one two", "one", "", " ", "one two three", "One two."]
    for verify in ("shingles", "signatures"):
        marks = NearDuplicates(verify=verify).mark(pool)
        assert marks.match == {2: "1"}  # a short document is one shingle; none resembles nothing


def test_new_against_existing_names_the_match():
    rng = np.random.default_rng(4)
    texts = [t for t in paragraphs() if len(t.split()) > 80][:40]
    old = Docs.of(texts[:20], [f"old/{i}" for i in range(20)])
    pool = [edited(t, 1, rng) for t in texts[:10]] + texts[20:] + [edited(texts[25], 1, rng)]
    marks = NearDuplicates().fit(old).mark(pool)
    assert {i: m for i, m in marks.match.items() if i < 10} == {i: f"old/{i}" for i in range(10)}
    assert marks.match[len(pool) - 1] == "15"  # the place of texts[25] in the pool
    assert marks.counts() == {"near-copy of existing": 10, "near-copy": 1}


def test_neither_order_nor_cut_moves_a_cluster():
    rng = np.random.default_rng(5)
    originals, copies = planted(rng, 80)
    pool = originals + copies + [edited(t, 1, rng) for t in copies]
    for verify in ("shingles", "signatures"):
        filter_ = NearDuplicates(verify=verify)
        dropped = filter_.mark(pool).dropped.sum()
        for _ in range(3):
            mixed = [pool[i] for i in rng.permutation(len(pool))]
            whole = filter_.mark(mixed)
            assert whole.dropped.sum() == dropped
            cut = filter_.mark([Docs.of(mixed[:50]), Docs.of(mixed[50:])])
            np.testing.assert_array_equal(cut.fired, whole.fired)


def test_the_join_holds_one_band_at_a_time(tmp_path, monkeypatch):
    n = 20_000
    rng = np.random.default_rng(6)
    found = rng.integers(0, 2**32 - 1, (n, 128), dtype=np.uint32)
    found[n // 2 :, :100] = found[: n // 2, :100]  # half are copies, J about .78
    mapped = np.memmap(tmp_path / "s", dtype=np.uint32, mode="w+", shape=found.shape)
    mapped[:] = found
    read = []
    keys = _near_pairs._keys
    monkeypatch.setattr(_near_pairs, "_keys", lambda s, i, k: read.append((i, k)) or keys(s, i, k))
    for module in (_minhash, _near_pairs):  # what is read at once must not hide what is kept
        monkeypatch.setattr(module, "BLOCK", 1 << 9)
        monkeypatch.setattr(module, "PAIRS", 1 << 9)
    whole = join(mapped, 0.7)  # what numba loads is no memory of the join
    read.clear()
    tracemalloc.start()
    first = join(mapped, 0.7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(first, whole)
    np.testing.assert_array_equal(first, np.arange(n) % (n // 2))
    cut = bands(0.7, 128)
    assert read == [(0, 128), *((b * cut.slots, cut.slots) for b in range(cut.number))]
    # a signature is 512 bytes a document, the keys of all bands are 8 * 25
    assert peak < 100 * n


def test_clusters_on_disk_are_those_in_memory(tmp_path):
    originals, copies = planted(np.random.default_rng(7), 60)
    found = signatures(Docs.of(originals + copies))
    for mode in ("w+", "r", "c"):
        mapped = np.memmap(tmp_path / "s", dtype=np.uint32, mode=mode, shape=found.shape)
        if mode == "w+":
            mapped[:] = found
        np.testing.assert_array_equal(join(mapped, 0.8), join(found, 0.8))
        np.testing.assert_array_equal(mapped, found)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.9, 1.0])
def test_bands_are_the_longest_that_find_99_percent(threshold):
    cut = bands(threshold, 128)
    assert cut.found(threshold) >= 0.99
    assert cut.slots * cut.number <= 128
    longer = cut.slots + 1
    if longer <= 128:
        assert 1 - (1 - threshold**longer) ** (128 // longer) < 0.99


def test_what_makes_no_sense_is_refused():
    for bad in (
        NearDuplicates(threshold=0), NearDuplicates(threshold=1.2), NearDuplicates(shingle=0),
        NearDuplicates(permutations=0), NearDuplicates(verify="no"), NearDuplicates(threshold=0.01),
    ):  # fmt: skip
        with pytest.raises(BadInput) as caught:
            bad.mark(["a"])
        assert caught.value.cure
    with pytest.raises(BadInput, match="no document"):
        NearDuplicates().fit([])
