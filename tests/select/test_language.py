"""Language: real text in many languages is told apart; English, short, mixed text and code stay."""

from __future__ import annotations

import gettext
import sysconfig
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.data.docs import Docs
from ecotone.select import Language, language

pytest.importorskip("py3langid")
# article 1 of the Universal Declaration of Human Rights: the same text in every language
ARTICLE = {
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with "
    "reason and conscience and should act towards one another in a spirit of brotherhood.",
    "cs": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni "
    "rozumem a svědomím a mají spolu jednat v duchu bratrství.",
    "da": "Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret med "
    "fornuft og samvittighed, og de bør handle mod hverandre i en broderskabets ånd.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft "
    "und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como "
    "están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on "
    "annettu järki ja omatunto, ja heidän on toimittava toisiaan kohtaan veljeyden hengessä.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués "
    "de raison et de conscience et doivent agir les uns envers les autres dans un esprit de "
    "fraternité.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati "
    "di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd "
    "met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te "
    "gedragen.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni "
    "obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de "
    "razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены "
    "разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    "sv": "Alla människor är födda fria och lika i värde och rättigheter. De är utrustade med "
    "förnuft och samvete och bör handla gentemot varandra i en anda av broderskap.",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana "
    "sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.",
}


def prose():
    """Return real English: paragraphs of the manual that Python carries."""
    parts = [" ".join(p.split()) for name in sorted(topics) for p in topics[name].split("\n\n")]
    return list(dict.fromkeys(p for p in parts if p[:1].isupper() and len(p) > 120))


def translated(name):
    """Return real messages of programs in a language, six a page; none where there are none."""
    out = set()
    for path in sorted(Path("/usr/share/locale", name, "LC_MESSAGES").glob("*.mo")):
        try:
            with path.open("rb") as file:
                pairs = vars(gettext.GNUTranslations(file))["_catalog"].items()
        except (OSError, UnicodeDecodeError, ValueError):
            continue
        if not path.name.startswith("iso_"):
            out |= {v for k, v in pairs if k and k != v and isinstance(v, str) and len(v) >= 40}
    out = sorted(out)
    return ["\n".join(out[i : i + 6]) for i in range(0, len(out) - 5, 6)][:60]


def test_the_same_text_is_told_apart_in_fifteen_languages():
    marks = Language().mark(list(ARTICLE.values()))
    assert marks.values["language"].tolist() == list(ARTICLE)
    assert marks.dropped.tolist() == [name != "en" for name in ARTICLE]
    assert marks.counts() == {"not in the wanted languages": len(ARTICLE) - 1}
    two = Language(keep=("ja", "de")).mark(list(ARTICLE.values()))
    assert two.dropped.tolist() == [name not in ("ja", "de") for name in ARTICLE]


@pytest.mark.parametrize("name", ["cs", "de", "fr", "ja", "pl", "pt_BR", "ru", "sv", "tr"])
def test_real_pages_of_another_language_are_dropped(name):
    pages = translated(name)
    if len(pages) < 20:
        pytest.skip(f"this machine has no translations into {name}")
    english = prose()[: len(pages)]
    dropped = Language().mark([*english, *pages]).dropped
    kept = ~dropped
    # doing nothing leaves half of the pool in the other language
    assert kept[len(english) :].sum() <= 0.05 * kept.sum()
    assert not dropped[: len(english)].any()


def test_real_english_and_code_stay():
    root = Path(sysconfig.get_path("stdlib"))
    names = ("email", "json", "xml", "asyncio")
    files = sorted(f for name in names for f in root.glob(f"{name}/*.py"))
    code = [t for f in files if (t := f.read_text())]
    tables = ["\n".join(" ".join(map(str, row)) for row in np.arange(k * 120).reshape(-1, 6))
              for k in range(1, 10)]  # fmt: skip
    for texts in (prose(), code, tables, topics.values()):
        assert not Language().mark(list(texts)).dropped.any()


def test_short_and_mixed_texts_stay():
    english = " ".join(prose()[:40]).split()
    for k in (1, 2, 4):
        short = [" ".join(english[i : i + k]) for i in range(0, len(english) - k, k)]
        assert Language().mark(short).dropped.mean() < 0.01
    around = " ".join(english)[: len(ARTICLE["de"]) * 2]
    half = [f"{around}\n{t}\n{t}" for name, t in ARTICLE.items() if name != "en"]
    assert not Language().mark(half).dropped.any()
    long = [t * 20 + around * 10 for t in ARTICLE.values()]
    assert not Language().mark(long).dropped.any()


def pieces(k):
    """Return k words at a time of the texts that are not English and have spaces."""
    words = [t.split() for name, t in ARTICLE.items() if name not in ("en", "ja")]
    return [" ".join(w[i : i + k]) for w in words for i in range(0, len(w) - k + 1, k)]


def test_a_few_words_of_another_language_are_left_in():
    shares = [Language().mark(pieces(k)).dropped.mean() for k in (1, 4, 12)]
    assert shares[0] < 0.15
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.9


def test_a_higher_floor_drops_less():
    dropped = [Language(floor=f).mark(pieces(4)).dropped for f in (0.3, 0.6, 0.9)]
    for low, high in pairwise(dropped):
        assert (low >= high).all()
    assert dropped[0].sum() > dropped[2].sum()
    sure = Language().mark(pieces(4)).values["probability"]
    assert not dropped[2][sure < 0.9].any()


def test_places_begin_and_end_with_characters():
    text = "é日" * 500
    for size in (5, 299, 300, 1000, 2500):
        raw = text.encode()[: size // 5 * 5]
        places = language._places(raw)
        assert len(places) == (1 if len(raw) < 300 else 3)
        assert all(p.decode() in text for p in places)
        assert len(b"".join(places)) <= min(len(raw), 1200) + 6


def test_the_same_whatever_the_batches():
    texts = [*ARTICLE.values(), *prose()[:5]]
    whole = Language().mark(texts)
    cut = Language().mark([Docs.of(texts[:4]), Docs.of([]), Docs.of(texts[4:])])
    np.testing.assert_array_equal(cut.fired, whole.fired)
    for name in whole.values:
        np.testing.assert_array_equal(cut.values[name], whole.values[name])


def test_what_makes_no_sense_says_what_would(monkeypatch):
    for bad in (Language(keep="en"), Language(keep=("xx",)), Language(keep=()), Language(floor=0)):
        with pytest.raises(BadInput) as caught:
            bad.mark(["a"])
        assert caught.value.cure
    import sys

    language._identifier.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(MissingExtra, match="py3langid"):
        Language().mark(["a"])
