"""From a score to a scikit-learn scorer; and the final score, the one place for target labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.metrics import balanced_accuracy_score, r2_score

from ecotone.core.errors import BadInput
from ecotone.core.method import find
from ecotone.core.seeds import stream
from ecotone.data.domains import check_domains, mask_targets
from ecotone.validate.splits import domains_of


class Scorer:
    """A score with the face scikit-learn's searches want; see `scorer`."""

    def __init__(self, name: str, *, seed: int = 0) -> None:
        self.method = find(name, "validate")
        self.seed = seed

    def __call__(self, model: Any, X: Any, y: Any, sample_domain: Any = None) -> float:
        """Return the score of a fitted model on held-out rows, higher is better."""
        domain = domains_of(y, sample_domain)
        blind = mask_targets(y, domain)
        rows = np.asarray(X) if not hasattr(X, "iloc") else X
        value = self.method.load()(
            model, rows, blind, domain, rng=stream(self.seed, "score", self.method.name)
        )
        return float(value)

    def __repr__(self) -> str:
        return f"scorer({self.method.name!r})"


def scorer(name: str, *, seed: int = 0) -> Scorer:
    """Return a score of the room as a scikit-learn scorer.

    Parameters
    ----------
    name : str
        Such as ``"circular"``; see ``ecotone methods --room validate``.
    seed : int, default 0
        Decides what the score draws.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from ecotone.align import CORAL
    >>> from ecotone.data.shifts import made_shift
    >>> from ecotone.validate import DomainSplit
    >>> made = made_shift("affine", n=60)
    >>> search = GridSearchCV(
    ...     CORAL(), {"shrinkage": [1e-3, 1.0]}, scoring=scorer("circular"), cv=DomainSplit(3)
    ... )
    >>> search.fit(made.X, made.y, sample_domain=made.sample_domain).best_params_
    {'shrinkage': 0.001}
    """
    return Scorer(name, seed=seed)


def final_score(
    model: Any, X: Any, y_true: Any, sample_domain: Any = None, *, metric: str | None = None
) -> float:
    """Score a finished model on labelled target rows: the only function that sees their labels.

    Parameters
    ----------
    model : fitted estimator
        Chosen already.
    X, y_true : array
        Rows and true labels.
    sample_domain : array, optional
        With it, only target rows are scored.
    metric : {"balanced_accuracy", "accuracy", "r2"}, optional
        Balanced accuracy for classifiers and R2 for regressors by default.
    """
    labels: NDArray[Any] = np.asarray(y_true)
    if sample_domain is not None:
        at = check_domains(sample_domain, len(labels)) < 0
        X, labels = (X.loc[at] if hasattr(X, "loc") else np.asarray(X)[at]), labels[at]
    metric = metric or ("r2" if is_regressor(model) else "balanced_accuracy")
    predicted = model.predict(X)
    if metric == "accuracy":
        return float(np.mean(predicted == labels))
    if metric == "balanced_accuracy":
        return float(balanced_accuracy_score(labels, predicted))
    if metric == "r2":
        return float(r2_score(labels, predicted))
    raise BadInput(f"no metric is called {metric!r}.", cure='metric="balanced_accuracy"')
