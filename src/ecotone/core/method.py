"""`Method`, the `@method` decorator, and the catalogue that is read from text.

The arguments of ``@method`` are plain literals, so that the catalogue can be read without importing
a single method: listing stays instant, and a missing optional package never hides a method.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from ecotone.core.card import Card
from ecotone.core.declaration import Param, declarations
from ecotone.core.errors import BadInput, MissingExtra, UnknownMethod

ROOMS = (
    "shift", "mix", "select", "rewrite", "align", "tune", "merge", "testtime", "validate",
)  # fmt: skip
NEEDS = frozenset(
    [
        "source_rows",
        "source_labels",
        "target_rows",
        "target_labels",
        "many_sources",
        "proxies",
        "reference_model",
        "gradients",
        "activations",
        "calibration_rows",
        "text_model",
    ]
)
HANDLES = frozenset(
    ["covariate", "label", "concept", "open_set", "partial", "multi_source", "continual"]
)
EXTRAS = frozenset(("", "lm", "trees", "ot", "torch", "hf", "fast", "lang"))
# the package whose absence means that an extra is not installed
PACKAGES = {
    "lm": "torch", "trees": "lightgbm", "ot": "ot", "torch": "torch", "hf": "transformers",
    "fast": "numba", "lang": "py3langid",
}  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Method:
    """What a method declares about itself.

    Attributes
    ----------
    name : str
        Unique, snake_case.
    paper : str
        Key in ``references.bib``; empty when there is none.
    room : str
        The folder it lies in.
    target : str
        ``module:object``.
    needs, handles : frozenset of str
        From the closed vocabularies `NEEDS` and `HANDLES`.
    extra : str
        Optional install it needs.
    params : tuple of Param
        From the signature.
    path : Path
        Its file.
    """

    name: str
    paper: str
    room: str
    target: str
    needs: frozenset[str]
    handles: frozenset[str]
    extra: str = ""
    summary: str = ""
    params: tuple[Param, ...] = ()
    path: Path = field(default_factory=Path, compare=False)

    @property
    def source_free(self) -> bool:
        """Whether it works without source rows."""
        return "source_rows" not in self.needs

    @property
    def object_name(self) -> str:
        """Name of the class or function."""
        return self.target.split(":")[1]

    @property
    def card_path(self) -> Path:
        """Where its card lies: beside its file."""
        return self.path.with_suffix(".md")

    def card(self) -> Card:
        """Read its card."""
        return Card.read(self.card_path)

    def load(self) -> Any:
        """Import the file and return the class or function."""
        module, name = self.target.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if self.extra and (error.name or "").split(".")[0] != "ecotone":
                package = error.name or PACKAGES[self.extra]
                raise MissingExtra.of(self.extra, package, f"the method {self.name}") from None
            raise

    def record(self) -> dict[str, Any]:
        """Return the row that ``ecotone methods --json`` prints."""
        card = self.card() if self.card_path.exists() else Card("", (), (), "")
        return {
            "name": self.name,
            "room": self.room,
            "paper": self.paper,
            "summary": self.summary,
            "needs": sorted(self.needs),
            "handles": sorted(self.handles),
            "extra": self.extra,
            "params": {p.name: p.default for p in self.params},
            "target": self.target,
            "claims": [dict(c) for c in card.claims],
            "fails": [dict(f) for f in card.fails],
        }


def method(
    *,
    name: str,
    paper: str,
    needs: set[str],
    handles: set[str],
    extra: str = "",
) -> Callable[[T], T]:
    """Declare a class or function to be a method of the room whose folder it lies in.

    Parameters
    ----------
    name : str
        Unique snake_case name, equal to the file's name.
    paper : str
        Key in ``references.bib``, or ``""``.
    needs, handles : set of str
        Words from `NEEDS` and `HANDLES`, written as literals (``set()`` for none).
    extra : str, optional
        Optional install it needs.
    """
    check_words(name, needs, handles, extra)

    def declare(thing: T) -> T:
        # the catalogue reads the source; this mark lets a test compare it with the object
        thing.__ecotone__ = {  # type: ignore[attr-defined]
            "name": name, "paper": paper, "needs": frozenset(needs),
            "handles": frozenset(handles), "extra": extra,
        }  # fmt: skip
        return thing

    return declare


def check_words(name: str, needs: set[str], handles: set[str], extra: str) -> None:
    """Refuse words outside the closed vocabularies."""
    for what, words, known in (
        ("needs", needs, NEEDS),
        ("handles", handles, HANDLES),
        ("extra", {extra}, EXTRAS),
    ):
        for word in sorted(words - known):
            raise BadInput(
                f"method {name}: {what} has no word {word!r}.",
                cure=f"use one of: {', '.join(sorted(known))}",
            )


def read_methods(folder: Path, room: str, package: str) -> Iterator[Method]:
    """Read the methods of one folder from the text of its files, importing nothing."""
    for path in sorted(folder.glob("*.py")):
        for found in declarations(path.read_text(encoding="utf-8")):
            words = found.words
            extra = words.get("extra", "")
            check_words(words["name"], words["needs"], words["handles"], extra)
            yield Method(
                name=words["name"],
                paper=words["paper"],
                room=room,
                target=f"{package}.{path.stem}:{found.thing}",
                needs=frozenset(words["needs"]),
                handles=frozenset(words["handles"]),
                extra=extra,
                summary=found.summary,
                params=found.params,
                path=path,
            )


@lru_cache(maxsize=1)
def catalogue() -> tuple[Method, ...]:
    """Return every method, of ecotone and of its plugins, by room and name.

    A plugin is a package that an entry point of the group ``ecotone.methods`` names; its
    folders with the names of rooms are scanned like ours.
    """
    root = Path(__file__).resolve().parent.parent
    found = [m for room in ROOMS for m in read_methods(root / room, room, f"ecotone.{room}")]
    for entry in entry_points(group="ecotone.methods"):
        spec = importlib.util.find_spec(entry.value)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for room in ROOMS:
                found += read_methods(Path(place) / room, room, f"{entry.value}.{room}")
    seen: dict[str, Method] = {}
    for m in found:
        if m.name in seen:
            raise BadInput(f"two methods are called {m.name}: {seen[m.name].path} and {m.path}.")
        seen[m.name] = m
    return tuple(sorted(found, key=lambda m: (ROOMS.index(m.room), m.name)))


def find(name: str, room: str | None = None) -> Method:
    """Return the method of that name, or say which names are near."""
    import difflib

    here = [m for m in catalogue() if room in (None, m.room)]
    for m in here:
        if m.name == name:
            return m
    near = difflib.get_close_matches(name, [m.name for m in here], n=3)
    raise UnknownMethod(
        f"no method is called {name!r}" + (f" in the room {room}." if room else "."),
        cure=(f"did you mean {', '.join(near)}?\n" if near else "")
        + f"ecotone methods{f' --room {room}' if room else ''}",
    )


class _Room(types.ModuleType):
    """A package whose attributes are its methods, not the files they stand in."""

    def __setattr__(self, name: str, value: Any) -> None:
        thing = getattr(value, name, None) if isinstance(value, types.ModuleType) else None
        super().__setattr__(name, thing if hasattr(thing, "__ecotone__") else value)


def from_room(
    room: str, names: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a room: its methods by class or function name.

    `names` are what else the room offers, each with its module; that too is imported when it is
    used, so that importing a room costs nothing.

    Importing ``room/name.py`` makes Python set the module as the attribute ``name`` of the room,
    where the function of that name should be: the room is made to keep the function.
    """
    sys.modules[f"ecotone.{room}"].__class__ = _Room

    def __getattr__(name: str) -> Any:
        if names and name in names:
            return getattr(importlib.import_module(names[name]), name)
        for m in catalogue():
            if m.room == room and m.object_name == name:
                return m.load()
        raise AttributeError(f"ecotone.{room} has no method {name!r}; see: ecotone methods")

    def __dir__() -> list[str]:
        return sorted(m.object_name for m in catalogue() if m.room == room)

    return __getattr__, __dir__
