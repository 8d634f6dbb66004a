"""Contamination: recall by kind of planting, false alarms by kind of innocent text.

python benchmarks/select_contamination.py

Items are 400 passages of 20 to 80 words and 400 sentences of 7 to 12 words from State of the Union
addresses; 100 more are questions about a paragraph of a common licence, and 20 about a famous
quotation. Every item is planted once in each of several ways. The pool around them: novels, a
commentary on the Psalms, documentation and manual pages of this machine, Debian's copyright files,
the licence texts and notices of the package licensedcode-data, and the quotations, each put into 40
documents of prose. Texts come from `ecotone.data.recipes` (fetched once). Intervals are Wilson's,
95 %.
"""

from __future__ import annotations

import gzip
import random
import re
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecotone.data.docs import Docs
from ecotone.data.packages import cache_folder, fetch
from ecotone.data.recipes import RECIPES
from ecotone.select.contamination import Contamination

PIECE = 4_000
QUOTES = (
    "We hold these truths to be self-evident, that all men are created equal, that they are "
    "endowed by their Creator with certain unalienable Rights",
    "Four score and seven years ago our fathers brought forth on this continent a new nation, "
    "conceived in Liberty, and dedicated to the proposition that all men are created equal",
    "The Lord is my shepherd; I shall not want. He maketh me to lie down in green pastures: he "
    "leadeth me beside the still waters",
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age "
    "of foolishness",
    "To be, or not to be, that is the question: Whether 'tis nobler in the mind to suffer the "
    "slings and arrows of outrageous fortune",
    "We the People of the United States, in Order to form a more perfect Union, establish Justice, "
    "insure domestic Tranquility",
    "In the beginning God created the heaven and the earth. And the earth was without form, and "
    "void; and darkness was upon the face of the deep",
    "Congress shall make no law respecting an establishment of religion, or prohibiting the free "
    "exercise thereof; or abridging the freedom of speech",
    "Tomorrow, and tomorrow, and tomorrow, creeps in this petty pace from day to day, to the last "
    "syllable of recorded time",
)


def texts(recipe: str) -> list[str]:
    """Return the documents of a recipe."""
    found = RECIPES[recipe]
    return list(found.extract([fetch(p, cache_folder(None)) for p in found.packages]))


def pieces(some: list[str]) -> list[str]:
    """Cut documents into pieces of 4,000 characters."""
    return [t[i : i + PIECE] for t in some for i in range(0, len(t), PIECE) if len(t) - i > 500]


def files(pattern: str, most: int) -> list[str]:
    """Return texts of this machine."""
    out = []
    for path in sorted(Path("/").glob(pattern))[:most]:
        if path.is_symlink() or not path.is_file():
            continue
        raw = path.read_bytes()
        out.append((gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(errors="replace"))
    return out


def benchmark(rng: random.Random) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return long items, short items, items about licences, items about quotations."""
    sentences = [
        " ".join(s.split()) for t in texts("speeches") for s in re.split(r"(?<=[.?!])\s+", t)
    ]
    sizes = [len(s.split()) for s in sentences]
    long = [s for s, n in zip(sentences, sizes, strict=True) if 20 <= n <= 80]
    short = [s for s, n in zip(sentences, sizes, strict=True) if 7 <= n < 13]
    paragraphs = [" ".join(p.split()) for t in files("usr/share/common-licenses/*", 99)
                  for p in t.split("\n\n") if 25 <= len(p.split()) <= 150]  # fmt: skip
    licence = [f"Read this paragraph. {p} What does it permit?" for p in paragraphs]
    quote = [q for c in QUOTES for q in (f'Who wrote "{c}"?', f"Which text holds the words: {c}")]
    for some in (long, short, licence):
        rng.shuffle(some)
    return long[:400], list(dict.fromkeys(short))[:400], licence[:100], quote


def wrapped(text: str) -> str:
    """Break a text into lines of 8 words."""
    words = text.split()
    return "\n".join(" ".join(words[i : i + 8]) for i in range(0, len(words), 8))


def plantings(filler: list[str], rng: random.Random) -> dict[str, Callable[[str], str]]:
    """Return the ways in which an item is hidden."""

    def between(text: str, times: int) -> str:
        around = rng.choice(filler).split()
        around = around * (1 + times * len(text.split()) // max(len(around), 1))
        around = around[: times * len(text.split())]
        cut = rng.randrange(len(around))
        return " ".join([*around[:cut], text, *around[cut:]])

    def changed(text: str) -> str:
        words = text.split()
        words[len(words) // 2] = "otherwise"
        return " ".join(words)

    return {
        "verbatim": lambda t: t,
        "lines of 8 words": wrapped,
        "in 10 times as much other text": lambda t: between(t, 10),
        "in 10 times, lines of 8 words": lambda t: wrapped(between(t, 10)),
        "upper case, quoted with >": lambda t: "> " + wrapped(t).upper().replace("\n", "\n> "),
        "without punctuation": lambda t: re.sub(r"[^\w\s]+", " ", t),
        "one word changed in the middle": changed,
    }


def innocent(quotes: tuple[str, ...], rng: random.Random) -> dict[str, list[str]]:
    """Return documents that hold no item, by kind."""
    novels, sermons = pieces(texts("novels")), pieces(texts("sermons"))
    rng.shuffle(sermons)
    quoting = []
    for quote in quotes:
        for _ in range(40):
            host = rng.choice(novels).split()
            cut = rng.randrange(len(host))
            quoting.append(" ".join([*host[:cut], f'"{quote}"', *host[cut:]]))
    return {
        "novels": novels,
        "commentary": sermons[:3000],
        "manual pages": pieces(files("usr/share/man/man*/*.gz", 1500)),
        "documentation": pieces(files("usr/share/doc/*/README*", 500)),
        "quotations in prose": quoting,
        "Debian copyright files": files("usr/share/doc/*/copyright", 999),
        "licence texts": texts("licences"),
        "licence notices": notices(),
        "LICENSE files": [
            p.read_text(errors="replace")
            for p in sorted(Path(sys.prefix).rglob("*"))
            if p.is_file() and re.match(r"(LICEN[CS]E|COPYING|NOTICE)", p.name)
        ],
    }


def notices() -> list[str]:
    """Return licence notices as they stand in files of programs."""
    with zipfile.ZipFile(fetch(RECIPES["licences"].packages[0], cache_folder(None))) as pack:
        rules = [pack.read(n).decode() for n in pack.namelist() if n.endswith(".RULE")]
    return [t for r in rules if len(t := r.split("\n---\n", 1)[-1].strip()) >= 40]


def wilson(hits: int, n: int) -> str:
    """Return a share with its interval."""
    if n == 0:
        return "none"
    z, p = 1.959964, hits / n
    middle, spread = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
    return f"{100 * p:6.2f} %  [{100 * max(low, 0):5.2f}, {100 * high:6.2f}]  {hits} of {n}"


def main() -> None:
    """Print the tables."""
    rng = random.Random(0)
    long, short, licence, quote = benchmark(rng)
    clean = innocent(QUOTES, rng)
    ways = plantings(clean["commentary"], rng)
    pool = [t for kind in clean.values() for t in kind]
    kinds = {"long": long, "short": short, "on a licence": licence, "on a quotation": quote}
    items = [t for some in kinds.values() for t in some]
    kind_of = np.repeat(list(kinds), [len(some) for some in kinds.values()])
    model = Contamination().fit(Docs.of(items, [f"item {i}" for i in range(len(items))]))
    docs = Docs.of(pool)
    model.document_counts(docs.take(np.arange(2)))  # compiled passes are loaded once
    start = time.process_time()
    counts = model.document_counts(docs)
    middle = time.process_time()
    dropped = model.counted(counts, len(docs)).mark(docs).dropped
    size = len(docs.data) / 1e6
    print(f"{len(items)} items, {len(model.hashes_):,} runs; {len(docs):,} documents, "
          f"{size:.0f} MB; {size / (middle - start):.0f} MB a CPU second to count, "
          f"{size / (time.process_time() - middle):.0f} to mark")  # fmt: skip
    for finding in model.findings():
        print(finding)
    print("\nfalse alarms with the filter of document frequency; without it")
    loose = Contamination(most=10**9).fit(items).mark(docs).dropped
    at = 0
    for kind, some in clean.items():
        here = slice(at, at + len(some))
        print(f"{kind:26}{wilson(int(dropped[here].sum()), len(some))}"
              f"   {100 * loose[here].mean():.2f} %")  # fmt: skip
        at += len(some)
    print(f"{'all':26}{wilson(int(dropped[:at].sum()), at)}   {100 * loose.mean():.2f} %")
    print("\nrecall of the items that are looked for, by way of planting and kind; of all items")
    looked = np.array([f"item {i}" not in model.unchecked_ for i in range(len(items))])
    for way, hide in ways.items():
        planted = Docs.of([hide(t) for t in items])
        model.counted(counts + model.document_counts(planted), len(docs) + len(planted))
        found = model.mark(planted).dropped
        for kind in kinds:
            mine = kind_of == kind
            share = wilson(int(found[mine & looked].sum()), int((mine & looked).sum()))
            print(f"{way:34}{kind:16}{share}   {100 * found[mine].mean():.1f} %")


if __name__ == "__main__":
    main()
