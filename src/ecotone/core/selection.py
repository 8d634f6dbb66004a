"""`Selection`: which examples, how much of each, in what words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, write_json


@dataclass(frozen=True)
class Selection:
    """Example weights, kept ids and rewritten text.

    Attributes
    ----------
    ids : ndarray, shape (n,)
        Document or row ids, no repeats.
    weights : ndarray of float32, shape (n,)
        Nonnegative; 0 means dropped.
    text : dict of str to str
        New text, only for rewritten documents.
    made_by : str
        Run id or method name.
    """

    ids: NDArray[Any]
    weights: NDArray[np.float32]
    text: dict[str, str] = field(default_factory=dict)
    made_by: str = "hand"

    def __post_init__(self) -> None:
        ids = np.asarray(self.ids)
        weights = np.asarray(self.weights, dtype=np.float32)
        if ids.ndim != 1 or weights.shape != ids.shape:
            raise BadInput(f"selection: {ids.shape} ids but {weights.shape} weights.")
        if len(np.unique(ids)) < len(ids):
            raise BadInput("selection: an id is named twice.", cure="name every example once")
        if not np.all(np.isfinite(weights)) or (weights < 0).any():
            raise BadInput("selection: a weight is negative or not a number.")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "weights", weights)

    def __repr__(self) -> str:
        return f"Selection({int((self.weights > 0).sum())} of {len(self.ids)}, by {self.made_by})"

    @property
    def fingerprint(self) -> str:
        """Hash of ids, weights and text."""
        return fingerprint([self.ids, self.weights, self.text])

    def save(self, path: Path | str) -> None:
        """Write as JSON."""
        record = {"ids": self.ids, "weights": self.weights, "text": self.text}
        write_json(Path(path), {**record, "made_by": self.made_by})

    @classmethod
    def load(cls, path: Path | str) -> Selection:
        """Read what `save` wrote."""
        r = json.loads(Path(path).read_text())
        weights = np.asarray(r["weights"], dtype=np.float32)
        return cls(np.asarray(r["ids"]), weights, r["text"], r["made_by"])
