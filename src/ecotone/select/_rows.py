"""What methods on features share: checked rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput

Array = NDArray[np.float64]


def checked_rows(X: Any, width: int | None, who: str, what: str = "docs") -> Array:
    """Return rows of numbers as float64, shape (n, d); `width` is d where it is known.

    Raises
    ------
    BadInput
        Not a table of that width, or a value that is missing or infinite.
    """
    try:
        rows = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput(
            f"{who}: {what} is no table of numbers.", cure="pass features: an array (n, d)"
        ) from None
    if rows.size == 0 and rows.ndim == 1 and width is not None:
        return np.zeros((0, width))
    if rows.ndim != 2 or (width is not None and rows.shape[1] != width):
        raise BadInput(
            f"{who}: {what} has the shape {rows.shape}.",
            cure=f"pass an array (n, {'d' if width is None else width})",
        )
    for row in np.flatnonzero(~np.isfinite(rows).all(axis=1))[:1]:
        raise BadInput(
            f"{who}: row {row} of {what} has a value that is missing or infinite.",
            cure="remove the row or fill the value in",
        )
    return rows


def checked_pair(target: Any, pool: Any, who: str) -> tuple[Array, Array]:
    """Return target and pool, (m, d) and (n, d), neither of them empty."""
    T = checked_rows(target, None, who, "target")
    P = checked_rows(pool, T.shape[1], who, "pool")
    for what, X in (("target", T), ("pool", P)):
        if 0 in X.shape:
            raise BadInput(f"{who}: {what} is empty.", cure=f"pass at least one row: {what}=X")
    return T, P
