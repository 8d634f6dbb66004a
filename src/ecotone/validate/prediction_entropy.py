"""Prediction entropy: how sure a model is of the target, after its certainty was made honest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax, xlogy
from sklearn.base import is_regressor

from ecotone.core.errors import BadInput
from ecotone.core.method import method

Array = NDArray[np.float64]
Labels = NDArray[Any]
ZERO = 1e-12  # what an exact zero among probabilities stands for, at most
WIDEST = np.log(1e4)  # log of the largest temperature, and of the smallest one's inverse


@method(
    name="prediction_entropy",
    paper="morerio2018minimal",
    needs={"source_rows", "source_labels", "target_rows"},
    handles=set(),
)
def prediction_entropy(
    model: Any,
    X: Any,
    y: Labels,
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,  # noqa: ARG001  the protocol of scores
    calibration: str = "temperature",
) -> float:
    r"""Minus the mean entropy of calibrated predictions on target rows, as a share of log C [1]_.

    .. math:: s = -\frac{1}{n_T \log C} \sum_{i \in T} H(p_i), \qquad
              p_i = \mathrm{softmax}\big(\log \hat p(x_i) / \tau\big)

    The temperature :math:`\tau` is the one under which held-out source labels are likeliest
    (see `temperature`), so that a model does not win by shouting. -1: all classes alike in every
    row; 0: full certainty.

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
        "none" takes the probabilities as they are, like the published score.

    Raises
    ------
    BadInput
        A regressor, or a classifier without probabilities.

    Notes
    -----
    Blind spot: target rows that are all pressed into one class with full certainty get the best
    value there is, as long as the source rows are predicted well. A collapse of both sides is
    found out by the calibration.

    References
    ----------
    .. [1] Morerio, Cavazza and Murino, Minimal-entropy correlation alignment for unsupervised deep
       domain adaptation, ICLR 2018.

    Examples
    --------
    >>> from ecotone.align import SourceOnly
    >>> from ecotone.validate import scorer
    >>> X, domain = [[0.0], [1.0], [0.1], [0.9]] * 2, [1, 1, -2, -2] * 2
    >>> model = SourceOnly().fit(X, [0, 1, -1, -1] * 2, domain)
    >>> -1 < scorer("prediction_entropy")(model, X, [0, 1, -1, -1] * 2, domain) < 0
    True
    """
    p = target_probabilities(model, X, y, sample_domain, calibration=calibration)
    return float(-entropy(p).mean() / np.log(p.shape[1]))


def entropy(p: Array) -> Array:
    """Return the entropy of each row of probabilities, in nats."""
    out: Array = -xlogy(p, p).sum(axis=-1)
    return out


def target_probabilities(
    model: Any, X: Any, y: Labels, sample_domain: NDArray[np.int64], *, calibration: str
) -> Array:
    """Return the class probabilities of target rows, (n_T, C), calibrated on the source rows."""
    if calibration not in ("temperature", "none"):
        raise BadInput(
            f"calibration is {calibration!r}.", cure='calibration="temperature" or "none"'
        )
    p = probabilities(model, X, sample_domain)
    at = sample_domain > 0
    if calibration == "none":
        return p[~at]
    z, code = logits(p), class_codes(model, np.asarray(y)[at])
    known = code >= 0
    tau = temperature(z[at][known], code[known])
    out: Array = softmax(z[~at] / tau, axis=1)
    return out


def probabilities(model: Any, X: Any, sample_domain: NDArray[np.int64]) -> Array:
    """Return class probabilities, (n, C), each row seen as one of its side.

    Raises
    ------
    BadInput
        The model has none to give.
    """
    classes_only(model)
    if not hasattr(model, "predict_proba"):
        raise BadInput(
            f"{type(model).__name__}'s base estimator gives no probabilities, and this score is "
            "made of them.",
            cure="estimator=sklearn.calibration.CalibratedClassifierCV(estimator)",
        )
    return np.asarray(model.predict_proba(X, sample_domain=sample_domain), dtype=np.float64)


def classes_only(model: Any) -> None:
    """Refuse regressors."""
    if is_regressor(model):
        raise BadInput(
            f"this score judges classes, and {type(model).__name__} predicts numbers.",
            why="a predicted number carries neither a class nor how sure the model is of it.",
            cure='ecotone.validate.scorer("importance_weighted")',
        )


def class_codes(model: Any, y: Labels) -> NDArray[np.int64]:
    """Return the column of each label among the model's classes; -1 for one it does not know."""
    classes = np.asarray(model.classes_)
    given = y.astype(classes.dtype)
    at = np.searchsorted(classes, given).clip(max=len(classes) - 1)
    return np.where(classes[at] == given, at, -1).astype(np.int64)


def logits(p: Array) -> Array:
    """Return logarithms of probabilities; an exact zero counts as 1e-12, or less beside less."""
    least = np.where(p > 0, p, ZERO).min(axis=1, keepdims=True).clip(max=ZERO)
    out: Array = np.log(np.where(p > 0, p, least))
    return out


def temperature(z: Array, code: NDArray[np.int64]) -> float:
    r"""Return the :math:`\tau` that makes labels likeliest under softmax(z / tau).

    One more row, whose label may be any class, is spread over all of them: without it a
    model that makes no mistake on few rows would be given the temperature 0. The loss is convex in
    1 / tau, so there is one minimum; multiplying z by a factor multiplies tau by it.

    Parameters
    ----------
    z : ndarray, shape (n, C)
        Logits up to a constant in each row.
    code : ndarray of int64, shape (n,)
        Columns of the labels.
    """
    scale = float(np.abs(z - z.mean(axis=1, keepdims=True)).mean()) if len(z) else 0.0
    if scale == 0:
        return 1.0  # all classes alike in all rows: no temperature changes anything
    z = z / scale
    spread = 1 / (1 + len(z))
    told = (1 - spread) * z[np.arange(len(z)), code] + spread * z.mean(axis=1)

    def loss(log_beta: float) -> float:
        beta = np.exp(log_beta)
        return float(np.mean(logsumexp(beta * z, axis=1) - beta * told))

    best = minimize_scalar(
        loss, bounds=(-WIDEST, WIDEST), method="bounded", options={"xatol": 1e-9}
    )
    return float(scale * np.exp(-best.x))
