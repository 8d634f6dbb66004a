"""Files as batches of `Docs`, in parts that workers can read on their own.

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
from ecotone.data.formats import SUFFIXES, loads_leniently, records, suffix_of
from ecotone.data.parquet import check_column
from ecotone.data.stream import LINE_LIMIT, lines

BATCH = 1 << 20  # bytes of a batch: it fits into a cache
PART = 32 << 20  # bytes of a part
ROWS = 256  # of a parquet batch
_BLOCK = 1 << 20


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


class DocFiles:
    """A file or a folder of texts, read in batches as often as needed, in bounded memory.

    Parameters
    ----------
    path : path
        A file or a folder of ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``, ``.parquet``, ``.txt``.
    text_field : str, default "text"
        Field or column that holds the text.
    strict : bool, default False
        Stop at the first line that is no document; otherwise such lines are passed over and
        handed out by `read`.
    """

    def __init__(self, path: Path | str, *, text_field: str = "text", strict: bool = False) -> None:
        self.path = Path(path).expanduser()
        self.text_field = text_field
        self.strict = strict
        self.files = _files(self.path)

    def __iter__(self) -> Iterator[Docs]:
        for part in self.parts():
            for docs, bad in read(part, self.text_field):
                if bad and self.strict:
                    raise refused(bad[0], self.text_field)
                yield docs

    def __repr__(self) -> str:
        return f"DocFiles({str(self.path)!r}, {len(self.files)} files)"

    def parts(self, size: int = PART) -> list[Part]:
        """Cut the files into parts of about `size` bytes, at line ends or row groups."""
        return [part for file in self.files for part in _parts(file, self.path, size)]


def refused(bad: Bad, text_field: str) -> BadInput:
    """Return the error for a line that is no document."""
    return BadInput(
        f"{bad.place}: {bad.why}.",
        cure=f'write each document as one line: {{"{text_field}": "..."}}; '
        "or leave --strict out to pass such lines over",
    )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if suffix_of(path.name) is None:
            raise BadInput(
                f"{path}: this kind of file is not read.", cure=f"convert to {', '.join(SUFFIXES)}"
            )
        return [path]
    if not path.is_dir():
        raise BadInput(f"{path}: no such file or folder.", cure=f'ls "{path.parent}"')
    found = sorted(
        p for p in path.rglob("*")
        if p.is_file() and suffix_of(p.name)
        and not any(q.startswith(".") for q in p.relative_to(path).parts)
    )  # fmt: skip
    if not found:
        raise BadInput(
            f"{path}: the folder holds no text.",
            why=f"these are read: {', '.join(SUFFIXES)}.",
            cure=f'ls -R "{path}"',
        )
    return found


def _parts(file: Path, root: Path, size: int) -> Iterator[Part]:
    shown = file.name if file == root else file.relative_to(root).as_posix()
    whole = file.stat().st_size
    if suffix_of(file.name) == ".jsonl":
        yield from _line_parts(file, shown, whole, size)
    elif suffix_of(file.name) == ".parquet":
        yield from _group_parts(file, shown, size)
    else:
        yield Part(str(file), shown, -1, -1, 1, whole)


def _line_parts(file: Path, shown: str, whole: int, size: int) -> Iterator[Part]:
    """Cut behind the first line end after every `size` bytes, counting lines on the way."""
    start, first, line, at = 0, 1, 1, 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            counted = 0
            while (cut := block.find(b"\n", max(start + size - at, 0))) >= 0:
                line += block.count(b"\n", counted, cut + 1)
                counted, stop = cut + 1, at + cut + 1
                yield Part(str(file), shown, start, stop, first, stop - start)
                start, first = stop, line
            line, at = line + block.count(b"\n", counted), at + len(block)
    if at > start or not whole:
        yield Part(str(file), shown, start, at, first, at - start)


def _group_parts(file: Path, shown: str, size: int) -> Iterator[Part]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{file}: cannot be read as parquet ({str(error).partition(chr(10))[0]}).",
            cure="write the file again",
        ) from None
    start, row, first, held = 0, 1, 1, 0
    for i in range(about.num_row_groups):
        group = about.row_group(i)
        held, row = held + group.total_byte_size, row + group.num_rows
        if held >= size or i == about.num_row_groups - 1:
            yield Part(str(file), shown, start, i + 1, first, held)
            start, first, held = i + 1, row, 0


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


def _numbered_lines(part: Part) -> Iterator[list[tuple[int, bytes]]]:
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
    for found in _numbered_lines(part):
        texts: list[bytes] = []
        places: list[str] = []
        bad: list[Bad] = []
        for number, line in found:
            try:
                text = loads(line)[text_field]
                if text and not text.isspace():
                    texts.append(text.encode())
                    places.append(f"{part.shown}:{number}")
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                if not line.strip():
                    continue
                why, text = _second_look(line, text_field)
                if why:
                    bad.append(Bad(f"{part.shown}:{number}", why, line))
                elif text:
                    texts.append(text.encode())
                    places.append(f"{part.shown}:{number}")
        yield Docs.of_bytes(texts, places), bad


def _second_look(line: bytes, text_field: str) -> tuple[str, str]:
    """Say what is wrong with a line, or read what only the slow reader can."""
    try:
        record = loads_leniently(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        return f"no JSON ({error})", ""
    if not isinstance(record, dict):
        return "not a JSON object", ""
    if text_field not in record:
        return f"the field {text_field!r} is missing", ""
    text = record[text_field]
    if text is None:
        return "", ""
    return ("", text) if isinstance(text, str) else (f"the field {text_field!r} is no string", "")


def _read_groups(part: Part, text_field: str) -> Iterator[tuple[Docs, list[Bad]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, row = Path(part.path), part.line
    try:
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            check_column(path, file.schema_arrow, text_field)
            groups = list(range(part.start, part.stop))
            for batch in file.iter_batches(
                ROWS, row_groups=groups, columns=[text_field], use_threads=False
            ):
                yield _of_column(batch.column(0), part.shown, row), []
                row += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path}: cannot be read as parquet ({str(error).partition(chr(10))[0]}).",
            cure="write the file again",
        ) from None


def _of_column(column: Any, shown: str, row: int) -> Docs:
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
