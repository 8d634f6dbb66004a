"""Wasserstein distance: sliced, or exact for small samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.method import method
from ecotone.shift._rows import two_samples

Array = NDArray[np.float64]


@method(name="wasserstein", paper="bonneel2015sliced", needs=set(), handles={"covariate"})
def wasserstein(
    A: Array,
    B: Array,
    *,
    rng: np.random.Generator,
    kind: Literal["sliced", "exact"] = "sliced",
    directions: int = 64,
) -> float:
    r"""Wasserstein-2 distance between two samples, averaged over directions or exact.

    .. math:: \mathrm{SW}_2^2 = \frac1P\sum_p \int_0^1
              \left(F^{-1}_{A\theta_p}(t) - F^{-1}_{B\theta_p}(t)\right)^2 dt, \qquad
              \mathrm{W}_2^2 = \min_{T} \sum_{ij} T_{ij}\,\|a_i - b_j\|^2

    Parameters
    ----------
    A : ndarray, shape (n, d)
        One sample.
    B : ndarray, shape (m, d)
        The other.
    rng : Generator
        Draws the directions.
    kind : {"sliced", "exact"}
        Sliced [1]_: O((n + m) P (d + log n)). Exact, by the package POT: O(n^3 log n), for a
        thousand rows or fewer.
    directions : int
        P, random unit vectors.

    Returns
    -------
    float
        In the unit of the rows.

    References
    ----------
    .. [1] Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015.

    Examples
    --------
    >>> A = np.array([[0.0], [1.0]])
    >>> round(wasserstein(A, A + 3, rng=np.random.default_rng(0)), 6)
    3.0
    """
    A, B = two_samples(A, B, name="wasserstein")
    if directions < 1:
        raise BadInput(f"wasserstein: {directions} directions.", cure="-p directions=64")
    if kind == "exact":
        return _exact(A, B)
    if kind != "sliced":
        raise BadInput(f"wasserstein: no kind is called {kind!r}.", cure="-p kind=sliced or exact")
    theta = rng.normal(size=(A.shape[1], directions))
    theta /= np.linalg.norm(theta, axis=0)
    a, b = np.sort(A @ theta, axis=0), np.sort(B @ theta, axis=0)
    # both quantile functions are steps: constant between the places where either jumps
    jumps = np.union1d(np.arange(1, len(a) + 1) / len(a), np.arange(1, len(b) + 1) / len(b))
    middle = jumps - np.diff(jumps, prepend=0.0) / 2
    gap = a[(middle * len(a)).astype(int)] - b[(middle * len(b)).astype(int)]
    return float(np.sqrt((np.diff(jumps, prepend=0.0)[:, None] * gap**2).sum(axis=0).mean()))


def _exact(A: Array, B: Array) -> float:
    try:
        import ot
    except ModuleNotFoundError:
        raise MissingExtra.of("ot", "POT", "the exact Wasserstein distance") from None
    cost = ot.dist(A, B)
    plan = (np.full(len(A), 1 / len(A)), np.full(len(B), 1 / len(B)))
    return float(np.sqrt(max(float(ot.emd2(*plan, cost)), 0.0)))
