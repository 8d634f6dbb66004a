"""What one worker does with one part of a pool that is cleaned: look, hold against a benchmark.

As in `select_parts`, columns of one number a document are files of the run.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.files import replacing
from ecotone.core.method import find
from ecotone.data.doc_files import DocFiles
from ecotone.data.doc_read import Bad, Part, read, refused
from ecotone.data.docs import Docs
from ecotone.jobs._aside import put_aside
from ecotone.jobs.select_parts import load, save
from ecotone.select._marks import Marks
from ecotone.select._minhash import signatures
from ecotone.select.exact_duplicates import fingerprints

EXCERPT = 160  # characters of a passage that are shown


def look_part(
    part: dict[str, Any], number: int, text_field: str, name: str, strict: bool,
    filters: dict[str, dict[str, Any]], by: str, slots: int, width: int,
    benchmark: dict[str, Any] | None, folder: str,
) -> dict[str, Any]:  # fmt: skip
    """Ask the filters that look at one document at a time; note what the others need.

    Writes the first rule that fired (-1: none), fingerprints, line numbers, sizes, signatures, and
    in how many documents each run of words of the benchmark stands.
    """
    place, wrong = Path(folder), list[Bad]()
    made = [find(f, "select").load()(**params) for f, params in filters.items()]
    columns: dict[str, list[NDArray[Any]]] = {
        "cause": [np.zeros(0, np.int16)], "keys": [np.zeros(0, np.uint64)],
        "lines": [np.zeros(0, np.int64)], "sizes": [np.zeros(0, np.int64)],
    }  # fmt: skip
    sketches = [np.zeros((0, slots), np.uint32)]
    counts = np.zeros(0, np.int64)
    fired = np.zeros(sum(len(f.mark([]).causes) for f in made), np.int64)
    for docs, bad in read(Part(**part), text_field):
        if bad and strict:
            raise refused(bad[0], text_field)
        wrong += bad
        rules = _fired([f.mark(docs) for f in made], len(docs))
        fired += rules.sum(axis=0)
        first = np.where(rules.any(axis=1), rules.argmax(axis=1) if rules.size else 0, -1)
        columns["cause"].append(first.astype(np.int16))
        columns["keys"].append(fingerprints(docs, "text" if by == "text" else "tokens"))
        columns["lines"].append(np.array([i.rpartition(":")[2] for i in docs.ids], dtype=np.int64))
        columns["sizes"].append(docs.sizes)
        if slots:
            sketches.append(signatures(docs, slots, width))
        if benchmark is not None:
            counts = _sum(counts, contamination(**benchmark).document_counts(docs))
    joined = {k: np.concatenate(v) for k, v in columns.items()}
    save(place / f"{name}-{number:05d}.npz", counts=counts, **joined)
    if slots:
        with replacing(place / f"{name}-{number:05d}.npy") as path, path.open("wb") as file:
            np.save(file, np.concatenate(sketches))
    shown = put_aside(place / f"no-document-{name}-{number:05d}.jsonl", wrong)
    return {
        "docs": len(joined["keys"]), "fired": fired.tolist(), "bad": len(wrong), "shown": shown,
    }  # fmt: skip


def _fired(marks: list[Marks], n: int) -> NDArray[np.bool_]:
    return np.concatenate([np.zeros((n, 0), bool), *(m.fired for m in marks)], axis=1)


def _sum(one: NDArray[np.int64], two: NDArray[np.int64]) -> NDArray[np.int64]:
    return two if len(one) == 0 else one + two


@lru_cache(maxsize=1)
def _fitted(path: str, text_field: str, params: str) -> Any:
    made = find("contamination", "select").load()(**json.loads(params))
    return made.fit(DocFiles(path, text_field=text_field))


def contamination(path: str, text_field: str, params: dict[str, Any], fingerprint: str) -> Any:
    """Return the filter of a benchmark; a worker reads the benchmark once."""
    del fingerprint  # a task with another benchmark is another task
    return _fitted(path, text_field, json.dumps(params))


def hold_part(
    part: dict[str, Any], number: int, text_field: str, benchmark: dict[str, Any], counts: str,
    folder: str,
) -> dict[str, Any]:  # fmt: skip
    """Mark the documents of a part that hold passages of the benchmark; write them with excerpts.

    `counts` names the file of the pool's document counts.
    """
    place, known = Path(folder), load(Path(folder) / counts)
    made = contamination(**benchmark).counted(known["counts"], int(known["documents"][0]))
    fired = [np.zeros((0, 2), bool)]
    items: dict[str, int] = {}
    with replacing(place / f"found-{number:05d}.jsonl") as path, path.open("w") as file:
        for docs, _ in read(Part(**part), text_field):
            marks = made.mark(docs)
            fired.append(marks.fired)
            for i in np.flatnonzero(marks.dropped).tolist():
                items[marks.match[i]] = items.get(marks.match[i], 0) + 1
                file.write(json.dumps(_told(docs, marks, i)) + "\n")
    save(place / f"held-{number:05d}.npz", fired=np.concatenate(fired))
    return {"items": items, "docs": sum(items.values())}


def _told(docs: Docs, marks: Marks, i: int) -> dict[str, Any]:
    """Return what is known of one document that holds a passage."""
    start = int(docs.starts[i])
    spans = [list(s) for s in marks.spans[i]]
    shown = docs.data[start + spans[0][0] : start + spans[0][1]].tobytes().decode(errors="replace")
    values = {k: v[i].item() for k, v in marks.values.items()}
    return {
        "id": docs.ids[i], "item": marks.match[i], **values, "spans": spans,
        "excerpt": " ".join(shown.split())[:EXCERPT],
    }  # fmt: skip
