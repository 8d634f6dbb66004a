"""Quality: what share of prose, manuals and code each rule drops, and MB a CPU second.

python benchmarks/select_quality.py

Prose: novels, speeches, a commentary on the Psalms (recipes of `ecotone.data`, fetched once). The
rest is of this machine: manual pages, Python's standard library, C headers, Perl modules, vim
scripts; one file is one document, 1,500 of a kind at most. Rules that are off by default are given
their published thresholds.
"""

from __future__ import annotations

import gzip
import random
import re
import sysconfig
import time
from pathlib import Path

from ecotone.data.docs import Docs
from ecotone.data.packages import cache_folder, fetch
from ecotone.data.recipes import RECIPES
from ecotone.select import _text_facts
from ecotone.select.quality import CODE, Quality

MOST = 1500


def texts(recipe: str) -> list[str]:
    """Return the documents of a recipe."""
    found = RECIPES[recipe]
    return list(found.extract([fetch(p, cache_folder(None)) for p in found.packages]))[:MOST]


def files(root: str, *patterns: str) -> list[str]:
    """Return text files below a folder, drawn at random."""
    found = sorted(p for pattern in patterns for p in Path(root).glob(pattern)
                   if p.is_file() and not p.is_symlink())  # fmt: skip
    random.Random(0).shuffle(found)
    out: list[str] = []
    for path in found:
        if len(out) == MOST:
            break
        raw = path.read_bytes()
        try:
            text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        except UnicodeDecodeError:
            continue
        out += [text] if text.strip() else []
    return out


def pages(language: str) -> list[str]:
    """Return manual pages as plain text."""
    out = []
    for text in files(f"/usr/share/man/{language}", "man[1-9]/*.gz"):
        text = re.sub(r"^[.'](\\\"|so|de|ds|if|ie|nr).*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"^[.'][A-Za-z]{1,3} ?", "", text, flags=re.MULTILINE)
        text = re.sub(r"\\f.|\\\(..|\\[-&e|^ ]|\"", "", text)
        out += [text] if len(text) > 600 else []
    return out


def main() -> None:
    """Print the table."""
    kinds = {
        "novels": texts("novels"), "speeches": texts("speeches"), "comment.": texts("sermons"),
        "manuals": pages(""), "Python": files(sysconfig.get_path("stdlib"), "**/*.py"),
        "C headers": files("/usr/include", "**/*.h"),
        "Perl": files("/usr/share/perl", "**/*.p[lm]"),
        "vim": files("/usr/share/vim", "**/*.vim"), "German": pages("de"),
        "Russian": pages("ru"),
    }  # fmt: skip
    kinds = {k: v for k, v in kinds.items() if v}
    whole = Docs.of([t for some in kinds.values() for t in some])
    some = Docs.of([t for v in kinds.values() for t in v[::20]])
    strict = Quality(rules={"curly_braces": 0, "few_ended_lines": 0.12})
    strict.mark(["a"])  # the compiled pass is loaded once
    print(
        f"{len(whole):,} documents, {len(whole.data) / 1e6:.0f} MB: {speed(whole):.0f} MB a CPU s"
    )
    marks = {kind: strict.mark(v) for kind, v in kinds.items()}
    print("\n% dropped by" + " " * 13, *(f"{k:>9}" for k in kinds))
    print("documents" + " " * 16, *(f"{len(v):9}" for v in kinds.values()))
    for i, rule in enumerate(next(iter(marks.values())).causes):
        print(f"{rule:25}", *(f"{100 * m.fired[:, i].mean():9.1f}" for m in marks.values()))
    for name, rules in (("any, as they come", None), ("any with rules=CODE", CODE)):
        dropped = (Quality(rules=rules).mark(v).dropped for v in kinds.values())
        print(f"{name:25}", *(f"{100 * d.mean():9.1f}" for d in dropped))
    _text_facts.kernel = lambda: None  # type: ignore[assignment]
    print(f"\nwithout numba {speed(some):.1f} MB a CPU s")


def speed(docs: Docs) -> float:
    """Return MB a CPU second."""
    start = time.process_time()
    Quality().mark(docs)
    return len(docs.data) / 1e6 / (time.process_time() - start)


if __name__ == "__main__":
    main()
