"""CPU seconds and peak memory of the default portfolio on 100,000 + 100,000 rows, 50 features.

python benchmarks/align_scale.py [METHOD ...]

One thread, each fit and its predictions in a process of its own.
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

ROWS, FEATURES, CLASSES = 100_000, 50, 5


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return classes around random centres; the target is stretched and moved."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=2 * ROWS)
    X = rng.normal(size=(CLASSES, FEATURES))[y] + rng.normal(size=(2 * ROWS, FEATURES))
    domain = np.repeat([1, -2], ROWS)
    X[ROWS:] = X[ROWS:] * np.exp(rng.normal(0, 0.3, FEATURES)) + 0.5
    return X, np.where(domain > 0, y, -1), domain


def one(name: str) -> None:
    from ecotone.core.method import find

    X, y, domain = rows()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    if name == "ecotone.adapt":
        from ecotone.jobs.adapt import adapt

        adapt(X, y, domain).verdict.pick.predict(X[ROWS:])
    else:
        find(name, "align").load()().fit(X, y, sample_domain=domain).predict(X[ROWS:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([time.process_time() - start, (peak - before) / 1024, peak / 1024]))


def main(names: list[str]) -> None:
    if names[:1] == ["--one"]:
        one(names[1])
        return
    from ecotone.jobs.adapt import PORTFOLIO

    print(f"{'METHOD':<22}{'CPU S':>8}{'ADDED MB':>10}{'PEAK MB':>9}")
    for name in names or ["source_only", *PORTFOLIO, "ecotone.adapt"]:
        done = subprocess.run(
            [sys.executable, __file__, "--one", name], capture_output=True, text=True, check=True
        )
        seconds, added, peak = json.loads(done.stdout.splitlines()[-1])
        print(f"{name:<22}{seconds:>8.1f}{added:>10.0f}{peak:>9.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
