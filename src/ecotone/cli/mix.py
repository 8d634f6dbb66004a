"""``ecotone mix``: choose a training mixture, from a corpus or from finished trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import Count, as_json, echo_json, read_pairs, read_shares


@click.command("mix")
@click.argument("corpus", required=False, type=click.Path(path_type=Path))
@click.option("--target", help="Domain the model is for.")
@click.option("--method", default="auto", show_default=True, help="Law, rule or mixer.")
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of the method.")
@click.option("--tokens", type=Count(), help="Training tokens of the real run, such as 100M.")
@click.option("--proxies", default=12, show_default=True, help="Small runs to learn from.")
@click.option("--proxy-tokens", type=Count(), help="Tokens of each. [default: a quarter]")
@click.option("--caps", default=4.0, show_default=True, help="Most epochs of any domain.")
@click.option("--tolerance", default=0.03, show_default=True, help="Largest rise of general loss.")
@click.option("--floors", help="Least shares, such as law=0.1,web=0.2.")
@click.option("--frozen", multiple=True, help="Domains whose inner ratios stay: a,b.")
@click.option("--kl", default=0.0, show_default=True, help="Pull towards natural.")
@click.option("--confirm", is_flag=True, help="Train at the choice and at natural, and decide.")
@click.option("--seeds", default=3, show_default=True, help="Seeds of the confirmation.")
@click.option("--trials", type=click.Path(path_type=Path), help="Finished runs: a CSV or a run.")
@click.option("--losses", type=click.Path(path_type=Path), help="Second CSV, with the losses.")
@click.option("--calibrate", type=click.Path(path_type=Path), help="Few large runs, as a CSV.")
@click.option("--natural", help="Natural shares for --trials: a=0.5,b=0.5.")
@click.option("--tokenizer", type=click.Path(exists=True), help="A tokenizer.json.")
@click.option("--depth", default=2, show_default=True, help="Dial of the tiny decoder.")
@click.option("--export", "exports", multiple=True, metavar="FORMAT", help="Write for a trainer.")
@click.option("--materialise", type=Count(), help="Write a sample of this many tokens.")
@options.text_field
@options.seed
@options.workers
@options.out
@as_json
def command(as_json: bool, **given: Any) -> int:
    """Choose a training mixture for a target, and prove it.

    \b
    Examples:
      ecotone mix corpus/ --target law --tokens 100M --caps 4 --confirm
      ecotone mix demo --target clinical --tokens 1.2M --confirm
      ecotone mix --trials runs.csv --target pile_cc
    """  # noqa: D301
    if (given["corpus"] is None) == (given["trials"] is None):
        raise click.UsageError("give a corpus folder, or --trials runs.csv")
    if given["trials"] and (given["confirm"] or given["materialise"]):
        raise click.UsageError("--confirm and --materialise need the corpus folder, not --trials")
    chosen = _from_trials(given) if given["trials"] else _from_corpus(given)
    from ecotone.report import write

    page = write(chosen.run.path)
    exported = _export(chosen, given)
    if as_json:
        echo_json({**chosen.analysis, "report": page, "exported": exported})
    else:
        click.echo(summary(chosen.analysis))
        for path in exported:
            click.echo(f"written   {path}")
        click.echo(f"report    {page}")
    return chosen.verdict.exit_code if chosen.verdict is not None else 0


def _settings(given: dict[str, Any]) -> Any:
    from ecotone.jobs.steps import Settings

    tokens = given["tokens"] or 1_200_000
    return Settings(
        tokens=tokens,
        proxy_tokens=given["proxy_tokens"] or max(tokens // 4, 2048),
        proxies=given["proxies"],
        caps=given["caps"],
        tolerance=given["tolerance"],
        kl=given["kl"],
        floors=read_shares(given["floors"], "--floors") if given["floors"] else {},
        frozen=tuple(tuple(g.split(",")) for g in given["frozen"]),
        depth=given["depth"],
    )


def _params(given: dict[str, Any]) -> dict[str, Any]:
    from ecotone.core.method import find

    return options.method_params(find(given["method"], "mix"), read_pairs(given["params"]))


def _from_corpus(given: dict[str, Any]) -> Any:
    from ecotone.data.tokens import TokenOptions
    from ecotone.jobs.choose import choose

    corpus = options.open_corpus(given["corpus"], given["target"], given["text_field"])
    return choose(
        corpus, _settings(given), method=given["method"], params=_params(given),
        seeds=given["seeds"] if given["confirm"] else 0, seed=given["seed"],
        workers=given["workers"], out=given["out"],
        options=TokenOptions(tokenizer=given["tokenizer"], seed=given["seed"]),
        command=options.typed(), note=lambda text: click.echo(text, err=True),
    )  # fmt: skip


def _from_trials(given: dict[str, Any]) -> Any:
    from ecotone.data.trials import read_trials
    from ecotone.jobs.published import choose_from_trials

    large = read_trials(given["calibrate"]) if given["calibrate"] else None
    return choose_from_trials(
        read_trials(given["trials"], given["losses"]), given["target"], method=given["method"],
        params=_params(given), tolerance=given["tolerance"], kl=given["kl"], calibrate=large,
        natural=read_shares(given["natural"], "--natural") if given["natural"] else None,
        floors=read_shares(given["floors"], "--floors") if given["floors"] else {},
        frozen=tuple(tuple(g.split(",")) for g in given["frozen"]),
        seed=given["seed"], out=given["out"], command=options.typed(),
    )  # fmt: skip


def _export(chosen: Any, given: dict[str, Any]) -> list[Path]:
    if not given["exports"] and not given["materialise"]:
        return []
    from ecotone.data import export
    from ecotone.jobs.material import materialise, with_document_lengths

    folder, facts = chosen.run.artifacts, with_document_lengths(chosen)
    written = [export.write(chosen.mixture, name, folder, facts) for name in given["exports"]]
    if given["materialise"]:
        written.append(materialise(chosen, given["materialise"], seed=given["seed"]))
    return written


def summary(analysis: dict[str, Any]) -> str:
    """Return verdict, mixture and limits as text."""
    from ecotone.report.tables import text_table

    verdict, lines = analysis.get("verdict"), []
    if verdict:
        low, high = verdict["interval"]
        lines.append(
            f"verdict   {verdict['decision']}: {analysis['target']} loss {verdict['score']:.4f}, "
            f"natural {verdict['baseline']:.4f}; gain {verdict['gain']:+.4f} nats per token "
            f"({verdict['level']:.0%} interval {low:+.4f} to {high:+.4f})"
        )
    elif analysis.get("advice"):
        lines.append(f"advice    {analysis['advice']['sentence']}")
    epochs = analysis.get("epochs") or {}
    rows = [
        [
            n,
            f"{analysis['natural'][n]:.1%}",
            f"{w:.1%}",
            f"{epochs[n]:.2f}" if n in epochs else None,
        ]
        for n, w in analysis["mixture"].items()
    ]
    lines += ["", text_table(["DOMAIN", "NATURAL", "RECOMMENDED", "EPOCHS"], rows), ""]
    found = [*(analysis.get("findings") or ()), *((verdict or {}).get("findings") or ())]
    for finding in {f["code"] + f["says"]: f for f in found}.values():
        lines.append(f"{finding['code']}      {finding['says']}")
    return "\n".join(lines)
