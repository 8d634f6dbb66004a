"""CPU seconds and peak memory of retrieval importance on a corpus of a million items.

python benchmarks/select_importance.py [ITEMS]

One thread, k = 10, 20 steps, 100 ranked items a question and as many questions as make every item
stand in one list on average. Each row is a process of its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

LENGTH, SOURCES, BAD = 100, 10_000, 0.3
ROWS = {"exact": {}, "epsilon 0.01": {"epsilon": 0.01}, "epsilon 0.1, delta 0.05": {
    "epsilon": 0.1, "delta": 0.05}}  # fmt: skip


def one(row: str, items: int) -> None:
    from ecotone.select.retrieval_importance import RetrievalImportance

    rng = np.random.default_rng(0)
    source = rng.integers(SOURCES, size=items)
    ranked = rng.integers(items, size=(items // LENGTH, LENGTH))
    bad = source < BAD * SOURCES
    utility = (rng.random(ranked.shape) < np.where(bad[ranked], 0.3, 0.7)).astype(np.float64)
    start = time.process_time()
    found = RetrievalImportance(**ROWS[row]).fit((ranked, utility), source)
    seconds = time.process_time() - start
    gone = found.score(source) < 0.5
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds, peak, gone[bad].mean(), gone[~bad].mean()]))


def main(words: list[str]) -> None:
    if words[:1] == ["--one"]:
        one(words[1], int(words[2]))
        return
    items = words[0] if words else "1000000"
    print(f"{'ROW':<28}{'CPU S':>8}{'PEAK MB':>9}{'BAD GONE':>10}{'CLEAN GONE':>12}")
    for row in ROWS:
        done = subprocess.run(
            [sys.executable, __file__, "--one", row, items],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds, peak, bad, clean = json.loads(done.stdout.splitlines()[-1])
        print(f"{row:<28}{seconds:>8.1f}{peak:>9.0f}{bad:>10.3f}{clean:>12.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
