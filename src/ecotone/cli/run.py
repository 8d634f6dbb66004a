"""``ecotone run``: do again what a manifest says."""

from __future__ import annotations

from pathlib import Path

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json


@click.command("run")
@click.argument("manifest", type=click.Path(path_type=Path))
@options.workers
@click.option("--out", type=click.Path(path_type=Path), help="[default: beside the old run]")
@as_json
def command(manifest: Path, workers: int | None, out: Path | None, as_json: bool) -> None:
    """Do again what a manifest says.

    Beside the old run, finished tasks are taken as they are; with another --out everything is
    done anew.

    \b
    Example:
      ecotone run runs/mix-auto-3f9c21ab/manifest.json --out again
    """  # noqa: D301  click wants the character, not two
    from ecotone.jobs.again import rerun
    from ecotone.report import write

    run = rerun(manifest, out=out, workers=workers, note=lambda text: click.echo(text, err=True))
    page = write(run.path)
    if as_json:
        echo_json({"run": run.path, "report": page})
        return
    click.echo(f"run       {run.path}")
    click.echo(f"report    {page}")
