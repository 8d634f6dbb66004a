"""What a mixing run is reported from: the dictionary ``artifacts/analysis.json``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone._version import __version__
from ecotone.core.corpus import Corpus
from ecotone.core.mixture import Mixture
from ecotone.core.verdict import Finding
from ecotone.data.tokens import TokenStore
from ecotone.jobs.decide import GENERAL
from ecotone.jobs.steps import Settings, Steps

Array = NDArray[np.float64]


def describe(
    corpus: Corpus,
    store: TokenStore,
    settings: Settings,
    natural: Array,
    mixture: Mixture,
    facts: Mapping[str, Any],
    findings: Sequence[Finding],
    command: str,
) -> dict[str, Any]:
    """Join what the steps found to the dictionary that reports are made from."""
    names = store.names
    flat = dict(zip(names, map(float, natural), strict=True))
    target = corpus.target.name
    return {
        "title": f"A training mixture for {target}",
        "command": command,
        "version": __version__,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "target": target,
        "domains": [
            {
                "name": d.name, "role": d.role, "documents": d.size, "tokens": d.tokens,
                "tokens_per_document": _document_length(store, d.name),
            }
            for d in corpus.domains
        ],
        "budget": {
            "tokens": settings.tokens, "proxy_tokens": settings.proxy_tokens,
            "caps": settings.caps, "tolerance": settings.tolerance, "general": GENERAL,
        },
        "mixture": {n: mixture.weights.get(n, 0.0) for n in names},
        "natural": flat,
        "uniform": dict.fromkeys(names, 1 / len(names)),
        "epochs": _epochs(mixture.weights, store, settings.tokens),
        "natural_epochs": _epochs(flat, store, settings.tokens),
        "findings": [asdict(f) for f in (*store.findings, *findings)],
        "saw": _saw(store, target, "confirm" in facts),
        "repeat": [command] if command else [],
        **facts,
    }  # fmt: skip


def _document_length(store: TokenStore, name: str) -> float:
    part = store.meta["domains"][name]["splits"]["train"]
    return part["tokens"] / max(part["documents"], 1)


def _epochs(shares: Mapping[str, float], store: TokenStore, tokens: int) -> dict[str, float]:
    return {n: shares.get(n, 0.0) * tokens / max(store.full_count(n), 1) for n in store.names}


def _saw(store: TokenStore, target: str, confirmed: bool) -> list[str]:
    train, dev, test = (store.count(target, s) for s in ("train", "dev", "test"))
    lines = [
        f"{train:,} tokens of {target} are training text: a domain like the others.",
        f"{dev:,} tokens of {target} (dev) measured the proxies and rehearsals and were looked "
        "up by the counting oracle; the mixture was chosen on them.",
    ]
    if confirmed:
        lines.append(
            f"{test:,} tokens of {target} (test) measured the confirmation runs only; no choice "
            "was made on them."
        )
    return lines


def cost(
    steps: Steps, confirmations: Sequence[Mapping[str, Any]], began: tuple[float, float]
) -> dict[str, Any]:
    """Return what the run cost, by part, in CPU seconds and tokens trained on."""
    rows = [{"what": "counting n-grams", "cpu_seconds": steps.counting, "tokens": 0}]
    for trials, name in ((steps.trials, "proxies"), (steps.rehearsals, "rehearsals")):
        if trials is not None:
            spent, seen = trials.about["cpu_seconds"], trials.about["tokens"]
            rows.append(_cost_row(f"{len(trials)} {name}", spent, seen))
    if confirmations:
        spent, seen = ([r[k] for r in confirmations] for k in ("cpu_seconds", "tokens"))
        rows.append(_cost_row(f"{len(confirmations)} confirmation runs", spent, seen))
    rest = time.process_time() - began[1] - steps.counting
    rows.append({"what": "fitting, solving, reading", "cpu_seconds": max(rest, 0.0), "tokens": 0})
    return {"rows": rows, "wall_seconds": time.monotonic() - began[0]}


def _cost_row(what: str, cpu_seconds: Sequence[float], tokens: Sequence[float]) -> dict[str, Any]:
    return {"what": what, "cpu_seconds": float(sum(cpu_seconds)), "tokens": int(sum(tokens))}
