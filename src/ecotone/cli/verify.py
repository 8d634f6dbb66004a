"""``ecotone verify``: run the checks of methods' claims."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ecotone.cli.options import as_json, echo_json


@click.command("verify")
@click.argument("name", nargs=-1, required=True)
@click.option("--write", is_flag=True, help="Write the results under the claims in the card.")
@as_json
def command(name: tuple[str, ...], write: bool, as_json: bool) -> int:
    """Run the checks in methods' cards: does what they claim hold here.

    NAME is a method, or a room for all of its methods. The exit code is 1 when something a card
    says did not hold.

    \b
    Examples:
      ecotone verify mmd
      ecotone verify align validate --json
    """  # noqa: D301
    from ecotone.bench.verify import verify_all, write_outcomes
    from ecotone.core.method import catalogue, find

    rooms = {m.room for m in catalogue()}
    methods = [
        m
        for n in name
        for m in ([m for m in catalogue() if m.room == n] if n in rooms else [find(n)])
    ]
    found = verify_all(methods)
    if write:
        for method in methods:
            write_outcomes(method, found[method.name])
    if as_json:
        echo_json([{"method": m, **asdict(o)} for m, row in found.items() for o in row])
    else:
        click.echo(_whole(found) if len(found) == 1 else _by_method(found))
    return 1 if any(o.state == "not reproduced" for row in found.values() for o in row) else 0


def _whole(found: dict[str, list[Any]]) -> str:
    from ecotone.report.tables import text_table

    (outcomes,) = found.values()
    rows = [[o.state, "fails when" if o.kind == "fails" else "claim", o.says] for o in outcomes]
    lines = [f"{o.kind} {o.id}: {o.measured}" for o in outcomes]
    return "\n".join([text_table(["result", "kind", "what the card says"], rows), *lines])


def _by_method(found: dict[str, list[Any]]) -> str:
    from ecotone.report.tables import text_table

    states = ("held", "not reproduced", "cannot run here")
    rows = [
        [name, *(str(sum(o.state == s for o in outcomes)) for s in states)]
        for name, outcomes in found.items()
    ]
    rows.append(["all", *(str(sum(int(r[i]) for r in rows)) for i in (1, 2, 3))])
    lines = [
        f"{name}, {o.kind} {o.id}: {o.state}: {o.measured}"
        for name, outcomes in found.items()
        for o in outcomes
        if o.state != "held"
    ]
    return "\n".join([text_table(["METHOD", *(s.upper() for s in states)], rows), *lines])
