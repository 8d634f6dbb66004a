"""`Card`: what is claimed of a method, and where it fails."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone.core.errors import BadInput


@dataclass(frozen=True)
class Card:
    """A card: TOML facts on top, then prose.

    Attributes
    ----------
    method : str
        Name of the method.
    claims : tuple of dict
        What the paper says (``says``), the ``check`` that would show it, and what was
        measured.
    fails : tuple of dict
        When it does not help, with its ``check``.
    prose : str
        Markdown.
    """

    method: str
    claims: tuple[Mapping[str, Any], ...]
    fails: tuple[Mapping[str, Any], ...]
    prose: str

    @classmethod
    def read(cls, path: Path) -> Card:
        """Read a card file; the facts stand in its first ```toml block."""
        text = path.read_text(encoding="utf-8")
        found = re.search(r"^```toml\n(.*?)^```\n?", text, re.DOTALL | re.MULTILINE)
        if not found:
            raise BadInput(f"{path}: no ```toml block.", cure="begin the card with its facts")
        try:
            facts = tomllib.loads(found.group(1))
        except tomllib.TOMLDecodeError as error:
            raise BadInput(f"{path}: {error}") from None
        prose = (text[: found.start()] + text[found.end() :]).strip()
        return cls(
            facts["method"], tuple(facts.get("claim", ())), tuple(facts.get("fails", ())), prose
        )
