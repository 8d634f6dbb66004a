"""The sections about the choice: the mixture, and the models trained to confirm it."""

from __future__ import annotations

import math

from ecotone.report import bars, effects, tables
from ecotone.report.blocks import Block, Drawing, Pair, Prose, Row, Section, Table, Tone, drawing
from ecotone.report.phrases import called, counted, target_loss
from ecotone.report.schema import Analysis, cap_of, mixtures, tokens_of

_TONES: dict[str, Tone] = {"natural": "natural", "recommended": "best"}


def mixture(analysis: Analysis) -> Section | None:
    """Show shares and epochs, domain by domain."""
    names = mixtures(analysis)
    if not names:
        return None
    budget = analysis.get("budget", {})
    intro = "Share of the training tokens from each domain"
    if budget.get("tokens"):
        intro += f", for a training of {tables.tokens_short(budget['tokens'])} tokens"
    intro += ". An epoch is one reading of all tokens of a domain at hand."
    intro += _caps(analysis, names)
    blocks: list[Block] = [Prose(intro), *_bars(analysis), _mixture_table(analysis, names)]
    return Section("mixture", "The mixture", tuple(blocks))


def _caps(analysis: Analysis, names: list[str]) -> str:
    """Name the domains that are at their cap or over it."""
    found: dict[str, list[str]] = {}
    for name in names:
        epochs = bars.epochs_of(analysis, "mixture", name, analysis["mixture"][name])
        found.setdefault(bars.cap_word(analysis, name, epochs), []).append(name)
    words = {"cap": " At the cap", "> cap": " Over the cap"}
    return "".join(f"{words[k]}: {', '.join(found[k])}." for k in words if k in found)


def _bars(analysis: Analysis) -> list[Drawing]:
    wide, narrow = bars.mixture(analysis), bars.mixture_narrow(analysis)
    return [Drawing((wide,), narrow)] if wide else []


def _mixture_table(analysis: Analysis, names: list[str]) -> Table:
    got = {row["domain"]: row for row in analysis.get("asked_got", [])}
    natural = analysis.get("natural", {})
    columns = [
        "domain",
        "natural share",
        "natural epochs",
        "asked",
        "epochs",
        "cap",
        "tokens at hand",
    ]
    if got:
        columns[4:4] = ["got", "training tokens"]
    rows = []
    for name in names:
        asked, before = analysis["mixture"][name], natural.get(name)
        plain = None if before is None else bars.epochs_of(analysis, "natural", name, before)
        cells = [name, tables.share(before), tables.epochs(plain), tables.share(asked)]
        if got:
            row = got.get(name, {})
            cells += [tables.share(row.get("got")), tables.tokens(row.get("tokens"))]
        cells.append(tables.epochs(bars.epochs_of(analysis, "mixture", name, asked)))
        cells += [tables.epochs(cap_of(analysis, name)), tables.tokens(tokens_of(analysis, name))]
        rows.append(Row(tuple(cells), "best" if name == analysis.get("target") else ""))
    caption = "Natural mixture (do nothing) and recommended mixture"
    return Table(caption, tuple(columns), tuple(rows))


def confirmation(analysis: Analysis) -> Section | None:
    """Show the models that were trained to confirm the choice."""
    if "mixture" not in analysis:
        return None
    runs = analysis.get("confirm", [])
    if not runs:
        words = "Not confirmed: no model was trained on the recommended and on the natural mixture."
        return Section("confirmation", "Confirmation", (Prose(words, missing=True),))
    seeds = [{r["seed"] for r in runs if r["mixture"] == m} for m in {r["mixture"] for r in runs}]
    same = ", with the same seeds for each mixture" if seeds.count(seeds[0]) == len(seeds) else ""
    intro = (
        f"{counted(len(runs), 'training run')}{same}, scored on held-out text. "
        "Dots are seeds, bars their means."
    )
    pictures = drawing(effects.confirm_target(analysis), effects.confirm_general(analysis))
    blocks: list[Block] = [Prose(intro), *pictures, _runs_table(analysis)]
    if rows := effects.domain_changes(analysis):
        pictures, table = drawing(effects.changes(analysis)), _domains_table(analysis, rows)
        blocks += [Pair(p, table) for p in pictures]
    if "rehearsal" in analysis:
        blocks.append(_rehearsal_table(analysis))
    return Section("confirmation", "Confirmation", tuple(blocks))


def _rehearsal_table(analysis: Analysis) -> Table:
    """Show the trainings at full length that the limit on the general loss was checked with."""
    rehearsal = analysis["rehearsal"]
    rows = [
        Row(
            (called(r["mixture"]), tables.loss(r["target"]), tables.tolerance(r["general"])),
            "natural" if r["mixture"] == "natural" else "best" if r["kept"] else "",
        )
        for r in rehearsal["rows"]
    ]
    caption = (
        "Rehearsals before it, one seed, on dev text: the general loss was to stay below "
        f"{tables.tolerance(rehearsal['goal'])} of natural"
    )
    columns = ("mixture", target_loss(analysis), "general loss, from natural")
    return Table(caption, columns, tuple(rows), folded=True)


def _runs_table(analysis: Analysis) -> Table:
    zero = [effects.mean(effects.confirmed(analysis, "natural", w)) for w in ("target", "general")]
    rows = []
    for name in effects.shown_mixtures(analysis):
        cells = [called(name)]
        for what, base in zip(("target", "general"), zero, strict=True):
            values = effects.confirmed(analysis, name, what)
            middle = effects.mean(values)
            change = None if middle is None or base is None else middle - base
            spread = _deviation(values)
            shown = f" ± {tables.loss(spread)}" if spread is not None else ""
            cells += [
                tables.loss(middle) + shown,
                "0" if name == "natural" else tables.loss_change(change),
            ]
        cells.append(str(len(effects.confirmed(analysis, name, "target"))))
        rows.append(Row(tuple(cells), _TONES.get(name, "")))
    columns = ("mixture", target_loss(analysis), "change", "general loss", "change", "seeds")
    caption = "Held-out losses, nats/token: mean ± standard deviation over seeds"
    return Table(caption, columns, tuple(rows))


def _deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    middle = sum(values) / len(values)
    return math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1))


def _domains_table(analysis: Analysis, rows: list[tuple[str, float, float, float]]) -> Table:
    cells = tuple(
        Row(
            (name, tables.loss(before), tables.loss(after), tables.loss_change(change)),
            "best" if name == analysis.get("target") else "",
        )
        for name, before, after, change in rows
    )
    columns = ("domain", called("natural"), "recommended", "change")
    return Table("Mean loss on each domain, nats/token", columns, cells)
