"""The job of ``ecotone rewrite``: documents in, other words or training pairs out, all counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.files import plain, replacing, write_json
from ecotone.core.method import Method, find
from ecotone.core.run import Manifest, Run
from ecotone.core.seeds import stream
from ecotone.data.doc_files import DocFiles
from ecotone.data.doc_read import Bad, refused
from ecotone.data.doc_records import named, read_records, write_records
from ecotone.jobs._aside import FILE, passed_over, put_aside
from ecotone.rewrite.asking import Ask, Generator
from ecotone.rewrite.result import Rewritten

MOST = 512 << 20  # bytes of text held at once: methods compare documents with each other


@dataclass(frozen=True, eq=False)
class Reworded:
    """What the job ends with.

    Attributes
    ----------
    result : Rewritten
        Documents by outcome, answers by what became of them, training pairs, findings.
    run : Run
        ``artifacts`` holds texts.jsonl.zst, examples.jsonl.zst and ledger.parquet.
    bad : int
        Lines that hold no document.
    """

    result: Rewritten
    run: Run
    bad: int


def rewrite_docs(
    docs: Path | str, method: str, *, generator: Generator | None = None,
    params: Mapping[str, Any] | None = None, limits: Mapping[str, Any] | None = None,
    text_field: str = "text", strict: bool = False, seed: int = 0, out: Path | str = "runs",
    command: str = "", note: Callable[[str], None] = lambda _: None,
) -> Reworded:  # fmt: skip
    """Rewrite the documents of a file or folder, or make training pairs of them.

    Answers are kept in ``answers.db`` beside the runs: a run that is stopped, or one with other
    parameters, asks nothing twice.

    Parameters
    ----------
    docs : path
        A file or a folder of texts. The other fields of a record are the document's ``meta``.
    method : str
        A method of the room rewrite.
    generator : callable, optional
        ``list[str] -> list[str]`` with a ``name``; methods that ask nothing need none.
    params : mapping, optional
        Of the method.
    limits : mapping, optional
        Of `ecotone.rewrite.Ask`: requests_a_minute, tokens_a_minute, timeout, batch.
    text_field, strict, seed, out, command, note
        As everywhere.

    Raises
    ------
    BadInput
        No document, more text than fits, an unknown method or parameter.
    """
    files = DocFiles(docs, text_field=text_field, strict=strict)
    chosen = find(method, "rewrite")
    given = {
        "params": dict(params or {}), "generator": getattr(generator, "name", ""),
        "text_field": text_field, "strict": strict,
    }  # fmt: skip
    inputs = {"docs": files.fingerprint}
    run = Run.open(out, Manifest("rewrite", method, given, inputs, seed, command))
    whole, bad = _read(files)
    note(f"{len(whole):,} documents, {method}")
    result = _run(chosen, whole, generator, run, params or {}, limits or {}, seed)
    if bad:
        shown = put_aside(run.artifacts / FILE, bad)
        told = passed_over(len(bad), shown, run.artifacts)
        result = replace(result, findings=(*result.findings, told))
    _write(run, whole, result, text_field)
    run.close()
    return Reworded(result, run, len(bad))


def _read(files: DocFiles) -> tuple[list[Doc], list[Bad]]:
    """Read all documents, with the other fields of their records; a domain is a file's place."""
    out: list[Doc] = []
    wrong: list[Bad] = []
    size = 0
    for part in files.parts():
        domain = part.shown.partition("/")[0].partition(".")[0]
        for _, records, bad in read_records(part, files.text_field):
            if bad and files.strict:
                raise refused(bad[0], files.text_field)
            wrong += bad
            for place, record in records:
                text = record.pop(files.text_field)
                size += len(text)
                out.append(Doc(place, text, str(record.get("domain", domain)), record))
            if size > MOST:
                raise BadInput(
                    f"{files.path} holds more than {MOST >> 20} MB of text.",
                    why="a method compares documents with each other, and holds them in memory.",
                    cure="split it into several files and rewrite each: split -C 400m",
                )
    return out, wrong


def _run(
    chosen: Method, docs: list[Doc], generator: Generator | None, run: Run,
    params: Mapping[str, Any], limits: Mapping[str, Any], seed: int,
) -> Rewritten:  # fmt: skip
    ask = None
    if generator is not None:
        ask = Ask(generator, cache=run.path.parent / "answers.db", **limits)
    rng = stream(seed, "rewrite", chosen.name)
    result: Rewritten = chosen.load()(**params).run(docs, ask, rng=rng)
    return result


def _write(run: Run, docs: list[Doc], result: Rewritten, text_field: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_records(run.artifacts / "texts.jsonl.zst", _texts(docs, result, text_field))
    write_records(run.artifacts / "examples.jsonl.zst", (e._asdict() for e in result.examples))
    outcome = [
        "rewritten" if d.id in result.docs else result.dropped.get(d.id, "untouched") for d in docs
    ]
    made: dict[str, int] = {}
    for e in result.examples:
        made[e.source] = made.get(e.source, 0) + 1
    table = pa.table(
        {"id": [d.id for d in docs], "outcome": outcome,
         "examples": [made.get(d.id, 0) for d in docs],
         "weight": result.selection().weights}
    )  # fmt: skip
    with replacing(run.artifacts / "ledger.parquet") as path:
        pq.write_table(table, path)
    write_json(run.artifacts / "rewrite.json", plain(facts(result)))


def _texts(docs: list[Doc], result: Rewritten, text_field: str) -> Iterator[dict[str, Any]]:
    for d in docs:
        if d.id not in result.dropped:
            yield named(d.id, {**d.meta, text_field: result.docs.get(d.id, d.text)})


def facts(result: Rewritten) -> dict[str, Any]:
    """Return counts and findings as plain values."""
    ledger = result.ledger
    return {
        "method": result.made_by, "outcomes": result.outcomes, "examples": len(result.examples),
        "answers": {
            "asked": ledger.asked, "from cache": ledger.from_cache, "kept": ledger.kept,
            "refused": ledger.refused, "failed": ledger.failed, **ledger.causes,
        },
        "findings": [asdict(f) for f in result.findings],
    }  # fmt: skip
