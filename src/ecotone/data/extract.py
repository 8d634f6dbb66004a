"""What stands in a package's file becomes documents: one small function for each kind of file.

Every function takes bytes (or text) and yields texts, in the order of the file. Dropping short
documents and duplicates is left to the caller.
"""

from __future__ import annotations

import io
import re
import struct
import tarfile
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from html import unescape
from itertools import groupby

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


def ontology_terms(text: str) -> Iterator[str]:
    r"""Yield one line for each ``[Term]`` of an OBO file: name, definition, comment, synonyms.

    Obsolete terms are left out.

    Examples
    --------
    >>> obo = '[Term]\nid: 1\nname: Gout\ndef: "Sore \\"toe\\"." [x]\nsynonym: "Podagra" EXACT []\n'
    >>> list(ontology_terms(obo))
    ['Gout. Sore "toe". Podagra.']
    """
    for stanza in re.split(r"\n(?=\[)", text):
        kind, *lines = stanza.strip().split("\n")
        if kind != "[Term]" or "is_obsolete: true" in lines:
            continue
        fields: dict[str, list[str]] = {"name": [], "def": [], "comment": [], "synonym": []}
        for line in lines:
            key, _, value = line.partition(": ")
            if key in fields:
                quoted = _QUOTED.match(value)
                fields[key].append(_ESCAPE.sub(r"\1", quoted[1] if quoted else value).strip())
        parts = list(dict.fromkeys(part for values in fields.values() for part in values if part))
        yield " ".join(part if part.endswith((".", "?", "!")) else part + "." for part in parts)


def diagnoses(data: bytes) -> Iterator[str]:
    """Yield one line for each ``<diag>`` of an ICD-10-CM tabular list: code, title and notes."""
    for _, element in ET.iterparse(io.BytesIO(data), events=("end",)):
        if element.tag != "diag":
            continue
        own = [child for child in element if child.tag != "diag"]
        parts = [
            " ".join("".join(child.itertext()).split()) for child in own for child in _notes(child)
        ]
        yield parts[0] + " " + "; ".join(part for part in parts[1:] if part) if parts else ""
        for child in own:
            element.remove(child)  # the notes of a block must not show up in the block around it


def _notes(element: ET.Element) -> Iterator[ET.Element]:
    return iter(element) if len(element) else iter((element,))


def table_column(text: str, *, header: int, column: int = 1) -> Iterator[str]:
    """Yield one column of a tab-separated table after `header` lines."""
    for line in text.split("\n")[header:]:
        cells = line.rstrip("\r").split("\t")
        if len(cells) > column:
            yield cells[column]


def rated_snippets(data: bytes) -> Iterator[str]:
    """Yield the texts of a gzipped tar of ``id<TAB>score<TAB>text`` tables in Latin-1.

    Sentences whose ids are ``document_sentence`` are joined to one document, so that no split by
    document puts two halves of a review on two sides.
    """
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as pack:
        for entry in sorted(pack.getmembers(), key=lambda e: e.name):
            file = pack.extractfile(entry) if entry.name.endswith("_GroundTruth.txt") else None
            if file is None:
                continue
            rows = [line.split("\t") for line in file.read().decode("latin-1").splitlines()]
            rows = [row for row in rows if len(row) >= 3]
            for _, group in groupby(rows, key=lambda row: row[0].partition("_")[0]):
                yield " ".join(row[2].strip() for row in group)


def after_front_matter(text: str) -> str:
    r"""Drop the lines between two ``---`` at the top.

    Examples
    --------
    >>> after_front_matter("---\nkey: mit\n---\n\nPermission is granted.\n")
    'Permission is granted.'
    """
    match = re.match(r"---\r?\n.*?^---[ \t]*\r?$\n?", text, re.DOTALL | re.MULTILINE)
    return (text[match.end() :] if match else text).strip()


def dictionary_entries(text: str) -> Iterator[str]:
    r"""Yield the entries of a dict file: each starts at a line without leading white space.

    Examples
    --------
    >>> list(dictionary_entries("00-database-url\n  x\nDog \\Dog\\, n.\n   1. A beast.\n\nDoe\n"))
    ['Dog \\Dog\\, n.\n   1. A beast.', 'Doe']
    """
    for entry in re.split(r"\n(?=\S)", text):
        if entry and not entry.startswith("00-database"):
            yield entry.strip()


def glosses(text: str) -> Iterator[str]:
    r"""Yield ``words: gloss`` for each line of a WordNet data file.

    The words stand before the bar (their number, hexadecimal, in the fourth field, then word and
    number in turn), the gloss after it. Lines of the licence begin with two spaces.

    Examples
    --------
    >>> list(glosses('  1 licence\n00 02 r 02 A.D. 0 anno_Domini 0 000 | in the era; "AD 2"  \n'))
    ['A.D., anno Domini: in the era; "AD 2"']
    """
    for line in text.split("\n"):
        head, bar, gloss = line.partition(" | ")
        if line.startswith("  ") or not bar:
            continue
        fields = head.split()
        words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        names = [re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in words]
        yield f"{', '.join(names)}: {gloss.strip()}"


def r_lines(data: bytes) -> Iterator[list[str]]:
    """Yield each character vector of an R lazy-load file (``.rdb``) as a list of strings.

    The file is a sequence of chunks, each the inflated length (4 bytes, big-endian) and a zlib
    stream; inside is R's serialisation: a flag word and a length before every object.
    """
    while len(data) > 4:
        chunk = zlib.decompressobj()
        inner = chunk.decompress(data[4:])
        data = chunk.unused_data
        start = 14 if inner[2:6] == b"\0\0\0\2" else 18 + int.from_bytes(inner[14:18], "big")
        if inner[start : start + 4] != b"\0\0\0\x10":  # not a character vector
            continue
        count, at = int.from_bytes(inner[start + 4 : start + 8], "big"), start + 8
        lines = []
        for _ in range(count):
            size = int.from_bytes(inner[at + 4 : at + 8], "big", signed=True)
            lines.append(inner[at + 8 : at + 8 + max(size, 0)].decode(errors="replace"))
            at += 8 + max(size, 0)
        yield lines


def commentary_blocks(index: bytes, packed: bytes) -> Iterator[str]:
    """Yield the blocks of a SWORD commentary, tags stripped.

    The index (``.czs``) holds offset, packed size and plain size of each block, 4 bytes each,
    little-endian; a block of the other file (``.czz``) is a zlib stream.
    """
    for offset, size, _ in struct.iter_unpack("<III", index):
        if size:
            text = zlib.decompress(packed[offset : offset + size]).decode(errors="replace")
            yield re.sub(r"[ \t]+", " ", unescape(re.sub(r"<[^>]*>", " ", text))).strip()


def pieces(text: str, most: int = 20_000) -> Iterator[str]:
    """Cut a text into pieces of at most `most` characters, at spaces where there are any."""
    while len(text) > most:
        cut = text.rfind(" ", most // 2, most)
        cut = most if cut < 0 else cut
        yield text[:cut]
        text = text[cut:].lstrip()
    yield text
