"""``ecotone predict``: apply what `align` saved to new rows."""

from __future__ import annotations

from pathlib import Path

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("table", type=click.Path(path_type=Path))
@options.out
@as_json
def command(run: Path, table: Path, out: Path, as_json: bool) -> None:
    """Print TABLE's rows as CSV with a column `predicted`; rows are taken as target rows.

    RUN is the folder of a run of align, or its name under --out.

    \b
    Example:
      ecotone predict runs/align-portfolio-3f9c21ab new_rows.csv
    """  # noqa: D301
    from ecotone.jobs.align_table import predict_rows

    frame, predicted = predict_rows(options.find_run(run, out), table)
    if as_json:
        echo_json({"predicted": predicted.tolist()})
        return
    frame["predicted"] = predicted
    click.echo(frame.to_csv(index=False), nl=False)
