"""``ecotone rewrite``: documents in other words, or training pairs made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json, read_pairs
from ecotone.core.errors import BadInput


@click.command("rewrite")
@click.argument("docs", type=click.Path(path_type=Path))
@click.option("--method", default="prox", show_default=True, help="ecotone methods --room rewrite")
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of the method.")
@click.option("--endpoint", metavar="URL", help="A server with the usual chat protocol.")
@click.option("--model", help="Its name there; without --endpoint a folder of a model.")
@click.option("--key-env", default="", metavar="VARIABLE", help="Holds the key of the endpoint.")
@click.option("--rules", is_flag=True, help="Hand rules instead of a model, for prox.")
@click.option(
    "-g", "sampling", multiple=True, metavar="NAME=VALUE",
    help="Of the generator: temperature, top_p, max_tokens, parallel.",
)  # fmt: skip
@click.option("--requests-a-minute", type=click.IntRange(1), help="Most requests.")
@click.option("--tokens-a-minute", type=options.Count(), help="Most tokens, prompts and answers.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a call may take.")
@click.option("--strict", is_flag=True, help="Stop at a line that holds no document.")
@options.text_field
@options.seed
@options.out
@as_json
def command(docs: Path, method: str, **given: Any) -> None:
    """Rewrite documents, or make training pairs of them, with any generator.

    Answers are kept in the folder of the runs: nothing is asked twice.

    \b
    Examples:
      ecotone rewrite docs/ --method prox --rules
      ecotone rewrite docs/ --method bonito --endpoint http://localhost:8000/v1 --model my-model
      ecotone rewrite q.jsonl --method dart_math --model models/small -g temperature=0.7 -p wanted=4
    """  # noqa: D301
    from ecotone.core.method import find
    from ecotone.jobs.rewrite_docs import facts, rewrite_docs

    limits = {k: given[k] for k in ("requests_a_minute", "tokens_a_minute", "timeout")}
    made = rewrite_docs(
        docs, method, generator=generator(given),
        params=options.method_params(find(method, "rewrite"), read_pairs(given["params"])),
        limits={k: v for k, v in limits.items() if v is not None},
        text_field=given["text_field"], strict=given["strict"], seed=given["seed"],
        out=given["out"], command=options.typed(),
        note=lambda text: click.echo(text, err=True),
    )  # fmt: skip
    told = facts(made.result) | {"no document": made.bad, "run": str(made.run.path)}
    if given["as_json"]:
        echo_json(told)
    else:
        click.echo(summary(told))


def generator(given: dict[str, Any]) -> Any:
    """Return the generator that the options name, or None."""
    from ecotone.rewrite import generators

    settings = options.literals(read_pairs(given["sampling"], "-g"))
    if given["rules"]:
        return generators.rule_refiner()
    if not given["model"]:
        if given["endpoint"]:
            raise BadInput("--endpoint needs the name of a model.", cure="--model NAME")
        return None
    try:
        if given["endpoint"]:
            return generators.endpoint(
                given["endpoint"], given["model"], key_env=given["key_env"], **settings
            )
        return generators.local_model(given["model"], **settings)
    except TypeError as error:
        raise BadInput(f"-g: {error}.", cure="-g temperature=0.7 -g max_tokens=512") from None


def summary(told: dict[str, Any]) -> str:
    """Return documents by outcome, answers by what became of them, and the findings as text."""
    lines = [f"{count:>12,}  {outcome}" for outcome, count in told["outcomes"].items()]
    lines += [f"{told['examples']:>12,}  training pairs", ""]
    lines += [f"{count:>12,}  answers {name}" for name, count in told["answers"].items() if count]
    for f in told["findings"]:
        lines += [f"{f['code']}      {f['says']}", f"          {f['cure']}"]
    return "\n".join([*lines, f"run       {told['run']}"])
