"""The records that documents stand in, with all their fields, in the order of `doc_read.read`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from ecotone.core.files import replacing
from ecotone.data.doc_read import (
    Bad,
    Part,
    batches_of,
    numbered_lines,
    of_column,
    read,
    second_look,
)
from ecotone.data.docs import Docs
from ecotone.data.formats import suffix_of

Record = tuple[str, dict[str, Any]]  # place and all fields


class Records(NamedTuple):
    """A batch of documents as records.

    Attributes
    ----------
    places : sequence of str
        Of all documents of the batch.
    records : list of (str, dict)
        Place and all fields of each, or of those that were asked for.
    bad : list of Bad
        Lines of the batch that hold no document.
    """

    places: Sequence[str]
    records: list[Record]
    bad: list[Bad]


def read_records(
    part: Part, text_field: str = "text", kept: NDArray[np.bool_] | None = None
) -> Iterator[Records]:
    """Stream the documents of `read` once more with all their fields, in the same order.

    Parameters
    ----------
    part, text_field
        As for `read`; the batches may be cut elsewhere.
    kept : ndarray of bool, shape (documents of the part,), optional
        Whose records are wanted; all by default.
    """
    at = 0
    for places, records_of, bad in _record_batches(part, text_field):
        n = len(places)
        rows = np.arange(n) if kept is None else np.flatnonzero(kept[at : at + n])
        yield Records(places, records_of(rows) if len(rows) else [], bad)
        at += n


Later = Callable[[NDArray[Any]], list[Record]]  # records of some rows, made when asked for


def _record_batches(
    part: Part, text_field: str
) -> Iterator[tuple[Sequence[str], Later, list[Bad]]]:
    kind = suffix_of(Path(part.path).name)
    if kind == ".txt":
        for docs, bad in read(part, text_field):
            yield docs.ids, partial(_of_texts, docs, text_field), bad
    elif kind == ".parquet":
        row = part.line
        for batch in batches_of(part, text_field, None):
            texts = of_column(batch.column(text_field), part.shown, row)
            yield texts.ids, partial(_of_rows, batch, text_field, texts.ids), []
            row += len(batch)
    else:
        for found in numbered_lines(part):
            records, bad = _records_of(found, part.shown, text_field)
            yield [p for p, _ in records], partial(_of_list, records), bad


def _of_texts(docs: Docs, text_field: str, rows: NDArray[Any]) -> list[Record]:
    return [(docs.ids[i], {text_field: docs[i]}) for i in rows.tolist()]


def _of_rows(
    batch: Any, text_field: str, places: Sequence[str], rows: NDArray[Any]
) -> list[Record]:
    import pyarrow.compute as pc

    there = np.flatnonzero(
        pc.greater(pc.binary_length(batch.column(text_field)), 0).fill_null(False)
    )
    taken = batch.take(there[rows]).to_pylist()
    return [(places[i], r) for i, r in zip(rows.tolist(), taken, strict=True)]


def _of_list(records: list[Record], rows: NDArray[Any]) -> list[Record]:
    return [records[i] for i in rows.tolist()]


def _records_of(
    found: list[tuple[int, bytes]], shown: str, text_field: str
) -> tuple[list[Record], list[Bad]]:
    out: list[Record] = []
    bad: list[Bad] = []
    for number, line in found:
        if not line.strip():
            continue
        why, record = _record(line, text_field)
        if why:
            bad.append(Bad(f"{shown}:{number}", why, line))
        elif record:
            out.append((f"{shown}:{number}", record))
    return out, bad


def _record(line: bytes, text_field: str) -> tuple[str, dict[str, Any]]:
    try:
        record = orjson.loads(line)
        text = record[text_field]
        if text is not None and not isinstance(text, str):
            raise TypeError
        return "", record if text and not text.isspace() else {}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return second_look(line, text_field)


def named(place: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with an id: its own, beside which stands its place, or its place."""
    return {**record, "place": place} if "id" in record else {"id": place, **record}


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write records as JSON lines, compressed by Zstandard, whole or not at all."""
    pack = zstandard.ZstdCompressor(level=3)
    with (
        replacing(path) as part,
        part.open("wb") as file,
        pack.stream_writer(file, closefd=False) as out,
    ):
        for record in records:
            out.write(orjson.dumps(record, default=str) + b"\n")
