"""Thresholded confidence (ATC): what share of the target is as sure as right source rows are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.validate.prediction_entropy import class_codes, entropy, probabilities

Array = NDArray[np.float64]


@method(
    name="thresholded_confidence",
    paper="garg2022leveraging",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate"},
)
def thresholded_confidence(
    model: Any,
    X: Any,
    y: NDArray[Any],
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,  # noqa: ARG001  the protocol of scores
    confidence: str = "entropy",
) -> float:
    r"""Estimate the accuracy on the target by a threshold on confidence [1]_.

    .. math:: s = \frac{1}{n_T} \sum_{i \in T} \mathbb 1[c(x_i) \ge t], \qquad
              \frac{1}{n_S} \sum_{i \in S} \mathbb 1[c(x_i) \ge t] =
              \frac{1}{n_S} \sum_{i \in S} \mathbb 1[y_i = f(x_i)]

    The threshold is set on held-out source rows so that as many lie above it as are right. Rows
    that tie with it count in part, on both sides by the same part, so that the equation holds
    exactly even for a model with few different confidences (a tree). From 0 to 1, an accuracy.

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
    confidence : {"entropy", "largest"}, default "entropy"
        Minus the entropy of a row's probabilities, or the largest of them.

    Raises
    ------
    BadInput
        A regressor, or a classifier without probabilities.

    Notes
    -----
    Blind spot: confidence must mean the same on both sides. Target rows far from every border, or
    pressed into one class, are above any threshold; a changed p(y|x) is not seen.

    References
    ----------
    .. [1] Garg, Balakrishnan, Lipton, Neyshabur and Sedghi, Leveraging unlabeled data to predict
       out-of-distribution performance, ICLR 2022.

    Examples
    --------
    >>> right = np.array([True, True, True, False])
    >>> share_above(np.array([0.9, 0.8, 0.7, 0.6]), right, np.array([0.95, 0.65]))
    0.5
    """
    p, at = probabilities(model, X, sample_domain), sample_domain > 0
    if confidence == "entropy":
        sure = -entropy(p)
    elif confidence == "largest":
        sure = p.max(axis=1)
    else:
        raise BadInput(f"confidence is {confidence!r}.", cure='confidence="entropy" or "largest"')
    right = p[at].argmax(axis=1) == class_codes(model, np.asarray(y)[at])
    return share_above(sure[at], right, sure[~at])


def share_above(source: Array, right: NDArray[np.bool_], target: Array) -> float:
    """Return the share of the target above the threshold that splits the source as `right` does.

    Parameters
    ----------
    source : ndarray, shape (n,)
        Confidences of source rows.
    right : ndarray of bool, shape (n,)
        Whether they are predicted rightly.
    target : ndarray, shape (m,)
        Confidences of target rows.
    """
    above = int(right.sum())
    if above == 0:
        return 0.0
    threshold = np.sort(source)[-above]
    part = (above - (source > threshold).sum()) / (source == threshold).sum()
    return float((target > threshold).mean() + part * (target == threshold).mean())
