"""``ecotone report``: write the report of a run again."""

from __future__ import annotations

from pathlib import Path

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@options.out
@as_json
def command(run: Path, out: Path, as_json: bool) -> None:
    """Write report.html and report.md of a run, and print where.

    RUN is the folder of a run, or its name under --out.

    \b
    Example:
      ecotone report runs/mix-auto-3f9c21ab
    """  # noqa: D301  click wants the character, not two
    from ecotone.core.run import Run
    from ecotone.report import write

    page = write(Run(options.find_run(run, out)).path)
    if as_json:
        echo_json({"html": page, "markdown": page.with_suffix(".md")})
    else:
        click.echo(str(page))
