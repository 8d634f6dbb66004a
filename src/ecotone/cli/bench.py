"""``ecotone bench ROOM --suite NAME``: measure side by side, reproducibly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli import options
from ecotone.cli.options import as_json, echo_json

SUITES = {  # of the room mix
    "five_fold": "laws on the 512 published runs, five-fold",
    "few_runs": "laws on 20, 40 and 80 of the published runs",
    "fit_times": "CPU seconds of a fit, 13 targets x 512 rows",
    "sequential": "regret of chosen against random runs, replayed on the published runs",
    "honesty": "shuffled losses must mean keep; intervals must cover",
    "oracle": "counting oracle against trained mixtures, without runs",
    "oracle_runs": "counting oracle as prior, with 8 runs",
    "cost": "CPU seconds to a decision: oracle against RegMix's recipe",
    "trainer": "the proxy trainer against Hugging Face's Trainer",
    "live": "ten made-up corpora with a known best mixture",
    "live_same": "ten made-up corpora whose target is natural: keep",
}


ALIGN = {
    "guard": "the guarded portfolio beside every method used blindly, real and made-up tasks",
    "real": "the same on the real tasks alone",
    "controlled": "the same on made-up shifts alone",
    "scores": "choosing a method by each label-free score, and the gap to the oracle",
    "margin": "the guard's margin, learnt with each family of tasks left out",
}
SELECT = {"rules": "choosing 5 % of a pool: perplexity of held-out target text"}
ROOMS = {"mix": SUITES, "align": ALIGN, "select": SELECT}


@click.command("bench")
@click.argument("room", type=click.Choice(list(ROOMS)))
@click.option(
    "--suite",
    required=True,
    type=click.Choice([s for suites in ROOMS.values() for s in suites]),
    help="What to measure.",
)
@options.workers
@options.out
@as_json
def command(room: str, suite: str, workers: int | None, out: Path, as_json: bool) -> None:
    """Measure one suite and print its table.

    \b
    Example:
      ecotone bench mix --suite five_fold
    """  # noqa: D301
    known = ROOMS[room]
    if suite not in known:
        raise click.UsageError(f"the suites of {room} are: {', '.join(known)}")
    rows = _measure(suite, out, workers)
    if as_json:
        echo_json({"room": room, "suite": suite, "says": known[suite], "rows": rows})
        return
    from ecotone.report.tables import text_table

    columns = list(dict.fromkeys(k for row in rows for k in row))
    click.echo(f"{suite}: {known[suite]}\n")
    click.echo(text_table(columns, [[_cell(row.get(c)) for c in columns] for row in rows]))


def _measure(suite: str, out: Path, workers: int | None) -> list[dict[str, Any]]:
    if suite == "rules":
        from ecotone.bench.selected import rules_suite

        return rules_suite()
    if suite == "margin":
        from ecotone.bench.margins import margin_suite

        return margin_suite(out, workers=workers)
    if suite == "scores":
        from ecotone.bench.leaderboard import choosers

        return choosers(out, workers=workers)
    if suite in ALIGN:
        return _align(suite, out, workers)
    if suite in ("five_fold", "few_runs", "fit_times", "honesty"):
        from ecotone.bench import published

        return getattr(published, suite)()
    if suite in ("oracle", "oracle_runs", "cost"):
        from ecotone.bench import oracle

        names = {"oracle": "zero_runs", "oracle_runs": "with_runs", "cost": "decision_cost"}
        return getattr(oracle, names[suite])(out, workers=workers)
    if suite == "trainer":
        from ecotone.bench.peers import trainer_speed
        from ecotone.bench.swarm import demo_store

        return trainer_speed(demo_store(out))
    if suite == "sequential":
        from ecotone.bench.sequential import suite_rows

        return suite_rows()
    from ecotone.bench.live import live

    return live(out, same=suite == "live_same", workers=workers)


def _align(suite: str, out: Path, workers: int | None) -> list[dict[str, Any]]:
    """Measure, and draw the mean ranks with their critical difference."""
    from ecotone.bench.guarded import results_of
    from ecotone.bench.leaderboard import leaderboard, mean_ranks
    from ecotone.core.files import write_text
    from ecotone.report.ranks import picture

    parts = {"real": suite != "controlled", "made": suite != "real"}
    results = results_of(out, **parts, workers=workers)
    drawn = picture(*mean_ranks(results))
    write_text(Path(out) / f"{suite}-ranks.svg", drawn.standalone())
    return leaderboard(results, Path(out) / f"{suite}.parquet")


def _cell(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
