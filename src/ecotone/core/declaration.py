"""What a file declares with ``@method``, read from its text: nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# what the protocols of the rooms hand to a function: not knobs of the user
GIVEN = frozenset(("rng", "target", "caps", "tokens"))


@dataclass(frozen=True)
class Param:
    """One knob of a method: its name, type and default as written, and its first line of docs."""

    name: str
    type: str
    default: Any
    says: str


@dataclass(frozen=True)
class Declaration:
    """A class or function that is declared to be a method.

    Attributes
    ----------
    thing : str
        Its name.
    words : dict
        The arguments of ``@method``.
    summary : str
        First line of its docstring.
    params : tuple of Param
        From its signature.
    """

    thing: str
    words: dict[str, Any]
    summary: str
    params: tuple[Param, ...]


def declarations(text: str) -> Iterator[Declaration]:
    """Read every declaration in the text of a Python file, in order."""
    if "\n@method(" not in text:
        return
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            words = _decorator(node)
            if words is not None:
                doc = ast.get_docstring(node) or ""
                params = tuple(_params(node, doc))
                yield Declaration(node.name, words, doc.split("\n", 1)[0], params)


def _decorator(node: ast.ClassDef | ast.FunctionDef) -> dict[str, Any] | None:
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "method":
            return {str(k.arg): _literal(k.value) for k in call.keywords}
    return None


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "set" and not node.args:
        return set()
    return ast.literal_eval(node)


def _params(node: ast.ClassDef | ast.FunctionDef, doc: str) -> Iterator[Param]:
    """Read the keyword arguments with a default from the signature: these are the knobs."""
    function: ast.ClassDef | ast.FunctionDef | None = node
    if isinstance(node, ast.ClassDef):
        inits = (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
        function = next(inits, None)
    if not isinstance(function, ast.FunctionDef):
        return
    args = function.args
    positional = args.args[len(args.args) - len(args.defaults) :]
    pairs = [*zip(positional, args.defaults, strict=True)]
    pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d]
    for arg, default in pairs:
        if arg.arg in GIVEN:
            continue
        try:
            value = ast.literal_eval(default)
        except ValueError:
            value = ast.unparse(default)
        kind = ast.unparse(arg.annotation) if arg.annotation else ""
        yield Param(arg.arg, kind, value, _first_line(doc, arg.arg))


def _first_line(doc: str, name: str) -> str:
    """Return the first line that a numpydoc section says about a parameter."""
    found = re.search(rf"^(?:\w+, )*{re.escape(name)}(?:, \w+)* : .*\n +(.*)$", doc, re.MULTILINE)
    return found.group(1).strip() if found else ""
