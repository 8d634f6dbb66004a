"""``ecotone methods``: the catalogue."""

from __future__ import annotations

import click

from ecotone.cli.options import as_json, echo_json


@click.command("methods")
@click.option("--room", help="Only this room.")
@click.option("--handles", help="Only methods that handle this kind of shift.")
@click.option("--without", multiple=True, help="Only methods that do not need this.")
@as_json
def command(room: str | None, handles: str | None, without: tuple[str, ...], as_json: bool) -> None:
    """List the methods: room, needs, claims.

    \b
    Example:
      ecotone methods --room mix --without proxies
    """  # noqa: D301
    from ecotone.core.method import HANDLES, NEEDS, ROOMS, catalogue
    from ecotone.report.tables import text_table

    for word, known, option in (
        (room, ROOMS, "--room"),
        (handles, HANDLES, "--handles"),
        *((w, NEEDS, "--without") for w in without),
    ):
        if word is not None and word not in known:
            raise click.BadParameter(
                f"{word!r} is not known; use one of: {', '.join(sorted(known))}", param_hint=option
            )
    methods = catalogue()
    shown = [
        m
        for m in methods
        if room in (None, m.room)
        and (handles is None or handles in m.handles)
        and not m.needs & set(without)
    ]
    if as_json:
        echo_json([m.record() for m in shown])
        return
    rows = []
    for m in shown:
        claims = m.card().claims if m.card_path.exists() else ()
        held = sum(bool(c.get("holds")) for c in claims)
        state = f"{held} of {len(claims)} hold" if claims else "none"
        needs = ", ".join(sorted(m.needs)) or "nothing"
        rows.append([m.room, m.name, needs, m.extra, m.paper, state])
    click.echo(text_table(["ROOM", "NAME", "NEEDS", "EXTRA", "PAPER", "CLAIMS"], rows))
    click.echo(f"{len(shown)} of {len(methods)} methods. `ecotone card NAME` tells more.")
