"""How a law says that it is broken."""

from __future__ import annotations


class Broken(AssertionError):
    """A method does not keep a law; the sentence says which, and what was seen."""


def demand(kept: bool, sentence: str) -> None:
    """Raise `Broken` with the sentence unless `kept`."""
    if not kept:
        raise Broken(sentence)
