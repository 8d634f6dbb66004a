"""Jobs: rooms, trainer and engine joined into runs that can stop and go on."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "try_mixtures": "ecotone.jobs.trials",
    "tokenised": "ecotone.jobs.trials",
    "confirm": "ecotone.jobs.confirm",
    "choose": "ecotone.jobs.choose",
    "rerun": "ecotone.jobs.again",
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"ecotone.jobs has no {name!r}")
