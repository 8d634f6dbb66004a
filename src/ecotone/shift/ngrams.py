"""Divergence of n-gram distributions, with Dirichlet smoothing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.shift._rows import two_samples

Array = NDArray[np.float64]


@method(name="ngrams", paper="lin1991divergence", needs=set(), handles={"covariate"})
def ngrams(
    A: Array,
    B: Array,
    *,
    rng: np.random.Generator | None = None,
    kind: Literal["js", "kl"] = "js",
    smoothing: float = 0.5,
) -> float:
    r"""Jensen-Shannon or Kullback-Leibler divergence of two n-gram distributions, in nats.

    With :math:`p \propto \sum_i A_i + \alpha` and q likewise from B (a Dirichlet prior of
    :math:`\alpha` per n-gram), :math:`m = (p + q)/2` [1]_:

    .. math:: \mathrm{KL}(p\|q) = \sum p \log\frac{p}{q}, \qquad
              \mathrm{JS} = \tfrac12 \mathrm{KL}(p\|m) + \tfrac12 \mathrm{KL}(q\|m)
              \in [0, \log 2]

    Parameters
    ----------
    A : ndarray, shape (n, d)
        Counts of n-grams, a row per piece of text.
    B : ndarray, shape (m, d)
        The other side.
    rng : Generator, optional
        Not used: the divergence is deterministic.
    kind : {"js", "kl"}
        Which divergence. KL is not symmetric: it is that of A from B.
    smoothing : float
        :math:`\alpha`, above 0.

    Returns
    -------
    float
        Nats.

    References
    ----------
    .. [1] Lin, Divergence measures based on the Shannon entropy, 1991.

    Examples
    --------
    >>> ngrams(np.array([[2.0, 0.0]]), np.array([[2.0, 0.0]]))
    0.0
    """
    del rng  # the protocol's: nothing is drawn
    if not smoothing > 0:
        raise BadInput("ngrams: smoothing must be above 0.", cure="-p smoothing=0.5")
    if kind not in ("js", "kl"):
        raise BadInput(f"ngrams: no divergence is called {kind!r}.", cure="-p kind=js or kl")
    A, B = two_samples(A, B, name="ngrams")
    if min(A.min(initial=0.0), B.min(initial=0.0)) < 0:
        raise BadInput("ngrams: a count is negative.", cure="give counts of 0 or more")
    p, q = (X.sum(axis=0) + smoothing for X in (A, B))
    p, q = p / p.sum(), q / q.sum()
    if kind == "kl":
        return float(max(p @ np.log(p / q), 0.0))
    m = (p + q) / 2
    return float(max(0.5 * (p @ np.log(p / m)) + 0.5 * (q @ np.log(q / m)), 0.0))
