r"""The small language that refines documents: a parser and an executor, nothing is evaluated.

::

    program  = { call [";"] }
    call     = NAME "(" [ argument { "," argument } ] ")"
    argument = NAME "=" ( STRING | NUMBER | "True" | "False" )

Strings stand in single or double quotes, with the escapes \n, \t, \\, \" and \'. What does not
parse is counted, and reading goes on behind the next line break.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

Value = str | int | bool
KNOWN = {
    "keep_doc": set[str](), "drop_doc": set[str](), "keep_all": set[str](),
    "untouch_doc": set[str](), "keep_chunk": set[str](),
    "remove_lines": {"line_start", "line_end", "start", "end", "all"},
    "normalize": {"source_str", "target_str"},
}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>\d+)|(?P<mark>[(),=;])
    |"(?P<double>(?:[^"\\\n]|\\.)*)"|'(?P<single>(?:[^'\\\n]|\\.)*)')""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
MOST_CALLS = 10_000  # a program longer than that was not written in earnest


class Call(NamedTuple):
    """One operation."""

    name: str
    arguments: dict[str, Value]


@dataclass(frozen=True)
class Program:
    """Operations in order, and how many pieces of the text were none."""

    calls: tuple[Call, ...]
    errors: int


class _Stop(Exception):
    """The text does not follow the grammar here."""


def parse(text: str) -> Program:
    """Read a program; whatever the text holds, this returns.

    Examples
    --------
    >>> parse("remove_lines(line_start=1, line_end=2)").calls[0].arguments
    {'line_start': 1, 'line_end': 2}
    >>> parse('normalize(source_str="a, (b=c)")').calls[0].arguments
    {'source_str': 'a, (b=c)'}
    >>> parse("import os; os.system('ls')").errors
    1
    """
    calls: list[Call] = []
    errors, at = 0, 0
    text = re.sub(r"^\s*```\w*\s*$", "", text, flags=re.MULTILINE)  # a fence around it is no error
    while at < len(text) and len(calls) < MOST_CALLS:
        if text[at].isspace() or text[at] == ";":
            at += 1
            continue
        try:
            call, at = _call(text, at)
            calls.append(call)
        except _Stop:
            errors += 1
            end = text.find("\n", at)
            at = len(text) if end < 0 else end + 1
    return Program(tuple(calls), errors)


def _call(text: str, at: int) -> tuple[Call, int]:
    name, at = _take(text, at, "name")
    if name not in KNOWN:
        raise _Stop
    at = _mark(text, at, "(")
    arguments: dict[str, Value] = {}
    found = _TOKEN.match(text, at)
    if found and found["mark"] == ")":
        return Call(name, arguments), found.end()
    while True:
        key, at = _take(text, at, "name")
        value, at = _value(text, _mark(text, at, "="))
        if key in arguments or key not in KNOWN[name]:
            raise _Stop
        arguments[key] = value
        mark, at = _take(text, at, "mark")
        if mark == ")":
            return Call(name, arguments), at
        if mark != ",":
            raise _Stop


def _take(text: str, at: int, kind: str) -> tuple[str, int]:
    found = _TOKEN.match(text, at)
    if not found or found[kind] is None:
        raise _Stop
    return found[kind], found.end()


def _mark(text: str, at: int, mark: str) -> int:
    got, at = _take(text, at, "mark")
    if got != mark:
        raise _Stop
    return at


def _value(text: str, at: int) -> tuple[Value, int]:
    found = _TOKEN.match(text, at)
    if not found:
        raise _Stop
    if found["number"] is not None and len(found["number"]) < 10:
        return int(found["number"]), found.end()
    if found["name"] in ("True", "False"):
        return found["name"] == "True", found.end()
    quoted = found["double"] if found["double"] is not None else found["single"]
    if quoted is None:
        raise _Stop
    plain = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), quoted, flags=re.DOTALL)
    return plain, found.end()


class Done(NamedTuple):
    """What a program made of a text.

    Attributes
    ----------
    text : str
        New text.
    removed : frozenset of int
        Numbers of the lines that are gone.
    errors : int
        Operations that do not parse, point past the end, or would do harm.
    """

    text: str
    removed: frozenset[int]
    errors: int


def execute(program: Program, text: str, *, most_matches: int) -> Done:
    """Apply a program: lines go by their numbers in the original, then strings are replaced.

    Parameters
    ----------
    program : Program
        Parsed.
    text : str
        The document; its lines are what stands between line breaks.
    most_matches : int
        A string that occurs more often than that is not replaced: a short one would wreck the text.
    """
    lines = text.split("\n")
    removed, errors, swaps = set[int](), program.errors, list[tuple[str, str]]()
    for name, given in program.calls:
        if name == "remove_lines":
            span = _span(given, len(lines))
            errors += span is None
            removed.update(span or ())
        elif name == "normalize":
            source, target = given.get("source_str"), given.get("target_str", "")
            # a line break in the target would add a line
            if isinstance(source, str) and isinstance(target, str) and "\n" not in target:
                swaps.append((source, target))
            else:
                errors += 1
    left = "\n".join(line for i, line in enumerate(lines) if i not in removed)
    for source, target in swaps:
        if not source.strip() or left.count(source) > most_matches:
            errors += 1
        else:
            left = left.replace(source, target)
    return Done(left, frozenset(removed), errors)


def _span(given: dict[str, Value], size: int) -> range | None:
    """Return the lines that an operation names; None when they are not there."""
    if given.get("all") is True and len(given) == 1:
        return range(size)
    start = given.get("line_start", given.get("start"))
    end = given.get("line_end", given.get("end", start))
    if type(start) is not int or type(end) is not int or not start <= end < size:
        return None
    return range(start, end + 1)
