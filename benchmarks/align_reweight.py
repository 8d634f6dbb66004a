"""CPU seconds of the reweighting methods of the room align, against the peer.

python benchmarks/align_reweight.py [METHOD ...]

5,000 + 5,000 rows of five classes, 50 features, one thread, each side in a process of its own. The
seconds are those of the weights and of the classifier that is fitted with them, on both sides:
the median of up to 25 fits within three seconds, so that a slow method is timed once.

"obj." is what a method optimises, computed by the same code for both sides, each at its own
weights. kmm: w'Kw / 2 - kappa'w without a ridge (lower is better), our default and our solver on
the peer's program. mmd_tars: squared kernel distance of the class mixture from the target, up to a
constant (lower). kliep: mean log likelihood of the target (higher; each side at its own centres).
Others: the share of the shift that the weights recover along the line between the means (1 is
best). "eff." is the share of effective rows. Memory is what the fit adds to the peak.

The peer's KLIEP stops after two steps of the size of a rounding error (tol=0.05: ours, stopped
early too, no worse than that); its discriminator is fitted
and asked on the same rows once (and its weights are inverted), where ours judges every row by a
fit without its fold. The peer takes one nearest neighbour, ours by default twice the root of the
rows; "one" is the peer's way.
"""

from __future__ import annotations

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
from sklearn.linear_model import LogisticRegression

ROWS, GAMMA = 5_000, 0.02
MOST_FITS, ENOUGH = 25, 3.0  # repetitions, and CPU seconds after which there are no more
GRID = [GAMMA * 2.0**k for k in range(-4, 5)]
SLACK = (np.sqrt(ROWS) - 1) / np.sqrt(ROWS)
# method: keyword arguments of ours; the peer's adapter and its arguments
CASES = {
    "kmm": ("kmm", {"gamma": GAMMA}, "KMMReweightAdapter", {"gamma": GAMMA}),
    "kmm, the peer's program": (
        "kmm",
        {"gamma": GAMMA, "ridge": 0.0, "cap": 1000.0, "slack": SLACK},
        "KMMReweightAdapter",
        {"gamma": GAMMA},
    ),
    "mmd_tars": ("mmd_tars", {"gamma": GAMMA}, "MMDTarSReweightAdapter", {"gamma": GAMMA}),
    "kliep, one width": ("kliep", {"gamma": GAMMA}, "KLIEPReweightAdapter", {"gamma": GAMMA}),
    "kliep, one width, tol=0.05": (
        "kliep",
        {"gamma": GAMMA, "tol": 0.05},
        "KLIEPReweightAdapter",
        {"gamma": GAMMA},
    ),
    "kliep, nine widths": ("kliep", {"gamma": GRID}, "KLIEPReweightAdapter", {"gamma": GRID}),
    "ulsif": ("ulsif", {}, None, {}),
    "ulsif, relative": ("ulsif", {"alpha": 0.1}, None, {}),
    "gaussian_reweight": ("gaussian_reweight", {}, "GaussianReweightAdapter", {}),
    "discriminator_reweight": (
        "discriminator_reweight",
        {},
        "DiscriminatorReweightAdapter",
        {},
    ),
    "nearest_neighbour_reweight": (
        "nearest_neighbour_reweight",
        {},
        "NearestNeighborReweightAdapter",
        {"laplace_smoothing": True},
    ),
    "nearest_neighbour_reweight, one": (
        "nearest_neighbour_reweight",
        {"n_neighbours": 1},
        "NearestNeighborReweightAdapter",
        {"laplace_smoothing": True},
    ),
    "density_reweight": ("density_reweight", {}, "DensityReweightAdapter", {}),
}


def rows(name, n):
    """Return five classes; the target is moved, or (mmd_tars) has other class shares."""
    rng = np.random.default_rng(0)
    y = rng.integers(5, size=2 * n)
    if name == "mmd_tars":
        y[n:] = rng.choice(5, n, p=[0.5, 0.25, 0.15, 0.07, 0.03])
    X = 0.6 * rng.normal(size=(5, 50))[y] + rng.normal(size=(2 * n, 50))
    if name != "mmd_tars":
        X[n:] += 0.15
    return X, y, np.repeat([1, -2], n)


def adapter(case):
    """Return the peer's adapter."""
    warnings.simplefilter("ignore")
    import skada

    return getattr(skada, case[2])(**case[3])


def method(case):
    from ecotone.core.method import find

    return find(case[0]).load()(**case[1])


def weighed(side, case, X, y, domain):
    """Fit weights and the classifier; return the fitted object and the source rows' weights."""
    source = domain > 0
    if side == "ours":
        fitted = method(case).fit(X, y, domain)
        raw = getattr(fitted, "row_weights_", None)  # of sorted rows: put back in their order
        if raw is not None:
            raw = raw[np.argsort(np.argsort(X[source][:, 0], kind="stable"), kind="stable")]
        return fitted, fitted.weights_[source] if raw is None else raw
    fitted = adapter(case).fit(X, y, sample_domain=domain)
    w = fitted.compute_weights(X, y, sample_domain=domain)[source]
    usable = w if np.isfinite(w).all() and w.sum() > 0 else np.ones(len(w))
    LogisticRegression(max_iter=1000).fit(X[source], y[source], sample_weight=usable)
    return fitted, w


def kernel_mean(A, B, W):
    from ecotone.align._kernels import rbf_times

    return rbf_times(A, B, GAMMA, W)


def objective(case, fitted, w, X, y, domain):
    """Return what the method optimises, by code that does not know whose weights it judges."""
    S, T = X[domain > 0], X[domain < 0]
    n, m = len(S), len(T)
    if case[0] == "kmm":
        return w @ kernel_mean(S, S, w) / 2 - n * w @ kernel_mean(S, T, np.full(m, 1 / m))
    if case[0] == "mmd_tars":
        w = w / w.sum()
        hot = np.eye(5)[y[domain > 0]]
        w = hot @ (hot.T @ w / hot.sum(axis=0))
        return w @ kernel_mean(S, S, w) - 2 * w @ kernel_mean(S, T, np.full(m, 1 / m))
    if case[0] == "kliep":
        gamma = getattr(fitted, "gamma_", None) or fitted.best_gamma_
        centres = fitted.centres_ if hasattr(fitted, "centres_") else fitted.centers_
        alpha = fitted.coefficients_ if hasattr(fitted, "centres_") else fitted.alpha_
        from ecotone.align._kernels import rbf

        level = (rbf(S, centres, gamma) @ alpha).mean()
        return np.log(rbf(T, centres, gamma) @ alpha / level).mean()
    line = T.mean(axis=0) - S.mean(axis=0)
    return float((w @ S / w.sum() - S.mean(axis=0)) @ line / (line @ line))


def measure(side, name):
    """Fit once; print CPU seconds, objective and megabytes as JSON."""
    case = CASES[name]
    X, y, domain = rows(case[0], ROWS)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        weighed(side, case, *rows(case[0], 60))  # imports and first calls belong to nobody's fit
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        times: list[float] = []
        while not times or (len(times) < MOST_FITS and sum(times) < ENOUGH):
            start = time.process_time()
            fitted, w = weighed(side, case, X, y, domain)
            times.append(time.process_time() - start)
        seconds = statistics.median(times)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        value = float(objective(case, fitted, w, X, y, domain))
    effective = float(w.sum() ** 2 / (w @ w)) / len(w)
    print(json.dumps([seconds, value, effective, peak]))


def run(side, name):
    code = [sys.executable, __file__, "--one", side, name]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:60]
    return json.loads(done.stdout.splitlines()[-1])


def main(names):
    heads = "ours CPU s,peer CPU s,ratio,ours obj.,peer obj.,ours eff.,peer eff.,ours MB,peer MB"
    widths = (10, 10, 6, 11, 11, 9, 9, 8, 8)
    print(f"{'method':26}", *(f"{h:>{w}}" for h, w in zip(heads.split(","), widths, strict=True)))
    for name in names or CASES:
        ours = run("ours", name)
        theirs = run("peer", name) if CASES[name][2] else "no peer"
        line = f"{name:26} {ours[0]:10.3f}"
        if isinstance(theirs, str):
            print(f"{line} {'':10} {'':6} {ours[1]:11.5g} {'':11} {ours[2]:9.3f} {'':9} "
                  f"{ours[3]:8.0f} {theirs}", flush=True)  # fmt: skip
        else:
            print(f"{line} {theirs[0]:10.3f} {theirs[0] / ours[0]:6.2f} {ours[1]:11.5g} "
                  f"{theirs[1]:11.5g} {ours[2]:9.3f} {theirs[2]:9.3f} {ours[3]:8.0f} "
                  f"{theirs[3]:8.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], sys.argv[3])
    else:
        main(sys.argv[1:])
