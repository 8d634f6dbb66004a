"""Names and half sentences that several parts of a report use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecotone.report import tables
from ecotone.report.schema import Analysis, Prediction

DO_NOTHING = "natural (do nothing)"


def target_loss(analysis: Analysis) -> str:
    """Return what the loss on the target is called.

    >>> target_loss({"target": "law"}), target_loss({"target": "law-2"}), target_loss({})
    ('law loss', 'loss on law-2', 'target loss')
    """
    name = analysis.get("target", "target")
    return f"{name} loss" if re.fullmatch(r"[A-Za-z]+", name) else f"loss on {name}"


def capital(sentence: str) -> str:
    """Begin with a capital letter.

    >>> capital("law loss"), capital("")
    ('Law loss', '')
    """
    return sentence[:1].upper() + sentence[1:]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unit_of(metric: str) -> str:
    """Return the unit at the end of the name of a metric.

    >>> unit_of("loss, nats per token"), unit_of("accuracy")
    ('nats/token', '')
    """
    return metric.partition(", ")[2].replace(" per ", "/")


def middle(prediction: Prediction, what: str) -> float | None:
    """Return the middle of a predicted span; ``None`` when there is none."""
    span = prediction.get("target") if what == "target" else prediction.get("general")
    value = span[len(span) // 2] if span else None
    return value if tables.known(value) else None


def called(mixture: str) -> str:
    """Return what a mixture is called in tables."""
    return {"natural": DO_NOTHING, "mixture": "recommended"}.get(mixture, mixture)


def about(analysis: Mapping[str, Any]) -> tuple[str, ...]:
    """Return version, time and target, for the head of a page."""
    return (
        f"ecotone {analysis.get('version', '')}".strip(),
        str(analysis.get("made", "")).replace("T", " ").replace("Z", " UTC"),
        f"target {analysis['target']}",
    )
