"""One part of a file as batches of `Docs`; `doc_records` reads the records they stand in.

A line that is no document (no JSON, no text field, not UTF-8) is handed to the caller beside the
batch: whether it stops the run is the caller's decision, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.data.formats import loads_leniently, records, suffix_of
from ecotone.data.parquet import check_column
from ecotone.data.stream import LINE_LIMIT, lines

BATCH = 1 << 20  # bytes of a batch: it fits into a cache
ROWS = 256  # of a parquet batch


class Bad(NamedTuple):
    """A line that holds no document.

    Attributes
    ----------
    place : str
        Such as ``pool.jsonl:17``.
    why : str
        What is wrong with it.
    line : bytes
        As it stands in the file.
    """

    place: str
    why: str
    line: bytes

    def told(self) -> dict[str, str]:
        """Return it as text, for a side file."""
        return {"place": self.place, "why": self.why, "line": self.line.decode(errors="replace")}


@dataclass(frozen=True)
class Part:
    """A piece of a file: what one worker reads.

    Attributes
    ----------
    path, shown : str
        The file, and how it is called in ids.
    start, stop : int
        Bytes of a plain JSON lines file, row groups of a parquet file; -1 is the whole file.
    line : int
        Number of the first line or row, from 1.
    size : int
        Bytes on disk, for the time left.
    """

    path: str
    shown: str
    start: int
    stop: int
    line: int
    size: int


def refused(bad: Bad, text_field: str) -> BadInput:
    """Return the error for a line that is no document."""
    return BadInput(
        f"{bad.place}: {bad.why}.",
        cure=f'write each document as one line: {{"{text_field}": "..."}}; '
        "or leave --strict out to pass such lines over",
    )


def read(part: Part, text_field: str = "text") -> Iterator[tuple[Docs, list[Bad]]]:
    """Stream the batches of a part, each with the lines that hold no document.

    Documents of white space only are no documents and are left out silently, as in a corpus.
    """
    kind = suffix_of(Path(part.path).name)
    if kind == ".parquet":
        yield from _read_groups(part, text_field)
    elif kind == ".txt":
        found = records(Path(part.path), text_field=text_field, cut_text=True)
        for group in _grouped(found):
            yield Docs.of([r.text for r in group], [f"{part.shown}:{r.place}" for r in group]), []
    else:
        yield from _read_lines(part, text_field)


def _grouped(found: Iterator[Any]) -> Iterator[list[Any]]:
    group, size = [], 0
    for record in found:
        group.append(record)
        size += len(record.text)
        if size >= BATCH:
            yield group
            group, size = [], 0
    if group:
        yield group


def numbered_lines(part: Part) -> Iterator[list[tuple[int, bytes]]]:
    """Stream lists of (line number, line) of about a batch of bytes."""
    path, held, size = Path(part.path), [], 0
    if part.start < 0:
        for number, _, line in lines(path):
            held.append((number, line))
            size += len(line)
            if size >= BATCH:
                yield held
                held, size = [], 0
        yield held
        return
    number, rest, left = part.line, b"", part.stop - part.start
    with path.open("rb") as stream:
        stream.seek(part.start)
        while left > 0 and (block := stream.read(min(BATCH, left))):
            left -= len(block)
            found = (rest + block).split(b"\n")
            rest = found.pop()
            if len(rest) > LINE_LIMIT:
                raise BadInput.at(
                    path, number + len(found), f"the line is longer than {LINE_LIMIT >> 20} MiB.",
                    cure="write one document a line, each line ended by a line feed",
                )  # fmt: skip
            yield list(enumerate(found, number))
            number += len(found)
        if rest:
            yield [(number, rest)]


def _read_lines(part: Part, text_field: str) -> Iterator[tuple[Docs, list[Bad]]]:
    loads = orjson.loads
    for found in numbered_lines(part):
        texts: list[bytes] = []
        places: list[str] = []
        bad: list[Bad] = []
        for number, line in found:
            try:
                text = loads(line)[text_field]
                if text and not text.isspace():
                    texts.append(text.encode())
                    places.append(f"{part.shown}:{number}")
                elif text is not None and not isinstance(text, str):
                    raise TypeError  # 0 is no text either
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                if not line.strip():
                    continue
                why, record = second_look(line, text_field)
                if why:
                    bad.append(Bad(f"{part.shown}:{number}", why, line))
                elif record:
                    texts.append(record[text_field].encode())
                    places.append(f"{part.shown}:{number}")
        yield Docs.of_bytes(texts, places), bad


def second_look(line: bytes, text_field: str) -> tuple[str, dict[str, Any]]:
    """Say what is wrong with a line, or read what only the slow reader can; {} is no document."""
    try:
        record = loads_leniently(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        return f"no JSON ({error})", {}
    if not isinstance(record, dict):
        return "not a JSON object", {}
    if text_field not in record:
        return f"the field {text_field!r} is missing", {}
    text = record[text_field]
    if text is None:
        return "", {}
    if not isinstance(text, str):
        return f"the field {text_field!r} is no string", {}
    return "", record if text and not text.isspace() else {}


def _read_groups(part: Part, text_field: str) -> Iterator[tuple[Docs, list[Bad]]]:
    row = part.line
    for batch in batches_of(part, text_field, [text_field]):
        yield of_column(batch.column(0), part.shown, row), []
        row += len(batch)


def batches_of(part: Part, text_field: str, columns: list[str] | None) -> Iterator[Any]:
    """Stream Arrow batches of a part of a parquet file; all columns when none is named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(part.path)
    try:
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            check_column(path, file.schema_arrow, text_field)
            yield from file.iter_batches(
                ROWS, row_groups=list(range(part.start, part.stop)), columns=columns,
                use_threads=False,
            )  # fmt: skip
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path}: cannot be read as parquet ({str(error).partition(chr(10))[0]}).",
            cure="write the file again",
        ) from None
    finally:  # Arrow would keep fifty megabytes for the next part
        pa.default_memory_pool().release_unused()


def of_column(column: Any, shown: str, row: int) -> Docs:
    """Take the buffers of an Arrow column of strings as they are."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    n = len(column)
    wide = pa.types.is_large_string(column.type)
    places = np.frombuffer(column.buffers()[1], dtype=np.int64 if wide else np.int32)
    places = places[column.offset : column.offset + n + 1].astype(np.int64)
    data = column.buffers()[2]
    whole = np.frombuffer(data if data is not None else b"", dtype=np.uint8)
    docs = Docs(whole[places[0] : places[-1]], places - places[0], _Places(shown, row, n))
    empty = docs.sizes == 0  # nulls too
    return docs.take(np.flatnonzero(~empty)) if empty.any() else docs


class _Places(Sequence[str]):
    """Ids of rows that follow each other, written when asked for."""

    def __init__(self, shown: str, row: int, n: int) -> None:
        self.shown, self.row, self.n = shown, row, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(self.n))]
        if not -self.n <= i < self.n:
            raise IndexError(i)
        return f"{self.shown}:{self.row + i % self.n}"
