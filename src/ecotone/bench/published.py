"""Laws on the published runs: five-fold, few runs, fit times, honesty."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.data.published import FIVE, regmix_runs
from ecotone.mix._law import Law
from ecotone.mix.auto import Auto, default_laws, rank_correlation
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.linear_law import LinearLaw
from ecotone.validate.evidence import rank_evidence

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]


def _five() -> tuple[Array, Array]:
    runs = regmix_runs()
    return runs.weights, np.column_stack([runs.target(t) for t in FIVE])


def _rho(predicted: Array, measured: Array) -> float:
    t = measured.shape[1]
    return float(np.mean([rank_correlation(predicted[:, j], measured[:, j]) for j in range(t)]))


def five_fold() -> Rows:
    """Five-fold on the 512 published runs, five domains: rank correlation x 100 and MSE."""
    W, L = _five()
    laws: Mapping[str, Law] = {
        "linear_law": LinearLaw(),
        "effective_data (linear)": EffectiveData(form="linear"),
        "effective_data (shared)": EffectiveData(form="shared"),
        "effective_data": EffectiveData(),
        "effective_data + trees": EffectiveData(residual="trees"),
        "boosted_trees": BoostedTrees(),
        **{n: m for n, m in default_laws(200).items() if not n.startswith("effective")},
        "auto": Auto(),
    }
    rows = []
    for name, law in laws.items():
        began = time.process_time()
        predicted = np.empty_like(L)
        for train, test in KFold(5, shuffle=True, random_state=0).split(W):
            predicted[test] = law.fit(W[train], L[train]).predict(W[test])
        rows.append(
            {
                "law": name,
                "spearman x100": 100 * _rho(predicted, L),
                "mse": float(((predicted - L) ** 2).mean()),
                "cpu s": time.process_time() - began,
            }
        )
    return rows


def few_runs(subsets: int = 10) -> Rows:
    """Fit on 20, 40 and 80 of the 512 runs, test on the rest: mean rank correlation x 100."""
    W, L = _five()
    rows = []
    for name in default_laws(20):
        row: dict[str, Any] = {"law": name}
        for n in (20, 40, 80):
            scores = []
            for subset in range(subsets):
                order = stream(subset, "few runs").permutation(len(W))
                train, test = order[:n], order[n:]
                predicted = default_laws(20, subset)[name].fit(W[train], L[train]).predict(W[test])
                scores.append(100 * _rho(predicted, L[test]))
            row[f"{n} runs"] = float(np.mean(scores))
            row[f"± {n}"] = float(1.96 * np.std(scores, ddof=1) / np.sqrt(subsets))
        rows.append(row)
    return rows


def fit_times() -> Rows:
    """CPU seconds to fit 13 targets on 512 rows."""
    runs = regmix_runs()
    rows = []
    for law in (EffectiveData(), Auto()):
        began = time.process_time()
        law.fit(runs.weights, runs.scores)
        spent = time.process_time() - began
        rows.append({"law": type(law).__name__, "targets": 13, "rows": 512, "cpu s": spent})
    return rows


def honesty(shuffles: int = 100, rows_each: int = 96) -> Rows:
    """Shuffled losses must mean *keep natural*; 90 % intervals must cover 85 to 95 %."""
    runs = regmix_runs()
    kept = supported = 0
    for shuffle in range(shuffles):
        rng = stream(shuffle, "honesty")
        part = runs.rows(rng.permutation(len(runs))[:rows_each])
        y = part.target("pile_cc")
        kept += not _supported(part, rng.permutation(y), shuffle)
        if shuffle < 20:
            supported += _supported(part, y, shuffle)
    return [
        {"what": "shuffled losses: keep natural", "count": kept, "of": shuffles},
        {"what": "true losses: adapt", "count": supported, "of": min(shuffles, 20)},
        *_coverage(runs),
    ]


def _supported(part: Trials, y: Array, seed: int) -> bool:
    law = Auto(seed=seed).fit(part.weights, y)
    return rank_evidence(y, law.oof_[:, 0], rng=stream(seed, "evidence")).supported


def _coverage(runs: Trials) -> Rows:
    """Outer five-fold: intervals of a law that has never seen the fold."""
    W, L = runs.weights, runs.scores
    out = []
    for n in (96, 512):
        order = stream(n, "coverage").permutation(len(W))[:n]
        inside = np.zeros((n, L.shape[1]), dtype=bool)
        for train, test in KFold(5, shuffle=True, random_state=0).split(order):
            span = Auto().fit(W[order[train]], L[order[train]]).predict_interval(W[order[test]])
            true = L[order[test]]
            inside[test] = (span[..., 0] <= true) & (true <= span[..., 1])
        share = 100 * float(inside.mean())
        what = f"90 % intervals, {n} runs, 13 targets: cover"
        out.append({"what": what, "count": share, "of": 100})
    return out
