"""Errors that say what happened, why it matters and what to do about it."""

from __future__ import annotations

from pathlib import Path


class EcotoneError(Exception):
    """Something the user can put right; printed as three short parts, never as a stack trace.

    Parameters
    ----------
    what : str
        One sentence: what happened, and where.
    why : str, optional
        Why it matters.
    cure : str, optional
        A command, an argument or an action that works.
    """

    exit_code = 2

    def __init__(self, what: str, *, why: str = "", cure: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.cure = what, why, cure

    def __str__(self) -> str:
        lines = [f"{type(self).__name__}: {self.what}"]
        for label, text in (("why ", self.why), ("cure", self.cure)):
            if text:
                lines.append(f"  {label}  " + text.replace("\n", "\n        "))
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.why, self.cure)


def _rebuild(kind: type[EcotoneError], what: str, why: str, cure: str) -> EcotoneError:
    """Make the error again on the other side of a process border."""
    error = kind.__new__(kind)
    EcotoneError.__init__(error, what, why=why, cure=cure)
    return error


class BadInput(EcotoneError, ValueError):
    """A file or an argument does not hold what it should."""

    @classmethod
    def at(
        cls, path: Path | str, place: str | int, what: str, *, why: str = "", cure: str = ""
    ) -> BadInput:
        """Make an error that begins with ``path:place`` (a line, a column, a byte offset)."""
        return cls(f"{path}:{place}: {what}", why=why, cure=cure)


class NoTarget(EcotoneError):
    """The target domain is missing or unknown."""


class Infeasible(EcotoneError, ValueError):
    """No mixture meets all limits at once."""


class TooFewRows(EcotoneError, ValueError):
    """Fewer rows than the computation needs."""


class MissingExtra(EcotoneError):
    """A method needs an optional package that is not installed."""

    @classmethod
    def of(cls, extra: str, package: str, need: str) -> MissingExtra:
        """Name the extra that brings `package`, needed for `need`."""
        return cls(
            f"{need} needs the package {package}, which is not installed.",
            cure=f'pip install "ecotone[{extra}]"',
        )


class OtherVersion(EcotoneError):
    """A run folder was written by a version of ecotone with another format."""


class UnknownMethod(EcotoneError):
    """No method of that name is in the catalogue."""
