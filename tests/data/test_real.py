"""Real corpora: the machinery on made-up recipes, the real packages when they are at hand."""

import os
from pathlib import Path

import pytest

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, EcotoneError
from ecotone.data import real
from ecotone.data.packages import cache_folder
from ecotone.data.recipes import RECIPES, Recipe


def texts(name, n, size=100):
    return [f"{name} {i} ".ljust(size, "x") for i in range(n)]


@pytest.fixture
def small(monkeypatch):
    """Two made-up sources and a target in place of the real recipes."""
    calls = []

    def recipe(name, docs, expected=0):
        def extract(archives):
            calls.append(name)
            yield from docs

        return Recipe(name, (), "CC0", "made up", expected, extract)

    recipes = {
        "law": recipe("law", [*texts("law", 300), "too short", *texts("law", 5)]),
        "web": recipe("web", texts("web", 50), expected=100),
        "med": recipe("med", texts("med", 80)),
        "none": recipe("none", ["short"]),
    }
    presets = {
        "big": real.Preset(("law", "web"), ("med",), 10_000, 4_000),
        "little": real.Preset(("law", "web"), ("med",), 1_000, 4_000),
        "empty": real.Preset(("none",), ("med",), 1_000, 4_000),
    }
    monkeypatch.setattr(real, "RECIPES", recipes)
    monkeypatch.setattr(real, "PRESETS", presets)
    return calls


def read(corpus, name):
    return [doc.text for doc in corpus.docs(name)]


def test_a_preset_is_made_once_and_reads_as_a_corpus(tmp_path, small):
    said = []
    corpus = real.corpus("big", target="med", cache=tmp_path, progress=said.append)
    assert corpus.names == ("law", "med", "web")
    assert corpus.target.name == "med"
    law = read(corpus, "law")
    assert law == sorted(law, key=texts("law", 300).index)  # whole documents, in their order
    assert len(law) == 100
    assert (len(read(corpus, "web")), len(read(corpus, "med"))) == (50, 40)
    assert small == ["law", "web", "med"]
    assert [s.split()[1] for s in said] == small
    assert real.corpus("big", target="med", cache=tmp_path).fingerprint == corpus.fingerprint
    assert small == ["law", "web", "med"]  # nothing was made again
    corpus.save(tmp_path / "corpus.json")
    assert Corpus.load(tmp_path / "corpus.json").target.name == "med"


def test_long_documents_are_cut_so_that_there_are_enough(tmp_path, small, monkeypatch):
    words = [f"{i} " + "word " * 7000 for i in range(9)]
    long = Recipe("law", (), "CC0", "", 0, lambda archives: iter(words))
    monkeypatch.setitem(real.RECIPES, "law", long)
    monkeypatch.setitem(real.PRESETS, "big", real.Preset(("law", "web"), ("med",), 100_000, 4_000))
    docs = read(real.corpus("big", target="med", cache=tmp_path), "law")
    assert len(docs) >= 20
    assert max(map(len, docs)) <= 5_000
    assert sum(map(len, docs)) > 95_000
    assert set(" ".join(docs).split()) <= {"word", *map(str, range(9))}  # no word is cut


def test_two_caches_hold_the_same(tmp_path, small):
    one, two = (real.corpus("big", target="med", cache=tmp_path / c) for c in "ab")
    assert one.fingerprint == two.fingerprint


def test_a_smaller_preset_reuses_the_domain_files_and_lies_inside(tmp_path, small):
    big = real.corpus("big", target="med", cache=tmp_path)
    little = real.corpus("little", target="med", cache=tmp_path)
    assert small == ["law", "web", "med"]
    assert len(read(little, "law")) == 10
    assert set(read(little, "law")) <= set(read(big, "law"))


def test_the_data_card(tmp_path, small):
    cards = real.licences(real.folder("big", target="med", cache=tmp_path))
    law, web, _ = cards
    assert [c["domain"] for c in cards] == ["law", "web", "med"]
    assert (law["licence"], law["note"], law["packages"]) == ("CC0", "made up", [])
    assert (law["documents"], law["bytes"]) == (100, 10_000)
    assert (law["all_documents"], law["all_bytes"]) == (300, 30_000)  # no doubles, none short
    assert web["note"].endswith("100 documents were expected")
    with pytest.raises(BadInput, match="no such data card"):
        real.licences(tmp_path)


def test_work_goes_on_where_it_was_killed(tmp_path, small, monkeypatch):
    sample = real._sample

    def killed(file, cap, out, domain):
        if domain == "web":
            raise KeyboardInterrupt
        return sample(file, cap, out, domain)

    with monkeypatch.context() as patch:
        patch.setattr(real, "_sample", killed)
        with pytest.raises(KeyboardInterrupt):
            real.folder("big", target="med", cache=tmp_path)
    assert small == ["law", "web"]
    folder = real.folder("big", target="med", cache=tmp_path)
    assert small == ["law", "web", "med"]  # law and web were not made again
    monkeypatch.setattr(real, "_identity", lambda *_: "fresh")
    fresh = real.folder("big", target="med", cache=tmp_path)
    assert [(f.name, f.read_bytes()) for f in sorted(fresh.iterdir())] == [
        (f.name, f.read_bytes()) for f in sorted(folder.iterdir())
    ]


def test_a_torn_domain_file_leaves_nothing(tmp_path, small, monkeypatch):
    def torn(archives):
        yield "x" * 99
        raise EcotoneError("the archive ended.")

    good = real.RECIPES["law"]
    bad = Recipe("law", (), "CC0", "", 0, torn)
    monkeypatch.setitem(real.RECIPES, "law", bad)
    with pytest.raises(EcotoneError, match="the archive ended"):
        real.folder("big", target="med", cache=tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    monkeypatch.setitem(real.RECIPES, "law", good)
    assert len(real.licences(real.folder("big", target="med", cache=tmp_path))) == 3


def test_wrong_names_and_empty_recipes(tmp_path, small):
    with pytest.raises(BadInput, match="no preset is called 'huge'") as caught:
        real.corpus("huge", cache=tmp_path)
    assert "big, little" in caught.value.cure
    with pytest.raises(BadInput, match="no target 'law'"):
        real.corpus("big", target="law", cache=tmp_path)
    with pytest.raises(EcotoneError, match="none: no document was found in standard library"):
        real.corpus("empty", target="med", cache=tmp_path)


def test_the_library_of_this_python_is_code():
    docs = list(real._clean(RECIPES["code"].extract([])))
    assert len(docs) > 200
    assert sum(map(len, docs)) > 4e6
    assert any("def namedtuple(" in doc for doc in docs)


def test_every_recipe_is_pinned_and_named():
    for preset in real.PRESETS.values():
        for name in (*preset.sources, *preset.targets):
            recipe = RECIPES[name]
            assert recipe.domain == name
            assert recipe.licence
            assert recipe.note
            for package in recipe.packages:
                assert package.size > 0
                if package.registry != "debian":
                    assert (len(package.sha256), bool(package.version)) == (64, True)


def at_hand(preset):
    """Whether the real preset may be made or has been made."""
    made = list((cache_folder() / "corpora").glob(f"{preset}-*/SOURCES.json"))
    return os.environ.get("ECOTONE_REAL") == "1" or bool(made)


@pytest.mark.real
@pytest.mark.net
@pytest.mark.skipif(not at_hand("demo"), reason="set ECOTONE_REAL=1 to fetch 90 MB")
def test_the_demo_preset():
    corpus = real.corpus("demo")
    cards = {c["domain"]: c for c in real.licences(Path(corpus.origin["path"]))}
    assert corpus.target.name == "clinical"
    assert corpus.names == tuple(sorted(cards))
    for name, card in cards.items():
        docs = list(corpus.docs(name))
        assert len(docs) == card["documents"]
        assert len({d.text for d in docs}) == len(docs)
        assert sum(len(d.text.encode()) for d in docs) == card["bytes"] <= 6_000_000
        assert RECIPES[name].documents in (0, card["all_documents"])  # PyPI: pinned, so exact
    assert 980_000 < cards["clinical"]["bytes"] <= 1_000_000
    assert any("seizure" in d.text for d in corpus.docs("clinical"))


@pytest.mark.real
@pytest.mark.net
@pytest.mark.skipif(not at_hand("full"), reason="set ECOTONE_REAL=1 to fetch 160 MB")
def test_the_full_preset():
    corpus = real.corpus("full")
    cards = {c["domain"]: c for c in real.licences(Path(corpus.origin["path"]))}
    assert corpus.target.name == "clinical"
    assert len(corpus.sources) == 10
    for name, card in cards.items():
        want, got = RECIPES[name].documents or card["all_documents"], card["all_documents"]
        moves = any(p["registry"] == "debian" for p in card["packages"])
        assert abs(got - want) <= 0.03 * want * moves
        assert card["bytes"] <= 12_000_000
    phrases = {"kernel": "driver", "speeches": "Congress", "mail": "wrote", "novels": "Emma",
               "dictionary": "[1913 Webster]", "glosses": ": ", "database": "SELECT",
               "sermons": "psalm", "licences": "licen", "code": "def "}  # fmt: skip
    for name, phrase in phrases.items():
        share = [phrase in doc.text for doc in corpus.docs(name)]
        assert sum(share) > 0.05 * len(share), name
