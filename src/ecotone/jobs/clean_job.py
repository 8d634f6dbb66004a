"""The steps of ``ecotone clean``, in the process that holds the columns of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.files import replacing
from ecotone.core.method import find
from ecotone.core.run import Run
from ecotone.core.verdict import Finding
from ecotone.data.doc_files import DocFiles
from ecotone.data.docs import empty
from ecotone.engine import pool as engine
from ecotone.jobs import clean_near, clean_parts
from ecotone.jobs._aside import by_parts
from ecotone.jobs._over_parts import over_parts
from ecotone.jobs.clean_sides import Side
from ecotone.jobs.select_parts import load, save
from ecotone.select._near_pairs import first_places

ALONE = ("language", "quality")  # look at one document at a time
COPIES = ("exact_duplicates", "near_duplicates")
FILTERS = (*ALONE, "contamination", *COPIES)
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What the job ends with.

    Attributes
    ----------
    ledger : dict
        Documents by cause, "kept" first; they add up to all that were read.
    fired : dict
        Documents that each rule speaks against, whether or not an earlier one did.
    items : dict
        Items of the benchmark, and how many documents hold each.
    findings : tuple of Finding
    run : Run
        ``artifacts/kept`` holds the documents, ``artifacts/ledger`` a row for each that was read.
    """

    ledger: dict[str, int]
    fired: dict[str, int]
    items: dict[str, int]
    findings: tuple[Finding, ...]
    run: Run


class Job:
    """The steps of one run, each of which finds its results when it is done again."""

    def __init__(
        self, run: Run, params: dict[str, dict[str, Any]], text_field: str, strict: bool,
        workers: int | None,
    ) -> None:  # fmt: skip
        self.run, self.params, self.text_field = run, params, text_field
        self.strict, self.workers = strict, workers
        self.scratch = run.path / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.findings: list[Finding] = []
        self.alone = {f: p for f, p in params.items() if f in ALONE}
        self.causes, self.fired = ["kept"], list[int]()
        for name, given in self.alone.items():
            rules = find(name, "select").load()(**given).mark([]).causes
            self.causes += [f"{name}: {rule}" for rule in rules]
        self.near = params.get("near_duplicates")

    def done(
        self, pool: Path | str, existing: Path | str | None, benchmark: Path | str | None,
        form: str,
    ) -> Cleaned:  # fmt: skip
        """Look, hold against the benchmark, join copies, write."""
        self.benchmark = None if benchmark is None else {
            "path": str(benchmark), "text_field": self.text_field,
            "params": self.params["contamination"],
            "fingerprint": self.run.manifest.inputs["benchmark"],
        }  # fmt: skip
        with engine.kept(self.workers):
            self.old = Side.none() if existing is None else self._look(existing, "existing")
            self.pool = self._look(pool, "pool")
            if not len(self.pool.keys):
                raise empty("pool")
            self.cause = (self.pool.cause + 1).astype(np.int16)
            items = {} if self.benchmark is None else self._hold(self.benchmark)
            match = self._copies()
        if form:  # by other processes: see `select_job`
            self._write(match, form)
        counts = np.bincount(self.cause, minlength=len(self.causes)).tolist()
        ledger = {**dict(zip(self.causes, counts, strict=True)), "no document": self.pool.bad}
        fired = dict(zip(self.causes[1:], self.fired, strict=True))
        return Cleaned(ledger, fired, items, tuple(self.findings), self.run)

    def _over(
        self, task: str, title: str, parts: list[dict[str, Any]], folder: Path, **given: Any
    ) -> list[dict[str, Any]]:
        return over_parts(task, title, parts, self.run, self.workers,
                          text_field=self.text_field, _folder=str(folder), **given)  # fmt: skip

    def _look(self, path: Path | str, name: str) -> Side:
        """Read every part once; only documents of the pool are asked of the filters."""
        parts = [p.__dict__ for p in DocFiles(path, text_field=self.text_field).parts()]
        mine = name == "pool"
        near = None if self.near is None else find("near_duplicates").load()(**self.near)
        found = self._over(
            "clean_parts:look_part", f"reading {path}", parts, self.scratch, name=name,
            strict=self.strict, filters=self.alone if mine else {},
            by=self.params.get("exact_duplicates", {}).get("by", "text"),
            slots=near.permutations if near else 0, width=near.shingle if near else 1,
            benchmark=self.benchmark if mine else None,
        )  # fmt: skip
        self.findings += by_parts(found, self.scratch, self.run.artifacts)
        if mine:
            fired = np.array([r["fired"] for r in found], dtype=np.int64)
            self.fired += [int(n) for n in fired.sum(axis=0)]
        return Side.read(self.scratch, name, parts, sum(r["bad"] for r in found))

    def _enter(self, rows: NDArray[Any], rule: str) -> None:
        """Count a rule, and make it the cause of documents that have none; `rows` is a mask."""
        self.cause[(self.cause == 0) & rows] = len(self.causes)
        self.causes.append(rule)
        self.fired.append(int(rows.sum()))

    def _hold(self, benchmark: dict[str, Any]) -> dict[str, int]:
        """Mark what holds passages of the benchmark; return how many documents hold each item."""
        documents = len(self.cause)
        save(self.scratch / "counts.npz", counts=self.pool.counts, documents=np.array([documents]))
        made = clean_parts.contamination(**benchmark).counted(self.pool.counts, documents)
        self.findings += made.findings()
        told = self._over(
            "clean_parts:hold_part", "holding against the benchmark", self.pool.parts,
            self.scratch, benchmark=benchmark, counts="counts.npz",
        )  # fmt: skip
        held = [load(self.scratch / f"held-{i:05d}.npz")["fired"] for i in range(len(told))]
        rules = np.concatenate(held)
        for k, rule in enumerate(made.mark([]).causes):
            self._enter(rules[:, k], f"contamination: {rule}")
        items: dict[str, int] = {}
        for r in told:
            for item, n in r["items"].items():
                items[item] = items.get(item, 0) + n
        with replacing(self.run.artifacts / "found.jsonl") as path, path.open("wb") as out:
            for i in range(len(told)):
                out.write((self.scratch / f"found-{i:05d}.jsonl").read_bytes())
        return dict(sorted(items.items(), key=lambda pair: (-pair[1], pair[0])))

    def _copies(self) -> Ints:
        """Mark copies among what is left; return the place each repeats, -1 for none.

        Places count existing documents first, then those of the pool.
        """
        match = np.full(len(self.cause), -1, dtype=np.int64)
        n_old = len(self.old.keys)
        whole = np.arange(n_old + len(self.cause))
        if "exact_duplicates" in self.params:
            at = whole[np.concatenate([np.ones(n_old, bool), self.cause == 0])]
            keys = np.concatenate([self.old.keys, self.pool.keys])[at]
            first = whole.copy()
            first[at] = at[first_places(keys)]
            self._repeat(match, first, "copy")
        if self.near is not None:
            self._repeat(match, self._near_copies(self.near), "near copy")
        return match

    def _near_copies(self, params: dict[str, Any]) -> Ints:
        """Return the place of the first document like each; a worker joins the signatures."""
        sides = (("existing", self.old), ("pool", self.pool))
        files = [f"{name}-{i:05d}" for name, side in sides for i in range(len(side.parts))]
        gone = np.concatenate([np.zeros(len(self.old.keys), bool), self.cause > 0])
        save(self.scratch / "gone.npz", gone=gone)
        given = {
            "params": params, "parts": [*self.old.parts, *self.pool.parts], "files": files,
            "text_field": self.text_field, "verified": clean_near.VERIFIED,
            "_folder": str(self.scratch),
        }  # fmt: skip
        (told,) = engine.map("ecotone.jobs.clean_near:near_copies", [given], self.run,
                             workers=self.workers, title="joining near copies")  # fmt: skip
        if told["unverified"]:
            says = (
                f"{told['unverified']:,} documents may be copies, too many to compare word by word"
            )
            self.findings.append(Finding("S123", f"{says}: they were judged by their signatures"))
        return load(self.scratch / "near.npz")["first"]

    def _repeat(self, match: Ints, first: Ints, what: str) -> None:
        """Enter the copies; `first` is the place of the first document like each."""
        n_old = len(self.old.keys)
        own = first[n_old:]
        copies = own != np.arange(n_old, len(first))
        match[copies & (self.cause == 0)] = own[copies & (self.cause == 0)]
        if n_old:
            self._enter(copies & (own < n_old), f"{what} of an existing document")
        self._enter(copies & (own >= n_old), f"{what} of an earlier document")

    def _write(self, match: Ints, form: str) -> None:
        folder, n_old = self.run.artifacts, len(self.old.keys)
        for i, (a, b) in enumerate(pairwise(self.pool.starts.tolist())):
            ids = [
                "" if m < 0 else self.old.id(m) if m < n_old else self.pool.id(m - n_old)
                for m in match[a:b].tolist()
            ]
            save(self.scratch / f"chosen-{i:05d}.npz", cause=self.cause[a:b],
                 match=np.array(ids, dtype=str))  # fmt: skip
        self._over("select_parts:write_part", "writing", self.pool.parts, folder,
                   causes=self.causes, form=form, _scratch=str(self.scratch))  # fmt: skip
