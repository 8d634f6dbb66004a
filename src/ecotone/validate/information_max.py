"""Information maximisation: sure of each target row, and not of the same class in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import method
from ecotone.validate.prediction_entropy import entropy, target_probabilities


@method(
    name="information_max",
    paper="shi2012information",
    needs={"source_rows", "source_labels", "target_rows"},
    handles=set(),
)
def information_max(
    model: Any,
    X: Any,
    y: NDArray[Any],
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,  # noqa: ARG001  the protocol of scores
    calibration: str = "temperature",
) -> float:
    r"""Information between target rows and their predicted class, as a share of log C [1]_.

    .. math:: s = \frac{1}{\log C}\Big( H\big(\tfrac{1}{n_T} \sum_{i \in T} p_i\big)
              - \frac{1}{n_T} \sum_{i \in T} H(p_i) \Big)

    p are calibrated as in `prediction_entropy`. 0: the prediction does not depend on the row
    (uniform answers, or one class everywhere); 1: full certainty, all classes equally often.

    Parameters
    ----------
    model : fitted Aligner
        A classifier with ``predict_proba``, fitted on other rows.
    X : array, shape (n, d)
        Held-out rows.
    y : ndarray, shape (n,)
        Labels, target rows masked.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Not drawn from.
    calibration : {"temperature", "none"}, default "temperature"
        "none" takes the probabilities as they are.

    Raises
    ------
    BadInput
        A regressor, or a classifier without probabilities.

    Notes
    -----
    Blind spot: *which* class is called what: a model that swaps two classes has the same score. And
    it expects classes to be equally frequent: where the target is mostly of one class, a model that
    says so scores less than one that spreads its answers.

    References
    ----------
    .. [1] Shi and Sha, Information-theoretical learning of discriminative clusters for unsupervised
       domain adaptation, ICML 2012.

    Examples
    --------
    >>> from ecotone.align import SourceOnly
    >>> from ecotone.validate import scorer
    >>> X, domain = [[0.0], [1.0], [0.1], [0.9]] * 2, [1, 1, -2, -2] * 2
    >>> model = SourceOnly().fit(X, [0, 1, -1, -1] * 2, domain)
    >>> 0 < scorer("information_max")(model, X, [0, 1, -1, -1] * 2, domain) < 1
    True
    """
    p = target_probabilities(model, X, y, sample_domain, calibration=calibration)
    return float((entropy(p.mean(axis=0)) - entropy(p).mean()) / np.log(p.shape[1]))
