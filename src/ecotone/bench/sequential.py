"""How many runs a sequential choice saves: replayed on a table of runs that were all trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.data.published import regmix_runs
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.objective import TargetLoss
from ecotone.mix.sequential import ensemble, first_runs, measured_or, next_runs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replay:
    """What was lost by choosing among the runs with only some of them known.

    Attributes
    ----------
    chosen : str
        ``"sequential"`` or ``"random"``.
    runs : ndarray of int, shape (s,)
        Runs used.
    regret : ndarray, shape (seeds, t, s)
        Measured loss of the pick minus the lowest of the table, nats per token. The pick is the
        lowest measured loss among the runs used or, if lower, the lowest predicted of the others.
    predictor_regret : ndarray, shape (seeds, t, s)
        The same when the pick is the lowest prediction over all runs, whatever was measured.
    targets : tuple of str
        Names.
    """

    chosen: str
    runs: NDArray[np.int64]
    regret: Array
    predictor_regret: Array
    targets: tuple[str, ...]

    def rows(self) -> list[dict[str, float | int | str]]:
        """Return a table: runs, mean regret over targets and seeds, spread over seeds."""
        by_seed = self.regret.mean(axis=1)
        return [
            {
                "chosen": self.chosen,
                "runs": int(n),
                "regret": float(by_seed[:, i].mean()),
                "regret_seed_sd": float(by_seed[:, i].std(ddof=1)) if len(by_seed) > 1 else np.nan,
                "regret_worst_target": float(self.regret[:, :, i].mean(axis=0).max()),
                "predictor_regret": float(self.predictor_regret[:, :, i].mean()),
            }
            for i, n in enumerate(self.runs)
        ]

    def runs_to(self, regret: float) -> int | None:
        """Return the least runs whose mean regret, and that of all more, is at most `regret`."""
        low = self.regret.mean(axis=(0, 1)) <= regret
        good = np.flatnonzero(np.logical_and.accumulate(low[::-1])[::-1])
        return int(self.runs[good[0]]) if len(good) else None


def replay(
    trials: Trials,
    *,
    law: Any,
    targets: Sequence[str] = (),
    first: int = 16,
    batch: int = 8,
    total: int = 60,
    seeds: int = 3,
    members: int = 4,
    explore: float = 0.0,
) -> Replay:
    """Choose runs for one target after the other, batch by batch, as if the others were unknown.

    Parameters
    ----------
    trials : Trials
        Every run of the table.
    law : Law
        Unfitted.
    targets : sequence of str
        All when empty. Each has its own sequence of runs.
    first, batch, total : int
        Runs to begin with (spread out), runs per batch, runs in the end.
    seeds : int
        Repetitions.
    members, explore
        Passed to `ecotone.mix.sequential.next_runs`.
    """
    if not 2 <= first <= total <= len(trials):
        raise BadInput(
            f"replay: {first} first runs, {total} in the end, of {len(trials)}.",
            cure="first <= total <= the number of runs in the table",
        )
    targets = tuple(targets) or trials.targets
    sizes = np.array([*range(first, total, batch), total])
    regret = np.empty((seeds, len(targets), len(sizes)))
    plain = np.empty_like(regret)
    for seed in range(seeds):
        for i, target in enumerate(targets):
            rng = stream(seed, "replay", target)
            done = first_runs(trials.weights, first, rng=rng)
            for j, size in enumerate(sizes):
                if j:
                    more = next_runs(
                        trials.rows(done), objective=TargetLoss(target), law=law,
                        candidates=trials.weights, n=int(size) - len(done), rng=rng,
                        members=members, explore=explore,
                    )  # fmt: skip
                    done = np.concatenate([done, more])
                regret[seed, i, j], plain[seed, i, j] = _regret(trials, done, target, law, rng)
    return Replay("sequential", sizes, regret, plain, targets)


def random_runs(
    trials: Trials,
    *,
    law: Any,
    sizes: Sequence[int] = (40, 60, 160),
    targets: Sequence[str] = (),
    seeds: int = 3,
) -> Replay:
    """Do the same with runs drawn at random; the smaller sets are parts of the larger."""
    targets = tuple(targets) or trials.targets
    regret = np.empty((seeds, len(targets), len(sizes)))
    plain = np.empty_like(regret)
    for seed in range(seeds):
        order = stream(seed, "random runs").permutation(len(trials))
        for i, target in enumerate(targets):
            rng = stream(seed, "random runs", target)
            for j, size in enumerate(sizes):
                found = _regret(trials, order[:size], target, law, rng)
                regret[seed, i, j], plain[seed, i, j] = found
    return Replay("random", np.array(sizes), regret, plain, targets)


def _regret(
    trials: Trials, done: NDArray[np.int64], target: str, law: Any, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the regret of the pick, and that of the predictor alone."""
    known, objective, losses = trials.rows(done), TargetLoss(target), trials.target(target)
    predicted = ensemble(known, objective, law, trials.weights, 1, rng)[0]
    score = measured_or(predicted, known, objective, trials.weights)
    lowest = float(losses.min())
    return float(losses[np.argmin(score)]) - lowest, float(losses[np.argmin(predicted)]) - lowest


def suite_rows(seeds: int = 3) -> list[dict[str, float | int | str]]:
    """Replay the published runs: chosen ones against random ones, with two laws for the latter."""
    trials = regmix_runs()
    law = EffectiveData(starts=2)
    rows: list[dict[str, float | int | str]] = []
    for name, made in (
        ("chosen, effective_data", replay(trials, law=law, seeds=seeds)),
        ("random, effective_data", random_runs(trials, law=law, seeds=seeds)),
        ("random, boosted_trees", random_runs(trials, law=BoostedTrees(), seeds=seeds)),
    ):
        rows += [{**row, "chosen": name} for row in made.rows()]
    return rows
