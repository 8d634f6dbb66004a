"""A report as one HTML file that loads nothing: style, script and pictures lie inside."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files

from ecotone.report.blocks import (
    Bar,
    Block,
    Commands,
    Document,
    Drawing,
    Explorer,
    Findings,
    Headline,
    Items,
    Pair,
    Prose,
    Section,
    Table,
)
from ecotone.report.palette import variables
from ecotone.report.phrases import capital
from ecotone.report.svg import escape, pixel
from ecotone.report.tables import is_numeric, one_line

_COLUMN = 440.0  # pixels: pictures drawn wider than half the page get a row of their own
_BROAD = ' class="broad"'


def page(document: Document) -> str:
    """Return the whole file."""
    script = _resource("page.js")
    style = variables() + _resource("figure.css") + _resource("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # only this script may run, whatever a domain is called
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    body = "".join(section_html(s) for s in document.sections)
    links = "".join(
        f'<li><a href="#{s.name}">{s.name.capitalize()}</a></li>' for s in document.sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(document.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#decision">Skip to the decision</a>\n'
        f"<header>{_masthead(document)}</header>\n<main>\n{_opening(document.headline)}\n"
        f'<nav aria-label="Sections"><ol>{links}</ol></nav>\n{body}</main>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _resource(name: str) -> str:
    return files("ecotone.report").joinpath(name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Escape a sentence, and keep numbers and their units on one line."""
    return re.sub(
        r"(?<=\d) (?=%|nats|tokens|seed|min|[kMGTsh]\b)", "\N{NO-BREAK SPACE}", escape(text)
    )


def _masthead(document: Document) -> str:
    about = "".join(f"<span>{escape(a)}</span>" for a in document.about)
    return f'<h1>{escape(document.title)}</h1><p class="about">{about}</p>'


def _opening(head: Headline) -> str:
    beside = [b for b in head.blocks if isinstance(b, Drawing | Table)]
    others = [b for b in head.blocks if not isinstance(b, Drawing | Table)]
    evidence = "".join(f"<p>{prose(e)}</p>" for e in head.evidence)
    shape = "opening two" if beside else "opening"
    column = f"<div>{''.join(map(block_html, beside))}</div>" if beside else ""
    return (
        f'<section class="{shape} tone-{head.tone}" aria-labelledby="decision">'
        f'<div class="says"><p class="badge">{escape(head.badge)}</p>'
        f'<h2 id="decision">{prose(head.lead)}</h2><div class="evidence">{evidence}</div></div>'
        f"{column}{''.join(map(block_html, others))}</section>"
    )


def section_html(section: Section) -> str:
    """Return one section with its heading."""
    inside = "".join(block_html(b) for b in section.blocks)
    return (
        f'<section id="{section.name}" aria-labelledby="{section.name}-title">'
        f'<h2 id="{section.name}-title">{escape(section.title)}</h2>{inside}</section>\n'
    )


def block_html(block: Block) -> str:
    """Return one block."""
    match block:
        case Prose():
            tone = ' class="missing"' if block.missing else ""
            return f"<p{tone}>{prose(block.text)}</p>"
        case Table():
            return _table(block)
        case Drawing():
            return _drawing(block)
        case Pair():
            both = block_html(block.drawing) + block_html(block.table)
            return f'<div class="two pair">{both}</div>'
        case Items():
            return f"<ul>{''.join(f'<li>{prose(t)}</li>' for t in block.texts)}</ul>"
        case Findings():
            return _findings(block)
        case Commands():
            lines = "".join(_command(line) for line in block.lines)
            return f'<div class="commands">{lines}</div>'
        case Explorer():
            return _explorer(block)


def _drawing(block: Drawing) -> str:
    if block.narrow is not None:
        wide = "".join(f'<figure class="wide">{p.inline()}</figure>' for p in block.pictures)
        return f'{wide}<figure class="narrow">{block.narrow.inline()}</figure>'
    figures = "".join(
        f"<figure{_BROAD * (p.width > _COLUMN)}>{p.inline()}</figure>" for p in block.pictures
    )
    return f'<div class="figures">{figures}</div>'


def _command(line: str) -> str:
    # line breaks are part of a command; other controls are not
    shown = "\n".join(one_line(part) for part in line.split("\n"))
    # an option is not broken after its dashes: each word is a box of its own
    words = (
        f"<span>{html.escape(w)}</span>" if w.strip() else w for w in re.split(r"(\s+)", shown)
    )
    return f'<pre tabindex="0"><code>{"".join(words)}</code></pre>'


def _findings(block: Findings) -> str:
    parts = []
    for found in block.found:
        cure = found.get("cure") or ""
        told = f' <span class="cure">Cure: {prose(cure)}</span>' if cure else ""
        code = f"<b>{escape(found.get('code', ''))}</b> "
        parts.append(f"<li>{code}{prose(found.get('says', ''))}{told}</li>")
    return f'<ul class="findings" aria-label="Findings">{"".join(parts)}</ul>'


def _table(table: Table) -> str:
    columns = list(zip(*(r.cells for r in table.rows), strict=True))
    right = [is_numeric([c for c in column if c]) for column in columns]
    heads = "".join(
        f'<th scope="col"{_aside(r)}>{escape(c)}</th>'
        for c, r in zip(table.columns, right, strict=True)
    )
    body = []
    for row in table.rows:
        tone = f' class="{row.tone}"' if row.tone else ""
        cells = "".join(
            f'<th scope="row">{escape(c)}</th>'
            if i == 0
            else f"<td{_aside(right[i])}>{escape(c)}</td>"
            for i, c in enumerate(row.cells)
        )
        body.append(f"<tr{tone}>{cells}</tr>")
    caption = escape(table.caption)
    inner = (
        f'<table aria-label="{caption}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )
    box = f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0">{inner}</div>'
    if table.folded:
        return f"<details><summary>{caption}</summary>{box}</details>"
    return f'<div class="table"><p class="caption">{caption}</p>{box}</div>'


def _aside(right: bool) -> str:
    return ' class="n"' if right else ""


def _explorer(block: Explorer) -> str:
    stop = block.stops[block.start]
    rows = "".join(map(_bar_row, block.domains, block.ticks, stop.bars))
    ends = f"<span>{block.stops[0].tolerance}</span><span>{block.stops[-1].tolerance}</span>"
    target = escape(capital(block.target))
    zero = [f'<dd class="zero">natural {z}</dd>' if z else "" for z in block.natural]
    return (
        f'<div class="explorer"><figure>{block.picture.inline()}</figure><div class="panel">'
        '<div class="control" hidden>'
        '<label for="tolerance">How much may the general loss rise?</label>'
        f'<input type="range" id="tolerance" min="0" max="{len(block.stops) - 1}" step="1" '
        f'value="{block.start}" aria-valuetext="{escape(_told(block, block.start))}">'
        f'<div class="ends" aria-hidden="true">{ends}</div></div>'
        f'<dl><div><dt>Tolerance</dt><dd id="at-tolerance">{stop.tolerance}</dd></div>'
        f'<div><dt>{target}</dt><dd id="at-target">{stop.target}</dd>{zero[0]}</div>'
        f'<div><dt>General loss</dt><dd id="at-general">{stop.general}</dd>{zero[1]}</div></dl>'
        f'<p class="note" id="at-note">{escape(stop.note) or "&nbsp;"}</p>'
        '<table class="bars"><caption>Best mixture at this point; ticks: natural shares</caption>'
        '<thead><tr><th scope="col">domain</th><td></td><th scope="col" class="n">share</th>'
        '<th scope="col" class="n">epochs</th></tr></thead>'
        f'<tbody id="at-bars">{rows}</tbody></table>'
        f'</div></div><script type="application/json" id="frontier-data">{_stops(block)}</script>'
    )


def _bar_row(name: str, tick: float | None, bar: Bar) -> str:
    mark = "" if tick is None else f'<i style="left:{tick:g}%"></i>'
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="track"><span class="rail">'
        f'<span class="bar" style="width:{bar.width:g}%"></span>{mark}</span></td>'
        f'<td class="n">{bar.share}</td><td class="n">{bar.epochs}</td></tr>'
    )


def _told(block: Explorer, i: int) -> str:
    """Return what a screen reader says at one stop of the slider."""
    stop = block.stops[i]
    return f"tolerance {stop.tolerance}, {block.target} {stop.target}, general loss {stop.general}"


def _stops(block: Explorer) -> str:
    """Return the stops as JSON that cannot end the script element around it."""
    stops = [
        {
            "tolerance": s.tolerance,
            "target": s.target,
            "general": s.general,
            "note": s.note,
            "told": _told(block, i),
            "x": pixel(s.x),
            "y": pixel(s.y),
            "bars": [[b.share, b.epochs, b.width] for b in s.bars],
        }
        for i, s in enumerate(block.stops)
    ]
    return json.dumps(stops).replace("<", "\\u003c").replace("&", "\\u0026").replace(">", "\\u003e")
