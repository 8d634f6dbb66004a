"""The counting oracle against trained mixtures of the demo corpus, and what a decision costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.bench.swarm import TOKENS, swarm
from ecotone.core.errors import TooFewRows
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.mix.auto import default_laws, rank_correlation
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.counting_oracle import CountingOracle
from ecotone.mix.log_linear import LogLinear
from ecotone.mix.prior import Remembered, WithPrior

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]


def zero_runs(out: Path | str, workers: int | None = None) -> Rows:
    """Rank correlation of the oracle, which has seen no run, with trained mixtures."""
    rows = []
    for with_target, n in ((True, 40), (False, 32)):
        store, trials = swarm(out, n=n, with_target=with_target, workers=workers)
        oracle = CountingOracle.of(store, tokens=TOKENS)
        predicted = oracle.predict(trials.weights)
        rho = {
            name: rank_correlation(predicted[:, j], trials.scores[:, j])
            for j, name in enumerate(trials.targets)
        }
        own = float(np.mean([rho[n] for n in store.sources]))
        rows.append(
            {
                "mixtures": f"{n} {'with' if with_target else 'without'} the target's own text",
                "target": rho["clinical"], "mean own-domain": own, **rho,
            }
        )  # fmt: skip
    return rows


def with_runs(out: Path | str, n: int = 8, subsets: int = 20, workers: int | None = None) -> Rows:
    """Each law on `n` runs, with and without the oracle as prior: rank correlation on the rest."""
    store, trials = swarm(out, workers=workers)
    at = trials.targets.index("clinical")
    prior = Remembered(CountingOracle.of(store, tokens=TOKENS, targets=("clinical",)))
    laws: dict[str, Any] = dict(default_laws(n))
    laws |= {f"{k} + oracle": WithPrior(law, prior) for k, law in laws.items()}
    laws["oracle, level and slope"] = WithPrior(None, prior)
    rows = []
    for name, law in laws.items():
        scores = []
        for subset in range(subsets):
            order = stream(subset, "oracle runs").permutation(len(trials))
            train, test = order[:n], order[n:]
            law.fit(trials.weights[train], trials.scores[train, at])
            predicted = law.predict(trials.weights[test])
            scores.append(rank_correlation(predicted, trials.scores[test, at]))
        half = 1.96 * float(np.std(scores, ddof=1)) / np.sqrt(subsets)
        rows.append({"law": name, "runs": n, "spearman": float(np.mean(scores)), "±": half})
    return sorted(rows, key=lambda r: -r["spearman"])


def decision_cost(out: Path | str, draws: int = 200, workers: int | None = None) -> Rows:
    """CPU seconds to a mixture within 1 % of the best of 40 trained mixtures on the target.

    RegMix's recipe trains random mixtures, fits boosted trees and takes the mixture of lowest
    predicted loss; its cost at n runs is that of n proxies, and n is the least number for which the
    choice is within 1 % in at least half of the draws. The oracle's cost is that of counting, plus
    that of the runs it is corrected with (0, 4 or 8).
    """
    store, trials = swarm(out, workers=workers)
    loss = trials.target("clinical")
    each = float(np.mean(list(trials.about["cpu_seconds"])))
    began = time.process_time()
    oracle = CountingOracle.of(store, tokens=TOKENS, targets=("clinical",))
    oracle.predict(trials.weights)
    counting = time.process_time() - began
    rows: Rows = []
    for n in (2, 4, 6, 8, 12, 16, 20, 24, 28, 32, 36, 40):
        share = _within(trials, loss, n, draws, BoostedTrees())
        rows.append({"way": "RegMix: random runs + boosted trees", "runs": n,
                     "within 1 %": share, "cpu s": n * each})  # fmt: skip
    for n in (0, 4, 8):
        law = WithPrior(LogLinear(), Remembered(oracle))
        share = _within(trials, loss, n, draws if n else 1, law)
        rows.append({"way": "counting oracle" + (" + runs" if n else ""), "runs": n,
                     "within 1 %": share, "cpu s": counting + n * each})  # fmt: skip
    theirs = next((r["cpu s"] for r in rows[:12] if r["within 1 %"] >= 0.5), np.inf)
    ours = next((r["cpu s"] for r in rows[12:] if r["within 1 %"] >= 0.5), np.inf)
    rows.append({"way": "ratio", "runs": None, "within 1 %": None, "cpu s": theirs / ours})
    return rows


def _within(trials: Trials, loss: Array, n: int, draws: int, law: Any) -> float:
    """Return how often the law's choice after n random runs is within 1 % of the best."""
    good = 0
    for draw in range(draws):
        train = stream(draw, "decision").permutation(len(loss))[:n]
        if n == 0:
            predicted = law.prior.predict(trials.weights)[:, 0]
        else:
            predicted = _predicted(law, trials.weights, train, loss)
        # a run that was made is known, not predicted
        predicted = predicted.copy()
        predicted[train] = loss[train]
        good += loss[int(np.argmin(predicted))] <= 1.01 * loss.min()
    return good / draws


def _predicted(law: Any, W: Array, train: NDArray[np.int64], loss: Array) -> Array:
    """Return the law's predictions; with too few runs for it, only measured ones can be picked."""
    try:
        return law.fit(W[train], loss[train]).predict(W)
    except TooFewRows:
        return np.full(len(W), np.inf)
