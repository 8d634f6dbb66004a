"""Auto: compare the laws by cross-validation, average the best, and say how far off they are."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.model_selection import KFold

from ecotone.core.errors import MissingExtra, TooFewRows
from ecotone.core.method import PACKAGES, catalogue, method
from ecotone.core.seeds import derive
from ecotone.mix._law import Law
from ecotone.mix.prior import Remembered, WithPrior

Array = NDArray[np.float64]
PICKS = 6  # steps of the greedy average; a weight is a number of picks / PICKS


@dataclass(frozen=True)
class Compared:
    """One law in the comparison.

    Attributes
    ----------
    name : str
        Name of the law; ``+ prior`` when it corrects the prior.
    spearman, mae, rmse : ndarray, shape (t,)
        Out of fold: rank correlation, mean absolute and root mean squared error in nats.
    weight : ndarray, shape (t,)
        Its share of the average, per target.
    seconds : float
        CPU seconds of all its fits.
    note : str
        Why it was left out; empty otherwise.
    """

    name: str
    spearman: Array
    mae: Array
    rmse: Array
    weight: Array
    seconds: float
    note: str = ""


@method(name="auto", paper="", needs={"proxies"}, handles=set())
class Auto(Law):
    r"""Cross-validated choice among the laws, per target, with prediction intervals.

    Every law predicts every trial out of fold. For each target a greedy average of log predictions
    is built from them [1]_: six times the law is added that lowers the squared error of the log
    loss most. The same is done with each fold left out in turn, and that fold predicted: these
    predictions, which neither the laws nor the weights have seen, give the reported rank
    correlation and the intervals.

    .. math:: \log L(w) = \sum_m \alpha_m \log L_m(w), \qquad \alpha_m \ge 0,\ \sum_m \alpha_m = 1

    Parameters
    ----------
    laws : mapping of str to Law, optional
        Candidates; default: every law of the catalogue that is cheap enough for the number of rows
        (see `default_laws`).
    prior : object with ``predict``, optional
        A prediction without runs, such as a `CountingOracle`: every law is also tried as its
        correction.
    folds : int
        Folds; at most 16 rows are left out one by one.
    seed : int
        Decides the folds and the seeds of the laws.

    Attributes
    ----------
    compared_ : list of Compared
        The table.
    oof_ : ndarray, shape (n, t)
        Predictions that neither law nor weights have seen.
    residuals_ : ndarray, shape (n, t)
        log measured minus log predicted, out of fold.

    References
    ----------
    .. [1] Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """

    def __init__(
        self,
        laws: Mapping[str, Law] | None = None,
        *,
        prior: Any = None,
        folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.laws = laws
        self.prior = prior
        self.folds = folds
        self.seed = seed

    def rows_needed(self, k: int) -> int:  # noqa: ARG002  the same for any k
        """Return 5: below, nothing can be compared."""
        return 5

    def _fit(self, W: Array, L: Array) -> None:
        rows = self._folds(len(W))
        candidates = dict(self.laws) if self.laws is not None else default_laws(len(W), self.seed)
        if self.prior is not None:
            prior = Remembered(self.prior)
            candidates |= {f"{n} + prior": WithPrior(m, prior) for n, m in candidates.items()}
            candidates["prior"] = WithPrior(None, prior)
        y = np.log(L)
        names, tables, seconds, notes = [], [], [], {}
        for name, law in candidates.items():
            began = time.process_time()
            try:
                tables.append(self._out_of_fold(law, W, L, rows))
            except (TooFewRows, MissingExtra) as error:
                notes[name] = error.what
                continue
            names.append(name)
            seconds.append(time.process_time() - began)
        if not names:
            raise TooFewRows(
                f"no law can be fitted on {len(W)} trials (n_samples = {len(W)}).",
                cure="run more proxies",
            )
        P = np.stack(tables)  # (m, n, t) log predictions
        weights = self._weigh(P, y, rows)
        self._compare(names, P, y, weights, seconds, notes)
        used = [i for i in range(len(names)) if weights[i].any()]
        self.members_ = [clone(candidates[names[i]]).fit(W, L) for i in used]
        self.weights_ = weights[used]
        self.convex_ = len(used) == 1 and self.members_[0].convex_

    def _folds(self, n: int) -> list[Array]:
        count = n if n <= 16 else min(self.folds, n)
        split = KFold(count, shuffle=True, random_state=derive(self.seed, "folds") % (1 << 32))
        return [test for _, test in split.split(np.zeros(n))]

    def _out_of_fold(self, law: Law, W: Array, L: Array, rows: list[Array]) -> Array:
        out = np.empty_like(L)
        for test in rows:
            train = np.setdiff1d(np.arange(len(W)), test)
            out[test] = clone(law).fit(W[train], L[train]).predict(W[test])
        # a law may predict a loss of 0 or less far from its trials: the log needs a number
        return np.log(np.maximum(out, 1e-3 * L.min(axis=0)))

    def _weigh(self, P: Array, y: Array, rows: list[Array]) -> Array:
        """Find the weights per target, and the predictions that no choice has seen."""
        _, n, t = P.shape
        weights = np.stack([greedy(P[:, :, j], y[:, j]) for j in range(t)], axis=1)
        blind = np.empty((n, t))
        for test in rows:
            rest = np.setdiff1d(np.arange(n), test)
            for j in range(t):
                weight = greedy(P[:, rest, j], y[rest, j])
                blind[test, j] = weight @ P[:, test, j]
        self.oof_ = np.exp(blind)
        self.residuals_ = y - blind
        return weights

    def _compare(
        self, names: list[str], P: Array, y: Array, weights: Array, seconds: list[float],
        notes: dict[str, str],
    ) -> None:  # fmt: skip
        L = np.exp(y)

        def row(name: str, predicted: Array, weight: Array, cpu: float) -> Compared:
            error = predicted - L
            rho = np.array([rank_correlation(predicted[:, j], L[:, j]) for j in range(L.shape[1])])
            mae, rmse = np.abs(error).mean(axis=0), np.sqrt((error**2).mean(axis=0))
            return Compared(name, rho, mae, rmse, weight, cpu)

        self.compared_ = [
            row(name, np.exp(P[i]), weights[i], seconds[i]) for i, name in enumerate(names)
        ]
        whole = row("auto", self.oof_, np.ones(y.shape[1]), sum(seconds))
        empty = np.full(y.shape[1], np.nan)
        self.compared_ += [whole] + [
            Compared(k, empty, empty, empty, np.zeros(y.shape[1]), 0.0, v) for k, v in notes.items()
        ]

    def _log_parts(self, W: Array) -> Array:
        # the members saw checked arrays; checking each question again costs more than answering
        raw = np.stack([m._predict(W).reshape(len(W), -1) for m in self.members_])
        return np.log(np.maximum(raw, 1e-3))

    def _predict(self, W: Array) -> Array:
        return np.exp(np.einsum("mt,mnt->nt", self.weights_, self._log_parts(W)))

    def predict_interval(self, W: Any, level: float = 0.9) -> Array:
        r"""Return intervals of the loss of a new run, (n, t, 2), nats per token.

        The log prediction plus and minus the :math:`\lceil (n+1)\,\mathrm{level} \rceil / n`
        quantile of the absolute out-of-fold residuals (split-conformal rank).
        """
        W = np.atleast_2d(np.asarray(W, dtype=np.float64))
        n = len(self.residuals_)
        rank = min(int(np.ceil((n + 1) * level)), n) - 1
        half = np.sort(np.abs(self.residuals_), axis=0)[rank]
        centre = np.log(self._predict(W))
        return np.exp(np.stack([centre - half, centre + half], axis=-1))

    @property
    def smooth(self) -> bool:
        """Whether every member has a gradient."""
        return hasattr(self, "members_") and all(m.smooth for m in self.members_)

    def _gradient(self, W: Array) -> Array:
        parts = np.exp(self._log_parts(W))
        slopes = np.stack([m.gradient(W).reshape(*parts.shape[1:], -1) for m in self.members_])
        relative = slopes / parts[..., None]
        return self._predict(W)[..., None] * np.einsum("mt,mntk->ntk", self.weights_, relative)

    def __sklearn_clone__(self) -> Auto:
        return Auto(self.laws, prior=self.prior, folds=self.folds, seed=self.seed)


def rank_correlation(a: Array, b: Array) -> float:
    """Return Spearman's rank correlation; 0 when one side is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b)[0])


def greedy(P: Array, y: Array) -> Array:
    """Return weights (m,) of the greedy average of predictions P (m, n) nearest to y (n,)."""
    total = np.zeros(P.shape[1])
    weight = np.zeros(len(P))
    for step in range(1, PICKS + 1):
        error = (((total + P) / step - y) ** 2).sum(axis=1)
        best = int(np.argmin(error))
        total += P[best]
        weight[best] += 1 / PICKS
    return weight


def default_laws(n: int, seed: int = 0) -> dict[str, Law]:
    """Return the candidates for n trials: every law of the room, and the two-stage ones.

    A Gaussian process costs n cubed per kernel step and is left out above 200 trials; trees on
    the residual want 100.
    """
    laws: dict[str, Law] = {}
    for m in catalogue():
        if m.room != "mix" or m.name == "auto" or (m.name == "gaussian_process" and n > 200):
            continue
        kind = m.load() if _installed(m.extra) else None
        if isinstance(kind, type) and issubclass(kind, Law):
            laws[m.name] = _seeded(kind(), seed)
    from ecotone.mix.effective_data import EffectiveData

    laws["effective_data (shared)"] = EffectiveData(form="shared", seed=seed)
    if n >= 100 and _installed("trees"):
        laws["effective_data + trees"] = EffectiveData(residual="trees", seed=seed)
    return laws


def _installed(extra: str) -> bool:
    return not extra or importlib.util.find_spec(PACKAGES[extra]) is not None


def _seeded(law: Law, seed: int) -> Law:
    for name in ("seed", "random_state"):
        if name in law.get_params():
            law.set_params(**{name: derive(seed, type(law).__name__) % (1 << 31)})
    return law
