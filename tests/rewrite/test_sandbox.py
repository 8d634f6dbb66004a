from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ecotone.core.errors import BadInput
from ecotone.rewrite import _cell
from ecotone.rewrite.sandbox import run_code

LOCKS = sys.platform == "linux" and platform.machine() in _cell.MACHINES


def test_what_is_printed_comes_back():
    done = run_code("from fractions import Fraction\nprint(Fraction(1, 3) + 1)")
    assert done == ("4/3\n", "", "")
    assert run_code("print('zwölf')").output == "zwölf\n"


def test_same_code_same_answer():
    code = "import random\nr = random.Random(3)\nprint(r.random(), hash((1, 2)), {1, 5, 3})"
    assert run_code(code) == run_code(code)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("while True: pass", "time"),
        ("import time\ntime.sleep(50)", "time"),
        ("x = bytearray(10 * 2**30)", "memory"),
        ("while True: print('x' * 10_000)", "output"),
        ("1 / 0", "error"),
        ("def f(): return f()\nf()", "error"),
        ("this is no code", "error"),
        ("print('\x00')", "error"),
        ("raise SystemExit(2)", "error"),
        ("raise SystemExit", ""),
    ],
)
def test_it_ends_with_its_cause(code, cause):
    assert run_code(code, seconds=0.5).cause == cause


def test_long_output_keeps_head_and_tail():
    out = run_code("print('a' * 3000)\nprint('z' * 3000)", most_output=100).output
    assert out.startswith("a" * 50)
    assert out.endswith("z" * 49 + "\n")
    assert "left out" in out


# `random._os` is how code gets at the real module behind the import's back
ESCAPES = {
    "open": "open('{w}', 'w').write('x')",
    "io": "import random\nrandom._os.fdopen(random._os.open('{w}', 65, 511), 'w').write('x')",
    "mkdir": "import random\nrandom._os.mkdir('{w}')",
    "unlink": "import random\nrandom._os.unlink('{v}')",
    "rename": "import random\nrandom._os.rename('{v}', '{w}')",
    "truncate": "import random\nrandom._os.truncate('{v}', 0)",
    "kill": "import random\nrandom._os.kill({pid}, 10)",
    "fork": "import random\nos = random._os\nif os.fork() == 0: os._exit(0)",
    "system": "import random\nrandom._os.system('touch {w}')",
    "exec": "import random\nrandom._os.execv('/usr/bin/touch', ['touch', '{w}'])",
    "spawn": "import random\nrandom._os.posix_spawn('/usr/bin/touch', ['touch', '{w}'], {{}})",
    "import": "import socket",
    "import ctypes": "import ctypes",
    "read": "import random\nfd = random._os.open('/etc/passwd', 0)\nprint(random._os.read(fd, 9))",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_outside_is_touched(name, tmp_path):
    victim, wish = tmp_path / "victim", tmp_path / "wish"
    victim.write_text("whole")
    done = run_code(ESCAPES[name].format(w=wish, v=victim, pid=os.getpid()), seconds=2)
    assert done.cause == "error"
    assert "root" not in done.output
    assert victim.read_text() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["victim"]


# the filter of the kernel by itself, without the hook and the careful import in front of it
RAW = """
import importlib.util, os, signal, socket, sys, threading
spec = importlib.util.spec_from_file_location("cell", sys.argv[1])
cell = importlib.util.module_from_spec(spec); spec.loader.exec_module(cell)
assert cell.lock()
tries = {
    "write": lambda: open(sys.argv[2], "w"), "read": lambda: open(sys.argv[1]),
    "socket": lambda: socket.socket(), "fork": os.fork, "kill": lambda: os.kill(os.getppid(), 0),
    "exec": lambda: os.execv("/bin/true", ["true"]), "remove": lambda: os.unlink(sys.argv[1]),
    "mkdir": lambda: os.mkdir(sys.argv[2]), "chdir": lambda: os.chdir("/"),
    "chmod": lambda: os.chmod(sys.argv[1], 0), "memfd": lambda: os.memfd_create("x"),
}
for name, do in tries.items():
    try:
        do()
        print("got through:", name)
    except PermissionError:
        print("refused", name)
try:
    threading.Thread(target=print).start()
except RuntimeError:
    print("refused thread")
os._exit(0)
"""


@pytest.mark.skipif(not LOCKS, reason="no filter of system calls for this machine")
def test_the_kernel_refuses_without_any_hook(tmp_path):
    cell = tmp_path / "cell.py"
    cell.write_text(Path(_cell.__file__).read_text())
    command = [sys.executable, "-I", "-S", "-B", "-u", "-c", RAW, str(cell), str(tmp_path / "wish")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 12, done.stderr
    assert all(line.startswith("refused") for line in said)
    assert cell.exists()


def test_limits_without_room_are_refused():
    with pytest.raises(BadInput, match="no room"):
        run_code("1", seconds=0)
    with pytest.raises(BadInput, match="no room"):
        run_code("1", megabytes=8)
