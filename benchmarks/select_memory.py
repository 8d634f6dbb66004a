"""Peak memory of choosing and cleaning, for a small and a large pool.

python benchmarks/select_memory.py [MEGABYTES ...]        (default: 200 4000)

Pools are JSON lines made of text of this machine, as in select_speed.py; each document of a later
round has every tenth word drawn anew, so that a large pool is no pile of exact copies. "weigh" is
fit and weigh by n-gram importance in one process; "select" and "clean" are the verbs with two
workers. "peak" is the largest peak (VmHWM) of any one process, the parent among them; CPU seconds
are those of all processes.
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


def peak_of(command: list[str], cwd: Path) -> tuple[float, float]:
    """Run a command; return CPU seconds and the largest peak of a process of its tree, in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    job = subprocess.Popen(command, cwd=cwd, env=ENV, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)  # fmt: skip
    peak = 0.0
    while job.poll() is None:
        for pid in tree(job.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) / 1024)
            except (OSError, IndexError):
                continue
        time.sleep(0.05)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if job.returncode not in (0, 3, 4):
        raise SystemExit(f"{command} ended with {job.returncode}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak


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
    print("pool MB  documents  way         CPU s  peak MB")
    for megabytes in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder, megabytes)
            with (folder / "pool.jsonl").open("rb") as file:
                documents = sum(1 for _ in file)
            for way, command in (
                ("weigh", [sys.executable, "-c", WEIGH, "pool.jsonl", "target.jsonl"]),
                ("select", [*ecotone, "select", "pool.jsonl", "--target", "target.jsonl",
                            "--take", "0.5%", "--workers", "2"]),
                ("clean", [*ecotone, "clean", "pool.jsonl", "--workers", "2"]),
            ):  # fmt: skip
                seconds, peak = peak_of(command, folder)
                print(f"{megabytes:7,} {documents:10,}  {way:8} {seconds:8.1f} {peak:8.0f}",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
