"""What a run of this room returns: new text, examples, and two counts that must add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from ecotone.core.files import fingerprint
from ecotone.core.selection import Selection
from ecotone.core.verdict import Finding


class Example(NamedTuple):
    """One training pair made from a document.

    Attributes
    ----------
    id : str
        Unique: the document's id, ``#`` and what kind it is, and its number.
    source : str
        Id of the document it was made from.
    prompt, response : str
        What a model reads, and what it should then write.
    kind : str
        The kind of task, such as ``exqa``.
    """

    id: str
    source: str
    prompt: str
    response: str
    kind: str


@dataclass(frozen=True)
class Ledger:
    """What became of the answers that were asked for.

    Attributes
    ----------
    asked : int
        Answers wanted; equal to kept + refused + invalid + failed.
    from_cache : int
        How many of them had been given before.
    refused, invalid, failed, kept : int
        The generator declined; the answer did not pass a check; no answer came; it is in use.
    causes : dict of str to int
        Why answers are invalid; the numbers sum to `invalid`.

    Examples
    --------
    >>> Ledger(asked=3, kept=2, refused=1).share_kept
    0.6666666666666666
    """

    asked: int = 0
    from_cache: int = 0
    refused: int = 0
    invalid: int = 0
    failed: int = 0
    kept: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = self.kept + self.refused + self.invalid + self.failed
        if self.asked != parts or self.from_cache > self.asked:
            raise ValueError(f"the ledger does not add up: {self}")
        if sum(self.causes.values()) != self.invalid:
            raise ValueError(f"the causes do not add up to the invalid answers: {self}")

    def __add__(self, other: Ledger) -> Ledger:
        numbers = {
            f.name: getattr(self, f.name) + getattr(other, f.name)
            for f in fields(self)
            if f.name != "causes"
        }
        return Ledger(**numbers, causes=dict(Counter(self.causes) + Counter(other.causes)))

    @property
    def share_kept(self) -> float:
        """Share of the wanted answers that are in use; 0 when none was wanted."""
        return self.kept / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class Rewritten:
    """Documents in new words; every document has exactly one outcome.

    Attributes
    ----------
    ids : tuple of str
        All documents, in the order they came.
    docs : dict of str to str
        New text by id, of those that were rewritten.
    untouched : frozenset of str
        Ids of those that stay as they are.
    dropped : dict of str to str
        One cause by id.
    ledger : Ledger
        Of the answers.
    examples : tuple of Example
        Training pairs, for methods that make some.
    findings : tuple of Finding
        What a user should know.
    made_by : str
        Name of the method.
    notes : dict
        Numbers of the method's own.
    copies : dict of str to int
        How often a document counts, by id; once where nothing is said.
    """

    ids: tuple[str, ...]
    docs: Mapping[str, str]
    untouched: frozenset[str]
    dropped: Mapping[str, str]
    ledger: Ledger
    examples: tuple[Example, ...] = ()
    findings: tuple[Finding, ...] = ()
    made_by: str = "hand"
    notes: Mapping[str, Any] = field(default_factory=dict)
    copies: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outcomes = [*self.docs, *self.untouched, *self.dropped]
        if len(outcomes) != len(self.ids) or set(outcomes) != set(self.ids):
            raise ValueError(f"{self.made_by}: a document has no outcome, or two")

    def __repr__(self) -> str:
        return (
            f"Rewritten({len(self.docs)} of {len(self.ids)}, {len(self.dropped)} dropped, "
            f"{len(self.examples)} examples, by {self.made_by})"
        )

    @property
    def outcomes(self) -> dict[str, int]:
        """Number of documents by outcome; the numbers sum to ``len(ids)``."""
        counts = {"rewritten": len(self.docs), "untouched": len(self.untouched)}
        causes = Counter(self.dropped.values())
        return counts | {f"dropped: {cause}": causes[cause] for cause in sorted(causes)}

    @property
    def fingerprint(self) -> str:
        """Hash of ids, text, causes, examples and copies."""
        kept, copies = sorted(self.untouched), dict(self.copies)
        return fingerprint(
            [self.ids, dict(self.docs), kept, dict(self.dropped), self.examples, copies]
        )

    def selection(self) -> Selection:
        """Return it as a `Selection`: weight 0 for the dropped, new text for the rewritten.

        A document that counts several times has that weight.
        """
        weights = [0 if i in self.dropped else self.copies.get(i, 1) for i in self.ids]
        ids = np.array(self.ids, dtype=str)
        return Selection(ids, np.array(weights, dtype=np.float32), dict(self.docs), self.made_by)
