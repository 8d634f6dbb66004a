"""Soft neighbourhood density: target rows should have many neighbours that are answered alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.validate.prediction_entropy import entropy, probabilities

Array = NDArray[np.float64]


@method(
    name="soft_neighbourhood",
    paper="saito2021tune",
    needs={"target_rows"},
    handles=set(),
)
def soft_neighbourhood(
    model: Any,
    X: Any,
    y: NDArray[Any],  # noqa: ARG001  the protocol of scores
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    temperature: float = 0.05,
    rows: int = 2000,
) -> float:
    r"""Mean entropy, in nats, of the similarities between the answers of target rows [1]_.

    .. math:: s = \frac1n \sum_i H(q_i), \qquad
              q_{ij} = \frac{e^{z_i^\top z_j / \tau}}{\sum_{k \ne i} e^{z_i^\top z_k / \tau}},\
              q_{ii} = 0, \qquad z_i = p_i / \lVert p_i \rVert

    p are the predicted probabilities as they are. At most log(n - 1): every row has every other
    one as its neighbour; two tight groups of n/2 have log(n/2 - 1). It depends on n: compare models
    on the same rows. O(n^2) time and memory.

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
        Chooses rows where there are more than `rows`.
    temperature : float, default 0.05
        tau; small: only near neighbours count.
    rows : int, default 2000
        Most target rows that are compared.

    Raises
    ------
    BadInput
        A regressor, a classifier without probabilities, or a temperature that is not positive.
    TooFewRows
        Fewer than 3 target rows.

    Warnings
    --------
    Its best value belongs to a model that answers all rows alike. Never choose a *method* by it;
    let a score that sees labels stand beside it.

    Notes
    -----
    Blind spot: collapse, of the target into one class or of all answers into the uniform one, and
    fewer classes in general: the fewer and larger the groups, the higher the score.

    References
    ----------
    .. [1] Saito, Kim, Teterwak, Sclaroff, Darrell and Saenko, Tune it the right way: unsupervised
       validation of domain adaptation via soft neighborhood density, ICCV 2021.

    Examples
    --------
    >>> bool(np.isclose(density(np.ones((11, 2))), np.log(10)))
    True
    """
    if not temperature > 0:
        raise BadInput(f"temperature is {temperature}.", cure="temperature=0.05")
    p = probabilities(model, X, sample_domain)[sample_domain < 0]
    if len(p) < 3:
        raise TooFewRows(
            f"{len(p)} target rows have no neighbourhoods.",
            cure="hand over 3 target rows or more; ecotone.validate.DomainSplit(2) keeps most",
        )
    if len(p) > rows:
        p = p[np.sort(rng.choice(len(p), rows, replace=False))]
    return density(p, temperature)


def density(p: Array, temperature: float = 0.05) -> float:
    """Return the mean entropy of each row's similarities to all other rows, in nats."""
    z = p / np.linalg.norm(p, axis=1, keepdims=True)
    similar = z @ z.T / temperature
    # minus infinity, so that a row is no neighbour of its own
    np.fill_diagonal(similar, -np.inf)
    return float(entropy(softmax(similar, axis=1)).mean())
