"""Tokens: split by document, no leak, no copy on both sides, the same bits on resume."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.data.splits import FEW_DOCS, SPLITS, document_hash
from ecotone.data.token_findings import overlap
from ecotone.data.tokenise import END
from ecotone.data.tokens import TokenOptions, TokenStore, prepare
from ecotone.testing.fixtures import babble, text_corpus

tokenizers = pytest.importorskip("tokenizers")
LOW, HIGH = "red green blue white black", "one two three four five"
OPTIONS = TokenOptions(vocab=300)


def texts_of(store, domain, split):
    """The documents of one split, read back from the tokens."""
    tokenizer = tokenizers.Tokenizer.from_file(str(store.path / "tokenizer.json"))
    end = tokenizer.token_to_id(END)
    ids = np.asarray(store.tokens(domain, split))
    cuts = np.flatnonzero(ids == end)
    return [tokenizer.decode(part[part != end].tolist()) for part in np.split(ids, cuts + 1)[:-1]]


@pytest.fixture(scope="module")
def texts():
    return {
        "high": babble(HIGH, 300, stream(0, "high")),
        "low": babble(LOW, 40, stream(0, "low")),
        "target": babble(LOW + " " + HIGH, 60, stream(0, "target")),
    }


@pytest.fixture(scope="module")
def store(texts, tmp_path_factory):
    return prepare(text_corpus(texts, "target"), tmp_path_factory.mktemp("t"), OPTIONS)


def test_every_document_is_on_one_side_and_none_is_lost(store, texts):
    for name in store.names:
        found = [texts_of(store, name, s) for s in SPLITS]
        assert sorted(chain(*found)) == sorted(texts[name])
    assert store.sources == ("high", "low")
    assert store.findings == ()


def test_shares_are_those_asked_for(store):
    documents = {
        n: [store.meta["domains"][n]["splits"][s]["documents"] for s in SPLITS] for n in store.names
    }
    assert documents["low"] == [36, 2, 2]  # few documents: exact
    assert documents["target"] == [18, 12, 30]  # a small target is kept for measuring
    assert sum(documents["high"]) == 300
    assert 240 < documents["high"][0] < 295


def test_counts_are_those_of_the_files(store, texts):
    for name in store.names:
        for split in SPLITS:
            assert len(store.tokens(name, split)) == store.count(name, split)
        assert store.full_count(name) == store.count(name)
    total = sum(len(t.encode()) + 1 for t in texts["low"])
    have = sum(store.bytes_per_token("low", s) * store.count("low", s) for s in SPLITS)
    assert have == pytest.approx(total)


def test_the_corpus_is_counted(store, texts):
    counted = store.counted(text_corpus(texts, "target"))
    assert counted["low"].size == 40
    assert counted["low"].tokens == store.full_count("low")
    assert counted.tokenizer == store.meta["tokenizer"]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=15,
)
@given(
    copies=st.lists(
        st.tuples(st.sampled_from("abt"), st.sampled_from("abt"), st.integers(0, 29)), max_size=12
    ),
    seed=st.integers(0, 1000),
)
def test_copies_are_never_on_both_sides(copies, seed, tmp_path_factory):
    texts = {n: babble(LOW + n, 30, stream(seed, n), length=8) for n in "abt"}
    for of, to, which in copies:
        texts[to].append(" " + texts[of][which] + "\n")  # white space around does not count
    store = prepare(
        text_corpus(texts, "t"), tmp_path_factory.mktemp("c"), TokenOptions(vocab=300, seed=seed)
    )
    train = {t.strip() for n in "abt" for t in texts_of(store, n, "train")}
    held = {t.strip() for n in "abt" for s in ("dev", "test") for t in texts_of(store, n, s)}
    assert not train & held
    for n in "abt":
        dev, test = ({t.strip() for t in texts_of(store, n, s)} for s in ("dev", "test"))
        assert not dev & test


def test_held_out_target_text_in_a_source_is_left_out_and_said(texts, tmp_path):
    with_copies = {**texts, "low": texts["low"] + texts["target"]}
    store = prepare(text_corpus(with_copies, "target"), tmp_path, OPTIONS)
    held = {t for s in ("dev", "test") for t in texts_of(store, "target", s)}
    assert len(held) == 42
    assert not held & set(texts_of(store, "low", "train"))
    (found,) = [f for f in store.findings if f.code == "C201"]
    left = store.meta["domains"]["low"]["left_out"]
    assert found.says.startswith(f"{left} documents of low")
    # those that fell to the training side of the source and were held out in the target
    assert left > 0
    assert left + sum(len(texts_of(store, "low", s)) for s in SPLITS) == 100


def test_many_copies_in_one_domain_are_said(texts, tmp_path):
    store = prepare(text_corpus({**texts, "low": texts["low"] * 2}, "target"), tmp_path, OPTIONS)
    (found,) = [f for f in store.findings if f.code == "C101"]
    assert found.says.startswith("40 of the 80 documents of low")


def test_passages_of_held_out_text_in_a_source_are_said(texts, tmp_path):
    # whole passages inside other documents: no document is a copy, the runs are
    quoting = [f"As they say: {t} And so on." for t in texts["target"]]
    store = prepare(
        text_corpus({**texts, "low": texts["low"] + quoting}, "target"), tmp_path, OPTIONS
    )
    (found,) = [f for f in store.findings if f.code == "C202"]
    assert "training text of low" in found.says
    assert json.loads((tmp_path / "tokens.json").read_text())["findings"]


def test_overlap_is_the_share_of_runs_counted_one_by_one(texts, tmp_path):
    quoting = [f"They say {t}" for t in texts["target"][:20]]
    store = prepare(
        text_corpus({**texts, "low": texts["low"] + quoting}, "target"), tmp_path, OPTIONS
    )

    def runs(*parts):
        return {tuple(p[i : i + 24]) for p in parts for i in range(len(p) - 23)}

    wanted = runs(*(store.tokens("target", s).tolist() for s in ("dev", "test")))
    share = len(wanted & runs(store.tokens("low").tolist())) / len(wanted)
    found = {f.says.split("%")[0] for f in overlap(store) if f.says.endswith("low.")}
    assert found == {f"{100 * share:.1f}"}


def test_tiny_held_out_text_has_no_runs(tmp_path):
    texts = {"big": babble(LOW, 60, stream(0)), "t": ["red a", "green b", "blue c"]}
    store = prepare(text_corpus(texts, "t"), tmp_path, OPTIONS)
    assert [store.meta["domains"]["t"]["splits"][s]["documents"] for s in SPLITS] == [1, 1, 1]
    assert list(overlap(store)) == []


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_documents_are_said_with_a_cure(count, tmp_path):
    texts = {"a": babble(LOW, 9, stream(0)), "t": ["x", "y", "x"][:count]}
    with pytest.raises(BadInput, match=r"t has \d different") as error:
        prepare(text_corpus(texts, "t"), tmp_path, OPTIONS)
    assert "at least 3 documents" in error.value.cure


def test_an_empty_domain_is_said(tmp_path):
    with pytest.raises(BadInput, match="a has no text"):
        prepare(text_corpus({"a": [], "t": ["x", "y", "z"]}, "t"), tmp_path, OPTIONS)


def test_a_source_made_of_held_out_text_is_said(texts, store, tmp_path):
    stolen = {**texts, "low": texts_of(store, "target", "test")}
    with pytest.raises(BadInput, match="low has no train text") as error:
        prepare(text_corpus(stolen, "target"), tmp_path, OPTIONS)
    assert "copies of held-out text" in error.value.why


def test_done_is_done_and_a_killed_run_starts_over(texts, tmp_path, monkeypatch):
    corpus = text_corpus(texts, "target")
    one = prepare(corpus, tmp_path, OPTIONS)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    told = []
    assert prepare(corpus, tmp_path, OPTIONS, progress=told.append) == one
    assert told == []
    # killed before the last file: everything is written again, to the same bytes
    (tmp_path / "tokens.json").unlink()
    (tmp_path / "low.train.bin").unlink()
    prepare(corpus, tmp_path, OPTIONS)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_last_file_is_written_once_and_whole(texts, tmp_path, monkeypatch):
    from ecotone.data import tokens

    def killed(store):
        raise KeyboardInterrupt

    monkeypatch.setattr(tokens, "overlap", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(text_corpus(texts, "target"), tmp_path, OPTIONS)
    # findings were not complete: the folder must not say that it is
    assert not (tmp_path / "tokens.json").exists()


def test_other_options_or_text_are_another_store(texts, tmp_path):
    one = prepare(text_corpus(texts, "target"), tmp_path, OPTIONS).fingerprint
    assert prepare(text_corpus(texts, "target"), tmp_path, TokenOptions(vocab=310)).vocab == 310
    more = {**texts, "low": [*texts["low"], "new words"]}
    assert prepare(text_corpus(more, "target"), tmp_path, OPTIONS).fingerprint != one


def test_a_given_tokenizer_is_used(texts, store, tmp_path):
    given = replace(OPTIONS, tokenizer=str(store.path / "tokenizer.json"), vocab=7)
    again = prepare(text_corpus(texts, "target"), tmp_path, given)
    for name in store.names:
        assert np.array_equal(again.tokens(name), store.tokens(name))


def test_a_given_tokenizer_gets_an_end_of_document(texts, tmp_path):
    words = sorted({w for t in chain(*texts.values()) for w in t.split()})
    plain = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"?": 0} | {w: i for i, w in enumerate(words, 1)}, "?")
    )
    plain.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    plain.save(str(tmp_path / "words.json"))
    options = TokenOptions(tokenizer=str(tmp_path / "words.json"))
    store = prepare(text_corpus(texts, "target"), tmp_path / "t", options)
    assert store.vocab == len(words) + 2
    ids = np.asarray(store.tokens("low", "dev"))
    assert (ids == len(words) + 1).sum() == 2
    assert len(ids) == 2 * 42


def with_marks(*marks):
    """Texts that hold the marks: in front, inside a line, glued to words."""
    m = "".join(marks)
    return [f"{t} {i}" for i, t in enumerate([f"{m} red", f"red {m} green {m}{m}", f"x{m}y"] * 4)]


def test_the_end_of_document_mark_in_a_text_is_text(texts, tmp_path):
    marked = {**texts, "low": with_marks(END)}
    store = prepare(text_corpus(marked, "target"), tmp_path, OPTIONS)
    found = [texts_of(store, "low", s) for s in SPLITS]
    assert sorted(chain(*found)) == sorted(marked["low"])
    ends = [int((np.asarray(store.tokens("low", s)) == 0).sum()) for s in SPLITS]
    assert ends == [store.meta["domains"]["low"]["splits"][s]["documents"] for s in SPLITS]


@pytest.mark.parametrize("special", [True, False])
def test_marks_of_a_given_tokenizer_in_a_text_are_text(texts, store, tmp_path, special):
    given = tokenizers.Tokenizer.from_file(str(store.path / "tokenizer.json"))
    given.add_special_tokens(["<|endoftext|>"])
    text = given.to_str().replace('"special":true', f'"special":{str(special).lower()}', 1)
    (tmp_path / "given.json").write_text(text)  # whose END is special, or only a word added
    assert (text == given.to_str()) == special
    marked = {**texts, "low": with_marks(END, "<|endoftext|>")}
    options = TokenOptions(tokenizer=str(tmp_path / "given.json"))
    made = prepare(text_corpus(marked, "target"), tmp_path / "t", options)
    assert sorted(chain(*(texts_of(made, "low", s) for s in SPLITS))) == sorted(marked["low"])
    assert given.token_to_id("<|endoftext|>") not in made.tokens("low")


def test_a_tokenizer_that_cannot_tell_the_mark_from_text_is_refused(texts, tmp_path):
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0, "red": 1, END: 2}, "?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.save(str(tmp_path / "words.json"))
    options = TokenOptions(tokenizer=str(tmp_path / "words.json"))
    with pytest.raises(BadInput, match="own vocabulary") as error:
        prepare(text_corpus(texts, "target"), tmp_path / "t", options)
    assert "words.json" in error.value.cure


@pytest.mark.parametrize("text", ["{}", "not json"])
def test_a_file_that_is_no_tokenizer_is_said(texts, tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadInput, match=r"not a tokenizer\.json"):
        prepare(
            text_corpus(texts, "target"),
            tmp_path / "t",
            TokenOptions(tokenizer=str(tmp_path / "x.json")),
        )


def test_a_large_vocabulary_has_four_bytes(texts, tmp_path):
    words = [f"w{i}" for i in range(70_000)]
    big = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(dict(zip(words, range(70_000), strict=True)), "w0")
    )
    big.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    big.save(str(tmp_path / "big.json"))
    docs = {n: [f"w{i} w69999 {n}" for i in range(k, k + 9)] for k, n in ((10, "a"), (40, "t"))}
    options = TokenOptions(tokenizer=str(tmp_path / "big.json"))
    store = prepare(text_corpus(docs, "t"), tmp_path / "t", options)
    ids = store.tokens("a")
    assert ids.dtype == np.uint32
    assert 69_999 in ids
    assert ids.max() == 70_000  # the end of a document
    assert store.vocab == 70_001


def test_a_large_domain_is_sampled_and_its_size_estimated(tmp_path):
    many = babble(LOW, 2_000, stream(0, "many"), length=20)
    texts = {"big": many, "t": babble(HIGH, 40, stream(0, "t"))}
    full = prepare(text_corpus(texts, "t"), tmp_path / "full", OPTIONS)
    limit = full.count("big") // 8
    part = prepare(text_corpus(texts, "t"), tmp_path / "part", replace(OPTIONS, limit=limit))
    assert part.meta["domains"]["big"]["sampled"] < 1
    assert part.count("big") < full.count("big") / 2
    assert part.full_count("big") == pytest.approx(full.full_count("big"), rel=0.01)
    assert any(f.code == "C102" for f in part.findings)
    # the target is never sampled
    assert part.count("t") == full.count("t")
    # a document that is kept stands on the same side
    assert set(texts_of(part, "big", "train")) < set(texts_of(full, "big", "train"))


def test_of_few_documents_all_held_out_ones_are_kept(tmp_path):
    few = babble(LOW, 100, stream(0, "few"), length=400)
    assert len(few) < FEW_DOCS
    texts = {"big": few, "t": babble(HIGH, 40, stream(0, "t"))}
    store = prepare(text_corpus(texts, "t"), tmp_path, replace(OPTIONS, limit=3_000))
    parts = store.meta["domains"]["big"]["splits"]
    assert (parts["dev"]["documents"], parts["test"]["documents"]) == (5, 5)
    assert parts["train"]["documents"] < 40


def test_the_side_hangs_on_the_seed():
    assert document_hash("a", 0) == document_hash(" a\n", 0) != document_hash("a", 1)


@pytest.mark.parametrize("split", [(1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5), (1.5, -0.3, -0.2)])
def test_splits_are_three_shares(split):
    with pytest.raises(BadInput, match="source_split"):
        TokenOptions(source_split=split)


def test_an_empty_split_is_an_empty_array(store):
    (store.path / "x.train.bin").touch()
    assert len(TokenStore(store.path).tokens("x")) == 0
