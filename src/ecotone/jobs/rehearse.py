"""Before a mixture is confirmed: train it once at full length, and keep the general limit there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.trials import Trials
from ecotone.jobs.decide import Decision
from ecotone.jobs.steps import Steps

Array = NDArray[np.float64]
ROUNDS = 3
SPARE = 0.2  # part of the tolerance that is left for text the rehearsal has not seen
EVAL_TOKENS = 65_536


def rehearse(decision: Decision, steps: Steps) -> Array:
    """Return shares that keep the general limit in a training of full length, on dev text.

    Proxies are shorter than the real training, and the general loss given up for the target grows
    with its length. One run of natural and one of the mixture show by how much; the law is then
    asked again with its limit moved by what it was wrong, at most `ROUNDS` times. Of the mixtures
    that kept the limit the one of lowest target loss is returned; if none did, the one that came
    nearest. ``decision.facts["rehearsal"]`` tells all of it.

    Parameters
    ----------
    decision : Decision
        Supported by evidence.
    steps : Steps
        With a tolerance.
    """
    assert steps.settings.tolerance is not None
    goal = (1 - SPARE) * steps.settings.tolerance
    # what the law was asked for: its error was taken off already
    asked = steps.settings.tolerance - decision.facts["solver"]["margin"]
    shares = [steps.natural, decision.weights]
    for _ in range(ROUNDS):
        trials = steps.train_long(np.vstack(shares), EVAL_TOKENS)
        target, excess = _measured(trials, steps)
        if excess[-1] <= goal or len(shares) > ROUNDS:
            break
        asked = max(asked - (excess[-1] - goal), 0.0)
        shares.append(decision.at(asked))
    kept = np.flatnonzero(excess <= goal)
    best = kept[np.argmin(target[kept])] if len(kept) > 1 else 1 + int(np.argmin(excess[1:]))
    decision.facts["rehearsal"] = _told(trials, target, excess, int(best), goal)
    return shares[best]


def _measured(trials: Trials, steps: Steps) -> tuple[Array, Array]:
    """Return each run's target loss, and its general loss over that of natural, minus 1."""
    question = steps.question()
    general = [trials.targets.index(n) for n in question.general]
    level = trials.scores[:, general].mean(axis=1)
    return trials.target(question.target), level / level[0] - 1


def _told(trials: Trials, target: Array, excess: Array, best: int, goal: float) -> dict[str, Any]:
    rows = [
        {
            "mixture": "natural" if i == 0 else f"candidate {i}",
            "target": float(target[i]), "general": float(excess[i]), "kept": bool(i == best),
            "weights": dict(zip(trials.domains, map(float, trials.weights[i]), strict=True)),
        }
        for i in range(len(trials))
    ]  # fmt: skip
    return {"rows": rows, "goal": goal}
