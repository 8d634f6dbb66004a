"""The frontier between target and general loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ecotone.report import tables
from ecotone.report.labels import Box, leader, place
from ecotone.report.schema import Analysis, FrontierPoint, Point
from ecotone.report.svg import (
    Picture,
    Scale,
    hint,
    pixel,
    shortened,
    spread,
    tag,
    text,
    width_of,
    x_axis,
    y_axis,
)

WIDTH, HEIGHT = 380.0, 376.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 366.0, 34.0, 330.0


class View(NamedTuple):
    """The frontier and the scales it is drawn with."""

    points: list[FrontierPoint]
    xs: Scale
    ys: Scale


def points_of(analysis: Analysis) -> list[FrontierPoint]:
    """Return the points that can be drawn, by rising tolerance."""
    points = [
        p
        for p in analysis.get("frontier", [])
        if all(map(tables.known, (p["tolerance"], p["target"], p["general"])))
        and all(map(tables.known, p["weights"].values()))
    ]
    return sorted(points, key=lambda p: p["tolerance"])


def chosen(analysis: Analysis, points: Sequence[FrontierPoint]) -> int:
    """Return the number of the point whose tolerance is nearest to that of the budget."""
    wanted = analysis.get("budget", {}).get("tolerance")
    if wanted is None:
        return 0
    return min(range(len(points)), key=lambda i: (abs(points[i]["tolerance"] - wanted), i))


def view(analysis: Analysis) -> View | None:
    """Return frontier and scales; ``None`` when there is no frontier."""
    points = points_of(analysis)
    if not points:
        return None
    drawn = [(p["general"], p["target"]) for p in points]
    drawn += [(x, y) for _, _, x, y in _landmarks(analysis)]
    # measured mixtures far away would press the frontier into a corner: they are cut off
    wide, high = (spread([d[i] for d in drawn], 0.0) for i in (0, 1))
    trials = [
        (p["general"], p["target"])
        for p in _measured_points(analysis)
        if wide[0] - (wide[1] - wide[0]) <= p["general"] <= wide[1] + (wide[1] - wide[0])
        and high[0] - (high[1] - high[0]) <= p["target"] <= high[1] + (high[1] - high[0])
    ]
    everything = drawn + trials
    return View(
        points,
        Scale(*spread([d[0] for d in everything], 0.08), _LEFT, _RIGHT),
        Scale(*spread([d[1] for d in everything], 0.08), _BOTTOM, _TOP),
    )


def frontier(analysis: Analysis) -> Picture | None:
    """Draw target loss over general loss: trained mixtures, the frontier, where one stands."""
    seen = view(analysis)
    if seen is None:
        return None
    spots = [(seen.xs(p["general"]), seen.ys(p["target"])) for p in seen.points]
    here = spots[chosen(analysis, seen.points)]
    name = shortened(analysis.get("target", "target"), 120)
    parts = [
        text(_LEFT - 40, 20, f"{name} loss, nats/token", "s m"),
        x_axis(seen.xs, _BOTTOM, _TOP, "general loss, nats/token"),
        y_axis(seen.ys, _LEFT, _RIGHT),
        *(_measured(p, seen) for p in _measured_points(analysis)),
        tag("polyline", cls="front", points=" ".join(f"{pixel(x)},{pixel(y)}" for x, y in spots)),
        *(tag("circle", cls="accent", cx=x, cy=y, r=2.5) for x, y in spots),
        _marks(analysis, seen, spots),
        tag("circle", cls="here", id="frontier-here", cx=here[0], cy=here[1], r=10),
    ]
    title = "The frontier between target and general loss"
    return Picture("frontier", title, _says(seen, name), WIDTH, HEIGHT, "".join(parts))


def _says(seen: View, name: str) -> str:
    first, last = seen.points[0], seen.points[-1]
    tolerances = [tables.tolerance(p["tolerance"]) for p in (first, last)]
    losses = [tables.loss(p["target"]) for p in (first, last)]
    return (
        f"Letting general loss rise by {tolerances[-1]} instead of {tolerances[0]} takes the "
        f"predicted {name} loss from {losses[0]} to {losses[1]} nats/token."
    )


def _measured_points(analysis: Analysis) -> list[Point]:
    points = analysis.get("points", [])
    return [p for p in points if tables.known(p["general"]) and tables.known(p["target"])]


def _measured(point: Point, seen: View) -> str:
    general, target = point["general"], point["target"]
    xs, ys = seen.xs, seen.ys
    if not (xs.low <= general <= xs.high and ys.low <= target <= ys.high):
        return ""
    losses = f"general {tables.loss(general)}, target {tables.loss(target)}"
    words = hint(f"{point['label']}, measured: {losses}")
    return tag("circle", words, cls="trial", cx=xs(general), cy=ys(target), r=3.5)


def limit_of(analysis: Analysis) -> float | None:
    """Return the largest general loss allowed: that of natural times 1 + tolerance."""
    natural = analysis.get("predicted", {}).get("natural", {}).get("general")
    allowed = analysis.get("budget", {}).get("tolerance")
    if not natural or allowed is None or not tables.known(natural[len(natural) // 2]):
        return None
    return natural[len(natural) // 2] * (1 + allowed)


def _limit_at(analysis: Analysis, seen: View) -> float | None:
    """Return where the limit stands in the picture; ``None`` when it lies outside."""
    limit = limit_of(analysis)
    if limit is None or not seen.xs.low <= limit <= seen.xs.high:
        return None
    return seen.xs(limit)


def _landmarks(analysis: Analysis) -> list[tuple[str, str, float, float]]:
    """Return (words, class, general, target) of the mixtures that have a prediction."""
    found = []
    for key, words in (("natural", "natural"), ("uniform", "uniform"), ("mixture", "recommended")):
        spans = analysis.get("predicted", {}).get(key, {})
        if spans.get("general") and spans.get("target"):
            x, y = (spans[k][len(spans[k]) // 2] for k in ("general", "target"))
            if tables.known(x) and tables.known(y):
                found.append((words, "mark-accent" if key == "mixture" else "mark", x, y))
    return found


def _marks(analysis: Analysis, seen: View, spots: list[tuple[float, float]]) -> str:
    """Draw limit and named mixtures, with labels where no line, point or limit is."""
    found = _landmarks(analysis)
    points = [(seen.xs(x), seen.ys(y)) for _, _, x, y in found]
    busy = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in _along(spots)]
    dots = [(seen.xs(p["general"]), seen.ys(p["target"])) for p in _measured_points(analysis)]
    soft = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    frame, parts = Box(_LEFT + 4, _TOP + 2, _RIGHT, _BOTTOM - 4), []
    limit = _limit_at(analysis, seen)
    if limit is not None:
        parts.append(tag("line", cls="limit dash", x1=limit, x2=limit, y1=_TOP, y2=_BOTTOM))
        words = f"limit +{tables.tolerance(analysis['budget']['tolerance'])}"
        x = limit + 7 if limit + 7 + width_of(words) < _RIGHT else limit - 7 - width_of(words)
        parts.append(text(x, _TOP + 15, words, "limit-text s halo"))
        busy.append(Box(limit - 3, _TOP, limit + 3, _BOTTOM))
        busy.append(Box(x - 4, _TOP, x + width_of(words) + 4, _TOP + 22))
    widths = [width_of(words) * 1.08 for words, _, _, _ in found]
    places = place(points, widths, frame, radius=12, others=busy, soft=soft)
    for (words, cls, _, _), (x, y), spot in zip(found, points, places, strict=True):
        parts.append(leader(x, y, spot.box) if spot.far else "")
        parts.append(tag("circle", hint(words), cls=cls, cx=x, cy=y, r=6))
        tone = "b halo" if cls == "mark" else "accent-text halo"
        parts.append(text(spot.box.left, spot.box.bottom - 4, words, tone))
    return "".join(parts)


def _along(spots: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points on a polyline at most six pixels apart."""
    dense = list(spots)
    for (x0, y0), (x1, y1) in pairwise(spots):
        pieces = math.ceil(math.dist((x0, y0), (x1, y1)) / 6)
        dense += [
            (x0 + (x1 - x0) * k / pieces, y0 + (y1 - y0) * k / pieces) for k in range(1, pieces)
        ]
    return dense
