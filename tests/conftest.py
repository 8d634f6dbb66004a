"""Fixtures of all tests: one thread, no sockets, other global seeds each run."""

from __future__ import annotations

import os
import random
import secrets
import socket
import sys

import pytest
from hypothesis import settings

# before anything imports numpy, which reads them once; hence no numpy at the top of this file
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption(
        "--global-seed",
        type=int,
        default=None,
        help="Seed of the global random states; another one each run by default.",
    )


def pytest_configure(config):
    # a method must not look at the global states: each run sets them differently, and says how
    chosen = config.getoption("--global-seed")
    config.global_seed = secrets.randbelow(2**31) if chosen is None else chosen


def pytest_report_header(config):
    return f"global seed: {config.global_seed} (repeat with --global-seed {config.global_seed})"


@pytest.fixture(autouse=True)
def _global_seeds(request):
    import numpy as np

    seed = request.config.global_seed
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the state that nothing may depend on
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.manual_seed(seed)
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_sockets(request, monkeypatch):
    """Block network sockets unless the test is marked `net`; local pipes stay."""
    if request.node.get_closest_marker("net") or request.node.get_closest_marker("browser"):
        return

    def refused(self, address):
        if self.family == getattr(socket, "AF_UNIX", None):
            return real(self, address)
        raise AssertionError(f"a test without the marker net opens a socket to {address}")

    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refused)
