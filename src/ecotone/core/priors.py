"""Class proportions of unlabelled rows, from a classifier trained where they were others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def em_step(pi: Array, R: Array) -> Array:
    """Return the mean posterior under proportions `pi`, given ratios R = p(c|x) / prior(c), (n, C).

    A row that no class explains adds nothing.
    """
    joint = R * pi
    out: Array = (joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
    return out


def expectation_maximisation(
    R: Array, start: Array, *, tol: float = 1e-8, most: int = 2_000
) -> tuple[Array, int]:
    r"""Return the proportions that maximise :math:`\sum_i \log \sum_c \pi_c R_{ic}`, and the steps.

    The likelihood is concave; no step lowers it.

    Parameters
    ----------
    R : ndarray, shape (n, C)
        Not negative.
    start : ndarray, shape (C,)
        Every share above 0.
    tol : float
        Stop when the shares move by less, in sum.
    most : int
        Most steps.
    """
    pi = start
    for step in range(1, most + 1):
        new = em_step(pi, R)
        if np.abs(new - pi).sum() < tol:
            return new, step
        pi = new
    return pi, most


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
        Largest move of all proportions in the last step, in sum.
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
    return expectation_maximisation(proba / prior, prior, tol=tol, most=steps)[0]
