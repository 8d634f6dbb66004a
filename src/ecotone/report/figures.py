"""All figures by name; each is a pure function of the analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ecotone.core.errors import BadInput
from ecotone.report import bars, distances, effects, frontier, scatter
from ecotone.report.door import checked
from ecotone.report.schema import Analysis
from ecotone.report.svg import Picture

FIGURES: Mapping[str, Callable[[Analysis], Picture | None]] = {
    "gain": effects.gain,
    "mixture": bars.mixture,
    "frontier": frontier.frontier,
    "fit_target": scatter.fit_target,
    "fit_general": scatter.fit_general,
    "confirm_target": effects.confirm_target,
    "confirm_general": effects.confirm_general,
    "changes": effects.changes,
    "shift_matrix": distances.shift_matrix,
    "shift_map": distances.shift_map,
}


def picture(analysis: Mapping[str, Any], which: str) -> str:
    """Return one figure as a whole SVG file, for light and dark.

    Parameters
    ----------
    analysis : Mapping
        See `ecotone.report.schema`.
    which : str
        A name in `FIGURES`: ``gain``, ``mixture``, ``frontier``, ``fit_target``, ``fit_general``,
        ``confirm_target``, ``confirm_general``, ``changes``, ``shift_matrix`` or ``shift_map``.

    Raises
    ------
    BadInput
        No figure has that name, or the analysis lacks what it needs.
    """
    if which not in FIGURES:
        raise BadInput(f"no figure is called {which!r}.", cure=f"use one of: {', '.join(FIGURES)}")
    drawn = FIGURES[which](checked(analysis))
    if drawn is None:
        able = [n for n, draw in FIGURES.items() if draw(checked(analysis)) is not None]
        raise BadInput(
            f"the analysis lacks what the figure {which} needs.",
            cure=f"it has enough for: {', '.join(able) or 'none'}",
        )
    return drawn.standalone()
