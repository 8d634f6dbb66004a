"""Our own format: everything that is known about a mixture, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecotone._version import __version__
from ecotone.core.errors import BadInput
from ecotone.core.files import write_json
from ecotone.data.export.plan import Plan

SCHEMA = "ecotone.export/1"


def write(plan: Plan, place: Path) -> Path:
    """Write ``mixture.export.json``; ``schedule`` repeats the weights when they never change."""
    mixture, facts = plan.mixture, plan.facts
    schedule = [{"until": p.until, "weights": p.weights} for p in mixture.phases]
    if not schedule or plan.weights != mixture.weights:
        schedule = [{"until": 1.0, "weights": plan.weights}]
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "unit": "tokens",
        "weights": plan.weights,
        "caps": mixture.caps,
        "budget": plan.budget,
        "epochs": {n: plan.epochs(n) for n in plan.weights},
        "schedule": schedule,
        "domains": facts.get("domains") or [],
        "provenance": {
            "made_by": mixture.made_by,
            "mixture": mixture.fingerprint,
            "ecotone": __version__,
            "command": facts.get("command"),
            "target": facts.get("target"),
            "natural": facts.get("natural"),
            "laws": facts.get("laws") or [],
            "cross_validation": {
                k: {what: check.get(what) for what in ("spearman", "p", "n")}
                for k, check in (facts.get("cv") or {}).items()
            },
            "advice": facts.get("advice"),
            "verdict": facts.get("verdict"),
        },
    }
    path = place.with_name(f"{place.name.replace('json', 'mixture', 1)}.export.json")
    write_json(path, record)
    return path


def read(path: Path) -> dict[str, float]:
    """Return the weights."""
    record = json.loads(path.read_text(encoding="utf-8"))
    if record.get("schema") != SCHEMA:
        raise BadInput(
            f"{path}: the schema is {record.get('schema')!r}, not {SCHEMA!r}.",
            cure="write it again with ecotone mix ... --export json",
        )
    return {str(n): float(w) for n, w in record["weights"].items()}
