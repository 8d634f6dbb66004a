"""``ecotone shift``: how far apart the domains of a corpus are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json, read_pairs

ROOM = ("rows", "draws", "layout")  # knobs of the table, whatever the measure


@click.command("shift")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--target", help="Domain the others are compared with.")
@click.option("--measure", default="ngrams", show_default=True, help="A method of the room shift.")
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of the measure.")
@options.text_field
@options.seed
@options.out
@as_json
def command(
    corpus: Path,
    target: str | None,
    measure: str,
    params: tuple[str, ...],
    text_field: str,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Measure how far apart the domains are, and what chance alone would give.

    Beside the parameters of the measure, -p takes rows (most pieces of text per domain), draws
    (shuffles) and layout (keep line breaks).

    \b
    Examples:
      ecotone shift corpus/ --target law
      ecotone shift corpus/ --measure mmd -p rows=400
    """  # noqa: D301  click wants the character, not two
    from ecotone.core.method import find
    from ecotone.jobs.look import look
    from ecotone.report import write

    given = read_pairs(params)
    words = {k: v for k, v in given.items() if k not in ROOM}
    chosen = options.method_params(find(measure, "shift"), words)
    chosen |= options.literals({k: v for k, v in given.items() if k in ROOM})
    found = look(
        options.open_corpus(corpus, target, text_field),
        measure=measure,
        params=chosen,
        seed=seed,
        out=out,
        command=options.typed(),
    )
    page = write(found.run.path)
    if as_json:
        echo_json({**found.analysis, "report": page})
        return
    click.echo(summary(found.analysis))
    click.echo(f"report    {page}")


def summary(analysis: dict[str, Any]) -> str:
    """Return the table, and the distances from the target, as text."""
    from ecotone.report.tables import text_table

    facts = analysis["shift"]
    names, value, null = facts["names"], facts["matrix"], facts["null_high"]
    rows = [
        [n, *(_cell(float(v), float(c), i == j) for j, (v, c) in enumerate(zip(r, q, strict=True)))]
        for i, (n, r, q) in enumerate(zip(names, value, null, strict=True))
    ]
    lines = [text_table([facts["measure"], *names], rows)]
    if analysis.get("target") in names:
        t = names.index(analysis["target"])
        near = sorted((i for i in range(len(names)) if i != t), key=lambda i: value[t][i])
        lines += ["", text_table(_head(names[t]), [_row(facts, t, i) for i in near])]
    lines.append("~ no more than chance: a shuffle of both domains is often as far apart.")
    return "\n".join(lines)


def _head(target: str) -> list[str]:
    return [f"from {target}", "distance", "90 % interval", "chance below", "p"]


def _cell(value: float, null: float, same: bool) -> str:
    return "-" if same else f"{value:.4f}" + ("~" if value <= null else "")


def _row(facts: dict[str, Any], t: int, i: int) -> list[str]:
    low, high = facts["low"][t][i], facts["high"][t][i]
    value, null = float(facts["matrix"][t][i]), float(facts["null_high"][t][i])
    return [
        facts["names"][i],
        _cell(value, null, False),
        f"{low:.4f} to {high:.4f}",
        f"{null:.4f}",
        f"{facts['p'][t][i]:.2f}",
    ]
