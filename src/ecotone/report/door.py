"""Check an analysis once, where it enters; the rest of the layer trusts it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from ecotone.core.errors import BadInput
from ecotone.core.verdict import EXIT_CODES
from ecotone.report.schema import Analysis

# what every row of a list must have
_ROWS = {
    "domains": ("name",),
    "asked_got": ("domain",),
    "laws": ("name",),
    "frontier": ("tolerance", "target", "general", "weights"),
    "points": ("label", "target", "general"),
    "confirm": ("mixture", "seed", "target", "general"),
}


def checked(analysis: Mapping[str, Any]) -> Analysis:
    """Return the analysis without its empty parts, or say what a report cannot do without.

    Parameters
    ----------
    analysis : Mapping
        As read from ``artifacts/analysis.json``.

    Returns
    -------
    Analysis
        Parts that are ``None`` or empty are absent; ``target`` is filled in from the roles.

    Raises
    ------
    BadInput
        ``title`` or ``domains`` is missing, a row lacks what names it, a share is not a number, or
        the parts of a table do not fit together.
    """
    kept = {k: v for k, v in analysis.items() if v is not None and v not in ("", [], {})}
    for key in ("title", "domains"):
        if key not in kept:
            raise BadInput(
                f"the analysis has no {key}.",
                why="a report needs at least title and domains.",
                cure="make it with ecotone mix or ecotone shift, which write analysis.json",
            )
    for key, needed in _ROWS.items():
        _check_rows(key, kept.get(key, []), needed)
    for key in ("mixture", "natural", "uniform"):
        _check_shares(key, kept.get(key, {}))
    _check_decisions(kept)
    for what, check in kept.get("cv", {}).items():
        _check_trials(f"cv.{what}", check)
    _check_shift(kept.get("shift", {}))
    for domain in kept["domains"]:
        if domain.get("role") == "target":
            kept.setdefault("target", domain["name"])
    return cast(Analysis, kept)


def _refuse(part: str, what: str) -> BadInput:
    return BadInput(
        f"the analysis: {part} {what}.",
        why="ecotone.report.schema says what a report is made from.",
        cure=f"correct {part} in artifacts/analysis.json, or remove it",
    )


def _check_rows(key: str, rows: Any, needed: tuple[str, ...]) -> None:
    if not isinstance(rows, list | tuple):
        raise _refuse(key, "is not a list")
    for number, row in enumerate(rows):
        missing = [n for n in needed if not isinstance(row, Mapping) or n not in row]
        if missing:
            raise _refuse(f"{key}[{number}]", f"has no {missing[0]}")


def _check_shares(key: str, shares: Any) -> None:
    if not isinstance(shares, Mapping):
        raise _refuse(key, "is not a table of shares by domain")
    for name, value in shares.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise _refuse(f"{key}[{name!r}]", f"is {value!r}, not a share from 0 to 1")


def _check_decisions(kept: Mapping[str, Any]) -> None:
    for key in ("verdict", "advice"):
        facts = kept.get(key)
        if not facts:
            continue
        if facts.get("decision") not in EXIT_CODES:
            raise _refuse(f"{key}.decision", f"is {facts.get('decision')!r}")
        if key == "verdict" and len(facts.get("interval") or ()) != 2:
            raise _refuse("verdict.interval", "has not two ends")


def _check_trials(part: str, check: Mapping[str, Any]) -> None:
    count = len(check.get("measured") or ())
    for key in ("predicted", "low", "high", "labels"):
        column = check.get(key)
        if (column or key == "predicted") and len(column or ()) != count:
            raise _refuse(f"{part}.{key}", f"has not one entry for each of {count} trials")


def _check_shift(shift: Mapping[str, Any]) -> None:
    count = len(shift.get("names") or ())
    for key in ("matrix", "low", "high", "null_high"):
        table = shift.get(key)
        if table and (len(table) != count or any(len(row) != count for row in table)):
            raise _refuse(f"shift.{key}", f"is not a table of {count} by {count}")
    places = shift.get("map")
    if places and (len(places) != count or any(len(p) != 2 for p in places)):
        raise _refuse("shift.map", f"has not two numbers for each of {count} domains")
