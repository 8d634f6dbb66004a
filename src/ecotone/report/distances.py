"""How far apart the domains are: a heat map, and a map on a plane."""

from __future__ import annotations

import math

from ecotone.report import tables
from ecotone.report.labels import Box, leader, place
from ecotone.report.palette import HEAT_STEPS
from ecotone.report.schema import Analysis, ShiftFacts
from ecotone.report.svg import Picture, escape, hint, pixel, shortened, tag, text, width_of

WIDTH = 380.0
_LONGEST = 96.0  # pixels for a name beside the heat map
_FEW = 12  # more domains than this need a larger map
_LEAST = 20.0  # pixels for a cell, so that names keep apart; many domains make it wider


def entry(shift: ShiftFacts, key: str, i: int, j: int) -> float | None:
    """Return one entry of a matrix; ``None`` when the matrix is missing or has a hole there."""
    table = {
        "matrix": shift.get("matrix"),
        "low": shift.get("low"),
        "high": shift.get("high"),
        "null_high": shift.get("null_high"),
    }[key]
    return table[i][j] if table else None


def is_chance(shift: ShiftFacts, i: int, j: int) -> bool:
    """Whether a distance is no larger than what chance alone gives."""
    value, null = entry(shift, "matrix", i, j), entry(shift, "null_high", i, j)
    return value is not None and null is not None and value <= null


def order(analysis: Analysis) -> list[int]:
    """Return the rows of the matrix: the target, then from near to far, then by name."""
    shift = analysis["shift"]
    names, target = shift["names"], analysis.get("target")
    if target not in names:
        return list(range(len(names)))
    t = names.index(target)

    def far(i: int) -> tuple[bool, float, str]:
        value = entry(shift, "matrix", t, i)
        return i != t, math.inf if value is None or i == t else value, names[i]

    return sorted(range(len(names)), key=far)


def shift_matrix(analysis: Analysis) -> Picture | None:
    """Draw all distances as coloured cells; ``None`` without a matrix."""
    shift = analysis.get("shift")
    if not shift or not shift.get("names") or not shift.get("matrix"):
        return None
    rows = order(analysis)
    short = [shortened(shift["names"][i], _LONGEST) for i in rows]
    widest = max(width_of(s) for s in short)
    left, top = widest + 14, 0.72 * widest + 22
    beyond = 0.72 * width_of(short[-1]) + 6  # the last heading leans over the edge
    side = min(max((WIDTH - left - beyond) / len(rows), _LEAST), 56.0)
    width = max(WIDTH, left + side * len(rows) + beyond)
    top_value = max((v for r in shift["matrix"] for v in r if v is not None), default=0.0) or 1.0
    parts = []
    for a, i in enumerate(rows):
        bold = "b" if shift["names"][i] == analysis.get("target") else ""
        parts.append(text(left - 8, top + (a + 0.5) * side + 4, short[a], bold, "end"))
        parts.append(_heading(short[a], left + (a + 0.5) * side + 4, top - 8, bold))
        parts += [
            _cell(shift, i, j, (left + b * side, top + a * side, side), top_value)
            for b, j in enumerate(rows)
        ]
    bottom = top + side * len(rows)
    chance = any(is_chance(shift, i, j) for i in rows for j in rows if i != j)
    parts.append(_key(left, bottom + 18, top_value, chance=chance))
    return Picture(
        "shift-matrix",
        f"Distances between domains: {shift.get('measure', 'distance')}",
        _says(analysis, rows),
        width,
        bottom + 42,
        "".join(parts),
    )


def _heading(words: str, x: float, y: float, cls: str) -> str:
    turn = f"rotate(-45 {pixel(x)} {pixel(y)})"
    return tag("text", escape(words), cls=cls or None, x=x, y=y, transform=turn)


def _cell(
    shift: ShiftFacts, i: int, j: int, place_: tuple[float, float, float], top_value: float
) -> str:
    x, y, side = place_
    value = entry(shift, "matrix", i, j)
    words = _pair(shift, i, j)
    if i == j or value is None:
        empty = tag("rect", cls="h0", x=x + 1, y=y + 1, width=side - 2, height=side - 2, rx=3)
        mark = (
            "" if i == j else text(x + side / 2, y + side / 2 + 4, tables.MISSING, "s m", "middle")
        )
        return tag("g", hint(words), empty, mark)
    step = min(int(max(value, 0.0) / top_value * HEAT_STEPS), HEAT_STEPS - 1)
    tone = "on-deep" if step >= 4 else "on-pale"
    parts = [tag("rect", cls=f"h{step}", x=x + 1, y=y + 1, width=side - 2, height=side - 2, rx=3)]
    if side >= 32:
        shown = tables.fixed(value, 2 if top_value < 100 else 0)
        parts.append(text(x + side / 2, y + side / 2 + 4, shown, f"s {tone}", "middle"))
    if is_chance(shift, i, j):
        parts.append(tag("rect", cls="chance", x=x + 3, y=y + 3, width=side - 6, height=side - 6))
    return tag("g", hint(words), *parts)


def _pair(shift: ShiftFacts, i: int, j: int) -> str:
    names = shift["names"]
    if i == j:
        return f"{names[i]} to itself"
    value = entry(shift, "matrix", i, j)
    low, high = entry(shift, "low", i, j), entry(shift, "high", i, j)
    span = f" ({tables.interval(low, high)})" if tables.known(low) and tables.known(high) else ""
    chance = ", no more than chance" if is_chance(shift, i, j) else ""
    return f"{names[i]} to {names[j]}: {tables.fixed(value, 3)}{span}{chance}"


def _key(left: float, y: float, top_value: float, *, chance: bool) -> str:
    parts = [text(left, y + 11, "0", "s m", "end")]
    for step in range(HEAT_STEPS):
        parts.append(tag("rect", cls=f"h{step}", x=left + 6 + 18 * step, y=y, width=18, height=12))
    x = left + 12 + 18 * HEAT_STEPS
    parts.append(text(x, y + 11, tables.fixed(top_value, 2), "s m"))
    if chance:
        parts.append(tag("rect", cls="chance", x=x + 50, y=y, width=12, height=12))
        parts.append(text(x + 68, y + 11, "chance", "s m"))
    return "".join(parts)


def _says(analysis: Analysis, rows: list[int]) -> str:
    shift, target = analysis["shift"], analysis.get("target")
    names = shift["names"]
    if target not in names:
        return f"{len(names)} domains: {', '.join(names)}."
    t = names.index(target)
    parts = [f"{names[i]} {tables.fixed(entry(shift, 'matrix', t, i), 3)}" for i in rows if i != t]
    return f"From {target}, near to far: {', '.join(parts)}."


def shift_map(analysis: Analysis) -> Picture | None:
    """Draw the domains on a plane whose distances resemble theirs; ``None`` without positions."""
    shift = analysis.get("shift")
    if not shift or not shift.get("names") or not shift.get("map"):
        return None
    if not all(tables.known(v) for position in shift["map"] for v in position):
        return None
    names = shift["names"]
    width = WIDTH if len(names) <= _FEW else 1.6 * WIDTH
    spots = _on_paper(shift["map"], width)
    height = max(y for _, y in spots) + 44
    short = [shortened(n, 120) for n in names]
    frame = Box(4, 4, width - 4, height - 4)
    places = place(spots, [width_of(s) for s in short], frame, radius=9)
    marks, words = [], []
    for name, label, (x, y), spot in zip(names, short, spots, places, strict=True):
        here = name == analysis.get("target")
        if spot.far:
            marks.append(leader(x, y, spot.box))
        cls = "mark-accent" if here else "plain"
        marks.append(tag("circle", hint(name), cls=cls, cx=x, cy=y, r=8 if here else 6))
        tone = "accent-text" if here else None
        words.append(text(spot.box.left, spot.box.bottom - 4, label, tone or ""))
    sheet = tag("rect", cls="grid", x=1, y=1, width=width - 2, height=height - 2, rx=8)
    says = "Domains that lie close together have similar text. " + ", ".join(names) + "."
    title = "The domains on a plane"
    return Picture("shift-map", title, says, width, height, "".join([sheet, *marks, *words]))


def _on_paper(positions: list[list[float]], width: float) -> list[tuple[float, float]]:
    """Fit positions into the picture, with one scale for both directions."""
    xs, ys = [p[0] for p in positions], [p[1] for p in positions]
    wide, high = max(xs) - min(xs), max(ys) - min(ys)
    grow = min((width - 116) / side if side else math.inf for side in (wide, high))
    grow = grow if math.isfinite(grow) else 0.0
    left, top = (width - grow * wide) / 2, 44.0
    return [(left + grow * (x - min(xs)), top + grow * (max(ys) - y)) for x, y in positions]
