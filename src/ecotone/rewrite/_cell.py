"""The inside of the sandbox: run as a script by `ecotone.rewrite.sandbox`, never imported by it.

It imports nothing of ecotone: the interpreter that runs it has no site packages.
"""

from __future__ import annotations

import importlib
import os
import platform
import resource
import struct
import sys

# all that the code may import; they are loaded before the door is locked
MODULES = (
    "array", "bisect", "calendar", "cmath", "collections", "collections.abc", "copy", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "heapq", "itertools", "json",
    "locale", "math", "numbers", "operator", "random", "re", "statistics", "string", "textwrap",
    "time", "traceback", "types", "typing", "unicodedata", "_strptime",
)  # fmt: skip
# what audit events mean that the code wants something of the world
REFUSED = (
    "open", "import", "os.", "socket.", "subprocess.", "ctypes.", "shutil.", "tempfile.", "pty.",
    "signal.", "resource.", "fcntl.", "mmap.", "glob.", "pathlib.", "sqlite3.", "urllib.", "gc.",
    "syslog.", "webbrowser.", "sys.addaudithook", "sys.setprofile", "sys.settrace", "sys._current",
    "cpython.", "code.__new__", "marshal.", "pickle.",
)  # fmt: skip

# system calls that computing and printing need, by machine; all others fail with EPERM
_X86 = {
    0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 24, 25, 28, 35, 39, 60, 63, 72, 79,
    96, 97, 98, 99, 100, 102, 104, 107, 108, 131, 186, 201, 202, 204, 228, 229, 230, 231, 273, 318,
    334,
}  # fmt: skip
_ARM = {
    17, 25, 29, 57, 62, 63, 64, 65, 66, 80, 93, 94, 98, 99, 101, 113, 114, 115, 123, 124, 132, 134,
    135, 139, 153, 160, 163, 165, 169, 172, 174, 175, 176, 177, 178, 179, 214, 215, 216, 222, 226,
    233, 278, 293,
}  # fmt: skip
MACHINES = {"x86_64": (0xC000003E, _X86), "aarch64": (0xC00000B7, _ARM)}
LOAD, EQUAL, BELOW, RETURN = 0x20, 0x15, 0x35, 0x06  # words of the filter language
ALLOW, DENY = 0x7FFF0000, 0x00050001  # let pass; fail with EPERM


def filter_program(machine: str) -> bytes:
    """Return the filter as the kernel takes it: eight bytes a step."""
    architecture, allowed = MACHINES[machine]
    steps = [
        (LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, DENY),
        (LOAD, 0, 0, 0), (BELOW, 0, 1, 0x40000000), (RETURN, 0, 0, DENY),  # no x32 calls
    ]  # fmt: skip
    for number in sorted(allowed):
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    steps.append((RETURN, 0, 0, DENY))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def lock() -> bool:
    """Give up all system calls but those of the list; False where the kernel offers no filter."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    program = filter_program(platform.machine())
    steps = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    header = ctypes.create_string_buffer(head, len(head))
    no_new_privileges, set_filter, filter_mode = 38, 22, 2
    zero, one = ctypes.c_ulong(0), ctypes.c_ulong(1)
    if libc.prctl(no_new_privileges, one, zero, zero, zero):
        return False
    mode, address = ctypes.c_ulong(filter_mode), ctypes.c_void_p(ctypes.addressof(header))
    return libc.prctl(set_filter, mode, address, zero, zero) == 0


def limit(seconds: int, size: int) -> None:
    """Set the limits that even a lock leaves open, and those that stand when there is no lock."""
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # a system that does not know it: the other walls stand
            continue


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: say no to everything that reaches for the world."""
    if not event.startswith(REFUSED):
        return
    if event == "import" and arguments and arguments[0] in sys.modules:
        return
    raise PermissionError(f"not in the sandbox: {event} {str(arguments[:1])[:80]}")


def main() -> None:
    """Read code from standard input, lock the door, run it, and leave by an exit code."""
    code = sys.stdin.buffer.read().decode()
    for name in MODULES:
        importlib.import_module(name)
    limit(int(sys.argv[1]), int(sys.argv[2]))
    locked = lock()
    hidden = ("os", "posix", "resource", "ctypes", "_ctypes", "platform", "subprocess", "signal",
              "_posixsubprocess", "socket", "_socket", "io", "importlib", "pathlib", "shutil",
              "tempfile", "selectors", "threading", "_thread")  # fmt: skip
    leave = os._exit
    allowed = {m.split(".")[0] for m in MODULES}
    for name in hidden:
        sys.modules.pop(name, None)
    del locked
    sys.addaudithook(refuse)
    status = 0
    try:
        space = {"__name__": "__main__", "__builtins__": _builtins(allowed)}
        exec(compile(code, "<answer>", "exec", dont_inherit=True), space)
    except MemoryError:
        status = 3
    except SystemExit as end:
        status = 1 if end.code not in (None, 0) else 0
    except BaseException as error:  # noqa: BLE001  whatever it is, it is reported in one line
        status = 1
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        leave(status)


def _builtins(allowed: set[str]) -> dict[str, object]:
    """Return the builtins, with an import that knows the list and says so."""
    import builtins

    real = builtins.__import__

    def careful(name, globals=None, locals=None, fromlist=(), level=0):
        if globals is not None and globals.get("__name__") != "__main__":
            return real(name, globals, locals, fromlist, level)  # inside the library itself
        if name.split(".")[0] not in allowed | {"sys"}:
            raise ImportError(f"the sandbox has no module {name}")
        return real(name, globals, locals, fromlist, level)

    return {**vars(builtins), "__import__": careful, "open": None, "input": None}


if __name__ == "__main__":
    main()
