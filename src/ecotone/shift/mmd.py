"""Maximum mean discrepancy with a Gaussian kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.shift._rows import two_samples

Array = NDArray[np.float64]


@method(name="mmd", paper="gretton2012kernel", needs=set(), handles={"covariate"})
def mmd(
    A: Array,
    B: Array,
    *,
    rng: np.random.Generator | None = None,
    bandwidth: float | None = None,
) -> float:
    r"""Squared maximum mean discrepancy between two samples, unbiased [1]_.

    .. math:: \frac{1}{n(n-1)}\sum_{i\ne j}k(a_i,a_j) + \frac{1}{m(m-1)}\sum_{i\ne j}k(b_i,b_j)
              - \frac{2}{nm}\sum_{ij}k(a_i,b_j), \qquad k(x,y) = e^{-\|x-y\|^2/(2h^2)}

    Parameters
    ----------
    A : ndarray, shape (n, d)
        One sample, n at least 2.
    B : ndarray, shape (m, d)
        The other, m at least 2.
    rng : Generator, optional
        Not used: the estimate is deterministic.
    bandwidth : float, optional
        h; default: the median distance between rows of both samples together.

    Returns
    -------
    float
        No unit; may be slightly negative. O((n + m)^2 d) time.

    References
    ----------
    .. [1] Gretton et al., A kernel two-sample test, JMLR 2012, equation 3.

    Examples
    --------
    >>> A = np.array([[0.0], [1.0]])
    >>> round(mmd(A, A + 10, bandwidth=1.0), 4)
    1.2131
    """
    del rng  # the protocol's: nothing is drawn
    A, B = two_samples(A, B, name="mmd", least=2)
    n, m = len(A), len(B)
    both = np.vstack([A, B])
    squared = cdist(both, both, "sqeuclidean")
    if bandwidth is None:
        bandwidth = float(np.median(np.sqrt(squared[np.triu_indices(n + m, 1)])))
        # rows that are mostly equal leave no scale: any will do
        bandwidth = bandwidth if bandwidth > 0 else 1.0
    if not bandwidth > 0:
        raise BadInput(f"mmd: the bandwidth is {bandwidth}.", cure="give one above 0")
    K = np.exp(-squared / (2 * bandwidth**2))
    np.fill_diagonal(K, 0.0)
    within = K[:n, :n].sum() / (n * (n - 1)) + K[n:, n:].sum() / (m * (m - 1))
    return float(within - 2 * K[:n, n:].mean())
