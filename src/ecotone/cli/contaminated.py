"""``ecotone contaminated``: which documents of a pool hold passages of a benchmark."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json, read_pairs

SHOWN = 10  # items and documents in the printed answer


@click.command("contaminated")
@click.argument("pool", type=click.Path(path_type=Path))
@click.option(
    "--benchmark", required=True, type=click.Path(path_type=Path), help="Items: one text each."
)
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of the filter.")
@click.option("--strict", is_flag=True, help="Stop at a line that holds no document.")
@options.text_field
@options.workers
@options.out
@as_json
def command(pool: Path, params: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Say which documents hold which items of a benchmark, and show the passages.

    The exit code is 0 where no document does, 3 where one does. The verb clean drops them.

    \b
    Examples:
      ecotone contaminated pool/ --benchmark items.jsonl
      ecotone contaminated pool.jsonl --benchmark tests/ -p n=10 --json
    """  # noqa: D301
    from ecotone.core.method import find
    from ecotone.jobs.clean_pool import clean_pool, facts

    chosen = options.method_params(find("contamination", "select"), read_pairs(params))
    found = clean_pool(
        pool, filters=("contamination",), params={"contamination": chosen}, write=False,
        command=options.typed(), **given,
    )  # fmt: skip
    path = found.run.artifacts / "found.jsonl"
    with path.open() as lines:
        shown = [json.loads(line) for line in islice(lines, SHOWN)]
    told = facts(found) | {"found": str(path), "shown": shown, "run": str(found.run.path)}
    if as_json:
        echo_json(told)
    else:
        click.echo(summary(told))
    return 3 if found.items else 0


def summary(told: dict[str, Any]) -> str:
    """Return counts, the items that most documents hold, some passages, and the findings."""
    documents = sum(told["ledger"].values()) - told["ledger"]["no document"]
    hit = documents - told["ledger"]["kept"]
    lines = [f"{hit:,} of {documents:,} documents hold passages of {len(told['items']):,} items"]
    lines += [f"{n:>12,}  item {item}" for item, n in islice(told["items"].items(), SHOWN)]
    for row in told["shown"]:
        lines += ["", f"{row['id']} holds {row['item']}", f"    {row['excerpt']}"]
    for f in told["findings"]:
        lines += [f"{f['code']}      {f['says']}", f"          {f['cure']}"]
    return "\n".join([*lines, *([f"all       {told['found']}"] if hit else [])])
