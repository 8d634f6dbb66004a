"""``ecotone VERB``: verbs are imported only when they are used, so that help is instant."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from ecotone._version import __version__

VERBS = {
    "methods": "list the methods: room, needs, claims",
    "card": "show a method's card",
    "verify": "run the checks of a method's claims",
    "shift": "how far apart are the domains of a corpus",
    "mix": "in what proportions to train for a target",
    "clean": "what of a pool to drop: copies, near-copies, a benchmark's passages",
    "contaminated": "which documents of a pool hold passages of a benchmark",
    "select": "which documents of a pool to train on for a target",
    "rewrite": "documents in other words, or training pairs made of them",
    "align": "should a model be adapted to an unlabelled target, and how",
    "predict": "apply what align saved to new rows",
    "report": "write the report of a run",
    "runs": "list runs",
    "run": "do again what a manifest says",
    "bench": "measure side by side, reproducibly",
}

SPACE = "free space or choose another --out; what was there is intact"
CURES = {
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EACCES: "choose a folder you may write to, such as --out ~/runs",
    errno.EROFS: "choose a folder you may write to, such as --out ~/runs",
}


class Verbs(click.Group):
    """A group whose commands live in ``ecotone.cli.VERB`` and are found by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs, in the order of a day's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import the file of one verb."""
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"ecotone.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ecotone")
def command() -> None:
    """Make a model good in the domain where it will be used, and prove it.

    \b
    Example:
      ecotone mix corpus/ --target law --tokens 100M --caps 4 --confirm
    """  # noqa: D301  click wants the character, not two


def main(args: list[str] | None = None) -> Any:
    """Run the command line; errors are printed as sentences and end with their exit code."""
    from ecotone.core.errors import EcotoneError

    try:
        code = command.main(args=args, prog_name="ecotone", standalone_mode=False)
    except EcotoneError as error:
        click.echo(str(error), err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; the same command goes on where this one ended.", err=True)
        code = 130
    except BrokenPipeError:
        # the reader (`| head`) has seen enough; Python must not complain when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        click.echo(f"OSError: {error.strerror}: {error.filename or ''}".rstrip(": "), err=True)
        click.echo(f"  cure  {CURES.get(error.errno or 0, 'look at that file')}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
