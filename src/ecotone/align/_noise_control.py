"""The control of a transfer between feature spaces: labelled noise in the place of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from ecotone.core.verdict import Finding

Array = NDArray[np.float64]


class Row(NamedTuple):
    """Mean accuracy over repeats, and its standard error."""

    source: str
    accuracy: float
    error: float


@dataclass(frozen=True)
class Control:
    """What a gain beside a source is worth.

    Attributes
    ----------
    rows : tuple of Row
        ``target only``, ``noise``, ``source``.
    noise_share : float
        Gain beside noise divided by gain beside the source; NaN if the source gains nothing.
    findings : tuple of Finding
        A411: the source is not clearly better than noise.
    """

    rows: tuple[Row, ...]
    noise_share: float
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, scores: Array) -> Control:
        """Sum up accuracies, (repeats, 3)."""
        n, mean = len(scores), scores.mean(axis=0)
        errors = scores.std(axis=0, ddof=1) / np.sqrt(n)
        names = ("target only", "noise", "source")
        rows = [Row(*r) for r in zip(names, mean.tolist(), errors.tolist(), strict=True)]
        over = scores[:, 2] - scores[:, 1]
        gain = float(mean[2] - mean[0])
        findings = []
        if over.mean() <= student.ppf(0.975, n - 1) * over.std(ddof=1) / np.sqrt(n):
            findings.append(
                Finding(
                    "A411",
                    f"the source beats noise by {100 * over.mean():+.1f} points, which is not "
                    "clear of 0: there is no evidence that anything was learnt from it",
                    "repeats=20, or claim no transfer",
                )
            )
        share = float(mean[1] - mean[0]) / gain if gain > 0 else np.nan
        return cls(tuple(rows), share, tuple(findings))

    def __str__(self) -> str:
        lines = [f"{r.source:<12} {r.accuracy:6.1%} +- {r.error:.1%}" for r in self.rows]
        return "\n".join([*lines, *map(str, self.findings)])


def noise_source(y: Any, columns: int, *, rng: np.random.Generator) -> Array:
    """Return rows that know nothing: one Gaussian for each class, means drawn at random.

    Parameters
    ----------
    y : array, shape (n,)
        Labels of the rows.
    columns : int
        d_s.
    rng : Generator

    Returns
    -------
    ndarray, shape (n, d_s)
        Means N(0, I), and N(0, I) around them.
    """
    _, at = np.unique(np.asarray(y), return_inverse=True)
    means = rng.normal(size=(at.max() + 1, columns))
    out: Array = means[at] + rng.normal(size=(len(at), columns))
    return out
