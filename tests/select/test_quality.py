"""Quality: statistics by their definition, every rule at its threshold, junk dropped, code kept."""

from __future__ import annotations

import re
import sysconfig
from collections import Counter
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import Quality, _text_facts
from ecotone.select.quality import CODE, RULES

PIECES = ["the ", "The", "of", " and\n", "\n", "\n\n", ". ", "...", "…", "“hm”", "é", "# ", "{",
          "- a", "* b\n", "• c", "lorem ipsum ", "Lorem", "(with)", "x!)", "¿que?", "12 ", "日本。",
          "\t", "have.", "that that that that that that "]  # fmt: skip
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), max_size=5)


def letters(word):
    """Return the stretch from the first letter or digit to the last, and what stands behind it."""
    found = [m.span() for m in re.finditer(r"[^\W_]+", word)]
    return (word[found[0][0] : found[-1][1]], word[found[-1][1] :]) if found else ("", word)


def again(things):
    """Return which of some things stood before."""
    seen, out = set(), []
    for thing in things:
        out.append(thing in seen)
        seen.add(thing)
    return out


def by_hand(text):
    """Write the definitions of the statistics down again, one by one."""
    words = text.split()
    lines = [x.split() for x in text.split("\n") if x.split()]
    shown = [x.strip() for x in text.split("\n") if x.split()]
    blocks = [[x.split() for x in b.split("\n") if x.split()]
              for b in re.split(r"\n\s*\n", text) if b.split()]  # fmt: skip
    size = [len(w.encode()) for w in words]
    cores = [letters(w) for w in words]
    lower = [c.lower() for c, _ in cores]
    n, k, total = max(len(words), 1), max(len(lines), 1), max(sum(size), 1)

    def width(thing):
        return sum(len(w.encode()) for w in thing)

    same = again(tuple(x) for x in lines)
    same_blocks = again(tuple(map(tuple, b)) for b in blocks)
    out = {
        "words": len(words),
        "mean_word_length": sum(map(len, words)) / n,
        "hash_signs_a_word": text.count("#") / n,
        "ellipses_a_word": (text.count("...") + text.count("…")) / n,
        "alphabetic_words": sum(bool(re.search(r"[^\W\d_]", w)) for w in words) / n,
        "stop_words": len(set(lower) & set(_text_facts.STOP_WORDS)),
        "bullet_lines": sum(x[0] in ("-", "*") or x[0][0] in "•‣" for x in lines) / k,
        "ellipsis_lines": sum(x.endswith(("...", "…")) for x in shown) / k,
        "ended_lines": sum(x.endswith(tuple(".!?\"'”’…。！？")) for x in shown) / k,
        "short_lines": sum(len(x) < 30 for x in shown) / k,
        "repeated_lines": sum(same) / k,
        "repeated_line_bytes": sum(width(x) for x, s in zip(lines, same, strict=True) if s) / total,
        "repeated_paragraphs": sum(same_blocks) / max(len(blocks), 1),
        "repeated_paragraph_bytes": sum(
            sum(map(width, b)) for b, s in zip(blocks, same_blocks, strict=True) if s) / total,
        "sentences": sum(bool(set(b) & set(".!?")) for _, b in cores),
        "lorem_ipsum": sum(a == "lorem" and b == "ipsum"
                           for a, b in pairwise(lower)),
        "curly_braces": text.count("{") + text.count("}"),
    }  # fmt: skip
    for m in range(2, 11):
        runs = [tuple(words[i : i + m]) for i in range(len(words) - m + 1)]
        if m <= 4:
            counts = Counter(runs)
            best = max(((c, width(r)) for r, c in counts.items() if c > 1), default=(0, 0))
            out[f"top_{m}_gram"] = best[0] * best[1] / total
        else:
            covered = {j for i, a in enumerate(again(runs)) if a for j in range(i, i + m)}
            out[f"repeated_{m}_grams"] = sum(size[j] for j in covered) / total
    return out


def check(texts):
    values = Quality().mark(texts).values
    for i, text in enumerate(texts):
        wanted = by_hand(text)
        assert set(values) == set(wanted)
        got = {k: v[i] for k, v in values.items()}
        assert got == pytest.approx(wanted), text


@given(TEXTS)
def test_statistics_are_those_of_the_definitions(texts):
    check(texts)


def prose():
    """Return real pages of prose: six paragraphs of the manual that Python carries, one a line."""
    out = []
    for name in sorted(topics):
        for part in topics[name].split("\n\n"):
            words = " ".join(part.split())
            if words[:1].isupper() and words.endswith(".") and len(words) > 120:
                out.append(words)
    out = list(dict.fromkeys(out))
    return ["\n\n".join(out[i : i + 6]) for i in range(0, len(out) - 6, 6)]


def code():
    """Return real code: files of the standard library."""
    root = Path(sysconfig.get_path("stdlib"))
    names = ("email", "json", "xml", "asyncio", "http", "logging", "unittest", "ctypes")
    files = sorted(f for name in names for f in (root / name).rglob("*.py"))
    return [t for f in files if len((t := f.read_text()).split()) >= 50]


def test_real_text_has_the_statistics_of_the_definitions():
    check([*prose()[:20], *code()[:20]])


@given(TEXTS)
def test_the_compiled_pass_is_its_numpy_twin(texts):
    pytest.importorskip("numba")
    docs = Docs.of([*texts, *(t * 3 for t in texts)])
    one = _text_facts.facts(docs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_text_facts, "kernel", lambda: None)
        np.testing.assert_array_equal(_text_facts.facts(docs), one)


def test_the_compiled_pass_is_its_numpy_twin_on_real_text():
    pytest.importorskip("numba")
    docs = Docs.of([*prose()[:60], *code()[:25]])
    one = _text_facts.facts(docs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_text_facts, "kernel", lambda: None)
        np.testing.assert_array_equal(_text_facts.facts(docs), one)
    assert (one.max(axis=0) > 0).sum() > 24


@pytest.mark.parametrize("name", RULES)
def test_a_rule_fires_beyond_its_threshold_and_can_be_switched_off(name):
    texts = [*prose()[:40], *code()[:40]]
    values = Quality().mark(texts).values[RULES[name].value]
    low, high = sorted(set(values.tolist()))[:2] if len(set(values.tolist())) > 1 else (0, 1)
    middle = (low + high) / 2
    marks = Quality(rules={name: middle}).mark(texts)
    fired = marks.fired[:, marks.causes.index(name)]
    wanted = values < middle if RULES[name].side == "below" else values > middle
    np.testing.assert_array_equal(fired, wanted)
    # at the threshold itself a document is kept
    marks = Quality(rules={name: low}).mark(texts)
    at = marks.causes.index(name)
    assert not marks.fired[values == low, at].any()
    assert name not in Quality(rules={name: None}).mark(texts).causes


def junk(rng):
    """Return pages nobody wants: menus, word lists, tables of signs, repeated offers, fillers."""
    nouns = [w for w in Counter(re.findall(r"[a-z]{3,9}", " ".join(prose()[:50]))) if len(w) > 3]

    def some(k):
        return [nouns[i] for i in rng.integers(0, len(nouns), k)]

    menu = "\n".join(" ".join(some(2)).title() for _ in range(60))
    tags = " ".join(some(300))
    signs = " ".join(f"{a} | {b} :: --" for a, b in rng.integers(0, 999, (80, 2)))
    offers = "\n".join(["Order now and have the best of the deals that we offer with free shipping."
                        if rng.random() < 0.6 else f"The {w} is sold out, and so is the {v}."
                        for w, v in zip(some(30), some(30), strict=True)])  # fmt: skip
    teasers = "\n".join(f"The {' '.join(some(8))} and that of the ..." for _ in range(20))
    filler = f"Here is the text of the {some(1)[0]}. " * 3 + "Lorem ipsum dolor sit amet. " * 12
    return [menu, tags, signs, offers, teasers, filler]


def test_junk_is_dropped_and_prose_is_kept():
    rng = np.random.default_rng(0)
    bad = [t for _ in range(20) for t in junk(rng)]
    good = [t for t in prose() if len(t.split()) >= 60]
    dropped = Quality().mark([*good, *bad]).dropped
    kept = ~dropped
    before = len(bad) / (len(good) + len(bad))
    after = kept[len(good) :].sum() / kept.sum()
    assert dropped[len(good) :].mean() > 0.98  # measured: all
    assert dropped[: len(good)].mean() < 0.08  # measured: 0.04
    assert before > 0.3
    assert after < 0.02


def test_code_is_dropped_by_rules_for_prose_and_kept_without_them():
    files = code()
    assert Quality().mark(files).dropped.mean() > 0.4  # the harm: measured 0.54
    assert Quality(rules=CODE).mark(files).dropped.mean() < 0.05
    marks = Quality().mark(files)
    share = dict(zip(marks.causes, marks.fired.mean(axis=0), strict=True))
    assert all(share[name] < 0.05 for name in set(share) - set(CODE))


def test_wrapped_prose_fails_the_rule_of_ended_lines():
    import textwrap

    pages = [t for t in prose() if len(t.split()) >= 60]
    wrapped = ["\n\n".join(textwrap.fill(p, 60) for p in t.split("\n\n")) for t in pages]
    strict = Quality(rules={"few_ended_lines": 0.3})
    at = strict.mark(pages[:1]).causes.index("few_ended_lines")
    assert strict.mark(pages).fired[:, at].mean() < 0.01
    assert strict.mark(wrapped).fired[:, at].mean() > 0.5
    assert "few_ended_lines" not in Quality().mark(pages).causes


def test_a_long_document_is_judged_by_its_beginning(monkeypatch):
    monkeypatch.setattr(_text_facts, "SLICE", 100)
    monkeypatch.setattr(_text_facts, "slices", lambda docs: iter([docs]))
    text = "é" * 49 + " é" + "é" * 400
    short = _text_facts.facts(Docs.of([text]))[0]
    assert short[_text_facts.WORDS] == 1  # 100 bytes would end within the second word's letter
    assert short[_text_facts.WORD_BYTES] == 98


def test_what_makes_no_sense_says_what_would():
    nan = float("nan")
    for rules in ({"no_rule": 1}, ["few_words"], {"few_words": "many"}, {"few_words": nan}):
        with pytest.raises(BadInput) as caught:
            Quality(rules=rules).mark(["a"])
        assert caught.value.cure
