"""Two or three shares a row, as bars: what the pool holds, what was kept, what the target holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecotone.report import tables
from ecotone.report.svg import Picture, Scale, hint, shortened, tag, text, width_of

_KINDS = {"pool": "plain", "kept": "accent", "target": "limit"}
_BAR, _GAP, _TOP = 12.0, 10.0, 44.0  # pixels
WIDTH = 420.0


def shares(
    name: str, title: str, rows: Sequence[str], columns: Mapping[str, Sequence[float]]
) -> Picture:
    """Draw shares by row and column.

    Parameters
    ----------
    name, title : str
    rows : sequence of str
    columns : mapping from "pool", "kept" or "target" to one share a row
        The target is drawn as a tick, the others as bars.
    """
    bars = [c for c in ("pool", "kept") if c in columns]
    left = min(max(width_of(r) for r in rows), WIDTH / 3) + 12
    longest = max(max(v) for v in columns.values()) or 1.0
    scale = Scale(0.0, longest * 1.03, left, WIDTH - 62)
    step = _BAR * len(bars) + _GAP
    parts = [text(4, 16, title, "b"), _legend(columns)]
    for i, row in enumerate(rows):
        y = _TOP + i * step
        label = shortened(row, left - 12)
        parts.append(
            tag("g", hint(row), text(left - 8, y + _BAR * len(bars) / 2 + 5, label, "", "end"))
        )
        for k, column in enumerate(bars):
            value, at = columns[column][i], y + k * _BAR
            words = hint(f"{row}, {column}: {tables.share(value)}")
            shape = {"x": scale.start, "y": at, "width": scale(value) - scale.start, "rx": 2}
            parts.append(tag("g", words, tag("rect", cls=_KINDS[column], height=_BAR - 2, **shape)))
            tone = "s b" if column == "kept" else "s m"
            parts.append(text(WIDTH - 6, at + 10, tables.share(value), tone, "end"))
        if "target" in columns:
            value = columns["target"][i]
            x = scale(value)
            words = hint(f"{row}, target: {tables.share(value)}")
            tick = tag("line", cls="limit", x1=x, x2=x, y1=y - 2, y2=y + _BAR * len(bars))
            parts.append(tag("g", words, tick))
    height = _TOP + step * len(rows) + 4
    said = "; ".join(
        f"{row}: " + ", ".join(f"{c} {tables.share(columns[c][i])}" for c in columns)
        for i, row in enumerate(rows)
    )
    return Picture(name, title, said, WIDTH, height, "".join(parts))


def _legend(columns: Mapping[str, Sequence[float]]) -> str:
    parts, x = [], 4.0
    for column in columns:
        kind = _KINDS[column]
        if column == "target":
            parts.append(tag("line", cls=kind, x1=x + 4, x2=x + 4, y1=22, y2=34))
        else:
            parts.append(tag("rect", cls=kind, x=x, y=23, width=10, height=10, rx=2))
        parts.append(text(x + 15, 32, column, "s"))
        x += 34 + width_of(column, 12)
    return "".join(parts)
