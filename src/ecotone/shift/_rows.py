"""Two samples of rows, checked: what every distance of this room asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, TooFewRows

Array = NDArray[np.float64]


def two_samples(A: Any, B: Any, *, name: str, least: int = 1) -> tuple[Array, Array]:
    """Return both samples as float64, shapes (n, d) and (m, d).

    Parameters
    ----------
    A, B : array-like
        Rows of numbers.
    name : str
        Of the measure, for the error.
    least : int
        Rows it needs a side.

    Raises
    ------
    BadInput
        Not two tables of the same width, or a number that is missing or infinite.
    TooFewRows
        Fewer than `least` rows on a side.
    """
    pair = (np.asarray(A, dtype=np.float64), np.asarray(B, dtype=np.float64))
    shapes = [X.shape for X in pair]
    if any(len(s) != 2 for s in shapes) or shapes[0][1] != shapes[1][1]:
        raise BadInput(
            f"{name}: the samples have the shapes {shapes[0]} and {shapes[1]}.",
            cure="give two arrays (n, d) and (m, d) with the same d",
        )
    if min(len(X) for X in pair) < least:
        raise TooFewRows(
            f"{name} needs {least} rows a side; there are {shapes[0][0]} and {shapes[1][0]}.",
            cure=f"give at least {least} rows a side (for text: longer or more documents)",
        )
    for side, X in zip("AB", pair, strict=True):
        for row in np.flatnonzero(~np.isfinite(X).all(axis=1))[:1]:
            raise BadInput(
                f"{name}: row {row} of {side} has a value that is missing or infinite.",
                cure="remove the row or fill the value in",
            )
    return pair
