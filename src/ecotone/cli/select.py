"""``ecotone select``: which documents of a pool to train on for a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json


class Share(click.ParamType):
    """A share: ``5%`` or ``0.05``."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the share."""
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = -1.0
        if not 0 < share <= 1:
            self.fail(f"{value!r} is no share; write 5% or 0.05", param, ctx)
        return share


@click.command("select")
@click.argument("pool", type=click.Path(path_type=Path))
@click.option("--target", required=True, type=click.Path(path_type=Path), help="Target texts.")
@click.option("--take", type=Share(), default="5%", show_default=True, help="Of the tokens.")
@click.option(
    "--method", "rule", default="auto", show_default=True,
    help="auto, random, dsir, classifier_odds, classifier_odds_gumbel or greedy_within_odds.",
)  # fmt: skip
@click.option(
    "--format", "form", default="jsonl", show_default=True, type=click.Choice(["jsonl", "parquet"]),
    help="Of the kept documents.",
)  # fmt: skip
@click.option("--neural", is_flag=True, help="Ask tiny neural models too; takes minutes.")
@click.option("--strict", is_flag=True, help="Stop at a line that holds no document.")
@options.text_field
@options.seed
@options.workers
@options.out
@as_json
def command(
    pool: Path, target: Path, take: float, rule: str, form: str, neural: bool, strict: bool,
    text_field: str, seed: int, workers: int | None, out: Path, as_json: bool,
) -> int:  # fmt: skip
    """Choose documents for a target, and prove it against random ones at equal tokens.

    The exit code is 0 for adapt, 3 for keep (random is as good), 4 for cannot tell.

    \b
    Examples:
      ecotone select pool/ --target law.jsonl --take 5%
      ecotone select pool.jsonl --target law.jsonl --method dsir --json
    """  # noqa: D301
    from ecotone.jobs.select_pool import select_pool
    from ecotone.report import write

    found = select_pool(
        pool, target, share=take, rule=rule, text_field=text_field, strict=strict, form=form,
        neural=neural, seed=seed, out=out, workers=workers, command=options.typed(),
    )  # fmt: skip
    page = write(found.run.path)
    facts = {
        "rule": found.rule, "verdict": found.verdict.facts(), "table": found.table,
        "ledger": found.ledger, "kept": str(found.run.artifacts / "kept"),
        "run": str(found.run.path), "report": str(page),
    }  # fmt: skip
    if as_json:
        echo_json(facts)
    else:
        click.echo(summary(facts))
    return found.verdict.exit_code


def summary(facts: dict[str, Any]) -> str:
    """Return the decision, the rules, the ledger and the findings as text."""
    from ecotone.report.tables import text_table

    v = facts["verdict"]
    low, high = v["interval"]
    lines = [
        f"verdict   {v['decision']}: {facts['rule']} is kept; gain over random {v['gain']:+.3f} "
        f"({low:+.3f} to {high:+.3f}) {v['metric']}",
        "",
    ]
    columns = list(facts["table"][0])
    cells = [[_cell(row[c], c) for c in columns] for row in facts["table"]]
    lines += [text_table([c.upper() for c in columns], cells), ""]
    lines += [f"{count:>12,}  {cause}" for cause, count in facts["ledger"].items()]
    for f in v["findings"]:
        lines += [f"{f['code']}      {f['says']}", f"          {f['cure']}"]
    return "\n".join([*lines, f"kept      {facts['kept']}", f"report    {facts['report']}"])


def _cell(value: Any, column: str) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if column == "neural loss" else f"{value:,.1f}"
