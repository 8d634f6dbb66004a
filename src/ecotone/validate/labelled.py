"""What a few target labels say: a paired comparison on the rows they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from ecotone.core.errors import TooFewRows
from ecotone.core.seeds import stream
from ecotone.core.verdict import Decision, Finding

DRAWS = 2_000
LEAST = 3


@dataclass(frozen=True)
class Labelled:
    """Gain on labelled target rows, with its interval and what it decides."""

    score: float
    baseline: float
    gain: float
    interval: tuple[float, float]
    decision: Decision
    metric: str
    finding: Finding


def labelled_gain(
    model: Any, plain: Any, X: Any, y: Any, *, level: float = 0.9, seed: int = 0
) -> Labelled:
    """Compare two fitted models on labelled target rows.

    Accuracy (minus squared error for regression), paired by row, with a bootstrap interval over
    rows. *adapt* or *keep* where the interval leaves 0 out, else *cannot tell*.

    Raises
    ------
    TooFewRows
        Fewer than 3 labels.
    """
    known = np.asarray(y)
    if len(known) < LEAST:
        raise TooFewRows(
            f"{len(known)} target labels decide nothing.", cure="label 1 to 3 rows of every class"
        )
    if is_regressor(model):
        parts = [-((known - m.predict(X)) ** 2) for m in (model, plain)]
        metric = "minus squared error on labelled target rows"
    else:
        parts = [(m.predict(X) == known).astype(np.float64) for m in (model, plain)]
        metric = "accuracy on labelled target rows"
    difference = parts[0] - parts[1]
    rng = stream(seed, "few labels")
    means = difference[rng.integers(len(known), size=(DRAWS, len(known)))].mean(axis=1)
    low, high = (float(q) for q in np.quantile(means, [(1 - level) / 2, (1 + level) / 2]))
    gain = float(difference.mean())
    decision: Decision = "adapt" if low > 0 else "keep" if high < 0 else "cannot tell"
    return Labelled(
        float(parts[0].mean()), float(parts[1].mean()), gain, (low, high), decision, metric,
        Finding(
            "V309",
            f"on {len(known)} labelled target rows the gain is {gain:+.3f} ({level:.0%} interval "
            f"{low:+.3f} to {high:+.3f}).",
        ),
    )  # fmt: skip
