"""How far apart are the domains.

A method of this room is a function ``(A, B, *, rng) -> float``: a distance between two samples of
rows, ``A (n, d)`` and ``B (m, d)``, larger when they differ more. The room adds the features of
text, the permutation null, the intervals and the domain-by-domain table (`table`). Its do-nothing
answer is the null itself: a distance inside the null interval says "no shift to be seen". For
labelled rows of numbers `diagnose` says which kind of shift it is.
"""

from __future__ import annotations

import importlib
from typing import Any

from ecotone.core.method import from_room

_method, _names = from_room("shift")


_NAMES = {
    "table": "_table",
    "ShiftTable": "_table",
    "diagnose": "_diagnosis",
    "Diagnosis": "_diagnosis",
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        # not at the top: the catalogue and the help must not import scikit-learn
        return getattr(importlib.import_module(f"ecotone.shift.{_NAMES[name]}"), name)
    return _method(name)


def __dir__() -> list[str]:
    return sorted([*_names(), *_NAMES])
