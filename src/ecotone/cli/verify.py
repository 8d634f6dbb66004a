"""``ecotone verify``: run the checks of a method's claims."""

from __future__ import annotations

from dataclasses import asdict

import click

from ecotone.cli.options import as_json, echo_json


@click.command("verify")
@click.argument("name")
@click.option("--write", is_flag=True, help="Write the results under the claims in the card.")
@as_json
def command(name: str, write: bool, as_json: bool) -> int:
    """Run the checks in a method's card: does what it claims hold here.

    The exit code is 1 when something the card says did not hold.

    \b
    Example:
      ecotone verify mmd
    """  # noqa: D301  click wants the character, not two
    from ecotone.bench.verify import verify, write_outcomes
    from ecotone.core.method import find
    from ecotone.report.tables import text_table

    method = find(name)
    outcomes = verify(method)
    if write:
        write_outcomes(method, outcomes)
    if as_json:
        echo_json([asdict(o) for o in outcomes])
    else:
        rows = [[o.state, "fails when" if o.kind == "fails" else "claim", o.says] for o in outcomes]
        click.echo(text_table(["result", "kind", "what the card says"], rows))
        for o in outcomes:
            click.echo(f"{o.kind} {o.id}: {o.measured}")
    return 1 if any(o.state == "not reproduced" for o in outcomes) else 0
