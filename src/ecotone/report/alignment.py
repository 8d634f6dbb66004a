"""The report of ``ecotone align``: decision first, then the portfolio, the shift, a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ecotone.report import tables
from ecotone.report.blocks import (
    Block,
    Commands,
    Document,
    Drawing,
    Findings,
    Headline,
    Items,
    Prose,
    Row,
    Section,
    Table,
)
from ecotone.report.phrases import about
from ecotone.report.svg import Picture, Scale, hint, spread, tag, text

_TONE: dict[str, Any] = {"adapt": "adapt", "keep": "keep", "cannot tell": "unsure"}
_LEAD = {
    "adapt": "Adapt: use {method}.",
    "keep": "Keep the source model.",
    "cannot tell": "Cannot tell: keep the source model until some target rows are labelled.",
}
WIDTH, HEIGHT = 360.0, 340.0


def document(analysis: Mapping[str, Any]) -> Document:
    """Return the whole report."""
    sections = (_portfolio(analysis), _shift(analysis), _picture(analysis), _repeat(analysis))
    return Document(analysis["title"], about(analysis), _headline(analysis), sections)


def _headline(analysis: Mapping[str, Any]) -> Headline:
    verdict, rows = analysis["verdict"], analysis["rows"]
    lead = _LEAD[verdict["decision"]].format(method=analysis["method"])
    evidence = [_evidence(verdict)] if tables.known(verdict["score"]) else []
    evidence.append(
        f"{rows['source']:,} labelled source rows, {rows['target']:,} target rows whose labels "
        "were not looked at."
        if not verdict["used_target_labels"]
        else f"{rows['source']:,} labelled source rows, {rows['target']:,} target rows, and the "
        "few target labels that were given."
    )
    found = tuple(analysis.get("findings") or ())
    blocks: tuple[Block, ...] = (Findings(found),) if found else ()
    badge = "By a few target labels" if verdict["used_target_labels"] else "Without target labels"
    return Headline(_TONE[verdict["decision"]], badge, lead, tuple(evidence), blocks)


def _evidence(verdict: Mapping[str, Any]) -> str:
    low, high = verdict["interval"]
    return (
        f"{verdict['metric']}: {verdict['score']:.3f} against {verdict['baseline']:.3f} for the "
        f"source model, gain {verdict['gain']:+.3f} ({low:+.3f} to {high:+.3f})."
    )


def _portfolio(analysis: Mapping[str, Any]) -> Section:
    first = next((t for t in analysis["tried"] if tables.known(t.get("baseline"))), None)
    rows = [
        Row(
            ("source_only (do nothing)", _number(first and first["baseline"]), "0", "", "", "", ""),
            "natural",
        )
    ]
    for t in analysis["tried"]:
        span = ""
        if t["interval"] and tables.known(t["score"]):
            span = f"{t['interval'][0]:+.3f} to {t['interval'][1]:+.3f}"
        known = tables.known(t.get("score"))
        cells = (
            t["method"], _number(t["score"]), f"{t['gain']:+.3f}" if known else tables.MISSING,
            span, t["decision"] or "not asked", t["note"], tables.seconds(t["seconds"]),
        )  # fmt: skip
        rows.append(Row(cells, "best" if t["method"] == analysis["method"] else ""))
    columns = ("method", "circular score", "gain", "interval", "decision", "why", "time")
    intro = (
        "Each candidate is compared with the source model, fold by fold, by a score that needs no "
        "target labels: predict the target, adapt back, and count how many known source labels are "
        "found again. It is no accuracy on the target; it ranks."
    )
    return Section(
        "portfolio", "What was tried", (Prose(intro), Table("Candidates", columns, tuple(rows)))
    )


def _number(value: Any) -> str:
    return f"{value:.3f}" if value is not None and tables.known(value) else tables.MISSING


def _shift(analysis: Mapping[str, Any]) -> Section:
    d = analysis["diagnosis"]
    lines = [
        f"Kind: {d['kind']}.",
        f"Source and target rows are told apart with an area under the curve of "
        f"{d['tell_apart']:.3f} (one half: not at all; p = {d['p']:.2g}).",
        f"With each side standardised by itself: {d['after_scaling']:.3f}.",
        f"{d['effective']:.0f} effective source rows lie where the target does.",
    ]
    if tables.known(d["after_priors"]):
        lines.insert(2, f"With other class proportions: {d['after_priors']:.3f}.")
    if d["features"]:
        names = [str(j) for j in d["features"][:12]]
        lines.append(f"{len(d['features'])} encoded columns differ, among them {', '.join(names)}.")
    words = (
        "That labels changed their meaning cannot be seen in features; only target labels show it."
    )
    return Section("shift", "Which shift it is", (Items(tuple(lines)), Prose(words)))


def _picture(analysis: Mapping[str, Any]) -> Section:
    points = analysis["map"]
    drawn = tuple(
        _dots(points[when], points["sides"], when, f"{when.capitalize()} the adaptation")
        for when in ("before", "after")
    )
    words = (
        "Rows on the two main axes of what the classifier sees. Filled: sources; rings: target. "
        "Where the source model is kept, nothing moves."
    )
    return Section("picture", "Before and after", (Prose(words), Drawing(drawn)))


def _dots(points: list[list[float]], sides: list[int], name: str, title: str) -> Picture:
    xs, ys = (sorted(p[i] for p in points) for i in (0, 1))
    cut = max(len(points) // 100, 0)  # a few far rows must not squeeze the others into a spot
    low_high = [spread([v[cut], v[-1 - cut]]) for v in (xs, ys)]
    x, y = Scale(*low_high[0], 12, WIDTH - 12), Scale(*low_high[1], HEIGHT - 12, 40)
    parts = [text(12, 20, title, "b")]
    for (a, b), side in zip(points, sides, strict=True):
        if not (x.low <= a <= x.high and y.low <= b <= y.high):
            continue
        kind = "trial" if side > 0 else "chance"
        words = hint(f"{'source' if side > 0 else 'target'} {abs(side)}")
        parts.append(tag("circle", words, cls=kind, cx=x(a), cy=y(b), r=3))
    n = sum(1 for s in sides if s < 0)
    says = f"{len(sides) - n} source rows and {n} target rows."
    return Picture(f"rows-{name}", title, says, WIDTH, HEIGHT, "".join(parts))


def _repeat(analysis: Mapping[str, Any]) -> Section:
    run = str(analysis["pipeline"]).replace("/artifacts/pipeline.skops", "")
    lines = [*analysis.get("repeat", []), f"ecotone predict {run} new_rows.csv"]
    cost = analysis.get("seconds")
    blocks: list[Block] = [Commands(tuple(lines))]
    if cost is not None and math.isfinite(cost):
        blocks.append(Prose(f"It took {tables.seconds(cost)} of computing."))
    return Section("repeat", "How to repeat and use it", tuple(blocks))
