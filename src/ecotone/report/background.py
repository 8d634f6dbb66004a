"""The sections about everything around the mixture: distances, data, cost, how to repeat it."""

from __future__ import annotations

from ecotone.report import distances, tables
from ecotone.report.blocks import Block, Commands, Items, Prose, Row, Section, Table, drawing
from ecotone.report.phrases import DO_NOTHING
from ecotone.report.schema import Analysis


def shift(analysis: Analysis) -> Section | None:
    """Show how far apart the domains are."""
    facts = analysis.get("shift")
    if not facts or not facts.get("names") or not facts.get("matrix"):
        return None
    intro = f"Measure: {facts.get('measure', 'not named')}. Larger is farther apart."
    if facts.get("null_high"):
        intro += (
            " Chance is what is found when texts are dealt to two domains at random; "
            "distances no larger than that are marked."
        )
    if facts.get("map"):
        intro += " The map keeps near domains near; its directions mean nothing."
    blocks: list[Block] = [Prose(intro)]
    blocks += drawing(distances.shift_matrix(analysis), distances.shift_map(analysis))
    if analysis.get("target") in facts["names"]:
        blocks.append(_from_target(analysis))
    blocks.append(_all_distances(analysis))
    return Section("distances", "How far apart the domains are", tuple(blocks))


def _from_target(analysis: Analysis) -> Table:
    """Return the distances from the target, near to far, after what chance alone gives."""
    facts, rows = analysis["shift"], []
    t, *others = distances.order(analysis)
    nulls = [v for i in others if (v := distances.entry(facts, "null_high", t, i)) is not None]
    if nulls:
        cells = ("texts dealt at random (chance)", f"≤ {tables.fixed(max(nulls), 3)}", "", "")
        rows.append(Row(cells, "natural"))
    for i in others:
        low, high = distances.entry(facts, "low", t, i), distances.entry(facts, "high", t, i)
        null = distances.entry(facts, "null_high", t, i)
        reads = "" if null is None else "no" if distances.is_chance(facts, t, i) else "yes"
        value = tables.fixed(distances.entry(facts, "matrix", t, i), 3)
        rows.append(Row((facts["names"][i], value, tables.interval(low, high, 3), reads)))
    columns = ("domain", "distance", "interval", "more than chance")
    return Table(f"Distance from {analysis['target']}, near to far", columns, tuple(rows))


def _all_distances(analysis: Analysis) -> Table:
    facts = analysis["shift"]
    order = distances.order(analysis)
    rows = [
        Row(
            (
                facts["names"][i],
                *(tables.fixed(distances.entry(facts, "matrix", i, j), 3) for j in order),
            )
        )
        for i in order
    ]
    columns = ("domain", *(facts["names"][j] for j in order))
    return Table("All distances", columns, tuple(rows), folded=True)


def data(analysis: Analysis) -> Section:
    """Show what was read, and which text entered which number."""
    rows = [
        Row(
            (
                d["name"],
                d.get("role", ""),
                tables.tokens(d.get("documents")),
                tables.tokens(d.get("tokens")),
                d.get("licence") or tables.MISSING,
            ),
            "best" if d.get("role") == "target" else "",
        )
        for d in analysis["domains"]
    ]
    columns = ("domain", "role", "documents", "tokens", "licence")
    blocks: list[Block] = [Table("Domains at hand", columns, tuple(rows))]
    saw = list(analysis.get("saw", []))
    verdict = analysis.get("verdict")
    if verdict and "used_target_labels" in verdict:
        entered = "entered" if verdict["used_target_labels"] else "did not enter"
        saw.append(f"Held-out text of the target {entered} the verdict.")
    if saw:
        blocks += [Prose("Which text entered which number:"), Items(tuple(saw))]
    return Section("data", "What it saw", tuple(blocks))


def cost(analysis: Analysis) -> Section | None:
    """Show what the answer cost, beside what the real run will cost in tokens."""
    stages = analysis.get("cost", {}).get("rows", [])
    if not stages:
        return None
    none = (DO_NOTHING, "0 s", "0 s", "0")
    rows = [Row(none, "natural")]
    for stage in stages:
        cells = (
            stage.get("what", ""),
            tables.seconds(stage.get("cpu_seconds")),
            tables.seconds(stage.get("wall_seconds")),
            tables.tokens(stage.get("tokens")),
        )
        rows.append(Row(cells))
    cpu = _sum([s.get("cpu_seconds") for s in stages])
    wall = _sum([s.get("wall_seconds") for s in stages])
    read = _sum([s.get("tokens") for s in stages])
    total = ("together", tables.seconds(cpu), tables.seconds(wall), tables.tokens(read))
    rows.append(Row(total, "total"))
    blocks: list[Block] = []
    real = analysis.get("budget", {}).get("tokens")
    if real and read:
        blocks.append(
            Prose(
                f"All trainings together read {tables.tokens_short(read)} tokens, "
                f"{read / real:.2g} times those of the real run ({tables.tokens_short(real)})."
            )
        )
    columns = ("stage", "processor time", "elapsed time", "training tokens")
    blocks.append(Table("Time and tokens", columns, tuple(rows)))
    return Section("cost", "What it cost", tuple(blocks))


def _sum(values: list[float | None]) -> float:
    return sum(v for v in values if v is not None and tables.known(v))


def repeat(analysis: Analysis) -> Section | None:
    """Show the commands that do it again."""
    lines = analysis.get("repeat") or [analysis.get("command", "")]
    if not any(lines):
        return None
    words = Prose("The same command finds the same run folder and does only what is missing in it.")
    return Section("repeat", "How to repeat it", (words, Commands(tuple(lines))))
