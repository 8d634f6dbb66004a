"""The few SVG pieces that all figures share: tags, scales, ticks, the frame of a picture."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from importlib.resources import files

from ecotone.report.palette import without_variables
from ecotone.report.tables import fixed, one_line

_NARROW, _WIDE = "iljtfrI.,:;'|!()[] ", "mwMW@%—"


def escape(text: object) -> str:
    """Make text safe inside an element and inside a quoted attribute, in HTML and in XML."""
    return html.escape(one_line(str(text)), quote=True)


def pixel(value: float) -> str:
    """Write a coordinate with at most two decimals, always alike."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tag(kind: str, *inside: str, **attributes: object) -> str:
    """Write one element; `inside` is markup, attributes are escaped.

    ``cls`` is the class, underscores become dashes, numbers are coordinates, None is left out.

    >>> tag("line", cls="axis", x1=0, x2=1.5)
    '<line class="axis" x1="0" x2="1.5"/>'
    """
    words = [kind]
    for name, value in attributes.items():
        if value is None:
            continue
        key = "class" if name == "cls" else name.replace("_", "-")
        shown = pixel(value) if isinstance(value, int | float) else escape(value)
        words.append(f'{key}="{shown}"')
    opening = " ".join(words)
    return f"<{opening}>{''.join(inside)}</{kind}>" if inside else f"<{opening}/>"


def text(x: float, y: float, words: object, cls: str = "", anchor: str | None = None) -> str:
    """Write a line of text; `anchor` is ``middle`` or ``end``."""
    return tag("text", escape(words), cls=cls or None, x=x, y=y, text_anchor=anchor)


def hint(words: str) -> str:
    """Write what a pointer or a screen reader is told about the element around it."""
    return tag("title", escape(words))


def width_of(words: str, size: float = 13) -> float:
    """Estimate the width of a text in pixels, rather too wide than too narrow."""
    total = 0.0
    for char in words:
        if char in _NARROW:
            total += 0.34
        elif char in _WIDE or ord(char) > 0x2E80:
            total += 1.05
        else:
            total += 0.7 if char.isupper() else 0.58
    return total * size


def shortened(words: object, room: float, size: float = 13) -> str:
    """Cut the middle out of a text that is wider than `room` pixels.

    Names that begin alike are told apart by their ends.

    >>> shortened("a_long_name_1", 60), shortened("law", 60)
    ('a_lo…e_1', 'law')
    """
    line = one_line(str(words))
    if width_of(line, size) <= room:
        return line
    for kept in range(len(line) - 1, 0, -1):
        head, tail = line[: kept - kept // 2], line[len(line) - kept // 2 :]
        if width_of(f"{head}…{tail}", size) <= room:
            return f"{head.rstrip()}…{tail.lstrip()}"
    return "…"


@dataclass(frozen=True)
class Scale:
    """A linear map from numbers to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a number lies, pixels."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round numbers inside the range, about five."""
        step = _step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]

    @property
    def decimals(self) -> int:
        """How many decimals tell its ticks apart."""
        return max(0, -math.floor(math.log10(_step((self.high - self.low) / 5)) + 1e-9))


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def spread(values: list[float], margin: float = 0.06) -> tuple[float, float]:
    """Return the range of some numbers with a margin; never empty."""
    low, high = min(values), max(values)
    room = (high - low) * margin or max(abs(low) * 0.01, 1e-6)
    return low - room, high + room


def x_axis(scale: Scale, y: float, top: float, label: str) -> str:
    """Draw ticks below `y`, a grid up to `top` and the label of a horizontal axis."""
    parts = []
    for value in scale.ticks:
        x = scale(value)
        parts.append(tag("line", cls="grid", x1=x, x2=x, y1=top, y2=y))
        parts.append(text(x, y + 17, fixed(value, scale.decimals), "s m", "middle"))
    parts.append(tag("line", cls="axis", x1=scale.start, x2=scale.end, y1=y, y2=y))
    parts.append(text((scale.start + scale.end) / 2, y + 36, label, "s m", "middle"))
    return "".join(parts)


def y_axis(scale: Scale, x: float, right: float) -> str:
    """Draw ticks left of `x` and a grid up to `right`."""
    parts = []
    for value in scale.ticks:
        y = scale(value)
        parts.append(tag("line", cls="grid", x1=x, x2=right, y1=y, y2=y))
        parts.append(text(x - 7, y + 4, fixed(value, scale.decimals), "s m", "end"))
    parts.append(tag("line", cls="axis", x1=x, x2=x, y1=scale.start, y2=scale.end))
    return "".join(parts)


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes
    ----------
    name : str
        Short, unique on the page.
    title, says : str
        What it is; what it shows, for those who do not see it.
    width, height : float
        Pixels.
    body : str
        SVG markup.
    """

    name: str
    title: str
    says: str
    width: float
    height: float
    body: str

    def inline(self) -> str:
        """Return the element for an HTML page, which brings the style."""
        return self._element("")

    def standalone(self) -> str:
        """Return a whole SVG file with its own style and ground."""
        rules = files("ecotone.report").joinpath("figure.css").read_text(encoding="utf-8")
        style = without_variables(rules + ".fig .sheet{fill:var(--surface)}")
        sheet = tag("rect", cls="sheet", width=self.width, height=self.height)
        return self._element(tag("style", style) + sheet, standalone=True) + "\n"

    def _element(self, before: str, *, standalone: bool = False) -> str:
        name = f"fig-{self.name}"
        size = {"width": self.width, "height": self.height} if standalone else {}
        return tag(
            "svg",
            tag("title", escape(self.title), id=f"{name}-title"),
            tag("desc", escape(self.says), id=f"{name}-says"),
            before,
            self.body,
            cls="fig",
            id=name,
            role="img",
            aria_labelledby=f"{name}-title {name}-says",
            viewBox=f"0 0 {pixel(self.width)} {pixel(self.height)}",
            xmlns="http://www.w3.org/2000/svg" if standalone else None,
            **size,
        )
