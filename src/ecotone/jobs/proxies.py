"""Which proxies to train: a spread first, then where the trials point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ecotone.core.errors import Infeasible
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.jobs.decide import problem_of
from ecotone.jobs.steps import Steps
from ecotone.mix._design import farthest, regmix_design
from ecotone.mix._law import Law
from ecotone.mix.counting_oracle import CountingOracle
from ecotone.mix.log_linear import LogLinear
from ecotone.mix.objective import TargetLoss
from ecotone.mix.prior import WithPrior
from ecotone.mix.sequential import next_runs
from ecotone.mix.solver import solve

Array = NDArray[np.float64]
NEAR = 0.02  # Hellinger distance below which a run would tell nothing new
POOL = 400  # random mixtures that proxies are picked from
ROOM_FIRST, ROOM_LATER = 0.12, 0.02  # above the general limit, while the law is rough; and later


def train_proxies(oracle: CountingOracle, steps: Steps) -> Trials:
    """Train half of the proxies on a spread of mixtures, the rest where they point, two by two.

    Each later pair is the best mixture within all limits as far as
    the trials tell, and the pick of the sequential design: a law that is too hopeful where the
    solver goes is corrected there by the next measurement, before it costs a confirmation.
    """
    total = steps.settings.proxies
    first = max(min(total, 6), total // 2)
    rng = stream(steps.seed, "design")
    shares = _spread(oracle, first, steps, rng)
    trials = steps.train(shares)
    while len(shares) < total:
        best = _optimum(WithPrior(LogLinear(), oracle), trials, steps)
        pair = [] if best is None else [best]
        while len(pair) < min(2, total - len(shares)):
            pair.append(_pick(oracle, trials, steps, rng))
        shares = np.vstack([shares, *pair])
        trials = steps.train(shares)
    return trials


def _spread(oracle: CountingOracle, n: int, steps: Steps, rng: np.random.Generator) -> Array:
    """Return natural, the oracle's own optimum, and mixtures far from these and one another.

    Natural must be inside the data, and the optimum is the likely answer. The others keep within
    reach of the general limit, as the oracle sees it: nobody will train on one domain alone, and a
    law that has to bend for such a run is worse where the answer lies.
    """
    names = steps.store.names
    problem = problem_of(oracle, names, names, steps.question())
    guess = solve(problem, rng=stream(steps.seed, "guess"), candidates=500).weights
    pool = regmix_design(steps.natural, POOL, rng, limits=steps.limits.upper)
    known = np.vstack([steps.natural, guess])
    if np.linalg.norm(np.sqrt(known[0]) - np.sqrt(known[1])) < NEAR:
        known = known[:1]
    near = _near_the_limit(oracle.predict, pool, n, ROOM_FIRST, steps)
    rest = farthest(np.sqrt(near), n - len(known), known=np.sqrt(known))
    return np.vstack([known, near[rest]])


def _optimum(law: Law, trials: Trials, steps: Steps) -> Array | None:
    """Return the best mixture within the limits as far as the trials tell, if it is a new one."""
    fitted = law.fit(trials.weights, trials.scores)
    problem = problem_of(
        fitted, trials.targets, trials.domains, steps.question(), tried=trials.weights
    )
    rng = stream(steps.seed, "optimum", len(trials))
    try:
        best = solve(problem, rng=rng, candidates=500).weights
    except Infeasible:  # as far as this law tells; the next runs may tell otherwise
        return None
    near = np.linalg.norm(np.sqrt(trials.weights) - np.sqrt(best), axis=1).min() < NEAR
    return None if near else best


def _pick(oracle: CountingOracle, trials: Trials, steps: Steps, rng: np.random.Generator) -> Array:
    """Return the next run of the sequential design among mixtures near the general limit."""
    pool = regmix_design(steps.natural, POOL, rng, limits=steps.limits.upper)
    rough = clone(WithPrior(LogLinear(), oracle)).fit(trials.weights, trials.scores)
    pool = _near_the_limit(rough.predict, pool, steps.settings.proxies, ROOM_LATER, steps)
    target = steps.corpus.target.name
    # the law is fitted on the target alone there, so its prior may say nothing else
    law = WithPrior(LogLinear(), oracle.only(steps.store.names.index(target)))
    objective = TargetLoss(target).on(trials.targets)
    at = next_runs(trials, objective=objective, law=law, candidates=pool, n=1, rng=rng)
    return pool[at[0]]


def _near_the_limit(
    predict: Callable[[Array], Array], pool: Array, wanted: int, room: float, steps: Steps
) -> Array:
    """Keep the mixtures whose predicted general loss is below its limit, or little above it."""
    question = steps.question()
    general = [steps.store.names.index(n) for n in question.general]
    if question.tolerance is None or not general:
        return pool
    level = predict(np.vstack([question.natural, pool]))[:, general].mean(axis=1)
    excess = level[1:] / level[0] - 1
    near = pool[excess <= question.tolerance + room]
    enough = 4 * wanted
    return near if len(near) >= enough else pool[np.argsort(excess, kind="stable")[:enough]]
