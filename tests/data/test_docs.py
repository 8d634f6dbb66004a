"""Batches of bytes and files in parts: nothing is lost, and a place is where it says."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from ecotone.core.errors import BadInput
from ecotone.data.doc_files import DocFiles
from ecotone.data.doc_read import read
from ecotone.data.docs import Docs, as_docs, joined

TEXTS = ["one", "zwölf", "a\nb", "x" * 50, " ", "last"]
LEFT = [t for t in TEXTS if t.strip()]


def lines(texts):
    return "".join(json.dumps({"text": t, "n": i}) + "\n" for i, t in enumerate(texts))


def test_a_batch_gives_back_its_texts():
    docs = Docs.of(TEXTS, [f"d{i}" for i in range(6)])
    assert docs.texts() == TEXTS
    assert docs.take(np.array([3, 0])).ids == ["d3", "d0"]
    assert docs.sizes.tolist() == [len(t.encode()) for t in TEXTS]
    assert len(set(docs.fingerprints().tolist())) == 6
    assert Docs.of(["b", "zwölf"]).fingerprints()[1] == docs.fingerprints()[1]
    whole = joined([docs, Docs.of(["end"])])
    assert whole.texts() == [*TEXTS, "end"]
    assert Docs.of(["\ud800"]).texts() == ["\ufffd"]


def test_forms_of_texts_and_what_is_refused():
    assert [len(b) for b in as_docs(np.array(["a", "b"]))] == [2]
    for bad, says in [("a", "one string"), ((t for t in "ab"), "generator"), (3, "is int"),
                      ([1], "not a string")]:  # fmt: skip
        with pytest.raises(BadInput, match=says) as caught:
            list(as_docs(bad))
        assert caught.value.cure


@pytest.mark.parametrize("size", [1, 40, 100, 1 << 20])
def test_every_part_size_gives_the_same_documents_and_places(tmp_path, size):
    file = tmp_path / "pool.jsonl"
    file.write_text(lines(TEXTS))
    files = DocFiles(file)
    parts = files.parts(size)
    assert sum(p.size for p in parts) == file.stat().st_size
    found = [
        (i, t)
        for p in parts
        for docs, bad in read(p)
        for i, t in zip(docs.ids, docs.texts(), strict=True)
    ]
    places = [i + 1 for i, t in enumerate(TEXTS) if t.strip()]
    assert found == [(f"pool.jsonl:{n}", t) for n, t in zip(places, LEFT, strict=True)]


def test_a_file_without_a_last_line_end_is_read_whole(tmp_path):
    file = tmp_path / "pool.jsonl"
    file.write_text(lines(TEXTS).rstrip("\n"))
    for size in (1, 1 << 20):
        assert [
            t for p in DocFiles(file).parts(size) for d, _ in read(p) for t in d.texts()
        ] == LEFT


def test_all_kinds_of_files_hold_the_same(tmp_path):
    data = lines(TEXTS).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.compress(data))
    pq.write_table(pa.table({"text": [*LEFT, None, ""]}), tmp_path / "c.parquet", row_group_size=2)
    files = DocFiles(tmp_path)
    assert [t for d in files for t in d.texts()] == LEFT * 3
    assert [t for d in files for t in d.texts()] == LEFT * 3  # again
    ids = [i for p in files.parts(1) for d, _ in read(p) for i in d.ids]
    assert ids[-5:] == [f"c.parquet:{i}" for i in range(1, 6)]
    assert len([p for p in files.parts(1) if p.path.endswith("parquet")]) == 4


def test_lines_without_a_document_are_handed_out(tmp_path):
    file = tmp_path / "pool.jsonl"
    bad = [
        '{"text": 3}',
        "[1]",
        '{"other": 1}',
        "not json",
        '{"text": "\\ud800"}',
        '{"text": null}',
    ]
    file.write_bytes("\n".join(['{"text": "a"}', *bad, ""]).encode() + b'{"text": "\xff"}\n')
    (part,) = DocFiles(file).parts()
    ((docs, lost),) = read(part)
    assert docs.texts() == ["a", "\ufffd"]
    assert [b.place for b in lost] == [f"pool.jsonl:{i}" for i in (2, 3, 4, 5, 8)]
    assert lost[3].line == b"not json"
    with pytest.raises(BadInput, match=r"pool\.jsonl:2"):
        list(DocFiles(file, strict=True))


def test_truncated_files_and_empty_folders_say_where(tmp_path):
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(lines(TEXTS).encode())[:-5])
    with pytest.raises(BadInput, match="middle of its zstd data"):
        list(DocFiles(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no text"):
        DocFiles(tmp_path / "empty")
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(BadInput, match="kind of file"):
        DocFiles(tmp_path / "a.csv")
