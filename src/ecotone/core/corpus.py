"""Text in named domains: `Doc`, `Domain`, `Corpus`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ecotone.core.errors import BadInput, NoTarget
from ecotone.core.files import fingerprint, write_json

Opener = Callable[[str], Iterator["Doc"]]


class Doc(NamedTuple):
    """One document.

    Attributes
    ----------
    id : str
        Unique within its corpus: where it stands, such as ``law/a.jsonl:12``.
    text : str
        What it says.
    domain : str
        Name of its domain.
    meta : Mapping
        The other fields of its record.
    """

    id: str
    text: str
    domain: str
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Domain:
    """A named place data comes from.

    Attributes
    ----------
    name : str
        Unique within its corpus.
    role : {"source", "target"}
        A target is where the model will be used.
    size : int
        Number of documents; -1 until counted.
    tokens : int or None
        Number of training tokens; None until counted.
    fingerprint : str
        Hash of its ordered contents.
    """

    name: str
    role: Literal["source", "target"]
    size: int
    tokens: int | None
    fingerprint: str

    def save(self, path: Path | str) -> None:
        """Write as JSON."""
        write_json(Path(path), asdict(self))

    @classmethod
    def load(cls, path: Path | str) -> Domain:
        """Read what `save` wrote."""
        return cls(**json.loads(Path(path).read_text()))


@dataclass(frozen=True)
class Corpus:
    """Text in named domains; documents are read lazily, one at a time.

    Attributes
    ----------
    domains : tuple of Domain
        In the order of their names.
    tokenizer : str or None
        Fingerprint of the tokeniser that `Domain.tokens` was counted with.
    origin : Mapping
        How to open it again: ``opener`` names a function ``module:name`` that takes the
        remaining entries and returns the corpus.
    """

    domains: tuple[Domain, ...]
    tokenizer: str | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    opener: Opener | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) < len(names):
            raise BadInput(f"two domains share a name: {', '.join(sorted(names))}.")

    def __repr__(self) -> str:
        target = f", target {self.target.name}" if self.has_target else ""
        return f"Corpus({len(self.domains)} domains: {', '.join(self.names)}{target})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the domains, in order."""
        return tuple(d.name for d in self.domains)

    @property
    def has_target(self) -> bool:
        """Whether a domain has the role of target."""
        return any(d.role == "target" for d in self.domains)

    @property
    def target(self) -> Domain:
        """The target domain; raises `NoTarget` when there is none."""
        for domain in self.domains:
            if domain.role == "target":
                return domain
        raise NoTarget(
            "no domain is marked as target.",
            why="everything ecotone computes is for the sake of one target domain.",
            cure=f"pass target=NAME (--target NAME), one of: {', '.join(self.names)}",
        )

    @property
    def sources(self) -> tuple[Domain, ...]:
        """The domains that are not the target."""
        return tuple(d for d in self.domains if d.role == "source")

    @property
    def fingerprint(self) -> str:
        """Hash of names, roles and contents."""
        return fingerprint([[d.name, d.role, d.fingerprint] for d in self.domains])

    def __getitem__(self, name: str) -> Domain:
        for domain in self.domains:
            if domain.name == name:
                return domain
        raise BadInput(
            f"no domain is called {name!r}.", cure=f"use one of: {', '.join(self.names)}"
        )

    def docs(self, domain: str) -> Iterator[Doc]:
        """Read the documents of one domain, in order."""
        if self.opener is None:
            raise BadInput("this corpus has no reader.", cure="open it with ecotone.read_corpus")
        return self.opener(self[domain].name)

    def save(self, path: Path | str) -> None:
        """Write domains and origin as JSON; the text stays where it is."""
        record = {
            "domains": [asdict(d) for d in self.domains],
            "tokenizer": self.tokenizer,
            "origin": dict(self.origin),
        }
        write_json(Path(path), record)

    @classmethod
    def load(cls, path: Path | str) -> Corpus:
        """Open again what `save` described; refuses when the contents have changed."""
        record = json.loads(Path(path).read_text())
        origin = dict(record["origin"])
        module, name = origin.pop("opener").split(":")
        corpus: Corpus = getattr(importlib.import_module(module), name)(**origin)
        want = fingerprint([[d["name"], d["role"], d["fingerprint"]] for d in record["domains"]])
        if corpus.fingerprint != want:
            raise BadInput(
                f"{path}: the text of this corpus has changed since it was saved.",
                cure="open it anew with ecotone.read_corpus",
            )
        domains = tuple(Domain(**d) for d in record["domains"])
        return cls(domains, record["tokenizer"], record["origin"], corpus.opener)
