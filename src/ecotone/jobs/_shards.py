"""Documents in a planned order, written as compressed shards in one pass over the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus, Doc
from ecotone.core.files import replacing
from ecotone.data.tokens import Sides
from ecotone.jobs._copies import Planned

BUFFER = 64 << 20  # bytes of text held before it goes to the buckets on disk


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard stands."""
    return folder / "train" / f"{number:05d}.jsonl.zst"


def write_shards(plan: Planned, corpus: Corpus, sides: Sides, folder: Path) -> None:
    """Write the shards that are missing.

    Documents come in the order of the corpus and are wanted in the order of the training: they are
    first put into one bucket per shard, on disk, and each bucket is then sorted in memory.
    """
    count = int(plan.shard[-1]) + 1
    missing = np.array([not shard_path(folder, i).exists() for i in range(count)])
    buckets = folder / ".buckets"
    _remove(buckets)  # of a run that was stopped: nobody knows how full they are
    if not missing.any():
        return
    buckets.mkdir(parents=True)
    _fill(plan, corpus, sides, buckets, missing)
    for i in np.flatnonzero(missing):
        lines = sorted((buckets / str(i)).read_bytes().removesuffix(b"\n").split(b"\n"))
        compressor = zstandard.ZstdCompressor(level=6)
        with (
            replacing(shard_path(folder, int(i))) as part,
            part.open("wb") as file,
            compressor.stream_writer(file, closefd=False) as out,
        ):
            for line in lines:
                out.write(line.partition(b" ")[2] + b"\n")
        (buckets / str(i)).unlink()
    _remove(buckets)


def _remove(buckets: Path) -> None:
    if buckets.exists():
        for file in buckets.iterdir():
            file.unlink()
        buckets.rmdir()


def _fill(
    plan: Planned, corpus: Corpus, sides: Sides, buckets: Path, missing: NDArray[np.bool_]
) -> None:
    """Append every document to the bucket of its shard, behind its place in the training."""
    held: dict[int, list[bytes]] = {}
    size = 0
    for place, doc in _wanted(plan, corpus, sides, missing):
        record = {
            "text": doc.text,
            "domain": doc.domain,
            "source": doc.id,
            "epoch": int(plan.epoch[place]),
        }
        line = b"%015d %s\n" % (place, orjson.dumps(record))
        held.setdefault(int(plan.shard[place]), []).append(line)
        size += len(line)
        if size >= BUFFER:
            _flush(held, buckets)
            size = 0
    _flush(held, buckets)


def _flush(held: dict[int, list[bytes]], buckets: Path) -> None:
    for shard, lines in held.items():
        with (buckets / str(shard)).open("ab") as file:
            file.write(b"".join(lines))
    held.clear()


def _wanted(
    plan: Planned, corpus: Corpus, sides: Sides, missing: NDArray[np.bool_]
) -> Iterator[tuple[int, Doc]]:
    """Stream (place in the training, document), a document once for each of its copies."""
    for d, name in enumerate(plan.names):
        places = np.flatnonzero((plan.domain == d) & missing[plan.shard])
        places = places[np.argsort(plan.number[places], kind="stable")]
        numbers = plan.number[places]
        at = 0
        for number, (_, doc) in enumerate(sides.train_docs(corpus, name)):
            if at == len(places):
                break
            while at < len(places) and numbers[at] == number:
                yield int(places[at]), doc
                at += 1
