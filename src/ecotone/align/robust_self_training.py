"""Robust self-training: push rows without labels away from the border, if held-out labels agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._kernels import canonical_order, subsample
from ecotone.align._robust_loss import Rows, fit_line
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.data.domains import Domains

LAMS, GAMMAS = (0.0, 0.3, 1.0, 3.0), (np.inf, 1.0, -1.0)
JUDGES, FREE = 1_000, 2_000  # labelled and unlabelled rows that choose lam and gamma
ERRORS = 2.0  # standard errors by which unlabelled rows must be better than none
TAKEN = {"C", "max_iter", "tol", "solver", "random_state", "n_jobs", "verbose", "warm_start"}


@method(
    name="robust_self_training",
    paper="saberi2024out",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class RobustSelfTraining(Aligner):
    r"""Train a line on few labelled rows and many others that are almost of their kind [1]_.

    .. math:: \min_{w, b}\ \frac1n \sum_i \ell(s_i f(x_i)) + \frac{\|w\|^2}{2Cn}
              + \frac{\lambda}{m} \sum_j \min_{s = \pm 1}\ \sup_z
              \left[ \ell(s f(z)) - \frac{\gamma}{v} \|z - x'_j\|^2 \right]

    with :math:`f = w^\top x + b`, :math:`\ell(u) = \log(1 + e^{-u})` and v the mean variance of a
    feature of the sources. Each row without a label takes the side it lies on, in the worst case
    nearby, since it may come from somewhere else (:math:`\gamma > 0`); in the best case nearby
    (:math:`\gamma < 0`, an infimum and an added cost); or as it is (:math:`\gamma = \infty`). With
    :math:`\lambda = 0` this is logistic regression. Several classes: one line against the rest for
    each.

    :math:`\lambda` and :math:`\gamma` have the lowest log loss of held-out source rows, and
    :math:`\lambda = 0` stands unless that is lower by two standard errors: rows of another kind are
    then not used.

    Parameters
    ----------
    estimator : estimator, optional
        A LogisticRegression; LogisticRegression(max_iter=1000) by default. C is taken from it.
    lam : float or list of float, optional
        One :math:`\lambda` or those to choose from; by default 0, 0.3, 1 and 3.
    gamma : float or list of float, optional
        Not 0; by default infinity, 1 and -1.
    cv : int, default 5
        Folds of source rows.

    Attributes
    ----------
    lam_, gamma_ : float
        Those in use.
    losses_ : dict
        Held-out log loss by (lam, gamma), nats; empty when there was nothing to choose.

    References
    ----------
    .. [1] Saberi et al., Out-of-domain unlabeled data improves generalization, ICLR 2024.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(620) % 2
    >>> X = rng.normal(size=(620, 30)) + 0.5 * np.where(y, 1, -1)[:, None]
    >>> domain = np.where(np.arange(620) < 20, 1, -2)
    >>> fitted = RobustSelfTraining(lam=1.0, gamma=1.0).fit(X, y, domain)
    >>> fitted.score(X, y) > 0.97
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        lam: float | list[float] | None = None,
        gamma: float | list[float] | None = None,
        cv: int = 5,
    ) -> None:
        self.estimator = estimator
        self.lam = lam
        self.gamma = gamma
        self.cv = cv

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        choices = self._choices()
        at = sample_domain > 0
        S, T, labels = X[at], X[~at], y[at]
        mass = np.ones(len(S)) if weight is None else weight[at]
        self.unit_ = float(S.var(axis=0).mean()) or 1.0
        self.losses_: dict[tuple[float, float], float] = {}
        self.lam_, self.gamma_ = choices[0]
        if len(choices) > 1:
            self.lam_, self.gamma_ = self._best(choices, S, labels, mass, T)
        if self.lam_ == 0:
            self.estimator_ = self._fitted(S, labels, None if weight is None else mass)
        else:
            start = self._lines(S, labels, mass, T, 0.0, np.inf)
            self.estimator_ = self._lines(S, labels, mass, T, self.lam_, self.gamma_, start)

    def _choices(self) -> list[tuple[float, float]]:
        """Return pairs (lam, gamma); (0, inf) comes first if it is one of them."""
        self._check_base()
        lams = LAMS if self.lam is None else np.atleast_1d(self.lam).tolist()
        gammas = GAMMAS if self.gamma is None else np.atleast_1d(self.gamma).tolist()
        if not lams or min(lams) < 0 or not np.isfinite(lams).all():
            raise BadInput(f"RobustSelfTraining: lam is {self.lam}.", cure="lam=[0.0, 1.0]")
        if not gammas or 0 in gammas or np.isnan(gammas).any():
            raise BadInput(f"RobustSelfTraining: gamma is {self.gamma}.", cure="gamma=1.0")
        if not (isinstance(self.cv, int) and self.cv >= 2):
            raise BadInput(f"RobustSelfTraining: cv is {self.cv}.", cure="cv=5")
        none = [(0.0, float(np.inf))] if 0 in lams else []
        return none + [(lam, gamma) for lam in lams if lam > 0 for gamma in gammas]

    def _check_base(self) -> None:
        base = self._base()
        if self._is_regressor() or not isinstance(base, LogisticRegression):
            raise BadInput(
                f"RobustSelfTraining trains a logistic regression, and estimator is "
                f"{type(base).__name__}.",
                cure="for another classifier: eco.align.SelfTraining(estimator); for regression: "
                "eco.align.CORAL(Ridge())",
            )
        usual, given = LogisticRegression().get_params(), base.get_params()
        changed = [k for k in given if k not in TAKEN and given[k] != usual[k]]
        if changed:
            raise BadInput(
                f"RobustSelfTraining takes no LogisticRegression with {', '.join(changed)}.",
                cure="estimator=LogisticRegression(C=1.0)",
            )

    def _lines(
        self,
        S: Array,
        y: Labels,
        mass: Array,
        T: Array,
        lam: float,
        gamma: float,
        start: Lines | None = None,
    ) -> Lines:
        """Return a line for each class against the rest; one for two classes."""
        classes, total = np.arange(len(self.classes_)), float(mass.sum())
        wide = [np.column_stack([Z, np.ones(len(Z))]) for Z in (S, T)]
        many = len(classes) > 2
        lines = []
        for i, c in enumerate(classes if many else classes[1:]):
            rows = Rows(wide[0], np.where(y == c, 1.0, -1.0), mass / total, wide[1])
            begin = np.zeros(S.shape[1] + 1) if start is None else start.lines[:, i]
            ridge = 1 / (self._base().C * total)
            lines.append(fit_line(rows, lam, gamma / self.unit_, ridge, begin))
        return Lines(np.column_stack(lines), classes)

    def _best(
        self, choices: list[tuple[float, float]], S: Array, y: Labels, mass: Array, T: Array
    ) -> tuple[float, float]:
        order = canonical_order(S, y)
        order = order[np.sort(stream(0, "judges").permutation(len(S))[:JUDGES])]
        S, y, mass, T = S[order], y[order], mass[order], T[subsample(T, FREE)]
        counts = np.bincount(y, minlength=len(self.classes_))
        number = min(self.cv, int(counts.min()))
        if number < 2:  # nothing can be held out
            return choices[0]
        fold = np.empty(len(y), dtype=np.int64)
        for c in range(len(counts)):
            fold[y == c] = stream(0, "folds", c).permutation(counts[c]) % number
        loss = np.empty((len(choices), len(y)))
        for k in range(number):
            out = fold == k
            loss[:, out] = self._held_out(choices, S, y, mass, T, out)
        mean = np.average(loss, axis=1, weights=mass)
        self.losses_ = dict(zip(choices, mean.tolist(), strict=True))
        best = int(mean.argmin())
        if choices[0][0] == 0 and best:
            gain = loss[0] - loss[best]
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            best = best if mean[0] - mean[best] > ERRORS * error else 0
        return choices[best]

    def _held_out(
        self,
        choices: list[tuple[float, float]],
        S: Array,
        y: Labels,
        mass: Array,
        T: Array,
        out: NDArray[np.bool_],
    ) -> Array:
        """Return the log loss of held-out rows, (choices, rows)."""
        given = S[~out], y[~out], mass[~out], T
        start = self._lines(*given, 0.0, np.inf)
        losses = []
        for lam, gamma in choices:
            model: Any = self._lines(*given, lam, gamma, start) if lam else start
            if lam == 0 and len(self.classes_) > 2:  # that is no set of lines against the rest
                model = self._fitted(*given[:3])
            p = model.predict_proba(S[out])[np.arange(int(out.sum())), y[out]]
            losses.append(-np.log(np.maximum(p, 1e-12)))
        return np.stack(losses)


class Lines:
    """A linear classifier: coefficients (d + 1, 1) for two classes, else (d + 1, C)."""

    def __init__(self, lines: Array, classes: NDArray[np.int64]) -> None:
        self.lines = lines
        self.classes_ = classes
        self.n_features_in_ = len(lines) - 1

    def decision_function(self, X: Array) -> Array:
        """Return values (n,) for two classes, else (n, C)."""
        f: Array = X @ self.lines[:-1] + self.lines[-1]
        return f[:, 0] if len(self.classes_) == 2 else f

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities (n, C): those of the lines, divided by their sum."""
        p = expit(self.decision_function(X))
        if p.ndim == 1:
            return np.column_stack([1 - p, p])
        p = np.maximum(p, 1e-300)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return class numbers (n,)."""
        f = self.decision_function(X)
        return (f > 0).astype(np.int64) if f.ndim == 1 else f.argmax(axis=1)
