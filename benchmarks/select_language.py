"""Language: what is dropped of real text in many languages, of English and of code; speed.

python benchmarks/select_language.py

Needs py3langid and the translations of programs under /usr/share/locale: messages of 40 characters
or more that differ from the English original, alone ("line") and six joined ("page"). English: the
originals, manual pages, novels. Code: Python, C headers, Perl. "half" joins an English page with a
translated one. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import gettext
import random
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from select_contamination import wilson
from select_quality import files, pages, texts

from ecotone.data.docs import Docs
from ecotone.select.language import Language

LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "hu", "id", "it", "ja", "ko", "nl", "pl", "pt_BR",
             "ro", "ru", "sv", "tr", "uk", "vi", "zh_CN")  # fmt: skip
FLOORS = (0.5, 0.7, 0.9)


def messages(language: str, *, original: bool = False) -> list[str]:
    """Return translated messages of programs, or their English originals."""
    out: set[str] = set()
    for path in sorted(Path("/usr/share/locale", language, "LC_MESSAGES").glob("*.mo")):
        if path.name.startswith("iso_"):
            continue
        try:
            with path.open("rb") as file:
                pairs = vars(gettext.GNUTranslations(file))["_catalog"].items()
        except (OSError, UnicodeDecodeError, ValueError):
            continue
        out |= {(k if original else v) for k, v in pairs
                if isinstance(k, str) and k and k != v and len(v) >= 40}  # fmt: skip
    found = sorted(out)
    random.Random(0).shuffle(found)
    return found


def joined(some: list[str], k: int = 6) -> list[str]:
    """Join messages to pages."""
    return ["\n".join(some[i : i + k]) for i in range(0, len(some) - k + 1, k)]


def main() -> None:
    """Print the tables."""
    english = messages("de", original=True)[:1200]
    line, page, half, right = [], [], [], []
    print("language   lines  right %   dropped % of lines at 0.5, 0.7, 0.9   of pages")
    for language in LANGUAGES:
        some = messages(language)[:1200]
        if len(some) < 200:
            continue
        rows = [Language(floor=f).mark(some[:400]) for f in FLOORS]
        whole = [Language(floor=f).mark(joined(some)).dropped.mean() for f in FLOORS]
        named = rows[0].values["language"] == language[:2]
        right.append(named.mean())
        line, page = line + some[:400], page + joined(some)
        half += [f"{a}\n{b}" for a, b in zip(joined(english), joined(some), strict=False)][:50]
        print(f"{language:10} {len(named):5} {100 * named.mean():8.1f}   ",
              *(f"{100 * r.dropped.mean():6.1f}" for r in rows), "            ",
              *(f"{100 * w:6.1f}" for w in whole))  # fmt: skip
    print(f"mean of the languages {100 * np.mean(right):.1f} % right")
    sets = {
        "other, lines": line, "other, pages": page, "half English": half,
        "English, lines": english, "English, pages": joined(english), "English manuals": pages(""),
        "English novels": texts("novels"), "Python": files(sysconfig.get_path("stdlib"), "**/*.py"),
        "C headers": files("/usr/include", "**/*.h"),
        "Perl": files("/usr/share/perl", "**/*.p[lm]"),
    }  # fmt: skip
    print("\ndropped with the default floor of 0.7")
    for name, some in sets.items():
        print(f"{name:16} {wilson(int(Language().mark(some).dropped.sum()), len(some))}")
    docs = Docs.of(sets["English manuals"])
    start = time.process_time()
    Language().mark(docs)
    seconds = time.process_time() - start
    print(f"\n{len(docs) / seconds:.0f} documents, {len(docs.data) / 1e6 / seconds:.0f} MB a CPU s")


if __name__ == "__main__":
    main()
