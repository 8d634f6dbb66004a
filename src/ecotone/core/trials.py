"""`Trials`: what was tried and what it scored; the table every mixing law is fitted on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, write_json

Array = NDArray[np.float64]
Table = Mapping[str, Sequence[Any]]  # column name -> column; all columns of one length


@dataclass(frozen=True)
class Trials:
    """Mixtures that were trained and the losses they reached.

    Attributes
    ----------
    weights : ndarray, shape (n_trials, n_domains)
        Shares of the training tokens; every row sums to 1.
    scores : ndarray, shape (n_trials, n_targets)
        Held-out loss, lower is better, nats per token.
    domains : tuple of str
        Names of the columns of `weights`.
    targets : tuple of str
        Names of the columns of `scores`.
    about : Table
        Columns about each trial: seed, tokens seen, parameters, seconds, run id.
    """

    weights: Array
    scores: Array
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    about: Table = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64)
        scores = np.array(self.scores, dtype=np.float64)
        object.__setattr__(self, "domains", tuple(self.domains))
        object.__setattr__(self, "targets", tuple(self.targets))
        self._check_shapes(weights, scores)
        self._check_values(weights, scores)
        # published tables are rounded: rows that sum to 0.996 are meant to sum to 1; rows that do
        # keep their bits, so that saving and loading changes no fingerprint
        sums = weights.sum(axis=1, keepdims=True)
        weights = np.where(np.abs(sums - 1) < 1e-12, weights, weights / sums)
        weights.flags.writeable = False
        scores.flags.writeable = False
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "scores", scores)

    def _check_shapes(self, weights: Array, scores: Array) -> None:
        n = len(weights)
        want = {"weights": (n, len(self.domains)), "scores": (n, len(self.targets))}
        for name, array in (("weights", weights), ("scores", scores)):
            if array.shape != want[name]:
                raise BadInput(f"trials: {name} has the shape {array.shape}, not {want[name]}.")
        for name, column in self.about.items():
            if len(column) != n:
                raise BadInput(f"trials: column {name} has {len(column)} rows, not {n}.")

    def _check_values(self, weights: Array, scores: Array) -> None:
        for row in np.flatnonzero(~np.isfinite(weights).all(axis=1) | (weights < 0).any(axis=1)):
            raise BadInput(
                f"trials: row {row} has a weight that is negative or not a number.",
                cure="remove the row or give every domain a share of 0 or more",
            )
        sums = weights.sum(axis=1)
        for row in np.flatnonzero(np.abs(sums - 1) > 0.02):
            raise BadInput(
                f"trials: the weights of row {row} sum to {sums[row]:.4g}, not to 1.",
                cure="divide every row by its sum, or drop the columns that are no domains",
            )
        for row in np.flatnonzero(~np.isfinite(scores).all(axis=1)):
            raise BadInput(
                f"trials: row {row} has a loss that is not a number.",
                cure="remove the runs that diverged or did not finish",
            )

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        return f"Trials({len(self)} x {len(self.domains)} domains, {len(self.targets)} targets)"

    @property
    def fingerprint(self) -> str:
        """Hash of weights, scores and names."""
        return fingerprint([self.weights, self.scores, self.domains, self.targets])

    def target(self, name: str) -> Array:
        """Return the losses on one target, shape (n_trials,)."""
        if name not in self.targets:
            raise BadInput(
                f"trials: no losses for {name!r}.", cure=f"use one of: {', '.join(self.targets)}"
            )
        return self.scores[:, self.targets.index(name)]

    def rows(self, index: Sequence[int] | NDArray[Any]) -> Trials:
        """Return the trials at these row numbers (or where a boolean mask is true)."""
        index = np.asarray(index)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        about = {k: [v[int(i)] for i in index] for k, v in self.about.items()}
        return Trials(self.weights[index], self.scores[index], self.domains, self.targets, about)

    def save(self, path: Path | str) -> None:
        """Write as JSON."""
        record = {
            "format": "ecotone.trials/1",
            "domains": self.domains,
            "targets": self.targets,
            "weights": self.weights,
            "scores": self.scores,
            "about": {k: list(v) for k, v in self.about.items()},
        }
        write_json(Path(path), record)

    @classmethod
    def load(cls, path: Path | str) -> Trials:
        """Read what `save` wrote."""
        try:
            r = json.loads(Path(path).read_text())
            weights = np.asarray(r["weights"], dtype=np.float64).reshape(-1, len(r["domains"]))
            scores = np.asarray(r["scores"], dtype=np.float64).reshape(len(weights), -1)
            return cls(weights, scores, tuple(r["domains"]), tuple(r["targets"]), r["about"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}: not a trials file ({error}).") from None
