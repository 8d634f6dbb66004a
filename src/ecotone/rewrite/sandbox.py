"""Run code that a model wrote, so that nothing but its output leaves.

A fresh interpreter without site packages, environment or working folder imports a fixed list of
modules; then the door is locked: on Linux (x86-64, ARM64) a seccomp filter lets only those system
calls pass that computing and printing need, so there is no file, process, signal or socket to be
had, whatever Python code does. An audit hook refuses the same one level up, with a message; where
there is no seccomp it stands alone, which stops accidents, not attacks. Limits of CPU seconds and
memory, and the clock of the parent, end what does not end by itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ecotone.core.errors import BadInput

CELL = Path(__file__).with_name("_cell.py")
SPARE_SECONDS = 0.5  # the interpreter starts within this


class Ran(NamedTuple):
    """What a piece of code did.

    Attributes
    ----------
    output : str
        What it printed; a long output is cut in its middle.
    cause : str
        "" when it ended well; else "error", "time", "memory", "output" or "crash".
    error : str
        Last line of the exception.
    """

    output: str
    cause: str
    error: str


def run_code(
    code: str, *, seconds: float = 5.0, megabytes: int = 256, most_output: int = 4_000
) -> Ran:
    r"""Run Python code in a sandbox.

    Parameters
    ----------
    code : str
        What to run. It may import what `ecotone.rewrite._cell.MODULES` lists, nothing else.
    seconds : float
        Of CPU, and, with half a second more, of the clock.
    megabytes : int
        Of address space.
    most_output : int
        Characters of output that are returned; code that prints a hundred times as much is ended.

    Raises
    ------
    BadInput
        Limits that leave no room, or a system other than POSIX.

    Examples
    --------
    >>> run_code("print(2 ** 10)").output
    '1024\n'
    >>> run_code("open('/etc/hostname')").cause
    'error'
    """
    if os.name != "posix":
        raise BadInput("the sandbox needs POSIX.", cure="run it on Linux or macOS")
    if not seconds > 0 or megabytes < 64 or most_output < 1:
        raise BadInput(
            f"sandbox: seconds={seconds}, megabytes={megabytes} leave no room.",
            cure="seconds=5, megabytes=256",
        )
    with tempfile.TemporaryDirectory(prefix="ecotone-cell-") as folder:
        # as -I, but for the environment, which is ours: sets of strings print in one order
        start = [*_alone(), sys.executable, "-s", "-P", "-S", "-B", str(CELL)]
        process = subprocess.Popen(
            [*start, str(math.ceil(seconds)), str(megabytes << 20)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            return _watch(process, code.encode("utf-8", "replace"), seconds, most_output)
        finally:
            _end(process)


@lru_cache(maxsize=1)
def _alone() -> tuple[str, ...]:
    """Return the words that start a process without a network, where the system allows it."""
    tool = shutil.which("unshare")
    if tool is None:
        return ()
    words = (tool, "--user", "--net", "--ipc", "--")
    done = subprocess.run(
        [*words, "true"], capture_output=True, check=False, env={"PATH": "/bin:/usr/bin"}
    )
    return words if done.returncode == 0 else ()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group: what the code may have started goes with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


def _watch(process: subprocess.Popen[bytes], code: bytes, seconds: float, most_output: int) -> Ran:
    """Feed the code, read what comes back until it ends, says too much or takes too long."""
    if not (process.stdin and process.stdout and process.stderr):
        raise RuntimeError("a process without pipes")
    deadline, said = time.monotonic() + seconds + SPARE_SECONDS, {1: b"", 2: b""}
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(code)
        process.stdin.close()
    with selectors.DefaultSelector() as pipes:
        pipes.register(process.stdout, selectors.EVENT_READ, 1)
        pipes.register(process.stderr, selectors.EVENT_READ, 2)
        while pipes.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return _ran(said, "time", most_output)
            for key, _ in pipes.select(left):
                block = os.read(key.fd, 1 << 16)
                said[key.data] += block
                if not block:
                    pipes.unregister(key.fileobj)
                if len(said[key.data]) > 400 * most_output:
                    return _ran(said, "output", most_output)
    try:
        code_out = process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        return _ran(said, "time", most_output)
    causes = {0: "", 1: "error", 3: "memory", -signal.SIGXCPU: "time", -signal.SIGKILL: "time"}
    return _ran(said, causes.get(code_out, "crash"), most_output)


def _ran(said: dict[int, bytes], cause: str, most: int) -> Ran:
    text = said[1].decode("utf-8", "replace")
    if len(text) > most:  # the head says what it is, the tail how it ended
        half = most // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    lines = said[2].decode("utf-8", "replace").strip().splitlines()
    return Ran(text, cause, lines[-1][:500] if lines else "")
