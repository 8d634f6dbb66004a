"""Which mixture to train next: few runs, each chosen in the light of those before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.trials import Trials
from ecotone.mix._design import SAME, farthest, nearest
from ecotone.mix.objective import Objective

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


def first_runs(candidates: Array, n: int, *, rng: np.random.Generator) -> Rows:
    """Choose the first runs: rows that lie as far from each other as they can.

    Begins at a random row and takes, again and again, the row farthest from all taken so far, in
    Hellinger distance: square roots of shares, so that 1 % against 0 % is a difference.

    Parameters
    ----------
    candidates : ndarray, shape (m, k)
        Mixtures that could be trained.
    n : int
        How many to choose.
    rng : numpy.random.Generator
        Draws the first row.

    Returns
    -------
    ndarray of int, shape (n,)
        Row numbers.

    Raises
    ------
    TooFewRows
        There are fewer than `n` different candidates.
    """
    if n < 1 or not len(candidates):
        return np.zeros(0, dtype=np.int64)
    first = int(rng.integers(len(candidates)))
    points = np.sqrt(candidates)
    rest = farthest(points, n - 1, known=points[[first]])
    return np.concatenate([[first], rest])


def next_runs(
    trials: Trials,
    *,
    objective: Objective,
    law: Any,
    candidates: Array,
    n: int,
    rng: np.random.Generator,
    done_mask: NDArray[np.bool_] | None = None,
    members: int = 4,
    boldness: float = 1.0,
    explore: float = 0.0,
) -> Rows:
    r"""Choose the next mixtures to train.

    An ensemble of the law, one member on all trials and the others on bootstrap samples of them,
    predicts every candidate. The candidates with the lowest

    .. math:: \mathrm{mean}_m f_m(w) - \mathrm{boldness} \cdot \mathrm{sd}_m f_m(w)

    are taken: low because they are good, or because the members disagree and a run would tell. A
    share `explore` of the picks goes to the candidates farthest from everything tried. Picks keep
    a distance from each other, so that a dense set of candidates is not spent on one spot.

    Parameters
    ----------
    trials : Trials
        What was trained so far; see `first_runs` for a beginning.
    objective : Objective
        What is to be low.
    law : Law
        Unfitted; is cloned.
    candidates : ndarray, shape (m, k)
        Mixtures that could be trained.
    n : int
        How many to choose.
    rng : numpy.random.Generator
        Draws the bootstrap samples.
    done_mask : ndarray of bool, shape (m,), optional
        Candidates that must not be chosen; those equal to a trial never are.
    members : int
        Fits of the law, at least 1.
    boldness : float
        Weight of the disagreement.
    explore : float
        Share of the picks, 0 to 1, spent far from everything tried.

    Returns
    -------
    ndarray of int, shape (n,)
        Row numbers of `candidates`, the most wanted first.

    Raises
    ------
    TooFewRows
        Fewer than `n` candidates are left.
    """
    candidates = np.asarray(candidates, dtype=np.float64)
    free = _free(trials, candidates, done_mask, n)
    _check(members, explore)
    far = round(explore * n)
    predicted = ensemble(trials, objective, law, candidates, members, rng)
    score = predicted.mean(axis=0) - boldness * predicted.std(axis=0)
    chosen = _lowest(score, candidates, n - far, free, _spacing(trials.weights))
    free[chosen] = False
    known = np.sqrt(np.concatenate([trials.weights, candidates[chosen]]))
    spread = farthest(np.sqrt(candidates), far, known=known, free=free)
    return np.concatenate([np.array(chosen, dtype=np.int64), spread])


def _check(members: int, explore: float) -> None:
    if members < 1:
        raise BadInput(f"an ensemble of {members} members.", cure="members=4")
    if not 0 <= explore <= 1:
        raise BadInput(f"explore is {explore}.", cure="explore=0.25, a share from 0 to 1")


def _free(
    trials: Trials, candidates: Array, done_mask: NDArray[np.bool_] | None, n: int
) -> NDArray[np.bool_]:
    """Return which candidates may be chosen, at least `n`."""
    if candidates.ndim != 2 or candidates.shape[1] != len(trials.domains):
        raise BadInput(
            f"the candidates have the shape {candidates.shape}; the trials have "
            f"{len(trials.domains)} domains.",
            cure="give one row for each mixture and one column for each domain",
        )
    free = nearest(np.sqrt(candidates), np.sqrt(trials.weights)) > SAME
    if done_mask is not None:
        free &= ~np.asarray(done_mask, dtype=bool)
    if free.sum() < n:
        raise TooFewRows(
            f"{n} new runs are wanted; {free.sum()} candidates are left.",
            cure="give more candidates or ask for fewer runs",
        )
    return free


def ensemble(
    trials: Trials,
    objective: Objective,
    law: Any,
    candidates: Array,
    members: int,
    rng: np.random.Generator,
) -> Array:
    """Predict the objective by `members` fits of the law, shape (members, m).

    The first member sees every trial once, the others bootstrap samples; a law that draws numbers
    gets another seed for each. Only targets the objective looks at are fitted.
    """
    bound = objective.on(trials.targets)
    used = (bound.gradient(np.ones((1, len(trials.targets)))) != 0).any(axis=0)
    out = np.empty((members, len(candidates)))
    for m in range(members):
        rows = np.arange(len(trials)) if m == 0 else rng.integers(len(trials), size=len(trials))
        fitted = _seeded(law, int(rng.integers(2**31))).fit(
            trials.weights[rows], trials.scores[rows][:, used]
        )
        L = np.ones((len(candidates), len(trials.targets)))
        L[:, used] = fitted.predict(candidates).reshape(len(candidates), -1)
        out[m] = bound.value(L)
    return out


def _seeded(law: Any, seed: int) -> Any:
    """Return a fresh copy of the law with another seed, when it has one."""
    fresh = clone(law)
    params = fresh.get_params(deep=False)
    return fresh.set_params(**{k: seed for k in ("seed", "random_state") if k in params})


def _spacing(tried: Array) -> float:
    """Return the least Hellinger distance of two picks: a tenth of that of tried neighbours."""
    points = np.sqrt(tried)
    gaps = (
        [np.sort(np.linalg.norm(points - p, axis=1))[1] for p in points] if len(tried) > 1 else []
    )
    return 0.1 * float(np.median(gaps)) if len(gaps) else 0.0


def _lowest(
    score: Array, candidates: Array, n: int, free: NDArray[np.bool_], spacing: float
) -> list[int]:
    """Take the lowest scores one by one; only where none is left, closer than `spacing`."""
    points = np.sqrt(candidates)
    order = [int(i) for i in np.argsort(score, kind="stable") if free[i]]
    chosen: list[int] = []
    for strict in (True, False):
        for i in order:
            if len(chosen) == n:
                return chosen
            apart = not chosen or np.linalg.norm(points[chosen] - points[i], axis=1).min() > spacing
            if i not in chosen and (apart or not strict):
                chosen.append(i)
    return chosen


def best_run(
    trials: Trials, *, objective: Objective, law: Any, candidates: Array, rng: np.random.Generator
) -> int:
    """Return the candidate with the lowest objective: measured where tried, else predicted.

    A run that came out worse than the law says is not taken for good: its own measurement counts.

    Returns
    -------
    int
        Row number of `candidates`.
    """
    candidates = np.asarray(candidates, dtype=np.float64)
    predicted = ensemble(trials, objective, law, candidates, 1, rng)[0]
    return int(np.argmin(measured_or(predicted, trials, objective, candidates)))


def measured_or(predicted: Array, trials: Trials, objective: Objective, candidates: Array) -> Array:
    """Return the predictions with the measured objective wherever a candidate was tried."""
    score, points = predicted.copy(), np.sqrt(candidates)
    measured = objective.on(trials.targets).value(trials.scores)
    for w, value in zip(np.sqrt(trials.weights), measured, strict=True):
        score[nearest(points, w[None]) <= SAME] = value
    return score
