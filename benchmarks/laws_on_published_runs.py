"""Rank correlation, squared error and time of every mixing law on 512 published proxy runs.

python benchmarks/laws_on_published_runs.py [LAW ...]

Five targets. "five-fold": out-of-fold predictions of all 512 runs, KFold(5, shuffled, seed 0). "n
rows": fitted on n random runs, tested on 256 others; mean of `DRAWS` draws. Spearman x 100.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.model_selection import KFold

from ecotone.data.published import FIVE, regmix_runs
from ecotone.mix.bimix import BiMix
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.exponential_law import ExponentialLaw
from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear

DRAWS, FEW = 10, (20, 40, 80, 160)
LAWS = {
    "linear_law": LinearLaw(),
    "log_linear": LogLinear(),
    "bimix": BiMix(),
    "exponential_law": ExponentialLaw(),
    "exponential_law, no bound": ExponentialLaw(reach=np.inf),
    "gaussian_process": GaussianProcess(),
    "boosted_trees": BoostedTrees(),
    "boosted_trees, early_stop": BoostedTrees(recipe="early_stop"),
}


def rank(guess, truth):
    rho = [spearmanr(g, y)[0] for g, y in zip(guess.T, truth.T, strict=True)]
    return 100 * float(np.mean(rho))


def five_fold(law, W, L):
    guess = np.empty_like(L)
    for a, b in KFold(5, shuffle=True, random_state=0).split(W):
        guess[b] = clone(law).fit(W[a], L[a]).predict(W[b])
    return rank(guess, L), float(np.mean((guess - L) ** 2))


def few(law, W, L, n):
    out = []
    for draw in range(DRAWS):
        rows = np.random.default_rng(draw).permutation(len(W))
        a, b = rows[:n], rows[256:]
        guess = clone(law).fit(W[a], L[a]).predict(W[b])
        out.append((rank(guess, L[b]), float(np.mean((guess - L[b]) ** 2))))
    return np.mean(out, axis=0)


def main(names):
    runs = regmix_runs()
    W, L = runs.weights, np.column_stack([runs.target(t) for t in FIVE])
    print(f"{'law':28} {'five-fold':>14} " + " ".join(f"{f'{n} rows':>14}" for n in FEW), end=" ")
    print("CPU s, 512 x 13")
    for name in names or LAWS:
        law = LAWS[name]
        cells = [five_fold(law, W, L)]
        for n in FEW:
            enough = n >= law.rows_needed(W.shape[1])
            cells.append(few(law, W, L, n) if enough else (np.nan, np.nan))
        start = time.process_time()
        clone(law).fit(W, runs.scores)
        seconds = time.process_time() - start
        text = " ".join(f"{rho:6.2f} / {mse:.4f}" for rho, mse in cells)
        print(f"{name:28} {text} {seconds:8.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
