"""How far apart are the domains.

A method of this room is a function ``(A, B, *, rng) -> float``: a distance between two samples of
rows, ``A (n, d)`` and ``B (m, d)``, larger when they differ more. The room adds the features of
text, the permutation null, the intervals and the domain-by-domain table (`table`). Its do-nothing
answer is the null itself: a distance inside the null interval says "no shift to be seen".
"""

from __future__ import annotations

from typing import Any

from ecotone.core.method import from_room

_method, _names = from_room("shift")


def __getattr__(name: str) -> Any:
    if name in ("table", "ShiftTable"):
        # not at the top: the catalogue and the help must not import scikit-learn
        import importlib

        return getattr(importlib.import_module("ecotone.shift._table"), name)
    return _method(name)


def __dir__() -> list[str]:
    return sorted([*_names(), "table", "ShiftTable"])
