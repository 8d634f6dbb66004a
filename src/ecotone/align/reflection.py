"""Reflection: find which features of the target are which of the source, and in which sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._kernels import canonical_order
from ecotone.align._matching import Cost, Moments, undone
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.data.domains import Domains

HALVINGS = 8  # splits of the source by which the noise of its moments is measured


@method(
    name="reflection",
    paper="vogelstein2015fast",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class Reflection(Aligner):
    r"""Match source features to target features, signs included, by correlations and shapes.

    For sensors that were mirrored, turned by right angles or plugged in another order. Each side is
    standardised by itself; then

    .. math:: z_s S, \qquad S = \arg\min_{S\ \text{signed permutation}} \|R_s S - S R_t\|_F^2
              + w \sum_{i \to j} \int \bigl(F^{-1}_{\pm z_i} - F^{-1}_{z_j}\bigr)^2

    with R the correlations of the features and F their distributions. The search relaxes S to
    differences of doubly stochastic matrices, where the cost is convex, and rounds [1]_. Moves that
    lower the cost by less than it differs between two halves of the source, at these numbers of
    rows, are undone: without evidence features stay where they are.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the matched source; LogisticRegression(max_iter=1000) by default.
    weight : float, default 1.0
        w. Without correlations between features shapes alone decide; signs then need skewed ones.
    caution : float, default 10.0
        A move must lower the cost by this multiple of the noise.
    rounds : int, default 200
        Steps of the convex search, at most.

    Attributes
    ----------
    matches_ : dict of int to ndarray, shape (d, d)
        S of each source domain: 1 or -1 at (i, j) where its feature i is the target's feature j.
    costs_ : dict of int to tuple of float
        Cost of leaving all features where they are, and that of S.

    References
    ----------
    .. [1] Vogelstein et al., Fast approximate quadratic programming for graph matching, PLOS ONE
       2015: the search, there without signs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.gamma(2.0, size=(400, 3)) @ [[1, 0, 0], [0.5, 1, 0], [0, 0.5, 1]]
    >>> domain = np.repeat([1, -2], 200)
    >>> X[200:, 1] *= -1
    >>> Reflection().fit(X, np.arange(400) % 2, domain).matches_[1].diagonal().tolist()
    [1.0, -1.0, 1.0]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        weight: float = 1.0,
        caution: float = 10.0,
        rounds: int = 200,
    ) -> None:
        self.estimator = estimator
        self.weight = weight
        self.caution = caution
        self.rounds = rounds

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if not self.weight >= 0 or not self.caution >= 0 or self.rounds < 1:
            raise BadInput(
                f"Reflection: weight is {self.weight}, caution is {self.caution}, rounds is "
                f"{self.rounds}.",
                cure="weight=1.0, caution=10.0, rounds=200",
            )
        target = X[sample_domain < 0]
        self.target_ = _scale(target)
        Z_t = (target - self.target_[0]) / self.target_[1]
        self.scales_: dict[int, tuple[Array, Array]] = {}
        self.matches_: dict[int, Array] = {}
        self.costs_: dict[int, tuple[float, float]] = {}
        for number in np.unique(sample_domain[sample_domain > 0]).tolist():
            source = X[sample_domain == number]
            self.scales_[number] = _scale(source)
            Z_s = (source - self.scales_[number][0]) / self.scales_[number][1]
            self._match(number, Z_s[canonical_order(source)], Z_t)
        at = sample_domain > 0
        Z = self._matched(X, sample_domain)[at]
        self.estimator_ = self._fitted(Z, y[at], None if weight is None else weight[at])

    def _match(self, number: int, Z_s: Array, Z_t: Array) -> None:
        cost = Cost(Moments.of(Z_s), Moments.of(Z_t), self.weight)
        noise = self._noise(Z_s, len(Z_t)) * self.caution / Z_s.shape[1]
        S = undone(cost.best(rounds=self.rounds), cost, noise)
        self.matches_[number] = S
        self.costs_[number] = (cost.of(np.eye(len(S))), cost.of(S))

    def _noise(self, Z: Array, rows: int) -> float:
        """Return the cost that two samples of the source's law, so large, have by chance."""
        n, found = len(Z), []
        for i in range(HALVINGS):
            order = stream(0, "halves", i).permutation(n)
            halves = []
            for at in (order[: n // 2], order[n // 2 :]):
                mean, deviation = _scale(Z[at])
                halves.append(Moments.of((Z[at] - mean) / deviation))
            cost = Cost(halves[0], halves[1], self.weight)
            found.append(cost.of(np.eye(Z.shape[1])))
        # squared differences of means go with 1 / n + 1 / m
        return float(np.mean(found)) * (1 / n + 1 / rows) * n / 4

    def _matched(self, X: Array, domain: Domains) -> Array:
        Z: Array = (X - self.target_[0]) / self.target_[1]
        for number, (mean, deviation) in self.scales_.items():
            at = domain == number
            Z[at] = (X[at] - mean) / deviation @ self.matches_[number]
        return Z

    def features(self, X: Any, sample_domain: Any = None) -> Array:
        """Return matched features, (n, d); rows are target rows unless a source is named."""
        if sample_domain is None or not self.adapted_:
            return super().features(X, sample_domain)
        return self._matched(self._rows(X, reset=False), np.asarray(sample_domain))

    def _features(self, X: Array, source: Any) -> Array:  # noqa: ARG002  the base class's protocol
        out: Array = (X - self.target_[0]) / self.target_[1]
        return out


def _scale(X: Array) -> tuple[Array, Array]:
    """Return means and deviations of the columns; 1 for a constant column."""
    if len(X) < 4:
        raise TooFewRows(
            f"Reflection: correlations need 4 rows or more; one side has {len(X)}.",
            cure="eco.align.SourceOnly()",
        )
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    level = max(float(deviation.max()), np.finfo(float).tiny)
    return mean, np.where(deviation > 1e-12 * level, deviation, 1.0)
