"""Shards of real documents: the ledger is what is in them, and they are what was asked for."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.files import fingerprint_file
from ecotone.core.mixture import Mixture, Phase
from ecotone.core.run import Manifest, Run
from ecotone.data.read import read_corpus
from ecotone.data.tokens import Sides, TokenOptions, document_hash
from ecotone.jobs import _copies, material
from ecotone.jobs.choose import Chosen
from ecotone.jobs.material import materialise, with_document_lengths, write_material
from ecotone.jobs.trials import tokenised

OPTIONS = TokenOptions(vocab=300)
WORDS = {"law": "court finds that the", "web": "click here now é", "code": "def return x \n if"}
COUNTS = {"law": 120, "web": 400, "code": 90}  # the split is by rank below 200, by hash above


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three domains of uneven documents, some of them copies."""
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    (root / "corpus").mkdir()
    for name, count in COUNTS.items():
        words = WORDS[name].split(" ")
        texts = [
            f"{name} {i} " + " ".join(rng.choice(words, rng.integers(3, 90))) for i in range(count)
        ]
        texts[7:10] = texts[20:23]
        lines = [json.dumps({"text": t, "year": 1999}) for t in texts]
        (root / "corpus" / f"{name}.jsonl").write_text("\n".join(lines))
    corpus = read_corpus(root / "corpus", target="law")
    store = tokenised(corpus, root / "runs", OPTIONS)
    return corpus, store, root


def documents(folder):
    """Read the shards back as any user would."""
    return [(d.text, d.meta) for d in read_corpus(folder).docs("train")]


def lengths(store, texts):
    tokenizer = Tokenizer.from_file(str(store.path / "tokenizer.json"))
    return np.array([len(tokenizer.encode(t, add_special_tokens=False).ids) + 1 for t in texts])


MIXTURE = Mixture({"law": 0.5, "web": 0.3, "code": 0.2}, caps=dict.fromkeys(COUNTS, 6.0))


def test_sides_are_those_of_the_token_files(world):
    corpus, store, _ = world
    sides = Sides.of(corpus, store, OPTIONS)
    for name in corpus.names:
        docs = list(sides.train_docs(corpus, name))
        train = store.meta["domains"][name]["splits"]["train"]
        assert len(docs) == train["documents"]
        assert lengths(store, [d.text for _, d in docs]).sum() == train["tokens"]
        assert all(code == document_hash(d.text, OPTIONS.seed) for code, d in docs)
    with pytest.raises(BadInput, match="not the one"):
        Sides.of(corpus, store, TokenOptions(vocab=301))


def test_the_ledger_is_what_is_in_the_shards(world, tmp_path):
    corpus, store, _ = world
    folder = write_material(
        MIXTURE, corpus, store, OPTIONS, 20_000, tmp_path / "m", shard_tokens=3_000
    )
    ledger = json.loads((folder / "ledger.json").read_text())
    docs = documents(folder)
    sizes = lengths(store, [text for text, _ in docs])
    domain = np.array([meta["domain"] for _, meta in docs])
    assert ledger["got"] == sizes.sum()
    assert ledger["documents"] == len(docs)
    assert sum(row["asked"] for row in ledger["domains"].values()) == 20_000
    for name, row in ledger["domains"].items():
        mine = domain == name
        assert row["asked"] == pytest.approx(20_000 * MIXTURE.weights[name], abs=1)
        assert row["got"] == sizes[mine].sum()
        assert abs(row["got"] - row["asked"]) < row["longest"] == sizes[mine].max()
        assert row["documents"] == mine.sum()
        sources = [m["source"] for _, m in docs if m["domain"] == name]
        assert row["different"] == len(set(sources))
        assert row["most_copies"] == max(map(sources.count, set(sources)))
        assert row["repeated"] == sum(sources.count(s) > 1 for s in set(sources))
        assert row["epochs"] == pytest.approx(row["got"] / store.full_count(name))
    assert ledger["domains"]["law"]["most_copies"] > 1  # the case is not an empty one
    assert len(ledger["shards"]) > 4
    for row in ledger["shards"]:
        assert fingerprint_file(folder / row["file"]) == row["blake2b"]
        assert (folder / row["file"]).stat().st_size == row["bytes"]
        assert row["tokens"] < 3_000 + sizes.max()
    assert sum(r["tokens"] for r in ledger["shards"]) == ledger["got"]
    assert sum(r["documents"] for r in ledger["shards"]) == ledger["documents"]


def test_only_training_documents_whole_and_unchanged(world, tmp_path):
    corpus, store, _ = world
    folder = write_material(MIXTURE, corpus, store, OPTIONS, 20_000, tmp_path / "m")
    texts = {d.id: d.text for n in corpus.names for d in corpus.docs(n)}
    allowed = {
        d.id
        for n in corpus.names
        for _, d in Sides.of(corpus, store, OPTIONS).train_docs(corpus, n)
    }
    assert len(allowed) < len(texts)
    for text, meta in documents(folder):
        assert meta["source"] in allowed
        assert text == texts[meta["source"]]


def test_the_mixture_holds_at_every_point_and_epochs_follow_each_other(world, tmp_path):
    corpus, store, _ = world
    folder = write_material(MIXTURE, corpus, store, OPTIONS, 20_000, tmp_path / "m")
    docs = documents(folder)
    sizes = lengths(store, [text for text, _ in docs])
    domain = np.array([meta["domain"] for _, meta in docs])
    read = np.cumsum(sizes)
    for name, share in MIXTURE.weights.items():
        mine = np.cumsum(np.where(domain == name, sizes, 0))
        # every domain may be half a document early or late, and so may the others
        assert np.abs(mine - share * read).max() <= 2 * sizes.max()
        epochs = [m["epoch"] for _, m in docs if m["domain"] == name]
        assert epochs == sorted(epochs)
    law = [(m["epoch"], m["source"]) for _, m in docs if m["domain"] == "law"]
    first, second = ([s for e, s in law if e == k] for k in (0, 1))
    assert len(set(first)) == len(first)
    assert sorted(first) == sorted(second)
    assert first != second
    in_order = sorted(first, key=lambda s: int(s.rpartition(":")[2]))
    assert first != in_order


def test_the_seed_decides_and_nothing_else(world, tmp_path, monkeypatch):
    corpus, store, _ = world

    def made(name, **given):
        folder = write_material(MIXTURE, corpus, store, OPTIONS, 5_000, tmp_path / name, **given)
        return documents(folder)

    first = made("a", seed=1)
    assert made("b", seed=1, shard_tokens=400) == first
    other = made("c", seed=2)
    assert other != first
    monkeypatch.setattr("ecotone.jobs._shards.BUFFER", 50)
    monkeypatch.setattr(_copies, "BATCH", 30)
    assert made("d", seed=1, shard_tokens=700) == first


def test_little_of_a_large_domain_is_not_tokenised_whole(world, monkeypatch):
    """The documents that a partial look finds are the first of the same shuffle."""
    corpus, store, _ = world
    sides = Sides.of(corpus, store, OPTIONS)
    tokenizer = Tokenizer.from_file(str(store.path / "tokenizer.json"))
    part = _copies.measure(corpus, sides, store, tokenizer, "web", 800, 3)
    whole = _copies.measure(corpus, sides, store, tokenizer, "web", 10**6, 3)
    assert len(part.numbers) < len(whole.numbers) / 2
    a, b = (_copies._copies(f, 800, _copies.domain_seed(3, "web"), 4.0) for f in (part, whole))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_one_key_and_many_keys_agree():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, 200, dtype=np.uint64)
    numbers = np.arange(200)
    many = _copies._keys(codes, numbers, 2**62 + 12345)
    assert many.tolist() == [
        _copies._key(int(c), int(n), 2**62 + 12345) for c, n in zip(codes, numbers, strict=True)
    ]
    assert len(set(_copies._keys(codes[:1].repeat(9), numbers[:9], 1).tolist())) == 9


def test_a_stopped_run_goes_on(world, tmp_path, monkeypatch):
    corpus, store, _ = world
    whole = write_material(
        MIXTURE, corpus, store, OPTIONS, 8_000, tmp_path / "whole", shard_tokens=1_000
    )
    given = (MIXTURE, corpus, store, OPTIONS, 8_000, tmp_path / "cut")
    real, seen = material.write_shards.__globals__["replacing"], []

    def failing(path):
        seen.append(path.name)
        if len(seen) == 4:
            raise OSError(28, "No space left on device")
        return real(path)

    monkeypatch.setattr("ecotone.jobs._shards.replacing", failing)
    with pytest.raises(OSError, match="space"):
        write_material(*given, shard_tokens=1_000)
    assert not (tmp_path / "cut" / "ledger.json").exists()
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "cut" / "train").iterdir()}
    assert len(kept) == 3
    with pytest.raises(BadInput, match="another mixture"):
        write_material(*given, shard_tokens=2_000)
    folder = write_material(*given, shard_tokens=1_000)
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert (folder / "ledger.json").read_bytes() == (whole / "ledger.json").read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == ["ledger.json", "train"]
    seen.clear()
    assert write_material(*given, shard_tokens=1_000) == folder
    assert seen == []
    with pytest.raises(BadInput, match="another mixture"):
        write_material(*given, seed=9, shard_tokens=1_000)


def test_caps_are_kept(world, tmp_path):
    corpus, store, _ = world
    tight = Mixture({"law": 0.5, "web": 0.5}, caps={"law": 2.0})
    most = int(2 * store.full_count("law") / 0.5)
    with pytest.raises(Infeasible, match="law"):
        write_material(tight, corpus, store, OPTIONS, most + 100, tmp_path / "x")
    folder = write_material(tight, corpus, store, OPTIONS, most, tmp_path / "y")
    row = json.loads((folder / "ledger.json").read_text())["domains"]["law"]
    assert row["most_copies"] == 2
    assert row["got"] <= 2 * store.full_count("law")
    with pytest.raises(BadInput, match="no document fits"):
        write_material(MIXTURE, corpus, store, OPTIONS, 6, tmp_path / "z")


def test_phases_follow_each_other(world, tmp_path):
    corpus, store, _ = world
    mixture = Mixture.scheduled(
        (Phase(0.5, {"web": 1.0}), Phase(1.0, {"web": 0.2, "code": 0.8})),
    )
    folder = write_material(mixture, corpus, store, OPTIONS, 6_000, tmp_path / "m")
    docs = documents(folder)
    sizes = lengths(store, [text for text, _ in docs])
    domain = np.array([meta["domain"] for _, meta in docs])
    early = np.cumsum(sizes) <= 3_000 - sizes.max()
    assert set(domain[early]) == {"web"}
    late = np.cumsum(sizes) > 3_000 + sizes.max()
    share = sizes[late & (domain == "code")].sum() / sizes[late].sum()
    assert share == pytest.approx(0.8, abs=0.05)


def chosen_of(world, out, corpus, store):
    params = {"options": vars(OPTIONS), "origin": dict(corpus.origin)}
    run = Run.open(out, Manifest("mix", "natural", params, {"tokens": store.fingerprint}, 0))
    rows = [{"name": n, "documents": COUNTS[n], "tokens": store.full_count(n)} for n in COUNTS]
    return Chosen(MIXTURE, None, {"domains": rows}, run)


def test_a_run_finds_its_corpus_again(world, tmp_path):
    corpus, store, root = world
    chosen = chosen_of(world, root / "runs", corpus, store)
    folder = materialise(chosen, 4_000, seed=3)
    assert folder.parent == chosen.run.artifacts
    ledger = json.loads((folder / "ledger.json").read_text())
    straight = write_material(MIXTURE, corpus, store, OPTIONS, 4_000, tmp_path / "m", seed=3)
    assert ledger == json.loads((straight / "ledger.json").read_text())
    away = chosen_of(world, tmp_path / "elsewhere", corpus, store)
    with pytest.raises(BadInput, match="token files"):
        materialise(away, 4_000)
    trials = Run.open(tmp_path / "t", Manifest("mix", "auto", {}, {"trials": "x"}, 0))
    with pytest.raises(BadInput, match="finished trials"):
        materialise(Chosen(MIXTURE, None, {}, trials), 4_000)


def test_document_lengths_are_those_of_training_text(world):
    corpus, store, root = world
    chosen = chosen_of(world, root / "runs", corpus, store)
    sides = Sides.of(corpus, store, OPTIONS)
    for row in with_document_lengths(chosen)["domains"]:
        texts = [d.text for _, d in sides.train_docs(corpus, row["name"])]
        assert row["tokens_per_document"] == pytest.approx(lengths(store, texts).mean())
    law = next(r for r in chosen.analysis["domains"] if r["name"] == "law")
    # what totals would say of the small target, most of which is held out
    assert (
        law["tokens"] / law["documents"]
        < 0.5 * lengths(store, [d.text for d in corpus.docs("law")]).mean()
    )
