"""Deep embedded validation (DEV): a weighted source risk with a control variate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.validate.prediction_entropy import class_codes, logits, probabilities

Array = NDArray[np.float64]
LEAST_ROWS = 10.0  # effective rows below which the score says nothing
OFF = 2.0  # factor by which the mean weight may miss the 1 it should be
LOUDEST = 50.0  # largest log-odds: beyond, exp leaves room for nothing else
FOLDS = 3


@method(
    name="deep_embedded",
    paper="you2019towards",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate"},
)
def deep_embedded(
    model: Any,
    X: Any,
    y: NDArray[Any],
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    loss: str = "error",
) -> float:
    r"""Minus the source risk, weighted in the model's features, less its part that is noise [1]_.

    .. math:: s = -\Big( \frac1n \sum_i w_i \ell_i + \eta \big( \frac1n \sum_i w_i - 1 \big) \Big),
              \qquad \eta = -\frac{\mathrm{cov}(w \ell, w)}{\mathrm{var}(w)}

    The weights :math:`w_i = \frac{n_S}{n_T} \frac{P(T \mid z_i)}{P(S \mid z_i)}` of held-out source
    rows come from a cross-fitted logistic discriminator in the features z the base estimator is
    given. Their mean is known to be 1 if they are right: by how much it is not says how much of the
    risk is an accident of the draw. Without that term this is `importance_weighted`, up to its cut
    and norm. Minus an error rate, or minus the loss's unit.

    Parameters
    ----------
    model : fitted Aligner
        Fitted on other rows.
    X : array, shape (n, d)
        Held-out rows.
    y : ndarray, shape (n,)
        Labels, target rows masked.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Decides the folds of the discriminator.
    loss : {"error", "log"}, default "error"
        For classifiers: 0 or 1, or minus the log-probability of the label in nats. Regressors are
        judged by their squared error.

    Returns
    -------
    float
        At most about 0 (the correction may take it above). NaN, no verdict, where fewer than 10
        effective rows carry it, or the mean weight is below 1/2 or above 2: sides without overlap.

    Notes
    -----
    Blind spot: features in which both sides look alike because the classes were mixed on the way.
    All weights are 1 and the score is the source's risk. With ``loss="log"`` a model whose features
    are constant, at log C, beats a right one that is too sure of itself.

    References
    ----------
    .. [1] You, Wang, Long and Jordan, Towards accurate model selection in deep unsupervised domain
       adaptation, ICML 2019.

    Examples
    --------
    >>> controlled_risk(np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4))
    0.5
    """
    losses = source_losses(model, X, y, sample_domain, loss=loss)
    weight = density_ratio(model, X, sample_domain, rng)
    # weights that are all small lie far from the target, however many effective rows they make up
    lost = weight.sum() ** 2 < LEAST_ROWS * (weight**2).sum()
    if lost or not 1 / OFF <= weight.mean() <= OFF:
        return float("nan")
    return -controlled_risk(losses, weight)


def controlled_risk(losses: Array, weight: Array) -> float:
    """Return the weighted mean loss, freed of what goes along with the mean weight.

    The weights' mean is meant to be 1 and is not made so. Equal weights carry no information: the
    answer is then their product with the mean loss.
    """
    product = weight * losses
    spread = weight.var()
    if spread <= 1e-12 * weight.mean() ** 2:
        return float(product.mean())
    eta = -((product - product.mean()) * (weight - weight.mean())).mean() / spread
    return float(product.mean() + eta * (weight.mean() - 1))


def density_ratio(
    model: Any, X: Any, sample_domain: NDArray[np.int64], rng: np.random.Generator
) -> Array:
    """Return p_T / p_S of source rows in the model's features, neither cut nor scaled."""
    Z = np.asarray(model.features(X, sample_domain=sample_domain), dtype=np.float64)
    there = (sample_domain < 0).astype(np.int64)
    tell = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=500))
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    odds = cross_val_predict(tell, Z, there, cv=split, method="decision_function")
    ratio = np.exp(odds[there == 0].clip(max=LOUDEST))
    out: Array = ratio * (there == 0).sum() / (there == 1).sum()
    return out


def source_losses(
    model: Any, X: Any, y: NDArray[Any], sample_domain: NDArray[np.int64], *, loss: str
) -> Array:
    """Return the loss of each source row."""
    at = sample_domain > 0
    known = np.asarray(y)[at]
    if is_regressor(model):
        guessed = model.predict(X, sample_domain=sample_domain)[at]
        return np.square(known.astype(np.float64) - guessed)
    if loss == "error":
        guessed = np.asarray(model.predict(X, sample_domain=sample_domain))[at]
        return (known.astype(guessed.dtype) != guessed).astype(np.float64)
    if loss != "log":
        raise BadInput(f"loss is {loss!r}.", cure='loss="error" or "log"')
    z, code = logits(probabilities(model, X, sample_domain)[at]), class_codes(model, known)
    # a label the model has no name for is as bad as the worst of those it has
    told = np.where(code >= 0, z[np.arange(len(z)), code], z.min(axis=1))
    out: Array = -told
    return out
