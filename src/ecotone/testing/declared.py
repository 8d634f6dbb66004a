"""The law "says what it is": name, place, paper, card, docstring and object agree."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from ecotone.core.method import ROOMS, Method
from ecotone.testing.says import demand


def says_what_it_is(method: Method, references: Path | None = None) -> None:
    """Name, folder, paper, card, documented parameters and the imported object agree.

    Parameters
    ----------
    method : Method
        From the catalogue.
    references : Path, optional
        A ``.bib`` file that must hold the method's paper; default: ``references.bib`` of the
        repository this package runs from, if there is one.
    """
    name = method.name
    demand(name == method.path.stem, f"{name} lies in {method.path.name}")
    demand(bool(re.fullmatch(r"[a-z][a-z0-9_]*", name)), f"{name} is not snake_case")
    demand(method.room in ROOMS and method.path.parent.name == method.room, f"{name}: no room")
    demand(method.summary.endswith("."), f"{name}: the docstring begins with no sentence")
    bib = references or Path(__file__).resolve().parents[3] / "references.bib"
    if method.paper and bib.exists():
        known = re.findall(r"^@\w+\{([^,]+),", bib.read_text(encoding="utf-8"), re.MULTILINE)
        demand(method.paper in known, f"{name}: {method.paper} is not in {bib.name}")
    _card(method)
    _parameters(method)
    _same_object(method)


def _card(method: Method) -> None:
    demand(method.card_path.exists(), f"{method.name} has no card: {method.card_path.name}")
    card = method.card()
    demand(card.method == method.name, f"{method.name}: its card is about {card.method}")
    demand(bool(card.fails), f"{method.name}: its card says nowhere when it fails")
    demand(len(card.prose) > 200, f"{method.name}: its card has no prose")
    for claim in card.claims:
        demand({"id", "says", "check"} <= set(claim), f"{method.name}: claim {claim} lacks a part")
    for fails in card.fails:
        demand({"when", "check"} <= set(fails), f"{method.name}: failure {fails} lacks a part")


def _parameters(method: Method) -> None:
    """Every argument of the signature is documented, and a default that is written is right."""
    thing = method.load()
    documented = _documented(inspect.getdoc(thing) or "")
    taken = inspect.signature(thing).parameters
    for name in taken:
        demand(name in documented, f"{method.name}: {name} is not in its Parameters section")
    for name in documented:
        demand(name in taken, f"{method.name}: documents {name}, which it does not take")
    for name, parameter in taken.items():
        found = re.search(r"default:? (.+)$", documented[name])
        if found:
            value = ast.literal_eval(found.group(1).strip("`"))
            same = value == parameter.default
            demand(same, f"{method.name}: {name} is {parameter.default!r}, documented {value!r}")


def _documented(doc: str) -> dict[str, str]:
    """Return name -> type line of the Parameters section of a numpydoc docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-{3,}|\Z)", doc, re.DOTALL | re.M)
    out: dict[str, str] = {}
    for line in (section.group(1) if section else "").splitlines():
        entry = re.match(r"^([\w*]+(?:, [\w*]+)*) : (.*)$", line)
        if entry:
            out |= dict.fromkeys((n.strip("*") for n in entry.group(1).split(", ")), entry.group(2))
    return out


def _same_object(method: Method) -> None:
    """Check that what was read from the text is what the decorator left on the object."""
    thing = method.load()
    mark = getattr(thing, "__ecotone__", None)
    demand(mark is not None, f"{method.name}: the object carries no declaration")
    text = {k: getattr(method, k) for k in ("name", "paper", "needs", "handles", "extra")}
    demand(mark == text, f"{method.name}: the text says {text}, the object {mark}")
    signature = inspect.signature(thing).parameters
    for p in method.params:
        real = signature[p.name].default
        same = p.default == real or str(p.default) == repr(real)
        demand(same, f"{method.name}: {p.name} is {real!r}, read {p.default!r}")
