"""``ecotone runs``: what has been run."""

from __future__ import annotations

from pathlib import Path

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json


@click.command("runs")
@options.out
@as_json
def command(out: Path, as_json: bool) -> None:
    """List the runs under --out, newest first.

    \b
    Example:
      ecotone runs --out runs
    """  # noqa: D301  click wants the character, not two
    from ecotone.core.run import list_runs
    from ecotone.report.tables import text_table

    found = list_runs(out)
    if as_json:
        echo_json(found)
        return
    rows = [[r["run"], r["status"], r["started"], str(r["seed"]), r["command"]] for r in found]
    click.echo(text_table(["run", "status", "started", "seed", "command"], rows))
    click.echo(f"{len(found)} runs in {out}. `ecotone report RUN` writes a report.")
