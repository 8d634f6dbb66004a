r"""Corners of a simplex: what classes look like, from cells that each hold a mixture of them.

Cells are points :math:`q(d \mid \mathrm{cell}) = \sum_y q(y \mid \mathrm{cell})\, q(d \mid y)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]
SMALL = 1e-12


class Factors(NamedTuple):
    """What cells of a simplex say of its corners.

    Attributes
    ----------
    corners : ndarray, shape (k, r)
        q(d | y): rows sum to 1.
    shares : ndarray, shape (k, r)
        P(y | d): columns sum to 1.
    """

    corners: Array
    shares: Array


def factorise(cells: Array, k: int) -> Factors:
    r"""Find the k cells that span all others, and the class shares they imply.

    Successive projections: take the longest row, project all on what is orthogonal to it, go on.
    Exact where every class has a cell of its own.

    Parameters
    ----------
    cells : ndarray, shape (m, r)
        q(d | cell): rows sum to 1. From :math:`P(\mathrm{cell} \mid d)` by dividing rows by sums.
    k : int
        Classes.

    Examples
    --------
    >>> cells = np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])
    >>> factorise(cells, 2).shares.round(6).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    left, taken = cells.copy(), []
    for _ in range(k):
        length = (left**2).sum(axis=1)
        taken.append(int(length.argmax()))
        way = left[taken[-1]] / max(np.sqrt(length.max()), SMALL)
        left = left - np.outer(left @ way, way)
    corners = cells[taken]
    r = cells.shape[1]
    mass, _ = nnls(corners.T * r, np.ones(r))
    # a class of no mass would be lost for ever: it keeps a trace
    shares = corners * np.maximum(mass, 1e-6)[:, None] * r
    return Factors(corners, shares / shares.sum(axis=0))
