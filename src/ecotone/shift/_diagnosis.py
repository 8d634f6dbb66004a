"""Which shift is it: what tells the target's rows from the sources', and what would undo it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, ks_2samp, norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecotone.core.priors import em_priors
from ecotone.core.seeds import derive, stream
from ecotone.core.verdict import Finding
from ecotone.data.domains import check_domains

Array = NDArray[np.float64]
Kind = Literal["none", "label", "location-scale", "covariate", "disjoint"]
MOST = 4_000  # rows of a side that are looked at
LEVEL = 0.01  # of the joint test
APART = 0.98  # area under the curve from which the sides do not overlap
LITTLE = 0.03  # of the area above one half that may be left where a shift is explained


@dataclass(frozen=True)
class Diagnosis:
    """What was found, in numbers and in sentences.

    Attributes
    ----------
    kind : {"none", "label", "location-scale", "covariate", "disjoint"}
        The simplest shift that explains what is seen. A changed meaning of the labels (concept
        shift) cannot be seen without target labels, whatever the kind.
    tell_apart : float
        Area under the curve of a cross-fitted classifier of source against target rows, the better
        of a linear one and boosted trees; one half: they cannot be told apart.
    p : float
        One-sided, of `tell_apart` against one half.
    after_priors : float
        The same with source rows weighted to the class proportions estimated for the target; NaN
        for regression.
    after_scaling : float
        The same by boosted trees, with each side standardised by itself.
    priors : tuple of float
        Class proportions estimated for the target, if only they had changed.
    effective : float
        Source rows that speak for the target: effective number of rows under the weights that turn
        the sources into the target.
    features : tuple of int
        Columns whose distributions differ, at a false discovery rate of 5 %.
    findings : tuple of Finding
        What to do about it.
    """

    kind: Kind
    tell_apart: float
    p: float
    after_priors: float
    after_scaling: float
    priors: tuple[float, ...]
    effective: float
    features: tuple[int, ...]
    findings: tuple[Finding, ...] = field(default=())


def diagnose(X: Any, y: Any, sample_domain: Any, *, seed: int = 0) -> Diagnosis:
    """Say which shift lies between labelled source rows and unlabelled target rows.

    Parameters
    ----------
    X : array, shape (n, d)
        Finite numbers.
    y : array, shape (n,)
        Labels; those of target rows are not looked at.
    sample_domain : array of int, shape (n,)
        Positive for sources, negative for targets.
    seed : int
        Decides folds, and which rows are looked at when there are more than 4,000 of a side.

    Examples
    --------
    >>> from ecotone.data.shifts import made_shift
    >>> made = made_shift("label", n=400)
    >>> diagnose(made.X, made.y, made.sample_domain).kind
    'label'
    """
    X = np.asarray(X, dtype=np.float64)
    domain = check_domains(sample_domain, len(X))
    rng = stream(seed, "diagnosis")
    at = _some(np.flatnonzero(domain > 0), rng)
    S, T, labels = X[at], X[_some(np.flatnonzero(domain < 0), rng)], np.asarray(y)[at]
    state = derive(seed, "diagnosis folds") % (1 << 32)
    log_odds = _log_odds(S, T, state)
    area, p = _area(log_odds, len(S))
    # the weaker of two tests, straight and bent, counts twice for being chosen
    bent, q = _area(_bent_log_odds(S, T, state), len(S))
    area, p = max(area, bent), min(1.0, 2 * min(p, q))
    scaled, _ = _area(_bent_log_odds(*_standard(S, T, rng), state), len(S))
    weights, priors = _class_weights(S, labels, T)
    explained = float("nan")
    if weights is not None:
        explained = max(
            _area(f(S, T, state, weights), len(S), weights)[0] for f in (_log_odds, _bent_log_odds)
        )
    ratio = np.exp(log_odds[: len(S)] - log_odds[: len(S)].max())
    effective = float(ratio.sum() ** 2 / (ratio**2).sum())
    kind = _kind(area, p, explained, scaled)
    found = Diagnosis(
        kind, area, p, explained, scaled, priors, effective, _columns(S, T), ()
    )  # fmt: skip
    return Diagnosis(**{**found.__dict__, "findings": _findings(found, len(S))})


def _some(at: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return at if len(at) <= MOST else np.sort(rng.choice(at, MOST, replace=False))


def _standard(S: Array, T: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Standardise each side by itself, after noise as wide as the steps of its values.

    Whole numbers with two means would otherwise be told apart by their digits.
    """
    wide = np.array([_step(column) for column in np.vstack([S, T]).T])

    def one(X: Array) -> Array:
        X = X + wide * rng.uniform(-0.5, 0.5, X.shape)
        spread = X.std(axis=0)
        out: Array = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return out

    return one(S), one(T)


def _step(column: Array) -> float:
    """Return the usual gap between neighbouring values; of continuous numbers it is tiny."""
    values = np.unique(column)
    return float(np.median(np.diff(values))) if len(values) > 1 else 0.0


def _squares(X: Array) -> Array:
    """Add squares, so that a change of spread is seen as well."""
    Z = StandardScaler().fit_transform(X)
    return np.hstack([Z, np.minimum(Z**2, 9.0)])


def _log_odds(S: Array, T: Array, state: int, weights: Array | None = None) -> Array:
    """Return each row's cross-fitted log odds of being a target row, sources first."""
    Z = _squares(np.vstack([S, T]))
    there = np.repeat([0, 1], [len(S), len(T)])
    folds = StratifiedKFold(3, shuffle=True, random_state=state)
    tell = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    out: Array = cross_val_predict(
        tell, Z, there, cv=folds, method="decision_function",
        params={"logisticregression__sample_weight": _sides(S, T, weights)},
    )  # fmt: skip
    return out


def _sides(S: Array, T: Array, weights: Array | None) -> Array:
    """Return row weights with which both sides weigh the same."""
    mine = np.ones(len(S)) if weights is None else weights
    return np.concatenate([mine * len(T) / mine.sum(), np.ones(len(T))])


def _bent_log_odds(S: Array, T: Array, state: int, weights: Array | None = None) -> Array:
    """Do the same by boosted trees: sides of equal means and spreads differ in nothing straight."""
    there = np.repeat([0, 1], [len(S), len(T)])
    folds = StratifiedKFold(3, shuffle=True, random_state=state)
    trees = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
    out: Array = cross_val_predict(
        trees, np.vstack([S, T]), there, cv=folds, method="decision_function",
        params={"sample_weight": _sides(S, T, weights)},
    )  # fmt: skip
    return out


def _area(log_odds: Array, n: int, weights: Array | None = None) -> tuple[float, float]:
    """Return the (weighted) area under the curve and its one-sided p against one half."""
    m = len(log_odds) - n
    w = np.ones(n) if weights is None else weights / weights.mean()
    order = np.argsort(log_odds[:n], kind="stable")
    below = np.concatenate([[0.0], np.cumsum(w[order])])
    source = log_odds[:n][order]
    left, right = (np.searchsorted(source, log_odds[n:], side=s) for s in ("left", "right"))
    area = float((below[left] + below[right]).mean() / (2 * below[-1]))
    effective = w.sum() ** 2 / (w**2).sum()
    # out of fold every pair of rows counts twice: without a shift the area varies twice as much
    # as that of scores which were not learnt from the rows themselves
    se = np.sqrt(2 * (effective + m + 1) / (12 * effective * m))
    return area, float(norm.sf((area - 0.5) / se))


def _class_weights(S: Array, y: NDArray[Any], T: Array) -> tuple[Array | None, tuple[float, ...]]:
    """Return weights that give the sources the class proportions estimated for the target."""
    if y.dtype.kind == "f" and (y != np.rint(y)).any():
        return None, ()
    _, codes, counts = np.unique(y.astype(str), return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.min() < 3:
        return None, ()
    guess = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    source = counts / counts.sum()
    priors = em_priors(guess.fit(S, codes).predict_proba(T), source)
    return (priors / source)[codes], tuple(priors.tolist())


def _kind(area: float, p: float, explained: float, scaled: float) -> Kind:
    """Take the simplest explanation that leaves little to be told apart."""
    if p > LEVEL:
        return "none"
    left = LITTLE + 0.1 * (area - 0.5)
    if explained - 0.5 <= left:
        return "label"
    if scaled - 0.5 <= left + 0.02:
        return "location-scale"
    return "disjoint" if min(area, scaled) > APART else "covariate"


def _columns(S: Array, T: Array) -> tuple[int, ...]:
    p = [ks_2samp(S[:, j], T[:, j], method="asymp").pvalue for j in range(S.shape[1])]
    return tuple(np.flatnonzero(false_discovery_control(p) < 0.05).tolist())


_SAYS: dict[Kind, tuple[str, str, str]] = {
    "none": (
        "S401", "source and target rows cannot be told apart: there is no shift of the features.",
        "keep the source model; if it fails on the target, labels changed their meaning: buy "
        "1 to 3 target labels a class",
    ),
    "label": (
        "S402", "other class proportions explain the difference: labels shifted.",
        "--method mlls,bbse: they re-estimate the proportions; aligning features would hurt",
    ),
    "location-scale": (
        "S403", "the target is moved and stretched, feature by feature.",
        "--method per_domain_scaler,coral,linear_ot",
    ),
    "covariate": (
        "S404", "the target lies elsewhere, in a way that neither class proportions nor moving and "
        "stretching explain.",
        "--method coral,linear_ot,discriminator_reweight, and let the guard decide",
    ),
    "disjoint": (
        "S405", "source and target do not overlap, even with each side standardised.",
        "buy labels, 1 to 3 a class: ecotone align ... --few labels.csv",
    ),
}  # fmt: skip


def _findings(found: Diagnosis, rows: int) -> tuple[Finding, ...]:
    out = [Finding(*_SAYS[found.kind])]
    if found.kind in ("covariate", "location-scale") and found.effective < max(30, 0.05 * rows):
        out.append(
            Finding(
                "S406",
                f"only {found.effective:.0f} effective source rows lie where the target does: "
                "reweighting has little to stand on.",
                "prefer methods that move rows: --method coral,linear_ot",
            )
        )
    return tuple(out)
