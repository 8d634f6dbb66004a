"""What a report is made from: the dictionary in ``artifacts/analysis.json``.

Only ``title`` and ``domains`` must be there (and ``target`` when a domain has that role); every
other part may be missing or ``None``, and its section is then left out or says in a sentence what
is missing. Losses are nats per token, shares are of the training tokens, epochs are training tokens
of a domain divided by its tokens at hand. A number may be ``None`` (JSON has no NaN).
"""

from __future__ import annotations

from typing import Literal, TypedDict

Number = float | None
Span = list[float]  # two or three rising numbers


class DomainFacts(TypedDict, total=False):
    """One domain at hand."""

    name: str
    role: Literal["source", "target"]
    documents: int
    tokens: int
    licence: str


class Budget(TypedDict, total=False):
    """What the real run may use, and what must not get worse by how much."""

    tokens: int  # training tokens of the real run
    proxy_tokens: int  # training tokens of one proxy run
    caps: float | dict[str, float]  # most epochs of any domain, or by name
    tolerance: float  # general loss may rise to (1 + tolerance) times that of natural
    general: str  # in words: what the general loss is


class AskedGot(TypedDict, total=False):
    """One domain: the share that was asked for, and what whole tokens allowed."""

    domain: str
    asked: float
    got: float
    tokens: int
    epochs: float


class FindingFacts(TypedDict, total=False):
    """`ecotone.core.verdict.Finding` as JSON."""

    code: str
    says: str
    cure: str


class VerdictFacts(TypedDict, total=False):
    """`ecotone.core.verdict.Verdict` as JSON."""

    decision: Literal["adapt", "keep", "cannot tell"]
    score: Number
    baseline: Number
    gain: Number
    interval: Span
    level: float
    metric: str
    used_target_labels: bool
    findings: list[FindingFacts]


class Advice(TypedDict, total=False):
    """What the cross-validated evidence says before anything was confirmed."""

    decision: Literal["adapt", "keep", "cannot tell"]
    sentence: str


class Prediction(TypedDict, total=False):
    """Predicted losses of one mixture: low, middle, high."""

    target: Span
    general: Span


class Check(TypedDict, total=False):
    """Held-out trials: what was measured and what the law said without having seen them."""

    spearman: Number
    p: Number
    n: int
    measured: list[float]
    predicted: list[float]
    low: list[float]
    high: list[float]
    labels: list[str]


class LawFacts(TypedDict, total=False):
    """How well one law predicted the target loss of held-out trials."""

    name: str
    spearman: Number
    mae: Number
    rmse: Number
    weight: Number  # in the average of laws
    chosen: bool
    seconds: Number
    note: str


class FrontierPoint(TypedDict):
    """The best predicted target loss when general loss may rise by `tolerance`."""

    tolerance: float
    target: float
    general: float
    weights: dict[str, float]


class Point(TypedDict):
    """One mixture that was trained."""

    label: str
    target: float
    general: float


class ShiftFacts(TypedDict, total=False):
    """Distances between domains; all matrices are (n, n) in the order of `names`."""

    measure: str
    names: list[str]
    matrix: list[list[Number]]
    low: list[list[Number]]
    high: list[list[Number]]
    null_high: list[list[Number]]  # what chance alone gives, upper end
    map: list[list[float]]  # (n, 2): positions on a plane


class ConfirmRow(TypedDict):
    """One training run of the confirmation."""

    mixture: str  # "recommended", "natural", "uniform"
    seed: int
    target: float
    general: float


class RehearsalRow(TypedDict):
    """One training at full length before the confirmation, measured on dev text."""

    mixture: str  # "natural", "candidate 1", ...
    target: float
    general: float  # general loss over that of natural, minus 1
    kept: bool


class Rehearsal(TypedDict):
    """How the limit on the general loss was kept."""

    rows: list[RehearsalRow]
    goal: float


class CostRow(TypedDict, total=False):
    """What one stage used."""

    what: str
    cpu_seconds: Number
    wall_seconds: Number
    tokens: Number


class Cost(TypedDict):
    """What it cost."""

    rows: list[CostRow]


class Analysis(TypedDict, total=False):
    """The whole dictionary."""

    title: str
    command: str
    version: str
    made: str  # ISO 8601
    target: str
    domains: list[DomainFacts]
    budget: Budget
    mixture: dict[str, float]
    natural: dict[str, float]
    uniform: dict[str, float]
    epochs: dict[str, float]
    natural_epochs: dict[str, float]
    asked_got: list[AskedGot]
    verdict: VerdictFacts | None
    advice: Advice
    predicted: dict[str, Prediction]  # "mixture", "natural", "uniform"
    cv: dict[str, Check]  # "target", "general"
    laws: list[LawFacts]
    frontier: list[FrontierPoint]  # rising tolerance
    points: list[Point]
    shift: ShiftFacts
    rehearsal: Rehearsal
    confirm: list[ConfirmRow]
    confirm_domains: dict[str, dict[str, float]]  # mixture -> domain -> mean loss
    cost: Cost
    saw: list[str]
    findings: list[FindingFacts]
    repeat: list[str]


def cap_of(analysis: Analysis, domain: str) -> float | None:
    """Return the most epochs a domain may be repeated; ``None`` when it has no cap."""
    caps = analysis.get("budget", {}).get("caps")
    return caps.get(domain) if isinstance(caps, dict) else caps


def tokens_of(analysis: Analysis, domain: str) -> int | None:
    """Return the tokens of a domain at hand; ``None`` when they were not counted."""
    return next((d.get("tokens") for d in analysis["domains"] if d["name"] == domain), None)


def epochs_at(analysis: Analysis, domain: str, part: float) -> float | None:
    """Return how often a domain is read when it has a given share of the real run."""
    have, budget = tokens_of(analysis, domain), analysis.get("budget", {}).get("tokens")
    return part * budget / have if have and budget else None


def cap_share(analysis: Analysis, domain: str) -> float | None:
    """Return the share at which a domain reaches its cap; ``None`` when it has none."""
    one, cap = epochs_at(analysis, domain, 1.0), cap_of(analysis, domain)
    return cap / one if one and cap else None


def mixtures(analysis: Analysis) -> list[str]:
    """Return the domains of the recommended mixture: largest share first, then by name."""
    shares = analysis.get("mixture", {})
    return sorted(shares, key=lambda name: (-shares[name], name))
