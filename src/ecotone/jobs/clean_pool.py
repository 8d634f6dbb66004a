"""The job of ``ecotone clean``: what of a pool to drop before anything is chosen, each for a cause.

A document is first judged alone (language, quality), then held against a benchmark, and what is
left is searched for copies: no document is dropped as the copy of one that is not kept.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecotone.core.errors import BadInput
from ecotone.core.files import plain, write_json
from ecotone.core.run import Manifest, Run
from ecotone.core.verdict import Finding
from ecotone.data.doc_files import DocFiles
from ecotone.jobs.clean_job import COPIES, FILTERS, Cleaned, Job


def clean_pool(
    pool: Path | str, *, filters: Sequence[str] = COPIES,
    params: Mapping[str, Mapping[str, Any]] | None = None, existing: Path | str | None = None,
    benchmark: Path | str | None = None, text_field: str = "text", strict: bool = False,
    form: str = "jsonl", write: bool = True, out: Path | str = "runs",
    workers: int | None = None, command: str = "",
) -> Cleaned:  # fmt: skip
    """Drop copies, and what other filters speak against; every document has one cause.

    Parameters
    ----------
    pool : path
        A file or a folder of texts.
    filters : sequence of str
        Some of `FILTERS`; asked in the order of `FILTERS`. A benchmark adds ``contamination``.
    params : mapping from filter to mapping, optional
        Parameters of the filters.
    existing : path, optional
        Texts one has already: what they hold is dropped from the pool.
    benchmark : path, optional
        Items that the pool must not hold.
    write : bool, default True
        Write what is kept and the ledger; otherwise only look.
    text_field, strict, form, out, workers, command
        As everywhere.

    Raises
    ------
    BadInput
        An empty pool, an unknown filter, contamination without a benchmark.
    """
    chosen = [f for f in FILTERS if f in filters or (f == "contamination" and benchmark)]
    unknown = [f for f in filters if f not in FILTERS]
    if unknown:
        raise BadInput(f"no filter is called {unknown[0]!r}.", cure=f"some of: {','.join(FILTERS)}")
    if "contamination" in chosen and benchmark is None:
        raise BadInput("contamination of what?", cure="--benchmark items.jsonl")
    if existing is not None and not set(chosen) & set(COPIES):
        raise BadInput("existing texts are for the filters of copies.",
                       cure="--filters exact_duplicates,near_duplicates")  # fmt: skip
    own = {f: dict((params or {}).get(f, {})) for f in chosen}
    inputs = {"pool": DocFiles(pool).fingerprint}
    for what, path in (("existing", existing), ("benchmark", benchmark)):
        if path is not None:
            inputs[what] = DocFiles(path).fingerprint
    given = {"filters": own, "text_field": text_field, "strict": strict, "form": form,
             "write": write}  # fmt: skip
    run = Run.open(out, Manifest("clean", "+".join(chosen) or "none", given, inputs, 0, command))
    found = _kept(run)
    if found is None:
        job = Job(run, own, text_field, strict, workers)
        found = job.done(pool, existing, benchmark, form if write else "")
        write_json(run.artifacts / "clean.json", plain(facts(found)))
        run.close()
    # signatures take half a kilobyte a document; nobody needs them any more
    shutil.rmtree(run.path / "scratch", ignore_errors=True)
    return found


def facts(done: Cleaned) -> dict[str, Any]:
    """Return counts and findings as plain values."""
    return {
        "ledger": done.ledger, "fired": done.fired, "items": done.items,
        "findings": [asdict(f) for f in done.findings],
    }  # fmt: skip


def _kept(run: Run) -> Cleaned | None:
    """Return what a run that is done ended with."""
    path = run.artifacts / "clean.json"
    if run.manifest.status != "done" or not path.exists():
        return None
    told = json.loads(path.read_text())
    findings = tuple(Finding(**f) for f in told["findings"])
    return Cleaned(told["ledger"], told["fired"], told["items"], findings, run)
