"""A report as Markdown: the same content in text and tables."""

from __future__ import annotations

import re

from ecotone.report.blocks import (
    Block,
    Commands,
    Document,
    Drawing,
    Explorer,
    Findings,
    Items,
    Pair,
    Prose,
    Row,
    Table,
)
from ecotone.report.schema import FindingFacts
from ecotone.report.svg import Picture
from ecotone.report.tables import is_numeric, one_line

_MARKS = re.compile(r"([\\`*\[\]|~$])")  # read as markup anywhere
_LONE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # an underscore that is not inside a word
_FIRST = re.compile(r"^(#|[+-](?=\s|$)|-(?=[-\s]*$))")  # begins a heading, a list or a rule
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")  # begins a numbered list


def text(document: Document) -> str:
    """Return the whole file."""
    head = document.headline
    parts = [f"# {inline(document.title)}", " · ".join(map(inline, document.about))]
    parts += [f"**{inline(head.lead)}** ({inline(head.badge)})", *map(inline, head.evidence)]
    parts += map(block_text, head.blocks)
    for section in document.sections:
        parts += [f"## {inline(section.title)}", *map(block_text, section.blocks)]
    return "\n\n".join(p for p in parts if p) + "\n"


def inline(words: str) -> str:
    r"""Escape what Markdown or HTML would read as markup.

    >>> print(inline("a|b <i> *x* snake_case _y_"))
    a\|b &lt;i&gt; \*x\* snake_case \_y\_
    """
    safe = one_line(words).strip()
    safe = safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = _LONE.sub(r"\\_", _MARKS.sub(r"\\\1", safe))
    return _NUMBERED.sub(r"\1\\\2", _FIRST.sub(r"\\\1", safe))


def block_text(block: Block) -> str:
    """Return one block."""
    match block:
        case Prose():
            return inline(block.text)
        case Table():
            return _table(block)
        case Drawing():
            return "\n\n".join(map(_picture, block.pictures))
        case Pair():
            return f"{block_text(block.drawing)}\n\n{block_text(block.table)}"
        case Items():
            return "\n".join(f"- {inline(t)}" for t in block.texts)
        case Findings():
            return "\n".join(map(_finding, block.found))
        case Commands():
            return "\n\n".join(map(_command, block.lines))
        case Explorer():
            return _picture(block.picture)


def _picture(picture: Picture) -> str:
    return f"*{inline(picture.title)}.* {inline(picture.says)}"


def _finding(found: FindingFacts) -> str:
    cure = f" *Cure:* {inline(found['cure'])}" if found.get("cure") else ""
    return f"- **{inline(found.get('code', ''))}** {inline(found.get('says', ''))}{cure}"


def _command(line: str) -> str:
    # a fence is longer than any run of backticks inside it
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = "\n".join(one_line(part) for part in line.split("\n"))
    return f"{fence}sh\n{shown}\n{fence}"


def _table(table: Table) -> str:
    columns = zip(*(r.cells for r in table.rows), strict=True)
    right = [is_numeric([c for c in column if c]) for column in columns]
    rule = "|".join("---:" if r else "---" for r in right)
    lines = [f"| {' | '.join(map(inline, table.columns))} |", f"|{rule}|"]
    lines += [_row(row) for row in table.rows]
    return f"**{inline(table.caption)}**\n\n" + "\n".join(lines)


def _row(row: Row) -> str:
    cells = [inline(c) for c in row.cells]
    if row.tone in ("best", "total"):
        cells[0] = f"**{cells[0]}**"
    return f"| {' | '.join(cells)} |"
