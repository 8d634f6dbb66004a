r"""Density ratios that are sums of bumps at target rows.

.. math:: w(x) = \sum_l \alpha_l\,e^{-\gamma \|x-c_l\|^2}
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.align._aligner import Array
from ecotone.align._kernels import median_bandwidth, rbf_times, squared_distances, subsample
from ecotone.align._ratio import RatioReweighter, log_of, positive
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream

WIDTHS = 2.0 ** np.arange(-4, 5)  # times the median bandwidth
JUDGES = 2_000  # rows of a side that judge a width


class Distances(NamedTuple):
    """Squared distances of rows to the centres.

    Attributes
    ----------
    source : ndarray, shape (n, L)
    target : ndarray, shape (m, L)
    own : ndarray of int, shape (L,)
        Which target row each centre is.
    """

    source: Array
    target: Array
    own: NDArray[np.intp]

    def some(self, rows: int) -> Distances:
        """Return the distances of at most `rows` rows of each side, none favoured; no centres."""
        parts = [
            D[np.sort(stream(0, "judges", side).permutation(len(D))[:rows])]
            for side, D in (("source", self.source), ("target", self.target))
        ]
        return Distances(parts[0], parts[1], self.own[:0])


def bumps(distances: Array, gamma: float) -> Array:
    """Return exp(-gamma distances), with one matrix of that size."""
    E = distances * -gamma
    return np.exp(E, out=E)


class Chosen(NamedTuple):
    """A width, coefficients (L,), and the bumps at source rows (n, L) for that width."""

    gamma: float
    coefficients: Array
    source: Array


class CentredRatio(RatioReweighter):
    """Weigh source rows by a sum of bumps around target rows.

    A method writes ``_choose(near, widths) -> Chosen``. Parameters that are used: ``n_centres``,
    ``gamma``.

    Attributes
    ----------
    gamma_ : float
        The width in use.
    centres_ : ndarray, shape (L, d)
        Target rows.
    coefficients_ : ndarray, shape (L,)
        Not negative.
    """

    n_centres: int = 100
    gamma: Any = None

    @abstractmethod
    def _choose(self, near: Distances, widths: list[float]) -> Chosen:
        """Return one of the widths and its coefficients, not negative."""

    def _learn(self, source: Array, target: Array) -> Array:
        who = type(self).__name__
        if not (isinstance(self.n_centres, int) and self.n_centres >= 1):
            raise BadInput(f"{who}: n_centres is {self.n_centres}.", cure="n_centres=100")
        if self.gamma is None:
            widths = (median_bandwidth(np.vstack([source, target])) * WIDTHS).tolist()
        else:
            widths = np.atleast_1d(np.asarray(self.gamma, dtype=np.float64)).tolist()
        for gamma in widths:
            positive(who, gamma=gamma)
        own = subsample(target, self.n_centres)
        self.centres_ = target[own]
        near = Distances(
            squared_distances(source, self.centres_), squared_distances(target, self.centres_), own
        )
        found = self._choose(near, sorted(widths))
        self.gamma_, self.coefficients_ = found.gamma, found.coefficients
        weights = found.source @ self.coefficients_
        if not weights.any():
            raise BadInput(
                f"{who}: at gamma={self.gamma_:.3g} no source row lies near a target row.",
                why="all weights would be 0.",
                cure="gamma=None, which tries nine widths; or a mapping: eco.align.CORAL()",
            )
        return log_of(weights)

    def _log_ratio(self, X: Array) -> Array:
        return log_of(rbf_times(X, self.centres_, self.gamma_, self.coefficients_))
