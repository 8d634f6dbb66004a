"""Put labels beside points so that they cover neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ecotone.report.svg import tag

HEIGHT = 16.0  # of a line of text, pixels
GAP = 12.0  # from a point to its label
_STEPS = 16  # directions tried
_RINGS = 18  # distances tried, nine pixels apart


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the area both share."""
        # most pairs lie apart, and this is asked often
        if self.left >= other.right or other.left >= self.right:
            return 0.0
        if self.top >= other.bottom or other.top >= self.bottom:
            return 0.0
        wide = min(self.right, other.right) - max(self.left, other.left)
        return wide * (min(self.bottom, other.bottom) - max(self.top, other.top))

    def outside(self, frame: Box) -> float:
        """Return how far it sticks out of a frame, pixels."""
        return (
            max(frame.left - self.left, 0.0)
            + max(self.right - frame.right, 0.0)
            + max(frame.top - self.top, 0.0)
            + max(self.bottom - frame.bottom, 0.0)
        )


class Label(NamedTuple):
    """Where a label goes, and whether a line must lead to it."""

    box: Box
    far: bool


def place(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    frame: Box,
    *,
    radius: float = 6.0,
    others: Sequence[Box] = (),
    soft: Sequence[Box] = (),
) -> list[Label]:
    """Choose a place for the label of every point.

    Greedy: points in the thick of others choose first, each the nearest place around its point
    that is free and inside the frame. When nothing is free, the place that covers least.

    Parameters
    ----------
    points : sequence of (x, y)
        Centres, pixels.
    widths : sequence of float
        Of the labels, pixels.
    frame : Box
        Labels stay inside it.
    radius : float
        Of the points, which are not to be covered.
    others : sequence of Box
        What else is not to be covered.
    soft : sequence of Box
        What had better not be covered, unless the label would go far away.

    Returns
    -------
    list of Label
        In the order of `points`.
    """
    taken = [*others, *(Box(x - radius, y - radius, x + radius, y + radius) for x, y in points)]
    chosen: dict[int, Label] = {}
    for i in sorted(range(len(points)), key=lambda i: (_room(points, i), i)):
        chosen[i] = _best(points[i], widths[i], frame, taken, soft, radius)
        taken.append(chosen[i].box)
        if chosen[i].far:
            taken += _trail(points[i], chosen[i].box, radius)
    return [chosen[i] for i in range(len(points))]


def _room(points: Sequence[tuple[float, float]], i: int) -> float:
    """Return the distance to the nearest other point."""
    return min((math.dist(points[i], p) for j, p in enumerate(points) if j != i), default=0.0)


def _best(
    point: tuple[float, float],
    width: float,
    frame: Box,
    taken: Sequence[Box],
    soft: Sequence[Box],
    radius: float,
) -> Label:
    best, least = Label(_beside(point, width, 0.0, GAP), far=False), math.inf
    for ring in range(_RINGS):
        if least <= 12 * ring:  # farther places cannot be better
            break
        for angle in _DIRECTIONS:
            box, far = _beside(point, width, angle, GAP + ring * 9.0), ring > 1
            cost = 12 * ring + 1e5 * box.outside(frame) + _covered(box, soft)
            cost += 1e3 * _covered(box, taken)
            if cost < least and far:
                trail = _trail(point, box, radius)
                cost += 1e3 * sum(_covered(part, taken) for part in trail)
            if cost < least - 1e-9:
                best, least = Label(box, far), cost
    return best


def _covered(box: Box, others: Sequence[Box]) -> float:
    return sum(map(box.overlap, others))


def _trail(point: tuple[float, float], box: Box, radius: float) -> list[Box]:
    """Return small boxes along the line that leads from a point to its label."""
    end = _nearest(point, box)
    length = math.dist(point, end)
    # the first steps lie on the point itself, the last one touches the label
    steps = (radius + 4 + 5 * k for k in range(int(max(length - radius - 6, 0) // 5) + 1))
    boxes = []
    for step in steps:
        x, y = (p + (e - p) * step / length for p, e in zip(point, end, strict=True))
        if step < length - 2:
            boxes.append(Box(x - 1.5, y - 1.5, x + 1.5, y + 1.5))
    return boxes


def _nearest(point: tuple[float, float], box: Box) -> tuple[float, float]:
    """Return the place of a box that is nearest to a point."""
    x = min(max(point[0], box.left), box.right)
    return x, min(max(point[1], box.top), box.bottom)


# right first, then left, above, below, then the rest: the order a reader expects
_ORDER = (0, 8, 4, 12, 2, 6, 14, 10, *range(1, _STEPS, 2))
_DIRECTIONS = tuple(2 * math.pi * step / _STEPS for step in _ORDER)


def _beside(point: tuple[float, float], width: float, angle: float, reach: float) -> Box:
    """Return the box whose nearest side lies `reach` from the point in a direction."""
    across, down = math.cos(angle), -math.sin(angle)
    x = point[0] + reach * across + (across - 1) / 2 * width
    y = point[1] + reach * down + (down - 1) / 2 * HEIGHT
    return Box(x, y, x + width, y + HEIGHT)


def leader(x: float, y: float, box: Box) -> str:
    """Draw a thin line from a point to the nearest place of its label."""
    end = _nearest((x, y), box)
    return tag("line", cls="leader", x1=x, y1=y, x2=end[0], y2=end[1])
