"""The parts of a report, before it is decided whether they become HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecotone.report.schema import FindingFacts
from ecotone.report.svg import Picture

Tone = Literal["", "natural", "best", "total"]


@dataclass(frozen=True)
class Prose:
    """A paragraph; `missing` says why something is not there."""

    text: str
    missing: bool = False


@dataclass(frozen=True)
class Row:
    """Cells of a table; the tone sets apart the do-nothing row, the choice and the total."""

    cells: tuple[str, ...]
    tone: Tone = ""


@dataclass(frozen=True)
class Table:
    """A table; a folded one is opened by a click and is meant for looking things up."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    folded: bool = False


@dataclass(frozen=True)
class Drawing:
    """One picture, or several that belong side by side.

    `narrow` is the same for small screens, where it is drawn otherwise.
    """

    pictures: tuple[Picture, ...]
    narrow: Picture | None = None


@dataclass(frozen=True)
class Pair:
    """A picture and the table with its numbers, side by side where there is room."""

    drawing: Drawing
    table: Table


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """What else a user should know, with cures."""

    found: tuple[FindingFacts, ...]


@dataclass(frozen=True)
class Commands:
    """Commands to be copied."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Bar:
    """One domain at one point of the frontier; widths are percent of the longest bar."""

    share: str
    epochs: str
    width: float


@dataclass(frozen=True)
class Stop:
    """One point of the frontier, as text, with its place in the picture."""

    tolerance: str
    target: str
    general: str
    note: str
    x: float
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Explorer:
    """The frontier with a slider.

    Attributes
    ----------
    picture : Picture
        The frontier.
    natural : (str, str)
        Target and general loss of the natural mixture; empty when unknown.
    target : str
        Name of the target loss.
    domains : tuple of str
        In the order of the bars.
    ticks : tuple of float or None
        Natural share of each domain, percent of the longest bar.
    stops : tuple of Stop
        By rising tolerance.
    start : int
        Where the slider stands at first.
    """

    picture: Picture
    natural: tuple[str, str]
    target: str
    domains: tuple[str, ...]
    ticks: tuple[float | None, ...]
    stops: tuple[Stop, ...]
    start: int


Block = Prose | Table | Drawing | Pair | Items | Findings | Commands | Explorer


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading; `name` is unique and safe in an address."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Headline:
    """The first screen.

    Attributes
    ----------
    tone : {"adapt", "keep", "unsure", "note"}
        Which colour the badge has.
    badge : str
        What it rests on, in two or three words.
    lead : str
        The decision as a sentence.
    evidence : tuple of str
        Sentences with the numbers behind it.
    blocks : tuple of Block
        Figure, table and findings that belong to the decision.
    """

    tone: Literal["adapt", "keep", "unsure", "note"]
    badge: str
    lead: str
    evidence: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    about: tuple[str, ...]
    headline: Headline
    sections: tuple[Section, ...]


def drawing(*pictures: Picture | None) -> tuple[Drawing, ...]:
    """Put the pictures that could be drawn side by side."""
    drawn = tuple(p for p in pictures if p is not None)
    return (Drawing(drawn),) if drawn else ()
