"""Memory of a job on a pool of any size."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 1 << 20  # bytes: blocks from here on are mapped, and go back to the system when freed


def give_back() -> None:
    """Ask the C library to return large blocks: it would keep columns of a pool for later use.

    Its threshold grows with every large block that is freed, until none is returned. Without glibc
    nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(-3, LARGE)  # M_MMAP_THRESHOLD, which then stays
