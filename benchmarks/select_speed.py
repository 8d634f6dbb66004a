"""n-gram importance weights: MB a CPU second, peak memory and agreement, beside the peer.

python benchmarks/select_speed.py [MEGABYTES]

The pool is text of this machine (documentation, headers, scripts under /usr), repeated in shuffled
order until it has that many megabytes of JSON lines (default 60); the target is manual pages. Each
side runs in a process of its own: fit and weigh, one thread. The peer is data-selection (DSIR).
"seconds" are CPU seconds without imports, the median of five runs for ours, which are also given
with parquet, and without numba.
Two processes: the counting pass on separate data, one and then two at a time, is the machine's
ceiling, in times the work of one; beside it what two workers of one job reach, their start counted
in. Five rounds, and the median.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOTS = ("/usr/share/doc", "/usr/share/perl", "/usr/include", "/usr/lib/python3.11")
KINDS = {"", ".txt", ".md", ".rst", ".h", ".hpp", ".py", ".pl", ".pm", ".sh", ".html", ".gz"}
PIECE = 4_000
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
PRIOR = 0.1
REPEATS = 5  # ours takes less than a second: the median of so many runs; the peer runs once
ROUNDS = 5  # of two processes and two workers: one round says little on a busy machine
TIMES = 32  # copies of the pool that two workers share


def texts(root: str, most: int) -> list[str]:
    """Return pieces of text files below a folder, up to `most` bytes."""
    out: list[str] = []
    size = 0
    for path in sorted(Path(root).rglob("*")):
        if size > most:
            break
        if path.suffix not in KINDS or path.is_symlink() or not path.is_file():
            continue
        try:
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            text = data.decode()
        except (OSError, UnicodeDecodeError, EOFError):
            continue
        for i in range(0, len(text), PIECE):
            if len(text) - i > 500:
                out.append(text[i : i + PIECE])
                size += PIECE
    return out


def prepare(folder: Path, megabytes: int) -> None:
    """Write pool.jsonl, pool.parquet and target.jsonl."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pages = texts("/usr/share/man", 30_000_000)
    random.Random(1).shuffle(pages)
    target = pages[: min(1500, len(pages) // 3)]
    pieces = [t for root in ROOTS for t in texts(root, 12_000_000)] + pages[len(target) :]
    rng = random.Random(0)
    pool, size = [], 0
    while size < megabytes * 1e6:
        rng.shuffle(pieces)
        for t in pieces:
            pool.append(t)
            size += len(t.encode()) + 12
            if size >= megabytes * 1e6:
                break
    for name, some in (("pool", pool), ("target", target)):
        with (folder / f"{name}.jsonl").open("w") as file:
            file.writelines(json.dumps({"text": t}) + "\n" for t in some)
    pq.write_table(pa.table({"text": pool}), folder / "pool.parquet", row_group_size=4096)
    print(f"pool {size / 1e6:.0f} MB in {len(pool):,} documents, target {len(target):,} documents")


def ours(pool: str, target: str) -> np.ndarray:
    """Fit and weigh, streaming."""
    from ecotone.data.doc_files import DocFiles
    from ecotone.select import DSIR

    here, wanted = DocFiles(pool), DocFiles(target)
    # the peer adds 1e-8 to shares: a prior of next to nothing, so that the weights can be compared
    return DSIR(buckets=10_000, prior=PRIOR).fit(wanted, here).score(here)


def theirs(pool: str, target: str) -> np.ndarray:
    """Do the same with the peer."""
    from data_selection import HashedNgramDSIR

    with tempfile.TemporaryDirectory() as cache:
        dsir = HashedNgramDSIR([pool], [target], cache_dir=cache, num_proc=1)
        dsir.fit_importance_estimator(num_tokens_to_fit="all")
        dsir.compute_importance_weights()
        files = sorted(Path(cache).rglob("log_importance*/*.npy"))
        return np.concatenate([np.load(p) for p in files])


def side(name: str, folder: Path) -> None:
    """Run one side and print its numbers as JSON."""
    target = str(folder / "target.jsonl")
    pool = str(folder / ("pool.parquet" if name == "parquet" else "pool.jsonl"))
    if name == "no numba":
        from ecotone.select import _grams, _tokens

        _tokens.kernels = _grams.kernels = lambda: None
    run = theirs if name == "peer" else ours
    if name != "peer":  # imports and compiling belong to nobody's pass
        import pyarrow.parquet  # noqa: F401

        from ecotone.select import DSIR

        DSIR(buckets=1024).fit(["a b"], ["b c"]).score(["a"])
    else:
        import data_selection  # noqa: F401
    times = []
    for _ in range(1 if name == "peer" else REPEATS):
        start = time.process_time()
        found = run(pool, target)
        times.append(time.process_time() - start)
    seconds = statistics.median(times)
    # ru_maxrss would remember the process this one was started from
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    np.save(folder / f"{name}.npy", found)
    print(json.dumps({"seconds": seconds, "peak": peak}))


def both(folder: Path) -> None:
    """Print what two processes reach: on separate data, and as two workers of one job.

    The work is the counting pass over `TIMES` copies of the pool; a job's time holds the start of
    its workers.
    """
    halves = [folder / f"half-{i}" for i in range(2)]
    for half in halves:
        half.mkdir()
        for k in range(TIMES // 2):
            os.link(folder / "pool.jsonl", half / f"{k}.jsonl")
    job = [sys.executable, __file__, "job"]

    def seconds(commands: list[list[str]]) -> float:
        began = time.perf_counter()
        jobs = [subprocess.Popen(c, env=ONE_THREAD, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for c in commands]  # fmt: skip
        for j in jobs:
            j.wait()
        return time.perf_counter() - began

    print("round  ceiling  two workers  of the ceiling")
    shares = []
    for k in range(ROUNDS):
        one = seconds([[*job, str(halves[0]), "1"]])
        two = seconds([[*job, str(h), "1"] for h in halves])
        alone, shared = (seconds([[*job, str(folder), n]]) for n in ("1", "2"))
        shares.append(alone / shared / (2 * one / two))
        print(f"{k + 1:5} {2 * one / two:8.2f} {alone / shared:12.2f} {shares[-1]:15.0%}")
    print(f"median of the ceiling: {statistics.median(shares):.0%}")


def job(folder: Path, workers: int) -> None:
    """Count all pools below a folder, as `ecotone select` does."""
    from ecotone.core.run import Manifest, Run
    from ecotone.data.doc_files import DocFiles
    from ecotone.engine import pool as engine

    parts = [p for f in sorted(folder.rglob("*.jsonl")) if f.parent.name.startswith("half")
             or folder.name.startswith("half") for p in DocFiles(f).parts()]  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        run = Run.open(out, Manifest("bench", "select", {}, {}, workers))
        given = [{"part": p.__dict__, "number": i, "text_field": "text", "buckets": 16384,
                  "sample": 10, "strict": False, "_folder": str(run.artifacts)}
                 for i, p in enumerate(parts)]  # fmt: skip
        task = "ecotone.jobs.select_parts:count_part"
        engine.map(task, given, run, workers=workers, quiet=True)


def main() -> None:
    """Print the table."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, megabytes)
        size = (folder / "pool.jsonl").stat().st_size / 1e6
        rows = {}
        for way in ("peer", "jsonl", "parquet", "no numba"):
            done = subprocess.run([sys.executable, __file__, "side", way, name],
                                  capture_output=True, text=True, check=False,
                                  env=ONE_THREAD)  # fmt: skip
            if done.returncode:
                print(f"{way}: {done.stderr.strip().splitlines()[-1]}")
                continue
            rows[way] = json.loads(done.stdout.splitlines()[-1])
        peer = rows.get("peer", {"seconds": float("nan")})["seconds"]
        print("way           CPU s  MB / CPU s   ratio  peak MB  Spearman")
        from scipy.stats import spearmanr

        for way, row in rows.items():
            alike = float("nan")
            if "peer" in rows:
                one, two = (np.load(folder / f"{w}.npy") for w in ("peer", way))
                alike = spearmanr(one, two).statistic
            print(f"{way:10} {row['seconds']:8.2f} {size / row['seconds']:11.2f} "
                  f"{peer / row['seconds']:7.1f} {row['peak']:8.0f} {alike:9.4f}")  # fmt: skip
        both(folder)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "side":
        side(sys.argv[2], Path(sys.argv[3]))
    elif len(sys.argv) > 1 and sys.argv[1] == "job":
        job(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
