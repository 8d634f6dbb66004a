"""`Mixture`: which domains, when, how often."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.files import fingerprint, write_json
from ecotone.core.simplex import largest_remainder


def check_weights(weights: Mapping[str, float], what: str = "weights") -> dict[str, float]:
    """Return a copy of `weights` that sums to 1 exactly enough, or say what is wrong.

    Sums within 1e-6 of 1 are divided out; anything else is refused.
    """
    if not weights:
        raise BadInput(f"{what}: no domain is named.", cure="give at least one domain=share")
    for name, value in weights.items():
        if not math.isfinite(value) or value < 0:
            raise BadInput(
                f"{what}: {name} has the weight {value}.",
                why="a share of the training tokens is a number from 0 to 1.",
                cure=f"give {name} a weight of 0 or more",
            )
    total = math.fsum(weights.values())
    if abs(total - 1) > 1e-6:
        scaled = ",".join(f"{k}={v / total:.6g}" for k, v in weights.items()) if total > 0 else ""
        raise BadInput(
            f"{what}: the weights sum to {total:.6g}, not to 1.",
            cure=f"use {scaled}" if scaled else "give at least one domain a positive weight",
        )
    # what sums to 1 up to rounding keeps its bits: dividing again would move them at every load
    divisor = total if abs(total - 1) > 1e-12 else 1.0
    return {str(k): float(v) / divisor for k, v in weights.items()}


@dataclass(frozen=True)
class Phase:
    """Weights that hold until a share of the training is done."""

    until: float
    weights: dict[str, float]


@dataclass(frozen=True)
class Mixture:
    """Domain weights over the progress of a training, with caps on repetition.

    Attributes
    ----------
    weights : dict of str to float
        Share of the training tokens from each domain; nonnegative, sum to 1.
    phases : tuple of Phase
        Empty: `weights` hold throughout. Otherwise each phase holds until its ``until``, in
        increasing order, the last one until 1; `weights` then are their average over time.
    caps : dict of str to float
        Most epochs a domain may be repeated; a missing name has no cap.
    made_by : str
        Run id, method name or ``"hand"``.

    Examples
    --------
    >>> m = Mixture({"law": 0.25, "web": 0.75})
    >>> m.at(0.5)["law"]
    0.25
    """

    weights: dict[str, float]
    phases: tuple[Phase, ...] = ()
    caps: dict[str, float] = field(default_factory=dict)
    made_by: str = "hand"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", check_weights(self.weights))
        phases = tuple(
            p if isinstance(p, Phase) else Phase(float(p[0]), dict(p[1])) for p in self.phases
        )
        phases = tuple(Phase(p.until, check_weights(p.weights, "phase")) for p in phases)
        object.__setattr__(self, "phases", phases)
        self._check_phases()
        for name, cap in self.caps.items():
            if not cap > 0:
                raise BadInput(f"caps: {name} has the cap {cap}.", cure="a cap is above 0 epochs")

    def _check_phases(self) -> None:
        if not self.phases:
            return
        ends = [p.until for p in self.phases]
        rising = all(a < b for a, b in zip([0.0, *ends], ends, strict=False))
        if not rising or abs(ends[-1] - 1) > 1e-9:
            raise BadInput(
                f"phases end at {ends}.", cure="give rising ends above 0, the last one 1.0"
            )
        mean: dict[str, float] = dict.fromkeys(self.weights, 0.0)
        for start, phase in zip([0.0, *ends], self.phases, strict=False):
            for name, value in phase.weights.items():
                mean[name] = mean.get(name, 0.0) + (phase.until - start) * value
        if any(abs(mean[n] - self.weights.get(n, 0.0)) > 1e-6 for n in mean):
            raise BadInput(
                "the weights are not the average of the phases over time.",
                cure="build it with Mixture.scheduled(phases)",
            )

    @classmethod
    def scheduled(
        cls,
        phases: tuple[Phase, ...],
        *,
        caps: dict[str, float] | None = None,
        made_by: str = "hand",
    ) -> Mixture:
        """Build a mixture from its phases alone; the weights are their average over time."""
        mean: dict[str, float] = {}
        start = 0.0
        for phase in phases:
            for name, value in phase.weights.items():
                mean[name] = mean.get(name, 0.0) + (phase.until - start) * value
            start = phase.until
        return cls(mean, phases, caps or {}, made_by)

    def __repr__(self) -> str:
        parts = sorted(self.weights.items(), key=lambda kv: -kv[1])
        text = ", ".join(f"{k} {v:.1%}" for k, v in parts)
        tail = f", {len(self.phases)} phases" if self.phases else ""
        return f"Mixture({text}{tail}, by {self.made_by})"

    @property
    def fingerprint(self) -> str:
        """Hash of weights, phases and caps (not of who made it)."""
        return fingerprint([self.weights, [[p.until, p.weights] for p in self.phases], self.caps])

    def at(self, progress: float) -> dict[str, float]:
        """Return the weights in force when the share `progress` of the training is done."""
        for phase in self.phases:
            if progress < phase.until:
                return dict(phase.weights)
        return dict(self.phases[-1].weights if self.phases else self.weights)

    def tokens(self, budget: int, corpus: Corpus) -> dict[str, int]:
        """Divide a budget of training tokens among the domains, exactly.

        Parameters
        ----------
        budget : int
            Tokens of the whole training.
        corpus : Corpus
            Must hold every domain with a positive weight, with its tokens counted.

        Returns
        -------
        dict of str to int
            Sums to `budget` (largest remainders).

        Raises
        ------
        BadInput
            A domain is not in the corpus or was not counted.
        Infeasible
            A domain would be repeated more often than its cap.
        """
        names = tuple(self.weights)
        parts = largest_remainder(np.array([self.weights[n] for n in names]), budget)
        got = {n: int(t) for n, t in zip(names, parts, strict=True)}
        for name, tokens in got.items():
            if tokens:
                self._check_cap(name, tokens, budget, corpus)
        return got

    def _check_cap(self, name: str, tokens: int, budget: int, corpus: Corpus) -> None:
        unique = corpus[name].tokens
        if unique is None:
            raise BadInput(
                f"the tokens of {name} are not counted yet.",
                cure="count them with ecotone.data.tokens.prepare",
            )
        cap = self.caps.get(name, math.inf)
        # one token of grace: a share that is exactly at its cap may be rounded up
        if tokens > cap * unique + 1:
            raise Infeasible(
                f"{name}: {self.weights[name]:.1%} of {budget:,} tokens is "
                f"{tokens / max(unique, 1):.2f} epochs of its {unique:,} tokens; the cap is "
                f"{cap:g}.",
                cure=f"--caps {math.ceil(tokens / max(unique, 1))}, or at most "
                f"{cap * unique / budget:.2%} of {name}",
            )

    def save(self, path: Path | str) -> None:
        """Write as JSON."""
        record = asdict(self)
        record["phases"] = [asdict(p) for p in self.phases]
        write_json(Path(path), {"format": "ecotone.mixture/1", "unit": "tokens", **record})

    @classmethod
    def load(cls, path: Path | str) -> Mixture:
        """Read what `save` wrote."""
        try:
            record = json.loads(Path(path).read_text())
            phases = tuple(Phase(**p) for p in record.get("phases", ()))
            return cls(record["weights"], phases, record.get("caps", {}), record["made_by"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"{path}: not a mixture file ({error}).",
                cure='expected {"weights": {"domain": share, ...}, "made_by": "..."}',
            ) from None
