"""``ecotone align``: should a model be adapted to an unlabelled target, and how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json


class Seconds(click.ParamType):
    """A length of time: ``90``, ``90s``, ``2min``, ``1h``."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the time."""
        found = re.fullmatch(r"([0-9.]+)\s*(s|min|h)?", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no time; write 90s, 2min or 1h", param, ctx)
        return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2] or "s"]


@click.command("align")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="Column of the label.")
@click.option("--domain", required=True, help="Column that names each row's domain.")
@click.option("--target", required=True, help="Domain the model is for; several: a,b.")
@click.option("--method", "methods", help="Candidates: a,b,c. [default: a quick portfolio]")
@click.option("--budget", type=Seconds(), help="Begin no candidate after this: 2min.")
@click.option("--few", type=click.Path(path_type=Path), help="Table of labelled target rows.")
@click.option("--groups", help="Column of what belongs together: a day, a person.")
@click.option("--drop", help="Columns that are no features: a,b.")
@options.seed
@options.out
@as_json
def command(
    table: Path, label: str, domain: str, target: str, methods: str | None, budget: float | None,
    few: Path | None, groups: str | None, drop: str | None, seed: int, out: Path, as_json: bool,
) -> int:  # fmt: skip
    """Diagnose the shift, try a portfolio, choose without target labels, and do no harm.

    The exit code is 0 for adapt, 3 for keep, 4 for cannot tell.

    \b
    Examples:
      ecotone align patients.csv --label outcome --domain site --target C
      ecotone align patients.csv --label outcome --domain site --target C --few labels.csv
    """  # noqa: D301
    from ecotone.jobs.adapt import PORTFOLIO
    from ecotone.jobs.align_table import align_table
    from ecotone.report import write

    found = align_table(
        table, label=label, domain=domain, target=target.split(",") if "," in target else target,
        methods=methods.split(",") if methods else PORTFOLIO, few=few, groups=groups,
        drop=drop.split(",") if drop else (), budget=budget, seed=seed, out=out,
        command=options.typed(), note=lambda text: click.echo(text, err=True),
    )  # fmt: skip
    page = write(found.run.path)
    if as_json:
        echo_json({**found.analysis, "report": page})
    else:
        click.echo(summary(found.analysis))
        click.echo(f"pipeline  {found.analysis['pipeline']}")
        click.echo(f"report    {page}")
    return found.adapted.verdict.exit_code


def summary(analysis: dict[str, Any]) -> str:
    """Return the decision, the table with the do-nothing row and the findings as text."""
    from ecotone.report.tables import known, text_table

    verdict = analysis["verdict"]
    lines = [f"verdict   {verdict['decision']}: use {analysis['method']}"]
    if known(verdict["score"]):
        low, high = verdict["interval"]
        lines[0] += f"; {verdict['metric']} {verdict['gain']:+.3f} ({low:+.3f} to {high:+.3f})"
    lines += [f"shift     {analysis['diagnosis']['kind']}", ""]
    rows: list[list[str | None]] = [["source_only", None, "0", None, "do nothing"]]
    for t in analysis["tried"]:
        asked = known(t["score"])
        span = f"{t['interval'][0]:+.3f} to {t['interval'][1]:+.3f}" if asked else None
        gain = f"{t['gain']:+.3f}" if asked else None
        score = f"{t['score']:.3f}" if asked else None
        rows.append([t["method"], score, gain, span, t["decision"] or t["note"]])
    lines += [text_table(["METHOD", "SCORE", "GAIN", "INTERVAL", "DECISION"], rows), ""]
    for f in analysis["findings"]:
        lines.append(f"{f['code']}      {f['says']}")
        if f["cure"]:
            lines.append(f"          {f['cure']}")
    return "\n".join(lines)
