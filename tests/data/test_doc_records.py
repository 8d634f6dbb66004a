"""Records are the documents of `read`, with all their fields, in the same order."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecotone.data.doc_files import DocFiles
from ecotone.data.doc_read import read
from ecotone.data.doc_records import read_records

ROWS = [
    {"text": t, "n": i, "deep": {"a": [i]}}
    for i, t in enumerate(["one", "", None, "zwölf", "x" * 50, "last"])
]


@pytest.fixture(params=["pool.jsonl", "pool.jsonl.gz", "pool.parquet", "pool.txt"])
def file(request, tmp_path):
    path = tmp_path / request.param
    lines = "".join(json.dumps(r) + "\n" for r in ROWS).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=4)
    elif path.suffix == ".txt":
        path.write_text("one\n\nlast\n")
    else:
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def test_places_and_texts_are_those_of_read(file):
    for part in DocFiles(file).parts(10):
        both = [pair for docs, _ in read(part) for pair in zip(docs.ids, docs.texts(), strict=True)]
        found = list(read_records(part))
        assert [p for f in found for p in f.places] == [p for p, _ in both]
        assert [(p, r["text"]) for f in found for p, r in f.records] == both
        if file.suffix != ".txt":
            assert all(r == ROWS[r["n"]] for f in found for _, r in f.records)


def test_only_those_that_are_asked_for(file):
    (part,) = DocFiles(file).parts()
    n = sum(len(docs) for docs, _ in read(part))
    kept = np.arange(n) == n - 1
    found = list(read_records(part, kept=kept))
    assert sum(len(f.places) for f in found) == n
    ((_, record),) = [r for f in found for r in f.records]
    assert record["text"].endswith("last")


def test_lines_without_a_document_are_handed_out(tmp_path):
    file = tmp_path / "pool.jsonl"
    bad = ["no json", '{"text": 0}', '{"text": ["a"]}', '{"other": "a"}', "[1]"]
    file.write_text("\n".join(['{"text": "a"}', *bad, "", '{"text": "b"}']))
    (part,) = DocFiles(file).parts()
    first = [b.line.decode() for _, wrong in read(part) for b in wrong]
    found = list(read_records(part))
    places = [p for f in found for p in f.places]
    assert places == [p for docs, _ in read(part) for p in docs.ids]
    assert places == ["pool.jsonl:1", "pool.jsonl:8"]
    assert [b.line.decode() for f in found for b in f.bad] == first == bad
