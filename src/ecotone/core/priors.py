"""Class proportions of unlabelled rows, from a classifier trained where they were others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def em_priors(proba: Array, source: Array, *, tol: float = 1e-8, steps: int = 2_000) -> Array:
    r"""Return the most likely class proportions when only these have changed [1]_.

    .. math:: q_{ic} \propto \frac{\pi_c}{\pi^S_c}\,p_S(c \mid x_i), \qquad
              \pi_c \leftarrow \frac1n \sum_i q_{ic}

    from :math:`\pi = \pi^S` until nothing moves: expectation-maximisation of a concave likelihood.

    Parameters
    ----------
    proba : ndarray, shape (n, C)
        Calibrated class probabilities under the source's proportions.
    source : ndarray, shape (C,)
        The source's proportions, all positive.
    tol : float
        Largest move of a proportion in the last step.
    steps : int
        Most steps.

    References
    ----------
    .. [1] Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori
       probabilities, Neural Computation 14, 2002.

    Examples
    --------
    >>> em_priors(np.eye(2)[[0, 0, 0, 1]], np.array([0.5, 0.5])).tolist()
    [0.75, 0.25]
    """
    prior = np.asarray(source, dtype=np.float64)
    for _ in range(steps):
        posterior = proba * (prior / source)
        posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1e-300)
        new = posterior.mean(axis=0)
        if np.abs(new - prior).max() < tol:
            return np.asarray(new)
        prior = new
    return prior
