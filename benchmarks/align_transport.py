"""CPU seconds of the transport methods of the room align, against the peer.

python benchmarks/align_transport.py [METHOD ...]

5,000 + 5,000 rows of five classes, 50 features, one thread, each fit in a process of its own. Both
sides have the same regularisation on the same cost, squared distances over their median; where the
peer cannot divide, its regularisation is multiplied instead, which is the same problem. Where it
needs more than about 100 CPU seconds it is measured on fewer rows and scaled by the order of its
algorithm (the table says from how many). Objectives of both sides are at the peer's rows:

entropic_ot           <G, C> + reg KL(G | a b'), C over its median
class_regularised_ot  that, plus the class term; smoothing as in the peer, whose 1e-3 is added to
                      masses: 5 in ours at 5,000 rows, which flattens the root. The line "(default)"
                      is ours with its own smoothing, against the same peer and without objectives
ot_mapping            cost of the plan, C over its median
jdot                  cost of the best joint plan for the final predictor
others                accuracy on the target, higher is better

The peer's mmd_ls multiplies n x n matrices in every step, which is cubic; at 2,000 rows its time
still grows with a smaller power, and is scaled by the square: a lower bound.

Memory is the peak while fitting, above what was in use before (Linux alone tells).
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LogisticRegression

FULL, PATIENCE, REG, CLASS_REG = 5_000, 150, 0.1, 0.1
DEFAULT = " (default)"
# method: rows for the peer, in the order they are tried; the power its time grows with; least ratio
PEERS = {
    "linear_ot": ((5_000,), 1, 1),
    "ot_mapping": ((5_000,), 2, 1),
    "entropic_ot": ((5_000, 2_000), 2, 4),
    "class_regularised_ot": ((5_000, 2_000), 2, 4),
    "jdot": ((5_000, 2_000), 2, 4),
    "mmd_ls": ((2_000, 1_000), 2, 10),
}


def rows(n):
    """Return five classes in 50 dimensions; the target behind a positive matrix, and moved."""
    fixed = np.random.default_rng(7)
    centres = 0.5 * fixed.normal(size=(5, 50))
    Q, _ = np.linalg.qr(fixed.normal(size=(50, 50)))
    rng = np.random.default_rng(0)
    y = rng.integers(5, size=2 * n)
    X = centres[y] + rng.normal(size=(2 * n, 50))
    X[n:] = X[n:] @ (Q * np.exp(np.linspace(-0.5, 0.5, 50))) @ Q.T + 0.3
    return X, y, np.repeat([1, -2], n)


def scale_of(X, domain):
    """Return what ours divides squared distances by, and their mean."""
    from ecotone.align._costs import costs

    S, T = X[domain > 0], X[domain < 0]
    mean = ((S - T.mean(axis=0)) ** 2).sum(axis=1).mean() + T.var(axis=0).sum()
    return costs(S, T, "sqeuclidean", "benchmark").scale, float(mean)


def ours(name, X, domain):
    from ecotone.core.method import find

    m = int((domain < 0).sum())
    scale, mean = scale_of(X, domain)
    given = {
        "entropic_ot": {"reg": REG},
        "class_regularised_ot": {"reg": REG, "class_reg": CLASS_REG, "smoothing": 1e-3 * m},
        # the peer divides by the mean, and weighs both parts by a half
        "jdot": {"alpha": scale / mean},
    }
    return find(name.removesuffix(DEFAULT)).load()(**given.get(name, {}))


def theirs(name, X, domain):
    warnings.simplefilter("ignore")
    import skada

    (scale, _), m = scale_of(X, domain), int((domain < 0).sum())
    return {
        "linear_ot": lambda: skada.LinearOTMappingAdapter(),
        # its default stops the simplex before the optimum
        "ot_mapping": lambda: skada.OTMappingAdapter(norm="median", max_iter=10**7),
        # its error is a root of squares: 1e-8 is about our sum of 1e-6
        "entropic_ot": lambda: skada.EntropicOTMappingAdapter(reg_e=REG, norm="median", tol=1e-8),
        "class_regularised_ot": lambda: skada.ClassRegularizerOTMappingAdapter(
            reg_e=REG * scale, reg_cl=CLASS_REG * scale / m**0.5
        ),
        "jdot": lambda: skada.JDOTClassifier(LogisticRegression(max_iter=1000), alpha=0.5),
        "mmd_ls": lambda: skada.MMDLSConSMappingAdapter(gamma=1 / scale**0.5),
    }[name]()


def fit(method, X, y, domain):
    """Fit a method, the peer's adapters with the same classifier; return its last classifier."""
    if not hasattr(method, "fit_transform"):
        method.fit(X, y, sample_domain=domain)
        return method
    Z = method.fit_transform(X, y, sample_domain=domain)
    return LogisticRegression(max_iter=1000).fit(Z[domain > 0], y[domain > 0])


def objective(name, fitted, last, X, y, domain):
    """Return what a method minimises, at what either side found; else accuracy on the target."""
    peer = type(fitted).__module__.startswith("skada")
    S, T, labels = X[domain > 0], X[domain < 0], y[domain > 0]
    scale, mean = scale_of(X, domain)
    if name == "jdot":
        return joint_cost(last, S, T, labels, scale / mean) if peer else fitted.objectives_[-1]
    if name == "ot_mapping" and not peer:
        return fitted.efforts_[1]
    if name == "class_regularised_ot" and not peer:
        return fitted.objectives_[1][-1]
    if name in ("ot_mapping", "entropic_ot", "class_regularised_ot"):
        G = fitted.ot_transport_.coupling_ if peer else our_plan(S, T)
        C = ((S**2).sum(axis=1)[:, None] - 2 * S @ T.T + (T**2).sum(axis=1)) / scale
        if not peer:  # the plan is made anew: it must be the one that rows were moved by
            moved = fitted.features(X, domain)[domain > 0]
            np.testing.assert_allclose(G @ T / G.sum(axis=1, keepdims=True), moved, atol=1e-3)
        return value(G, C, labels, name)
    return float(np.mean(last.predict(T) == y[domain < 0]))


def our_plan(S, T):
    """Return the plan of EntropicOT, which keeps the moved rows alone; it is the same each time."""
    from ecotone.align._costs import costs
    from ecotone.align._plans import Scaling

    a, b = np.full(len(S), 1 / len(S)), np.full(len(T), 1 / len(T))
    cost = costs(S, T, "sqeuclidean", "benchmark")
    return Scaling(cost, a, b, REG).run(1e-6, 1000).rows(0, len(S))


def value(G, C, labels, name):
    """Return the objective of a plan, with uniform masses."""
    n, m = G.shape
    out = float((G * C).sum())
    if name == "ot_mapping":
        return out
    inside = G > 0
    out += REG * float((G[inside] * np.log(G[inside] * n * m)).sum())
    if name == "class_regularised_ot":
        share = m * np.array([G[labels == c].sum(axis=0) for c in np.unique(labels)])
        out += CLASS_REG * float(np.sqrt(share + 1e-3 * m).sum()) / m
    return out


def joint_cost(last, S, T, labels, alpha):
    from ecotone.align._costs import costs
    from ecotone.align._exact import exact, potentials

    distances = costs(S, T, "sqeuclidean", "benchmark")
    losses = -last.predict_log_proba(T)
    a, b = np.full(len(S), 1 / len(S)), np.full(len(T), 1 / len(T))
    joint = distances.plus(alpha, np.eye(losses.shape[1])[labels], losses, float(losses.max()))
    return exact(joint, a, b, *potentials(joint, a, b)).cost


def status(field):
    """Return a line of this process's state, in megabytes."""
    with Path("/proc/self/status").open() as lines:
        return next(int(x.split()[1]) for x in lines if x.startswith(field)) / 1024


def settled():
    """Give back what preparations have left, and forget their peak; return the memory in use."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def measure(side, name, n):
    """Fit; print CPU seconds (the median where it is quick), objective and megabytes as JSON."""
    X, y, domain = rows(n)
    given = np.where(domain > 0, y, -1)
    make = ours if side == "ours" else theirs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = rows(60)
        # imports and first calls belong to nobody's fit
        fit(
            make(name, small[0], small[2]), small[0], np.where(small[2] > 0, small[1], -1), small[2]
        )
        method = make(name, X, domain)
        before = settled()
        seconds = []
        while not seconds or (sum(seconds) < 2 and len(seconds) < 9):
            start = time.process_time()
            last = fit(method, X, given, domain)
            seconds.append(time.process_time() - start)
        peak = status("VmHWM") - before
        last = getattr(last, "estimator_", last) if side == "peer" else last
        found = objective(name, method, last, X, y, domain)
    print(json.dumps([float(np.median(seconds)), found, peak]))


def run(side, name, n):
    """Measure in a process of its own; None if it takes longer than the patience."""
    code = [sys.executable, __file__, "--one", side, f"'{name}'", str(n)]
    limit = f"ulimit -t {PATIENCE}; exec " + " ".join(code)
    done = subprocess.run(["/bin/bash", "-c", limit], capture_output=True, text=True, check=False)
    if done.returncode > 0 and done.returncode < 128:
        raise RuntimeError(done.stderr)
    return None if done.returncode else json.loads(done.stdout.splitlines()[-1])


def line(name, mine, scaled, n, peer, *, both=True):
    """Print a line of the table; `mine` and `peer` are seconds, objective and megabytes."""
    found = f"{mine[1]:10.6f} {peer[1]:10.6f}" if both else " " * 21
    print(
        f"{name:30} {mine[0]:10.3f} {scaled:11.3f} {n:10,} {scaled / mine[0]:7.2f} "
        f"{PEERS[name.removesuffix(DEFAULT)][2]:6} {found} {mine[2]:8.0f} {peer[2]:8.0f}",
        flush=True,
    )


def main(names):
    print(
        f"{'method':30} {'ours CPU s':>10} {'peer CPU s':>11} {'from rows':>10} {'ratio':>7} "
        f"{'wanted':>6} {'ours obj.':>10} {'peer obj.':>10} {'ours MB':>8} {'peer MB':>8}"
    )
    for name in names or PEERS:
        mine = run("ours", name, FULL)
        sizes, power, _ = PEERS[name]
        peer, n = next(((p, n) for n in sizes if (p := run("peer", name, n))), (None, 0))
        if peer is None or mine is None:
            print(f"{name:30} too slow", flush=True)
            continue
        if peer[0] < 1:  # other work on the machine counts for more than the difference: in turn
            turns = [(run("ours", name, FULL)[0], run("peer", name, n)[0]) for _ in range(7)]
            mine[0], peer[0] = np.median(turns, axis=0)
        if n != FULL:
            mine[1] = run("ours", name, n)[1]
        scaled = peer[0] * (FULL / n) ** power
        line(name, mine, scaled, n, peer)
        if name == "class_regularised_ot":
            line(name + DEFAULT, run("ours", name + DEFAULT, FULL), scaled, n, peer, both=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(sys.argv[1:])
