"""One file in, a stream of records out: JSON lines, parquet and plain text.

Nothing here holds a file in memory: bytes come in small blocks, parquet in batches of 64 rows.
What cannot be read is a `BadInput` that names the file and the line or the byte.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ecotone.core.errors import BadInput
from ecotone.data.parquet import parquet_texts
from ecotone.data.stream import RECODE, decoded, lines

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".txt")
PIECE = (2_000, 20_000)  # characters: bounds of the documents cut from one large text
WHOLE = (1 << 22, (1 << 22) + (1 << 16))  # characters: a text file in a folder stays whole below

_BLANK = re.compile(r"\n[ \t]*\n")
_SCALAR = (str, int, float, bool)


class Record(NamedTuple):
    """A text and where it stands: line of a text file (from 1), row of a parquet file (from 1)."""

    place: int
    text: str
    meta: Mapping[str, Any]


def suffix_of(name: str) -> str | None:
    """Return the suffix of a readable file name, or None.

    Examples
    --------
    >>> suffix_of("law.v2.jsonl.gz"), suffix_of("README.md")
    ('.jsonl.gz', None)
    """
    found = [s for s in SUFFIXES if name.lower().endswith(s) and len(name) > len(s)]
    return max(found, key=len, default=None)


def records(path: Path, *, text_field: str = "text", cut_text: bool = False) -> Iterator[Record]:
    """Stream the records of one file; texts of white space only are left out.

    Parameters
    ----------
    path : Path
        A file with one of `SUFFIXES`.
    text_field : str
        Field (JSON lines) or column (parquet) that holds the text.
    cut_text : bool
        Cut a plain text file at blank lines into documents of 2,000 to 20,000 characters
        instead of taking it whole.
    """
    suffix = suffix_of(path.name)
    if suffix == ".txt":
        stream = _from_text(path, *(PIECE if cut_text else WHOLE))
    elif suffix == ".parquet":
        stream = (Record(row, text, {}) for row, text in parquet_texts(path, text_field))
    else:
        stream = _from_lines(path, text_field)
    return (record for record in stream if record.text and not record.text.isspace())


def _from_lines(path: Path, text_field: str) -> Iterator[Record]:
    for number, offset, line in lines(path):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = _loads_slowly(path, number, offset, line)
        if not isinstance(record, dict):
            raise BadInput.at(
                path,
                number,
                f"the line holds {_kind(record)}, not a JSON object.",
                cure=f'write each document as one line: {{"{text_field}": "..."}}',
            )
        text = record.get(text_field)
        if text is None and text_field in record:
            continue  # as a null in parquet: no document
        if not isinstance(text, str):
            raise _no_text(path, number, text_field, record)
        meta = {k: v for k, v in record.items() if k != text_field and isinstance(v, _SCALAR)}
        yield Record(number, text, meta)


def _loads_slowly(path: Path, number: int, offset: int, line: bytes) -> Any:
    try:
        return loads_leniently(line)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, number, offset + error.start, line[error.start]) from None
    except json.JSONDecodeError as error:
        raise BadInput.at(
            path,
            f"{number}:{error.colno}",
            f"invalid JSON: {error.msg}.",
            cure="mend or remove the line; the file needs one JSON object a line",
        ) from None
    except RecursionError:
        raise BadInput.at(
            path, number, "the JSON is nested too deeply.", cure="remove the line"
        ) from None


def loads_leniently(line: bytes) -> Any:
    r"""Read what orjson refuses: NaN and lone surrogates (``"\ud800"``) do occur in real files."""
    record = json.loads(line.decode())
    if isinstance(record, dict):
        return {k: _no_surrogates(v) if isinstance(v, str) else v for k, v in record.items()}
    return record


def _no_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _not_utf8(path: Path, number: int, offset: int, byte: int) -> BadInput:
    where = " of the decompressed text" if path.suffix.lower() in (".gz", ".zst") else ""
    return BadInput.at(
        path,
        number,
        f"byte {offset}{where} is 0x{byte:02x}, which is not UTF-8.",
        cure=RECODE,
    )


def _no_text(path: Path, number: int, text_field: str, record: dict[str, Any]) -> BadInput:
    strings = {k: len(v) for k, v in record.items() if isinstance(v, str) and k != text_field}
    longest = max(strings, key=strings.__getitem__, default="")
    other = f"pass text_field={longest!r} (--text-field {longest})"
    if text_field in record:
        return BadInput.at(
            path,
            number,
            f"the field {text_field!r} holds {_kind(record[text_field])}, not a string.",
            cure=other if strings else "remove the line or write the text as a string",
        )
    return BadInput.at(
        path,
        number,
        f"the field {text_field!r} is missing; the line has: {', '.join(record) or 'no field'}.",
        cure=other if strings else f"add the field {text_field!r} or remove the line",
    )


def _kind(value: object) -> str:
    names = {list: "a list", dict: "an object", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def _from_text(path: Path, least: int, most: int) -> Iterator[Record]:
    """Cut decoded text into documents; the cuts do not depend on the size of the blocks."""
    held, line = "", 1
    for part in decoded(path):
        held += part
        while cut := _cut(held, least, most):
            yield _piece(held[:cut], line)
            line += held.count("\n", 0, cut)
            held = held[cut:]
    yield _piece(held, line)


def _piece(text: str, line: int) -> Record:
    start = len(text) - len(text.lstrip("\n"))
    return Record(line + start, text.strip("\n"), {})


def _cut(text: str, least: int, most: int) -> int:
    """Return where to cut: at a blank line, else a line end, else a space; 0 means read on."""
    blank = _BLANK.search(text, least, most)
    if blank:
        return blank.end()
    if len(text) < most:
        return 0
    for mark in ("\n", " "):
        at = text.rfind(mark, least, most)
        if at >= 0:
            return at + 1
    return most
