"""One task for each part of a pool."""

from __future__ import annotations

from typing import Any

from ecotone.core.run import Run
from ecotone.engine import pool as engine


def over_parts(
    task: str, title: str, parts: list[dict[str, Any]], run: Run, workers: int | None,
    **given: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """Give ``ecotone.jobs.TASK`` every part with its number; `given` is the same for all."""
    inputs = [{"part": p, "number": i, **given} for i, p in enumerate(parts)]
    return engine.map(
        f"ecotone.jobs.{task}", inputs, run, workers=workers, title=title,
        work=[float(p["size"]) for p in parts],
    )  # fmt: skip
