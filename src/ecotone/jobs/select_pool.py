"""The job of ``ecotone select``: choose the documents of a pool for a target, and prove it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ecotone.core.errors import BadInput
from ecotone.core.run import Manifest, Run
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.doc_files import DocFiles
from ecotone.data.docs import Docs, joined
from ecotone.jobs.select_job import Job, Selected
from ecotone.jobs.select_proof import save_target, thirds
from ecotone.select._rules import PORTFOLIO
from ecotone.select._sample import drawn

TARGET = 8 << 20  # bytes of a target that are looked at, at most


def select_pool(
    pool: Path | str, target: Path | str, *, share: float = 0.05, rule: str = "auto",
    text_field: str = "text", strict: bool = False, form: str = "jsonl",
    neural: bool = False, seed: int = 0, out: Path | str = "runs",
    workers: int | None = None, command: str = "",
) -> Selected:  # fmt: skip
    """Choose a share of the tokens of a pool for a target.

    The target's documents are cut in three by their text: 60 % to learn from, 20 % to choose the
    rule by, 20 % for the verdict; of a large target 8 MB are looked at. Copies are dropped first.
    A rule is judged by a bigram model counted on what it chose. If the choice is not clearly better
    than random documents, random ones are kept and the verdict says so.

    Parameters
    ----------
    pool, target : path
        A file or a folder of texts each.
    share : float
        Of the pool's tokens.
    rule : str
        One of `ecotone.select._rules.PORTFOLIO`, or "auto".
    text_field, strict
        See `ecotone.data.doc_files.DocFiles`.
    form : {"jsonl", "parquet"}
        How the kept documents are written.
    neural : bool
        Train tiny neural models on what the rules chose, too (the extra ``lm``, minutes): the
        verdict is then *adapt* only if theirs is.
    seed, out, workers, command
        As everywhere.

    Raises
    ------
    BadInput
        An empty pool or target, an unknown rule, a share that is not above 0 and at most 1.
    """
    if rule != "auto" and rule not in PORTFOLIO:
        names = ", ".join(PORTFOLIO)
        raise BadInput(f"no rule is called {rule!r}.", cure=f"auto or one of: {names}")
    if not 0 < share <= 1:
        raise BadInput(f"the share to take is {share}.", cure="--take 5%")
    files = DocFiles(pool, text_field=text_field, strict=strict)
    texts = DocFiles(target, text_field=text_field, strict=strict)
    wanted, told = _target(texts)
    sides = thirds(wanted, seed)
    inputs = {"target": texts.fingerprint, "pool": files.fingerprint}
    params = {"share": share, "rule": rule, "text_field": text_field, "strict": strict,
              "form": form, **({"neural": True} if neural else {})}  # fmt: skip
    run = Run.open(out, Manifest("select", rule, params, inputs, seed, command))
    found = _kept(run)
    if found is None:
        job = Job(run, files, Path(target).name, share, form, neural, seed, workers)
        job.findings += told
        save_target(job.scratch, sides)
        del wanted, sides  # text is for the workers
        found = job.done(rule)
    shutil.rmtree(run.path / "scratch", ignore_errors=True)
    return found


def _target(files: DocFiles) -> tuple[Docs, list[Finding]]:
    """Read the target, or a sample of it that its documents' order does not move."""
    held, docs, size = list[Docs](), 0, 0
    for batch in files:
        docs, size = docs + len(batch), size + len(batch.data)
        if size <= TARGET:
            held.append(batch)
    if size <= TARGET:
        return joined(held, "target", least=1), []
    held.clear()
    says = f"the target has {size >> 20:,} MiB of text: {TARGET >> 20}, drawn by text, stand for it"
    return drawn(files, docs, TARGET), [Finding("S103", says, "nothing")]


def _kept(run: Run) -> Selected | None:
    """Return what a run that is done ended with."""
    if run.manifest.status != "done":
        return None
    told = json.loads((run.artifacts / "analysis.json").read_text())
    verdict = Verdict.load(run.artifacts / "verdict.json")
    return Selected(verdict, told["rule"], told["table"], told["ledger"], run)
