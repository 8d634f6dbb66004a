"""What every method on arrays shares: what comes in, what a method may see, and how it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from ecotone.core.errors import BadInput
from ecotone.data.domains import Domains, check_domains, masked

Array = NDArray[np.float64]
Labels = NDArray[Any]


def _base_has(name: str) -> Any:
    """Say whether the fitted (or given) base estimator can answer by `name`."""

    def check(self: Aligner) -> bool:
        base = getattr(self, "estimator_", None)
        return hasattr(self._base() if base is None else base, name)

    return check


class Aligner(MetaEstimatorMixin, BaseEstimator, ABC):
    """Base class of domain adaptation on arrays: a scikit-learn estimator around another one.

    A method writes ``__init__`` (which only stores), ``_fit`` and, where its features differ from
    the rows that come in, ``_features``. This class validates, encodes class labels as 0, 1, ...,
    masks what the method did not ask for, and answers.

    With ``sample_domain=None`` the base estimator is fitted on all rows and nothing else happens.

    Attributes
    ----------
    estimator_ : estimator
        The fitted base estimator; it speaks in class numbers.
    classes_ : ndarray, shape (C,)
        Class labels of the sources, sorted. Only for classifiers.
    adapted_ : bool
        False when fitted without `sample_domain`.
    """

    estimator: Any

    def fit(self, X: Any, y: Any, sample_domain: Any = None, sample_weight: Any = None) -> Self:
        """Fit on labelled source rows and target rows.

        Parameters
        ----------
        X : array, shape (n, d)
            Source and target rows in any order.
        y : array, shape (n,)
            Labels; those of target rows are not looked at (unless the method declares that it
            needs some: then -1, NaN or None stands for an unknown one).
        sample_domain : array of int, shape (n,), optional
            Positive for sources, negative for targets. None: the plain estimator on all rows.
        sample_weight : array, shape (n,), optional
            Weights of the rows.
        """
        if sample_domain is None:
            return self._fit_plain(X, y, sample_weight)
        X = self._rows(X, reset=True)
        domain = check_domains(sample_domain, len(X))
        labels = self._labels(y, domain)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        self.adapted_ = True
        self._fit(X, labels, domain, weight)
        return self

    def _fit_plain(self, X: Any, y: Any, sample_weight: Any) -> Self:
        X, y = validate_data(
            self, X, y, dtype=np.float64, y_numeric=self._is_regressor(), multi_output=False
        )
        if not self._is_regressor():
            check_classification_targets(y)
            self.classes_, y = np.unique(y, return_inverse=True)
            self._two_classes(len(X))
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        self.adapted_ = False
        self.estimator_ = self._fitted(X, y, weight)
        return self

    @abstractmethod
    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        """Learn; must set ``estimator_``.

        `y` holds class numbers (targets -1) or float64 (targets NaN); `weight` is None or (n,).
        """

    def _features(self, X: Array, source: NDArray[np.bool_]) -> Array:  # noqa: ARG002
        """Return what the base estimator is given for these rows; by default the rows."""
        return X

    # ---- what comes in

    def _rows(self, X: Any, *, reset: bool) -> Array:
        try:
            out: Array = validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_all_finite=False
            )
        except (TypeError, ValueError) as error:
            if "convert" not in str(error):
                raise
            raise BadInput(
                f"{type(self).__name__}: X holds values that are no numbers: {error}",
                cure="encode them first: sklearn.preprocessing.OneHotEncoder, or "
                "eco.read_table(path, ...), which does it",
            ) from None
        bad = ~np.isfinite(out)
        if bad.any():
            raise BadInput(
                f"{type(self).__name__}: X holds NaN or inf in {_columns(self, bad)} "
                f"(first at row {int(np.flatnonzero(bad.any(axis=1))[0]):,}).",
                cure="fill them first: sklearn.impute.SimpleImputer()",
            )
        return out

    def _labels(self, y: Any, domain: Domains) -> Labels:
        """Return encoded source labels; target labels masked unless the method declared them."""
        given = np.asarray(y)
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim != 1 or len(given) != len(domain):
            raise BadInput(
                f"{type(self).__name__}: y has the shape {given.shape}; X has {len(domain):,} "
                "rows.",
                cure="one label for each row; those of target rows may be -1 or NaN",
            )
        seen = domain > 0
        if self._sees_target_labels():
            # -1 means unknown only where no source row is labelled so
            whole = not self._is_regressor() and not (given[seen] == -1).any()
            seen = seen | ~masked(given, numbers=whole)
        if self._is_regressor():
            return self._numbers(given, seen)
        return self._classes(given, seen, domain > 0)

    def _numbers(self, y: Labels, seen: NDArray[np.bool_]) -> Labels:
        out = np.full(len(y), np.nan)
        out[seen] = y[seen].astype(np.float64)
        if not np.isfinite(out[seen]).all():
            raise BadInput(
                f"{type(self).__name__}: y holds NaN or inf in source rows (Input y contains NaN).",
                cure="leave those rows out",
            )
        return out

    def _classes(self, y: Labels, seen: NDArray[np.bool_], source: NDArray[np.bool_]) -> Labels:
        if masked(y[source], numbers=False).any():
            raise BadInput(
                f"{type(self).__name__}: {int(masked(y[source], numbers=False).sum()):,} source "
                "rows have no label (NaN or None).",
                cure="leave those rows out, or mark them as target",
            )
        known = y[source]
        check_classification_targets(known.tolist() if known.dtype == object else known)
        self.classes_ = np.unique(known.astype(str) if known.dtype == object else known)
        self._two_classes(int(source.sum()))
        use = y[seen].astype(self.classes_.dtype)
        at = np.searchsorted(self.classes_, use).clip(max=len(self.classes_) - 1)
        strange = self.classes_[at] != use
        if strange.any():
            raise BadInput(
                f"{type(self).__name__}: the target's labels name classes the sources lack: "
                f"{', '.join(map(str, np.unique(use[strange])[:5]))}.",
                why="a class without a source row cannot be learnt by this method.",
                cure="mask those labels (-1), or see: ecotone methods --handles open_set",
            )
        out = np.full(len(y), -1, dtype=np.int64)
        out[seen] = at
        return out

    def _two_classes(self, rows: int) -> None:
        if len(self.classes_) < 2:
            raise BadInput(
                f"{type(self).__name__}: the {rows:,} labelled source rows are all of one class "
                f"({self.classes_[0]}); a classifier can't be trained on only one class.",
                cure="give source rows of two classes or more",
            )

    def _sees_target_labels(self) -> bool:
        return "target_labels" in getattr(type(self), "__ecotone__", {}).get("needs", ())

    # ---- the base estimator

    def _base(self) -> Any:
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def _is_regressor(self) -> bool:
        return self.estimator is not None and is_regressor(self.estimator)

    def _fitted(self, Z: Array, y: Labels, weight: Array | None = None) -> Any:
        """Return a fitted copy of the base estimator."""
        base = clone(self._base())
        if weight is None:
            return base.fit(Z, y)
        if not has_fit_parameter(base, "sample_weight"):
            raise BadInput(
                f"{type(self).__name__} weighs rows, and {type(base).__name__} takes no "
                "sample_weight.",
                cure="use an estimator that does, such as LogisticRegression()",
            )
        return base.fit(Z, y, sample_weight=weight)

    # ---- what goes out

    def features(self, X: Any, sample_domain: Any = None) -> Array:
        """Return what the base estimator is given for these rows, shape (n, k).

        Rows are target rows unless `sample_domain` says otherwise.
        """
        check_is_fitted(self, "estimator_")
        if not self.adapted_:
            return validate_data(self, X, reset=False, dtype=np.float64)
        rows = self._rows(X, reset=False)
        source = np.zeros(len(rows), dtype=bool)
        if sample_domain is not None:
            source = np.asarray(sample_domain) > 0
        return self._features(rows, source)

    def _answer(self, Z: Array) -> Labels:
        """Return class numbers or values for features; a method may override it."""
        return self.estimator_.predict(Z)

    def _proba(self, Z: Array) -> Array:
        """Return class probabilities, (n, C), for features; a method may override it."""
        return self.estimator_.predict_proba(Z)

    def predict(self, X: Any, sample_domain: Any = None) -> Labels:
        """Predict labels; rows are target rows unless `sample_domain` says otherwise."""
        Z = self.features(X, sample_domain)
        out = self._answer(Z) if self.adapted_ else self.estimator_.predict(Z)
        return out if self._is_regressor() else self.classes_[out]

    @available_if(_base_has("predict_proba"))
    def predict_proba(self, X: Any, sample_domain: Any = None) -> Array:
        """Predict class probabilities, shape (n, C), columns in the order of ``classes_``."""
        Z = self.features(X, sample_domain)
        return self._proba(Z) if self.adapted_ else self.estimator_.predict_proba(Z)

    @available_if(_base_has("decision_function"))
    def decision_function(self, X: Any, sample_domain: Any = None) -> Array:
        """Return the base estimator's decision values."""
        Z = self.features(X, sample_domain)
        return self.estimator_.decision_function(Z)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return accuracy, or R2 for regressors, on rows taken as target rows."""
        measure = r2_score if self._is_regressor() else accuracy_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags, base = super().__sklearn_tags__(), get_tags(self._base())
        tags.estimator_type = base.estimator_type
        tags.classifier_tags, tags.regressor_tags = base.classifier_tags, base.regressor_tags
        tags.target_tags = base.target_tags
        tags.input_tags.sparse = False
        return tags


def _columns(estimator: Any, bad: NDArray[np.bool_]) -> str:
    at = np.flatnonzero(bad.any(axis=0))
    names = getattr(estimator, "feature_names_in_", None)
    words = [str(names[i]) if names is not None else f"column {i}" for i in at[:5]]
    return ", ".join(words) + (f" and {len(at) - 5} more" if len(at) > 5 else "")
