"""Digits without labels (latent label shift), and across feature spaces with three labels a class.

python benchmarks/align_discover.py [shares|spaces]
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ecotone.align import HeterogeneousTransfer, LatentLabelShift
from ecotone.align.heterogeneous_transfer import noise_source


def agreement(y, found):
    """Share of rows in agreement under the best matching of classes."""
    table = np.zeros((y.max() + 1, found.max() + 1))
    np.add.at(table, (y, found), 1)
    return table[linear_sum_assignment(-table)].sum() / len(y)


def digits_in_domains(classes, domains, seed, *, noise=300.0):
    """Digits dealt to domains of Dirichlet(0.5) shares, beside two features of large noise."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    kept = np.sort(rng.permutation(10)[:classes])
    at = np.flatnonzero(np.isin(y, kept))
    X, y = X[at], np.searchsorted(kept, y[at])
    shares = rng.dirichlet(np.full(classes, 0.5), domains).T
    d = np.array([rng.choice(domains, p=shares[c] / shares[c].sum()) for c in y])
    table = np.zeros((classes, domains))
    np.add.at(table, (y, d), 1)
    wide = noise * rng.normal(size=(len(X), 2))
    return np.c_[X, wide], y, d + 1, np.linalg.cond(table / table.sum(axis=0))


def shares():
    print("classes domains  condition  ours  10 cells  k-means  k-means, standardised   CPU s")
    for classes, domains in ((3, 5), (4, 5), (5, 5), (5, 8)):
        found = []
        for seed in range(10):
            X, y, d, condition = digits_in_domains(classes, domains, seed)
            began = time.process_time()
            ours = LatentLabelShift(classes).fit(X, sample_domain=d)
            took = time.process_time() - began
            cells = LatentLabelShift(classes, cells=10).fit(X, sample_domain=d)
            plain = KMeans(classes, n_init=5, random_state=0)
            scaled = StandardScaler().fit_transform(X)
            labels = (ours.labels_, cells.labels_, plain.fit_predict(X), plain.fit_predict(scaled))
            found.append([condition, *(agreement(y, z) for z in labels), took])
        m = np.median(found, axis=0)[0], *np.mean(found, axis=0)[1:]
        print(f"{classes:7} {domains:7} {m[0]:10.1f} {m[1]:5.3f} {m[2]:9.3f} {m[3]:8.3f} "
              f"{m[4]:22.3f} {m[5]:7.2f}")  # fmt: skip


def digits_in_two_spaces(seed, kind, shots=3):
    """Half of the digits in 64 columns, the other half in 16 (4 x 4) or 20 (PCA)."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    at = rng.permutation(len(X))
    s, t = at[: len(at) // 2], at[len(at) // 2 :]
    small = X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    T = (small if kind == "4 x 4" else PCA(20, random_state=0).fit_transform(X))[t]
    few = np.full(len(t), -1)
    for c in range(10):
        few[np.flatnonzero(y[t] == c)[:shots]] = c
    return X[s], y[s], T, few, y[t]


def spaces():
    print("target   target only    noise   source   permuted   one class   CPU s (5 fits)")
    for kind in ("4 x 4", "PCA"):
        found = []
        for seed in range(10):
            Xs, ys, T, few, truth = digits_in_two_spaces(seed, kind)
            new, rng = few < 0, np.random.default_rng(seed)
            noise, turned = noise_source(ys, 64, rng=rng), rng.permutation(10)[ys]
            sources = (
                (None, None),
                (noise, ys),
                (Xs, ys),
                (Xs, turned),
                (Xs[ys == 0], ys[ys == 0]),
            )
            model = HeterogeneousTransfer(random_state=seed)
            began = time.process_time()
            row = [model.fit(T, few, *given).score(T[new], truth[new]) for given in sources]
            found.append([*row, time.process_time() - began])
        m, e = 100 * np.mean(found, axis=0), 100 * np.std(found, axis=0) / 3
        cells = "".join(f" {a:5.1f}+-{b:.1f} " for a, b in zip(m[:5], e[:5], strict=True))
        print(f"{kind:6} {cells} {m[5] / 100:6.1f}")


if __name__ == "__main__":
    asked = sys.argv[1:] or ["shares", "spaces"]
    for name in asked:
        {"shares": shares, "spaces": spaces}[name]()
