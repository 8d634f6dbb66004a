"""`Verdict` and `Finding`: did it help, how sure, what to do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, write_json

Decision = Literal["adapt", "keep", "cannot tell"]
EXIT_CODES: dict[Decision, int] = {"adapt": 0, "keep": 3, "cannot tell": 4}


@dataclass(frozen=True)
class Finding:
    """Something a user should know, with a stable code and a cure.

    Attributes
    ----------
    code : str
        A letter for the room and three digits, such as ``C201``.
    says : str
        One sentence.
    cure : str
        What to do about it; may be empty.
    """

    code: str
    says: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.says}" + (f"  cure: {self.cure}" if self.cure else "")


@dataclass(frozen=True)
class Verdict:
    """The honest end of every path.

    Attributes
    ----------
    score, baseline : float
        The same metric for the choice and for the room's do-nothing method; lower is better
        for losses, and `gain` is positive when the choice is better.
    gain : float
        How much better the choice is than doing nothing.
    interval : tuple of float
        Interval of `gain` over seeds and resamples, at `level`.
    decision : {"adapt", "keep", "cannot tell"}
        What to do.
    used_target_labels : bool
        Whether target labels (for text: held-out target text) entered the numbers.
    findings : tuple of Finding
        What else a user should know.
    metric : str
        Name and unit of the metric.
    level : float
        Coverage of the interval.
    pick : object, optional
        What to use: the adapted model, or the one that does nothing. Not saved.
    """

    score: float
    baseline: float
    gain: float
    interval: tuple[float, float]
    decision: Decision
    used_target_labels: bool
    findings: tuple[Finding, ...] = ()
    metric: str = "loss, nats per token"
    level: float = 0.95
    pick: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.decision not in EXIT_CODES:
            raise BadInput(f"no decision is called {self.decision!r}.")
        low, high = self.interval
        object.__setattr__(self, "interval", (float(low), float(high)))
        object.__setattr__(self, "findings", tuple(self.findings))

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"Verdict({self.decision}: gain {self.gain:+.4f} "
            f"[{low:+.4f}, {high:+.4f}] at {self.level:.0%}, {self.metric})"
        )

    @property
    def exit_code(self) -> int:
        """0 adapt, 3 keep, 4 cannot tell: for scripts."""
        return EXIT_CODES[self.decision]

    @property
    def fingerprint(self) -> str:
        """Hash of the contents."""
        return fingerprint(self.facts())

    def facts(self) -> dict[str, Any]:
        """Return all but the pick as plain numbers and words."""
        out = asdict(replace(self, pick=None))
        del out["pick"]
        return out

    def save(self, path: Path | str) -> None:
        """Write as JSON; the pick is not written."""
        write_json(Path(path), self.facts())

    @classmethod
    def load(cls, path: Path | str) -> Verdict:
        """Read what `save` wrote."""
        r = json.loads(Path(path).read_text())
        r["findings"] = tuple(Finding(**f) for f in r["findings"])
        numbers = {k: _number(r[k]) for k in ("score", "baseline", "gain")}
        return cls(**{**r, **numbers, "interval": tuple(map(_number, r["interval"]))})


def _number(value: float | None) -> float:
    """Read what JSON cannot say: NaN is written as null."""
    return float("nan") if value is None else float(value)
