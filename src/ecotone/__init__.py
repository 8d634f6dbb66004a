"""Ecotone: make a model good in the domain where it will be used, and prove it.

The rooms are attributes (``ecotone.shift``, ``ecotone.mix``), imported when first used, so that
``import ecotone`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

from ecotone._version import __version__

_ROOMS = (
    "shift", "mix", "select", "rewrite", "align", "validate", "train", "bench", "report", "testing",
)  # fmt: skip
_NAMES = {
    "read_corpus": "ecotone.data.read",
    "read_trials": "ecotone.data.trials",
    "read_table": "ecotone.data.table",
    "try_mixtures": "ecotone.jobs.trials",
    "confirm": "ecotone.jobs.confirm",
    "rerun": "ecotone.jobs.again",
    "adapt": "ecotone.jobs.adapt",
    "Corpus": "ecotone.core.corpus",
    "Mixture": "ecotone.core.mixture",
    "Phase": "ecotone.core.mixture",
    "Trials": "ecotone.core.trials",
    "Verdict": "ecotone.core.verdict",
    "Run": "ecotone.core.run",
    "EcotoneError": "ecotone.core.errors",
}
__all__ = ["__version__", *_NAMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"ecotone.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'ecotone' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
