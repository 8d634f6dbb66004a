"""Tasks for the tests of the engine; imported by fresh worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from ecotone.core.errors import BadInput


def numbers(n, seed, folder=None):
    """Something whose bits depend on the number of threads, and a mark that it ran."""
    if folder is not None:
        Path(folder, f"{n}-{seed}-{os.getpid()}-{time.monotonic_ns()}").touch()
    x = np.random.default_rng(seed).normal(size=(n, n))
    return {"value": float((x @ x).sum()), "threads": os.environ["OMP_NUM_THREADS"]}


def bad(kind, n=0):
    if kind == "user":
        raise BadInput("your file", cure="mend it")
    if kind == "bug":
        return {"x": 1 / n}
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": 1}


def slow(i, folder):
    """Wait until the test lets go; say who waits."""
    Path(folder, f"pid-{os.getpid()}").touch()
    while not Path(folder, "go").exists() and i > 0:
        time.sleep(0.02)
    return {"i": i}


def ticking(steps, folder, tick):
    for step in range(steps):
        tick(step + 1, steps)
        while step == steps // 2 and not Path(folder, "go").exists():
            time.sleep(0.02)
    return {"steps": steps}
