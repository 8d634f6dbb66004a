"""``ecotone card NAME``: what a method claims, when it fails, and why."""

from __future__ import annotations

import click

from ecotone.cli.options import as_json, echo_json


@click.command("card")
@click.argument("name")
@as_json
def command(name: str, as_json: bool) -> None:
    """Show a method's card.

    \b
    Example:
      ecotone card effective_data
    """  # noqa: D301
    from ecotone.core.method import find

    method = find(name)
    card = method.card()
    if as_json:
        echo_json({**method.record(), "prose": card.prose})
        return
    click.echo(f"{method.name} ({method.room}): {method.summary}")
    click.echo(f"needs    {', '.join(sorted(method.needs)) or 'nothing'}")
    if method.extra:
        click.echo(f'install  pip install "ecotone[{method.extra}]"')
    for p in method.params:
        click.echo(f"-p {p.name}={p.default}  {p.says}")
    for claim in card.claims:
        click.echo(f"claim    {claim['says']}  [{claim.get('holds', 'not verified here')}]")
    for fails in card.fails:
        click.echo(f"fails    when {fails['when']}")
    click.echo(f"\n{card.prose}")
