"""What one worker does with one part of a pool: count, score, collect, write.

Results of a few numbers go back through the pool; columns, one number a document, are files of the
run, so that memory holds one batch of text and never the pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.files import replacing
from ecotone.core.method import find
from ecotone.data.doc_read import Bad, Part, read, refused
from ecotone.data.doc_records import Records, named, read_records, write_records
from ecotone.data.docs import Docs, joined
from ecotone.jobs._aside import put_aside
from ecotone.select._grams import add, weigh

LONGEST = 4_000  # characters of a document that a classifier is fitted on


def save(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays whole."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Read what `save` wrote, all of it unless arrays are named; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in names or file.files}


def save_docs(path: Path, docs: Docs) -> None:
    """Write documents whole."""
    ids = np.frombuffer(orjson.dumps(list(docs.ids)), dtype=np.uint8)
    save(path, data=docs.data, starts=docs.starts, ids=ids)


def load_docs(path: Path) -> Docs:
    """Read what `save_docs` wrote."""
    held = load(path)
    return Docs(held["data"], held["starts"], orjson.loads(held["ids"].tobytes()))


def count_part(
    part: dict[str, Any], number: int, text_field: str, buckets: int, sample: int, strict: bool,
    folder: str,
) -> dict[str, Any]:  # fmt: skip
    """Count grams; write tokens and fingerprint of each document, and a few documents whole."""
    grams = np.zeros(buckets, dtype=np.int64)
    lengths, keys, size = [], [], 0
    kept: list[tuple[int, str]] = []
    bad_lines: list[Bad] = []
    for docs, bad in read(Part(**part), text_field):
        if bad and strict:
            raise refused(bad[0], text_field)
        bad_lines += bad
        size += len(docs.data)
        lengths.append(add(docs, grams).astype(np.int32))
        keys.append(docs.fingerprints())
        kept = _lowest(kept, docs, keys[-1], sample)
    place = Path(folder)
    save(
        place / f"counts-{number:05d}.npz", grams=grams,
        lengths=np.concatenate(lengths or [np.zeros(0, np.int32)]),
        keys=np.concatenate(keys or [np.zeros(0, np.uint64)]),
        sample=np.frombuffer(orjson.dumps([t for _, t in kept]), dtype=np.uint8),
    )  # fmt: skip
    shown = put_aside(place / f"no-document-{number:05d}.jsonl", bad_lines)
    return {
        "docs": int(sum(map(len, lengths))), "tokens": int(sum(x.sum() for x in lengths)),
        "bytes": size, "bad": len(bad_lines), "shown": shown,
    }  # fmt: skip


def _lowest(
    kept: list[tuple[int, str]], docs: Docs, keys: NDArray[np.uint64], n: int
) -> list[tuple[int, str]]:
    """Keep the n documents of lowest fingerprint, each text once: a draw that no order can sway."""
    bar = kept[-1][0] if len(kept) == n else 1 << 64
    # only what is below the bar is decoded: soon hardly anything is
    below = [i for i in np.argsort(keys)[:n].tolist() if int(keys[i]) < bar]
    found = dict(kept) | {int(keys[i]): docs[i][:LONGEST] for i in below}
    return sorted(found.items())[:n]


def score_part(
    part: dict[str, Any], number: int, text_field: str, model: str, folder: str
) -> dict[str, Any]:
    """Write the scores of every document by DSIR and by classifier odds."""
    place = Path(folder)
    learnt = load(place / model)
    odds = find("classifier_odds", "select").load()(buckets=len(learnt["weights"]))
    odds.weights_, odds.offset_ = learnt["weights"], float(learnt["offset"][0])
    first, second = [np.zeros(0)], [np.zeros(0)]
    for docs, _ in read(Part(**part), text_field):
        first.append(weigh(docs, learnt["log_ratio"])[0])
        second.append(odds.score(docs))
    save(place / f"scores-{number:05d}.npz", dsir=np.concatenate(first),
         classifier_odds=np.concatenate(second))  # fmt: skip
    return {"docs": int(sum(map(len, first)))}


def gather(
    parts: list[dict[str, Any]], starts: NDArray[np.int64], rows: NDArray[np.int64], text_field: str
) -> Docs:
    """Return the documents at these places of the pool, in the order of their places."""
    taken: list[Docs] = []
    wanted = np.sort(rows)
    for part, first, last in zip(parts, starts[:-1], starts[1:], strict=True):
        if np.searchsorted(wanted, first) == np.searchsorted(wanted, last):
            continue
        at = int(first)
        for docs, _ in read(Part(**part), text_field):
            low, high = np.searchsorted(wanted, [at, at + len(docs)])
            taken.append(docs.take(wanted[low:high] - at))
            at += len(docs)
    return joined(taken)


def collect_part(
    part: dict[str, Any], number: int, text_field: str, name: str, folder: str
) -> dict[str, Any]:
    """Write the documents of this part that `collected` will be asked for.

    The file ``NAME-rows.npz`` holds their places in the pool, ``every``, and where each part
    begins, ``starts``.
    """
    place = Path(folder)
    wanted = load(place / f"{name}-rows.npz", "every", "starts")
    docs = gather([part], wanted["starts"][number : number + 2], wanted["every"], text_field)
    save_docs(place / f"{name}-{number:05d}.npz", docs)
    return {"docs": len(docs)}


def collected(place: Path, name: str, rows: NDArray[np.int64]) -> Docs:
    """Return documents that `collect_part` wrote, in the order of their places."""
    wanted = load(place / f"{name}-rows.npz", "every", "starts")
    every, starts, rows = wanted["every"], wanted["starts"], np.sort(rows)
    found = []
    for number, (a, b) in enumerate(pairwise(starts.tolist())):
        mine = rows[np.searchsorted(rows, a) : np.searchsorted(rows, b)]
        if len(mine):
            at = np.searchsorted(every, mine) - np.searchsorted(every, a)
            found.append(load_docs(place / f"{name}-{number:05d}.npz").take(at))
    return joined(found)


def write_part(
    part: dict[str, Any], number: int, text_field: str, causes: list[str], form: str, folder: str,
    scratch: str,
) -> dict[str, Any]:  # fmt: skip
    """Write the documents that were kept, and one row of the ledger for every document.

    ``chosen-NUMBER.npz`` in `scratch` has the part's columns: ``cause``, a place in `causes`, of
    which the first means kept; the others go into the ledger as they are.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = Path(folder)
    columns = load(Path(scratch) / f"chosen-{number:05d}.npz")
    cause = columns.pop("cause")
    kept, ids = cause == 0, list[str]()
    found = _told_places(read_records(Part(**part), text_field, kept), ids)
    for name in ("kept", "ledger"):
        (place / name).mkdir(exist_ok=True)
    shard = place / "kept" / f"part-{number:05d}"
    if form == "parquet":
        _write_parquet(shard.with_suffix(".parquet"), found)
    else:
        write_records(shard.with_suffix(".jsonl.zst"), found)
    ledger = pa.table(
        {"id": ids, "weight": kept.astype(np.float32),
         "cause": pa.array([causes[c] for c in cause.tolist()]), **columns}
    )  # fmt: skip
    with replacing(place / "ledger" / f"part-{number:05d}.parquet") as path:
        pq.write_table(ledger, path)
    return {"kept": int(kept.sum())}


def _told_places(found: Iterator[Records], ids: list[str]) -> Iterator[dict[str, Any]]:
    """Stream the records that were asked for, with an id; append the places of all to `ids`."""
    for places, records, _ in found:
        ids += places
        for place, record in records:
            yield named(place, record)


def _write_parquet(path: Path, records: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(records)  # of one part, which bounds them
    try:
        table = pa.Table.from_pylist(rows)
    except pa.ArrowException as error:
        raise BadInput(
            f"{path.stem}: its records do not fit into one table ({error}).", cure="--format jsonl"
        ) from None
    with replacing(path) as part:
        pq.write_table(table, part)


KEPT, COPY, NO_TOKEN, LOWER = range(4)
CAUSES = ("kept", "copy of an earlier document", "no token", "others were better for the target")
