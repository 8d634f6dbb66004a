"""What stands in a package's file becomes documents: one small function for each kind of file.

Every function takes bytes (or text) and yields texts, in the order of the file. Dropping short
documents and duplicates is left to the caller.
"""

from __future__ import annotations

import io
import re
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
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
