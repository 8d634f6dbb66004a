"""MaNo: the norm of the matrix of normalised logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.validate.prediction_entropy import logits, probabilities

Array = NDArray[np.float64]


@method(
    name="mano",
    paper="xie2024mano",
    needs={"target_rows"},
    handles=set(),
)
def mano(
    model: Any,
    X: Any,
    y: NDArray[Any],  # noqa: ARG001  the protocol of scores
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,  # noqa: ARG001  the protocol of scores
    power: float = 4.0,
    threshold: float = 5.0,
) -> float:
    r"""Return the mean p-norm of normalised logits over target rows and classes [1]_.

    .. math:: s = \Big( \frac{1}{n_T C} \sum_{i \in T} \sum_c \sigma(z_i)_c^p \Big)^{1/p}

    z are logarithms of the probabilities, centred in each row: the logits of multinomial logistic
    regression. The answer is from 1/C (uniform) to :math:`C^{-1/p}` (one-hot). Its meaning is
    a ranking, not an accuracy.

    How far logits are to be believed decides the normalisation :math:`\sigma`: with
    :math:`\Phi = -\mathrm{mean}_{ic} \log \mathrm{softmax}(z_i)_c` above `threshold` it is the
    softmax; below, its second order expansion, which is less carried away:
    :math:`v_c = 1 + z_c + z_c^2/2 > 0`, divided by :math:`\sum_c v_c`.

    Parameters
    ----------
    model : fitted Aligner
        A classifier with ``predict_proba``, fitted on other rows.
    X : array, shape (n, d)
        Held-out rows.
    y : ndarray, shape (n,)
        Not looked at.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Not drawn from.
    power : float, default 4.0
        p of the norm, above 1: large ones listen to sure rows alone.
    threshold : float, default 5.0
        Nats. 0: always the softmax; ``inf``: always the expansion.

    Raises
    ------
    BadInput
        A regressor, a classifier without probabilities, or a power of 1 or less.

    Notes
    -----
    Blind spot: being sure is all it sees; target rows that are pressed into one class get the
    highest value. Two models on different sides of `threshold` are measured with different rods,
    and the expansion is no increasing function: it has its least value at z = -1, so that from
    there on a surer model scores less.

    References
    ----------
    .. [1] Xie, Odonnat, Feofanov, Deng, Zhang and An, MaNo: exploiting matrix norm for unsupervised
       accuracy estimation under distribution shifts, NeurIPS 2024.

    Examples
    --------
    >>> float(norm(np.full((5, 4), 0.25)))
    0.25
    >>> bool(np.isclose(norm(np.eye(4)), 4 ** (-1 / 4)))
    True
    """
    if not power > 1:
        raise BadInput(
            f"power is {power}.",
            why="with 1 every model has the same score: probabilities add up to 1.",
            cure="power=4.0",
        )
    p = probabilities(model, X, sample_domain)[sample_domain < 0]
    return norm(normalised(logits(p), threshold), power)


def normalised(z: Array, threshold: float = 5.0) -> Array:
    """Return logits, (n, C), as numbers that add up to 1 in each row."""
    z = z - z.mean(axis=1, keepdims=True)
    if -log_softmax(z, axis=1).mean() > threshold:
        out: Array = softmax(z, axis=1)
        return out
    taylor = 1 + z + z**2 / 2
    return taylor / taylor.sum(axis=1, keepdims=True)


def norm(q: Array, power: float = 4.0) -> float:
    """Return the root of the mean power over all entries."""
    return float(np.mean(q**power) ** (1 / power))
