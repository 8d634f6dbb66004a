"""The sections about the prediction: what else could be had, and whether it holds."""

from __future__ import annotations

import math

from ecotone.report import frontier, scatter, tables
from ecotone.report.blocks import Bar, Block, Explorer, Prose, Row, Section, Stop, Table, drawing
from ecotone.report.phrases import called, counted, middle, target_loss
from ecotone.report.schema import Analysis, FrontierPoint, epochs_at, mixtures
from ecotone.report.svg import Picture


def trade_off(analysis: Analysis) -> Section | None:
    """Show what another tolerance would give, with a slider."""
    view, drawn = frontier.view(analysis), frontier.frontier(analysis)
    if view is None or drawn is None:
        return None
    intro = (
        f"Each point of the line is the mixture with the least predicted {target_loss(analysis)} "
        "among those whose general loss rises by no more than a tolerance. "
        "Grey dots are trained mixtures."
    )
    blocks: list[Block] = [Prose(intro)]
    if len(view.points) > 1:
        blocks.append(_explorer(analysis, view, drawn))
    else:
        blocks += drawing(drawn)
    blocks.append(_frontier_table(analysis, view.points))
    return Section("trade-off", "What another tolerance would give", tuple(blocks))


def _explorer(analysis: Analysis, view: frontier.View, drawn: Picture) -> Explorer:
    names = _frontier_names(analysis, view.points)
    natural = analysis.get("natural", {})
    shares = [p["weights"].get(n, 0.0) for p in view.points for n in names]
    longest = max([*shares, *natural.values()]) or 1.0
    start, exact = (
        frontier.chosen(analysis, view.points),
        analysis.get("budget", {}).get("tolerance"),
    )
    stops = []
    for p in view.points:
        parts = [(n, p["weights"].get(n, 0.0)) for n in names]
        stops.append(
            Stop(
                tables.tolerance(p["tolerance"]),
                tables.loss(p["target"]),
                tables.loss(p["general"]),
                "the tolerance of this run"
                if exact is not None and math.isclose(p["tolerance"], exact)
                else "",
                view.xs(p["general"]),
                view.ys(p["target"]),
                tuple(
                    Bar(
                        tables.share(part),
                        tables.epochs(epochs_at(analysis, n, part)),
                        round(100 * part / longest, 2),
                    )
                    for n, part in parts
                ),
            )
        )
    ticks = tuple(round(100 * natural[n] / longest, 2) if n in natural else None for n in names)
    spans = analysis.get("predicted", {}).get("natural", {})
    before = [middle(spans, what) for what in ("target", "general")]
    zero = ("", "") if None in before else (tables.loss(before[0]), tables.loss(before[1]))
    return Explorer(drawn, zero, target_loss(analysis), tuple(names), ticks, tuple(stops), start)


def _frontier_names(analysis: Analysis, points: list[FrontierPoint]) -> list[str]:
    first = mixtures(analysis)
    return [*first, *sorted({n for p in points for n in p["weights"]} - set(first))]


def _frontier_table(analysis: Analysis, points: list[FrontierPoint]) -> Table:
    names = _frontier_names(analysis, points)
    rows = []
    spans, natural = analysis.get("predicted", {}).get("natural", {}), analysis.get("natural", {})
    if natural and spans.get("target") and spans.get("general"):
        losses = [tables.loss(s[len(s) // 2]) for s in (spans["target"], spans["general"])]
        shares = [tables.share(natural.get(n, 0.0)) for n in names]
        rows.append(Row((called("natural"), *losses, *shares), "natural"))
    chosen = frontier.chosen(analysis, points)
    for i, p in enumerate(points):
        shares = [tables.share(p["weights"].get(n, 0.0)) for n in names]
        cells = (
            tables.tolerance(p["tolerance"]),
            tables.loss(p["target"]),
            tables.loss(p["general"]),
        )
        rows.append(Row((*cells, *shares), "best" if i == chosen else ""))
    columns = ("tolerance", target_loss(analysis), "general loss", *names)
    caption = (
        f"All {counted(len(points), 'point')} of the frontier: predicted nats/token and shares"
    )
    return Table(caption, columns, tuple(rows), folded=True)


def evidence(analysis: Analysis) -> Section | None:
    """Show how well losses were predicted that the law had not seen."""
    checks, laws = analysis.get("cv", {}), analysis.get("laws", [])
    if "mixture" not in analysis and not checks and not laws:
        return None
    title = "Does the prediction hold?"
    pictures = drawing(scatter.fit_target(analysis), scatter.fit_general(analysis))
    blocks: list[Block] = []
    if pictures:
        blocks.append(
            Prose(
                "Each dot is a trained mixture that was hidden from the law, which then predicted "
                "its loss. Dots on the dashed line are exact; the thin lines are the intervals it "
                "stated."
            )
        )
        blocks += pictures
    if laws:
        blocks.append(_laws_table(analysis))
    if (table := _trials_table(analysis)) is not None:
        blocks.append(table)
    if not blocks:
        words = (
            "No law was fitted on trained mixtures in this run, so there is no prediction to check."
        )
        blocks.append(Prose(words, missing=True))
    return Section("prediction", title, tuple(blocks))


def _laws_table(analysis: Analysis) -> Table:
    rows = [_constant(analysis)] if analysis.get("cv", {}).get("target", {}).get("measured") else []
    for law in analysis["laws"]:
        cells = (
            law["name"],
            tables.correlation(law.get("spearman")),
            tables.loss(law.get("mae")),
            tables.loss(law.get("rmse")),
            tables.share(law.get("weight")),
            tables.seconds(law.get("seconds")),
            law.get("note") or "",
        )
        rows.append(Row(cells, "best" if law.get("chosen") else ""))
    errors = ("mean absolute error", "root mean square error")
    columns = ("law", "rank correlation", *errors, "weight", "time to fit", "note")
    caption = f"Laws compared on hidden mixtures: {target_loss(analysis)}, errors in nats/token"
    return Table(caption, columns, tuple(rows))


def _constant(analysis: Analysis) -> Row:
    """Return the do-nothing row: predict each trial by the mean of all others."""
    measured = [v for v in analysis["cv"]["target"]["measured"] if tables.known(v)]
    n, dash = len(measured), tables.MISSING
    centre = sum(measured) / n
    # leaving one out changes each deviation from the mean by the factor n / (n - 1)
    errors = [abs(v - centre) * n / (n - 1) for v in measured] if n > 1 else []
    mae = tables.loss(sum(errors) / n if errors else None)
    rmse = tables.loss(math.sqrt(sum(e * e for e in errors) / n) if errors else None)
    name, note = "mean of the others (do nothing)", "predicts no order"
    return Row((name, dash, mae, rmse, dash, dash, note), "natural")


def _trials_table(analysis: Analysis) -> Table | None:
    checks = {k: c for k, c in analysis.get("cv", {}).items() if c.get("measured")}
    if not checks:
        return None
    first = next(iter(checks.values()))
    labels = first.get("labels") or [f"trial {i}" for i in range(len(first["measured"]))]
    columns = ["mixture"]
    for key in checks:
        name = target_loss(analysis) if key == "target" else f"{key} loss"
        columns += [f"{name}, measured", "predicted"]
    rows = []
    for i, label in enumerate(labels):
        cells = [label]
        for check in checks.values():
            cells += [tables.loss(check["measured"][i]), tables.loss(check["predicted"][i])]
        rows.append(Row(tuple(cells), "natural" if label == "natural" else ""))
    caption = f"{counted(len(rows), 'hidden mixture')}, measured and predicted, nats/token"
    return Table(caption, tuple(columns), tuple(rows), folded=True)
