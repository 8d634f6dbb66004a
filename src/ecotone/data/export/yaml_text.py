"""YAML as these exports need it, written by hand: mappings, lists, numbers and quoted names.

Names are always in double quotes, so that a domain called ``no``, ``1e3`` or ``a: b`` stays text.
`unquoted` understands nothing else than what is written here.
"""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)")


def quoted(text: str) -> str:
    r"""Return a double-quoted YAML scalar.

    Examples
    --------
    >>> print(quoted('law: "new"'), quoted("a\tb"))
    "law: \"new\"" "a\x09b"
    """
    return '"' + "".join(_character(c) for c in text) + '"'


def _character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():
        return c
    code = ord(c)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def unquoted(text: str) -> str:
    """Undo `quoted`."""
    inner = text.strip()
    if len(inner) < 2 or inner[0] != '"' or inner[-1] != '"':
        raise ValueError(f"{text!r} is not in double quotes")
    return _ESCAPED.sub(lambda m: m[1] if len(m[1]) == 1 else chr(int(m[1][1:], 16)), inner[1:-1])


def number(value: float) -> str:
    """Return a number that YAML 1.1 and 1.2 read as the same float, to the last bit.

    Examples
    --------
    >>> number(1e-07), number(0.25), number(3)
    ('1.0e-07', '0.25', '3')
    """
    text = repr(value)
    head, e, tail = text.partition("e")
    return f"{head}.0e{tail}" if e and "." not in head else text
