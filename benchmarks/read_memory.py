"""Measure how much memory reading a corpus takes: python benchmarks/read_memory.py [gigabytes].

Writes a folder of mixed formats of that size (default 2 GB on disk, plus what the compressed
files unpack to) into a temporary directory, reads every document in a fresh process and prints
the peak of its resident memory, before and after.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from ecotone.core.seeds import stream
from ecotone.data.read import read_corpus


def documents(size: float, name: str) -> Iterator[str]:
    """Yield about `size` characters of made-up words in documents of very different lengths."""
    rng = stream(0, "read_memory", name)
    words = np.array([f"{w:x}" for w in rng.integers(0, 1 << 40, size=50_000)])
    written = 0
    while written < size:
        n = int(min(20_000, 20 + rng.pareto(1.2) * 100))
        text = " ".join(words[rng.integers(0, len(words), size=n)])
        written += len(text)
        yield text


def write(folder: Path, gigabytes: float) -> None:
    """Write five domains of equal size on disk, one in each format."""
    share = gigabytes * 1e9 / 5
    line = "{}\n".format
    with (folder / "plain.jsonl").open("w") as file:
        file.writelines(line(json.dumps({"text": t})) for t in documents(share, "plain"))
    with gzip.open(folder / "gz.jsonl.gz", "wt", compresslevel=1) as file:
        file.writelines(line(json.dumps({"text": t})) for t in documents(share * 2, "gz"))
    packer = zstandard.ZstdCompressor(level=1)
    with (folder / "zst.jsonl.zst").open("wb") as raw, packer.stream_writer(raw) as file:
        for text in documents(share * 2, "zst"):
            file.write(json.dumps({"text": text}).encode() + b"\n")
    with (folder / "txt.txt").open("w") as file:
        file.writelines(text + "\n\n" for text in documents(share, "txt"))
    schema = pa.schema([("text", pa.string()), ("id", pa.int64())])
    with pq.ParquetWriter(folder / "pq.parquet", schema, compression="zstd") as table:
        held: list[str] = []
        for text in documents(share * 2, "pq"):
            held.append(text)
            if len(held) == 100_000:
                table.write_table(pa.table({"text": held, "id": range(len(held))}, schema))
                held = []
        table.write_table(pa.table({"text": held, "id": range(len(held))}, schema))


def peak() -> int:
    """Return the peak of resident memory of this process, kB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def read(folder: str) -> None:
    """Read everything and print the rise of the peak."""
    import pyarrow.parquet  # noqa: F401  its libraries belong to the start, not to the reading

    before, start = peak(), time.perf_counter()
    corpus = read_corpus(folder)
    for name in corpus.names:
        count = characters = 0
        for doc in corpus.docs(name):
            count, characters = count + 1, characters + len(doc.text)
        print(f"{name:8} {count:9,} documents {characters / 1e6:9,.0f} MB  peak {peak():,} kB")
    seconds = time.perf_counter() - start
    print(f"rise of the peak {(peak() - before) / 1e3:.1f} MB over {before / 1e3:.1f} MB, "
          f"{seconds:.0f} s")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as place:
            write(Path(place), float(sys.argv[1]) if sys.argv[1:] else 2.0)
            size = sum(f.stat().st_size for f in Path(place).iterdir())
            print(f"{size / 1e9:.2f} GB on disk")
            subprocess.run([sys.executable, __file__, "--read", place], check=True)
