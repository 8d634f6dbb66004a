"""Peak memory of choosing and cleaning, for a small and a large pool.

python benchmarks/select_memory.py [MEGABYTES ...]        (default: 200 4000)

Pools are made of text of this machine, as in select_speed.py; each document of a later round has
every tenth word drawn anew, so that a large pool is no pile of exact copies. "weigh" is fit and
weigh by n-gram importance in one process; "select" and "clean" are the verbs with two workers, on
JSON lines and on Parquet. "peak" is the largest peak (VmHWM) of any one process, the parent among
them; "together" is the most that all held at one time, shared pages counted once; CPU seconds are
those of all processes.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from select_speed import ROOTS, texts

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
WEIGH = (
    "import sys; from ecotone.data.doc_files import DocFiles; from ecotone.select import DSIR; "
    "p, t = DocFiles(sys.argv[1]), DocFiles(sys.argv[2]); print(len(DSIR().fit(t, p).score(p)))"
)


def prepare(folder: Path, megabytes: int) -> None:
    """Write pool.jsonl and target.jsonl."""
    rng = random.Random(0)
    pages = texts("/usr/share/man", 20_000_000)
    rng.shuffle(pages)
    pieces = [t for root in ROOTS for t in texts(root, 12_000_000)] + pages[1500:]
    with (folder / "target.jsonl").open("w") as file:
        file.writelines(json.dumps({"text": t}) + "\n" for t in pages[:1500])
    words = " ".join(rng.sample(pieces, 200)).split()
    size, first = 0, True
    with (folder / "pool.jsonl").open("w") as file:
        while size < megabytes * 1e6:
            rng.shuffle(pieces)
            for t in pieces:
                line = json.dumps({"text": t if first else changed(t, words, rng)}) + "\n"
                size += file.write(line)
                if size >= megabytes * 1e6:
                    break
            first = False


def changed(text: str, words: list[str], rng: random.Random) -> str:
    """Draw every tenth word anew."""
    parts = text.split(" ")
    for i in range(rng.randrange(10), len(parts), 10):
        parts[i] = words[int(rng.random() * len(words))]
    return " ".join(parts)


def as_parquet(folder: Path) -> None:
    """Write pool.parquet, row group by row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("text", pa.string())])
    with (
        pq.ParquetWriter(folder / "pool.parquet", schema) as writer,
        (folder / "pool.jsonl").open() as lines,
    ):
        while group := [json.loads(line)["text"] for line in islice(lines, 4096)]:
            writer.write_table(pa.table({"text": group}, schema))


def peak_of(command: list[str], cwd: Path) -> tuple[float, float, float]:
    """Run a command; return CPU seconds, the largest peak of a process and the most of all, MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    job = subprocess.Popen(command, cwd=cwd, env=ENV, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)  # fmt: skip
    peak = together = 0.0
    while job.poll() is None:
        held = 0.0
        for pid in tree(job.pid):
            try:
                peak = max(peak, megabytes_of(pid, "status", "VmHWM:"))
                held += megabytes_of(pid, "smaps_rollup", "Pss:")
            except (OSError, IndexError):
                continue
        together = max(together, held)
        time.sleep(0.05)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if job.returncode not in (0, 3, 4):
        raise SystemExit(f"{command} ended with {job.returncode}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, peak, together


def megabytes_of(pid: int, file: str, what: str) -> float:
    """Return a number of /proc, which are kilobytes."""
    return int(Path(f"/proc/{pid}/{file}").read_text().split(what)[1].split()[0]) / 1024


def tree(pid: int) -> list[int]:
    """Return a process and all that came of it."""
    out = [pid]
    for p in out:
        try:
            out += map(int, Path(f"/proc/{p}/task/{p}/children").read_text().split())
        except OSError:
            continue
    return out


def main() -> None:
    """Print the table."""
    sizes = [int(a) for a in sys.argv[1:]] or [200, 4000]
    ecotone = [str(Path(sys.executable).with_name("ecotone"))]
    print("pool MB  documents  way               CPU s  peak MB  together")
    for megabytes in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder, megabytes)
            as_parquet(folder)
            with (folder / "pool.jsonl").open("rb") as file:
                documents = sum(1 for _ in file)
            take = ["--target", "target.jsonl", "--take", "0.5%", "--workers", "2"]
            ways = [("weigh jsonl", [sys.executable, "-c", WEIGH, "pool.jsonl", "target.jsonl"])]
            for form in ("jsonl", "parquet"):
                ways += [
                    (f"select {form}", [*ecotone, "select", f"pool.{form}", *take]),
                    (f"clean {form}", [*ecotone, "clean", f"pool.{form}", "--workers", "2"]),
                ]
            for way, command in ways:
                seconds, peak, together = peak_of(command, folder)
                print(f"{megabytes:7,} {documents:10,}  {way:15} {seconds:7.1f} {peak:8.0f} "
                      f"{together:9.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
