"""CPU seconds of the subspace and self-labelling methods of the room align, against the peer.

python benchmarks/align_subspace.py [METHOD ...]

5,000 + 5,000 rows, 50 features, one thread, each method in a process of its own; seconds are the
median of up to 15 fits within three seconds, so that a slow method is timed once. Where the peer
needs more than `PATIENCE` CPU seconds it is measured on fewer rows and scaled by the order of its
algorithm (the table says from how many). "obj." is the accuracy on the target, ours at 5,000 rows
and the peer's at its own number; for transfer_subspace F + D of the projection, lower is better.
Memory is what the fit adds to the peak of the process. "tca" is ours with 500 landmarks,
"tca_all_rows" the exact solution. Below them: both objectives of TCA at 1,000 + 1,000 rows.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.sparse.linalg import eigsh
from sklearn.linear_model import LogisticRegression

FULL, PATIENCE = 5_000, 100
MOST_FITS, ENOUGH = 15, 3.0  # repetitions, and CPU seconds after which there are no more
# method: rows for the peer, in the order they are tried; the power its time grows with
PEERS = {
    "subspace_alignment": ((5_000,), 1),
    "tca": ((2_000, 1_000), 3),
    "tca_all_rows": ((2_000, 1_000), 3),
    "tjm": ((2_000, 1_000), 3),
    "transfer_subspace": ((2_000, 1_000, 500), 2),
    "dasvm": ((1_000, 500, 250), 2),
}
OURS = (
    *PEERS, "transfer_pca", "self_training", "prototypes", "lame", "c_mixup", "few_shot",
    "reflection",
)  # fmt: skip


def rows(n):
    """Return two classes in 50 dimensions and a target that is stretched and moved."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=2 * n)
    X = rng.normal(size=(2 * n, 50))
    X[:, :5] += 0.7 * np.where(y == 1, 1.0, -1.0)[:, None]
    X[n:] = X[n:] * np.linspace(0.8, 1.3, 50) + 0.4
    return X, y, np.repeat([1, -2], n)


def ours(name):
    from ecotone.core.method import find

    given = {
        "transfer_subspace": {"n_components": 5},
        "tca": {"n_components": 20},
        "tca_all_rows": {"n_components": 20, "landmarks": None},
    }
    return find(name.removesuffix("_all_rows")).load()(**given.get(name, {}))


def theirs(name):
    warnings.simplefilter("ignore")
    import skada
    from sklearn.svm import SVC

    return {
        "subspace_alignment": lambda: skada.SubspaceAlignmentAdapter(n_components=50),
        "tca": lambda: skada.TransferComponentAnalysisAdapter(n_components=20),
        "tjm": lambda: skada.TransferJointMatchingAdapter(n_components=20),
        "transfer_subspace": lambda: skada.TransferSubspaceLearningAdapter(n_components=5),
        "dasvm": lambda: skada.DASVMClassifier(SVC(gamma="auto")),
    }[name]()


def kernel_objective(W, X, domain):
    r"""Return three values of an expansion W (n, k) in kernels at all rows, gamma = 1 / d.

    tr (W'AW)^-1 W'BW with the peer's A = I + vv' / 10, which both sides are to make large;
    tr (W'KW)^-1 W'BW over the sum of as many kernel PCA values: how much variance is kept; and the
    mean squared distance of the domains' means, in components of variance 1: small is better.
    """
    from ecotone.align._kernels import rbf

    K = rbf(X, X, 1 / X.shape[1])
    source = domain > 0
    v = K @ np.where(source, 1 / source.sum(), -1 / (~source).sum())
    KW = K @ W
    B = np.cov(KW.T, bias=True) * len(X)
    A = W.T @ W + np.outer(v @ W, v @ W) / 10
    H = K - K.mean(axis=0)
    most = np.sort(eigsh(H - H.mean(axis=1)[:, None], W.shape[1])[0])[::-1].sum()
    means = np.trace(np.linalg.solve(B / len(X), np.outer(v @ W, v @ W))) / W.shape[1]
    kept = np.trace(np.linalg.solve(W.T @ KW, B)) / most
    return [float(np.trace(np.linalg.solve(A, B))), float(kept), float(means)]


def objective(name, fitted, X, y, domain):
    """Return what a method optimises; nan: compare by accuracy on the target."""
    target = domain < 0
    if name == "transfer_subspace":
        from ecotone.align.transfer_subspace import divergence, scatters

        W = np.linalg.qr(getattr(fitted, "projection_", getattr(fitted, "W_", None)))[0]
        some = X[~target][:500], X[target][:500]
        fisher = scatters(X[~target], y[~target], "fisher").loss(W)[0]
        return fisher + divergence(W, *some, "cauchy_schwarz")[0]
    return np.nan


def compare_tca(n):
    """Print CPU seconds and objectives of both sides at n + n rows, and ours with landmarks."""
    from ecotone.align import TCA

    X, y, domain = rows(n)
    order = np.r_[np.flatnonzero(domain > 0), np.flatnonzero(domain < 0)]
    print(f"  tca, {n:,} + {n:,} rows, gamma = 1 / d: CPU s, objective, variance kept, means apart")
    start = time.process_time()
    peer = theirs("tca").fit(X, y, sample_domain=domain)
    report("peer", time.process_time() - start, peer.eigvects_, X[order], domain[order])
    for landmarks in (None, 2 * n, n, 500):
        # the peer weighs the distance by 0.1: a penalty of 10 in ours
        ours = TCA(mu=10.0, gamma=1 / X.shape[1], landmarks=landmarks)
        start = time.process_time()
        ours.fit(X, y, sample_domain=domain)
        seconds = time.process_time() - start
        W = np.zeros((len(X), ours.components_.shape[1]))
        at = np.array([np.flatnonzero((row == X).all(axis=1))[0] for row in ours.landmarks_])
        W[at] = ours.components_
        who = "ours, all rows" if landmarks is None else f"ours, {landmarks:,} landmarks"
        report(who, seconds, W, X, domain)


def report(who, seconds, W, X, domain):
    value, kept, means = kernel_objective(W, X, domain)
    print(f"  {who:24} {seconds:8.2f} {value:12.1f} {kept:8.3f} {means:10.2e}", flush=True)


def fit(method, X, y, domain):
    """Fit a method, the peer's adapters with the same classifier; return a function to score it."""
    if not hasattr(method, "fit_transform"):
        method.fit(X, y, sample_domain=domain)
        return lambda rows, truth: float(np.mean(method.predict(rows) == truth))
    Z = method.fit_transform(X, y, sample_domain=domain)
    last = LogisticRegression(max_iter=1000).fit(Z[domain > 0], y[domain > 0])

    def score(rows, truth):
        return float(
            last.score(method.transform(rows, sample_domain=-np.ones(len(rows), int)), truth)
        )

    return score


def measure(side, name, n):
    """Fit once; print CPU seconds, objective and megabytes as JSON."""
    X, y, domain = rows(n)
    given = np.where(domain > 0, y, -1)
    if name == "few_shot":
        for c in (0, 1):
            at = np.flatnonzero((domain < 0) & (y == c))[:3]
            given[at] = c
    method = (ours if side == "ours" else theirs)(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # imports and first calls belong to nobody's fit
        fit((ours if side == "ours" else theirs)(name), *rows(50))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        times: list[float] = []
        while not times or (len(times) < MOST_FITS and sum(times) < ENOUGH):
            start = time.process_time()
            score = fit(method, X, given, domain)
            times.append(time.process_time() - start)
        seconds = statistics.median(times)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        value = objective(name, method, X, y, domain)
        value = score(X[domain < 0], y[domain < 0]) if np.isnan(value) else value
    print(json.dumps([seconds, value, peak]))


@functools.cache
def run(side, name, n):
    """Measure in a process of its own; None if it takes longer than the patience."""
    code = [sys.executable, __file__, "--one", side, name, str(n)]
    limit = f"ulimit -t {PATIENCE + 20}; exec " + " ".join(code)
    done = subprocess.run(["/bin/bash", "-c", limit], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main(names):
    print(f"{'method':20} {'ours CPU s':>10} {'peer CPU s':>11} {'from rows':>10} {'ratio':>7} "
          f"{'ours obj.':>10} {'peer obj.':>10} {'ours MB':>8} {'peer MB':>8}")  # fmt: skip
    for name in names or OURS:
        seconds, value, peak = run("ours", name, FULL)
        line = f"{name:20} {seconds:10.3f}"
        sizes, power = PEERS.get(name, ((), 1))
        for n in sizes:
            found = run("peer", name.removesuffix("_all_rows"), n)
            if found:
                scaled = found[0] * (FULL / n) ** power
                print(f"{line} {scaled:11.2f} {n:10,} {scaled / seconds:7.1f} {value:10.4f} "
                      f"{found[1]:10.4f} {peak:8.0f} {found[2]:8.0f}", flush=True)  # fmt: skip
                break
        else:
            why = "no peer" if not sizes else "too slow"
            print(f"{line} {why:>11} {'':10} {'':7} {value:10.4f} {'':10} {peak:8.0f}", flush=True)
        if name == "tca_all_rows":
            compare_tca(1_000)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(sys.argv[1:])
