"""Source only: fit on the sources, predict the target. The method that does nothing."""

from __future__ import annotations

from typing import Any

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.core.method import method
from ecotone.data.domains import Domains


@method(name="source_only", paper="", needs={"source_rows", "source_labels"}, handles=set())
class SourceOnly(Aligner):
    r"""Fit the base estimator on the source rows; target rows are not looked at.

    .. math:: \hat f = \arg\min_f \sum_{i \in \text{sources}} \ell(y_i, f(x_i))

    The do-nothing method of this room: every gain is a gain over it.

    Parameters
    ----------
    estimator : estimator, optional
        Classifier or regressor; LogisticRegression(max_iter=1000) by default.

    Examples
    --------
    >>> X = [[0.0], [1.0], [0.2], [0.9]]
    >>> SourceOnly().fit(X, [0, 1, -1, -1], [1, 1, -2, -2]).predict(X).tolist()
    [0, 1, 0, 1]
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        at = sample_domain > 0
        self.estimator_ = self._fitted(X[at], y[at], None if weight is None else weight[at])
