"""Compiled passes, where numba (the extra ``fast``) is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(module: str, *names: str) -> dict[str, Callable[..., Any]] | None:
    """Return passes of a module of this room, or None without numba: each has a twin in numpy.

    Kept apart so that importing numba costs only those who use it.
    """
    try:
        found = importlib.import_module(f"ecotone.select.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "numba":
            return None
        raise
    return {name: getattr(found, name) for name in names}
