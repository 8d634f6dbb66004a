"""Mean ranks of contenders, and which of them are no further apart than chance."""

from __future__ import annotations

from collections.abc import Sequence

from ecotone.report.svg import Picture, Scale, hint, spread, tag, text, x_axis

ROW, LEFT, WIDTH, PLAIN = 19.0, 250.0, 760.0, "source_only"


def picture(ways: Sequence[str], ranks: Sequence[float], difference: float, tasks: int) -> Picture:
    """Draw one row a contender, best first; a bar of half the critical difference to each side.

    Two contenders whose bars do not overlap differ at the 5 % level; the band marks what cannot be
    told apart from doing nothing.

    Parameters
    ----------
    ways, ranks : sequence
        Names and mean ranks, 1 is best, in the order to draw.
    difference : float
        Critical difference of mean ranks.
    tasks : int
        How many tasks the ranks are means of.
    """
    bottom = 34 + ROW * len(ways)
    low, high = spread([min(ranks) - difference / 2, max(ranks) + difference / 2], 0.02)
    x = Scale(low, high, LEFT, WIDTH - 16)
    parts = [x_axis(x, bottom, 26, f"mean rank over {tasks} tasks (left is better)")]
    if PLAIN in ways:
        middle = ranks[list(ways).index(PLAIN)]
        left, right = max(x(middle - difference), LEFT), min(x(middle + difference), WIDTH - 16)
        band = tag("rect", cls="soft", x=left, y=26, width=right - left, height=bottom - 26)
        parts.insert(0, band)
    for i, (way, rank) in enumerate(zip(ways, ranks, strict=True)):
        y = 40 + ROW * i
        ours = not way.startswith("skada ")
        parts.append(text(LEFT - 10, y + 4, way, "s b" if way == PLAIN else "s", "end"))
        line = tag("line", cls="whisker", x1=x(rank - difference / 2),
                   x2=x(rank + difference / 2), y1=y, y2=y)  # fmt: skip
        dot = tag("circle", hint(f"{way}: {rank:.1f}"), cls="dot" if ours else "trial",
                  cx=x(rank), cy=y, r=4)  # fmt: skip
        parts += [line, dot]
    says = (
        f"{ways[0]} has the best mean rank, {ranks[0]:.1f}; ranks closer than {difference:.1f} "
        "cannot be told apart. The band is what cannot be told from doing nothing."
    )
    return Picture("ranks", "Mean ranks", says, WIDTH, bottom + 46, "".join(parts))
