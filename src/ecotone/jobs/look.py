"""Look before mixing: the domain-by-domain table of a corpus as a run of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone._version import __version__
from ecotone.core.corpus import Corpus
from ecotone.core.files import write_json
from ecotone.core.method import find
from ecotone.core.run import Manifest, Run
from ecotone.engine.progress import Progress
from ecotone.shift._table import ShiftTable, table


@dataclass(frozen=True)
class Looked:
    """What the look ends with.

    Attributes
    ----------
    table : ShiftTable
        Every pair of domains, measured.
    analysis : dict
        What the report is made from.
    run : Run
        Where everything is.
    """

    table: ShiftTable
    analysis: dict[str, Any]
    run: Run


def look(
    corpus: Corpus,
    *,
    measure: str = "ngrams",
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    out: Path | str = "runs",
    command: str = "",
    quiet: bool = False,
) -> Looked:
    """Measure how far apart the domains are, and keep the table in a run folder.

    Parameters
    ----------
    corpus : Corpus
        Text in domains; a target is not needed.
    measure : str
        A method of the room shift.
    params : mapping, optional
        Parameters of `ecotone.shift.table` (``rows``, ``draws``, ``layout``) and of the measure.
    seed : int
        Decides pieces, shuffles and resamples.
    out : Path
        Where runs are kept.
    command : str
        What the user typed, for the report.
    quiet : bool
        Show no progress.
    """
    find(measure, "shift")
    chosen = dict(params or {})
    manifest = Manifest(
        "shift",
        measure,
        {"params": chosen, "origin": dict(corpus.origin)},
        {"corpus": corpus.fingerprint},
        seed,
        command,
    )
    run = Run.open(out, manifest)
    k = len(corpus.names)
    progress = Progress("measuring", k * (k - 1) / 2, patience=float("inf") if quiet else 3.0)
    try:
        found = table(
            corpus,
            measure=measure,
            seed=seed,
            tick=lambda done, _: progress.update(done),
            **chosen,
        )
    finally:
        progress.close()
    analysis = _analysis(corpus, found, command)
    write_json(run.artifacts / "analysis.json", analysis)
    run.close()
    return Looked(found, analysis, run)


def _analysis(corpus: Corpus, found: ShiftTable, command: str) -> dict[str, Any]:
    domains = []
    for d in corpus.domains:
        facts: dict[str, Any] = {"name": d.name, "role": d.role}
        if d.size >= 0:
            facts["documents"] = d.size
        if d.tokens is not None:
            facts["tokens"] = d.tokens
        domains.append(facts)
    about = {
        "title": "How far apart the domains are",
        "command": command,
        "version": __version__,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "domains": domains,
        "shift": found.record(),
        "repeat": [command] if command else [],
    }
    return about | ({"target": corpus.target.name} if corpus.has_target else {})
