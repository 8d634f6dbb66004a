"""``ecotone clean``: what of a pool to drop before anything is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json
from ecotone.core.errors import BadInput


@click.command("clean")
@click.argument("pool", type=click.Path(path_type=Path))
@click.option(
    "--filters", default="exact_duplicates,near_duplicates", show_default=True,
    help="Some of language, quality, contamination, exact_duplicates, near_duplicates.",
)  # fmt: skip
@click.option(
    "-p", "params", multiple=True, metavar="FILTER.NAME=VALUE", help="Parameter of a filter."
)
@click.option(
    "--existing", type=click.Path(path_type=Path), help="Texts you have: their copies are dropped."
)
@click.option(
    "--benchmark", type=click.Path(path_type=Path), help="Items that the pool must not hold."
)
@click.option(
    "--format", "form", default="jsonl", show_default=True, type=click.Choice(["jsonl", "parquet"]),
    help="Of the kept documents.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Stop at a line that holds no document.")
@options.text_field
@options.workers
@options.out
@as_json
def command(pool: Path, filters: str, params: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Drop copies, near-copies and what other filters speak against; one cause a document.

    \b
    Examples:
      ecotone clean pool/
      ecotone clean new/ --existing corpus/ --benchmark items.jsonl --json
      ecotone clean pool/ --filters language,quality,near_duplicates -p language.keep='["en","de"]'
    """  # noqa: D301
    from ecotone.jobs.clean_pool import clean_pool, facts

    found = clean_pool(
        pool, filters=[f for f in filters.split(",") if f], params=filter_params(params),
        command=options.typed(), **given,
    )  # fmt: skip
    told = facts(found) | {
        "kept": str(found.run.artifacts / "kept"), "run": str(found.run.path)
    }  # fmt: skip
    if as_json:
        echo_json(told)
    else:
        click.echo(summary(told))


def filter_params(params: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Read ``filter.name=value`` words."""
    from ecotone.core.method import find

    out: dict[str, dict[str, str]] = {}
    for words, value in options.read_pairs(params).items():
        name, dot, parameter = words.partition(".")
        if not dot:
            raise BadInput(f"-p {words}: of which filter?", cure=f"-p near_duplicates.{words}=...")
        out.setdefault(name, {})[parameter] = value
    return {f: options.method_params(find(f, "select"), given) for f, given in out.items()}


def summary(told: dict[str, Any]) -> str:
    """Return the ledger, what each rule alone speaks against, and the findings as text."""
    lines = [f"{'documents':>12}  {'alone':>12}  cause"]
    for cause, count in told["ledger"].items():
        alone = f"{told['fired'][cause]:,}" if cause in told["fired"] else ""
        if count or alone not in ("", "0") or cause == "kept":
            lines.append(f"{count:>12,}  {alone:>12}  {cause}")
    for f in told["findings"]:
        lines += [f"{f['code']}      {f['says']}", f"          {f['cure']}"]
    return "\n".join([*lines, f"kept      {told['kept']}"])
