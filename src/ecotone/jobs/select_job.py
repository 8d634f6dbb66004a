"""The steps of ``ecotone select``, in the process that holds the columns of the pool."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone._version import __version__
from ecotone.core.files import plain, write_json
from ecotone.core.method import find
from ecotone.core.run import Run
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.doc_files import DocFiles
from ecotone.data.docs import joined
from ecotone.engine import pool as engine
from ecotone.jobs import select_parts as parts_of
from ecotone.jobs._aside import by_parts
from ecotone.jobs._over_parts import over_parts
from ecotone.jobs.select_columns import Columns, by_domain, by_length, drawn
from ecotone.jobs.select_proof import proved, target_side
from ecotone.select._grams import buckets_for
from ecotone.select._rules import PORTFOLIO

Rows = NDArray[np.int64]
PAIRS = 1_200  # documents of the pool that a classifier is fitted on
JUDGED = 500_000  # tokens of a choice that a language model is counted on
BLOCK = 1_000_000  # tokens greedy matching looks at at once
DRAWS = 3  # random choices to beat
REPEATED = 0.05  # share of near-copies in what was kept above which a finding says so
SHOWN = 600  # documents of a side that the report looks at
LEAST = 200  # target tokens below which a finding says so


@dataclass(frozen=True, eq=False)
class Selected:
    """What the job ends with.

    Attributes
    ----------
    verdict : Verdict
        Gain over random documents at equal tokens, nats a token of held-out target text.
    rule : str
        Which rule chose.
    table : list of dict
        Every rule: held-out perplexities, documents and tokens.
    ledger : dict
        Documents by cause; they add up to all that were read.
    run : Run
        ``artifacts/kept`` holds the documents, ``artifacts/ledger`` a row for each that was read.
    """

    verdict: Verdict
    rule: str
    table: list[dict[str, Any]]
    ledger: dict[str, int]
    run: Run


class Job:
    """The steps of one run, each of which finds its results when it is done again."""

    def __init__(
        self, run: Run, files: DocFiles, name: str, share: float, form: str, neural: bool,
        seed: int, workers: int | None,
    ) -> None:  # fmt: skip
        self.run, self.files, self.share, self.form, self.seed = run, files, share, form, seed
        self.name, self.neural, self.workers = name, neural, workers
        self.parts = [p.__dict__ for p in files.parts()]
        self.findings: list[Finding] = []
        self.scratch = run.path / "scratch"
        self.scratch.mkdir(exist_ok=True)

    def _file(self, name: str) -> Path:
        return self.scratch / f"{name}.npz"

    def _over_parts(self, task: str, title: str, **given: Any) -> list[dict[str, Any]]:
        return over_parts(
            f"select_parts:{task}", title, self.parts, self.run, self.workers,
            text_field=self.files.text_field, **{"_folder": str(self.scratch), **given},
        )  # fmt: skip

    def _tasks(self, task: str, inputs: list[dict[str, Any]], title: str) -> list[dict[str, Any]]:
        given = [{**i, "_folder": str(self.scratch)} for i in inputs]
        return engine.map(
            f"ecotone.jobs.select_steps:{task}", given, self.run, workers=self.workers, title=title
        )

    def done(self, rule: str) -> Selected:
        """Count, score, choose, judge, look, then write."""
        with engine.kept(self.workers):
            self._count()
            scores = self._score()
            rules = tuple(PORTFOLIO if rule == "auto" else dict.fromkeys(("random", rule)))
            chosen = {name: self._rows(name, scores) for name in rules}
            table, best, verdict = self._judge(chosen, rule)
            if self.neural:
                verdict = self._second(chosen, table, best, verdict)
            kept = best if verdict.decision == "adapt" else "random"
            analysis = self._analysis(kept, best, chosen, table)
        # by other processes: a worker that has counted holds compiled passes, and has no room left
        # for what writes Parquet
        analysis["ledger"] = ledger = self._write(chosen[kept], scores)
        repeated = analysis["near copies"]["kept"]
        if repeated > REPEATED:
            says = f"{repeated:.0%} of what was kept mostly repeats another kept document"
            verdict = replace(
                verdict, findings=(*verdict.findings, Finding("S106", says, "ecotone clean POOL"))
            )
        verdict.save(self.run.artifacts / "verdict.json")
        analysis["verdict"] = verdict.facts()
        write_json(self.run.artifacts / "analysis.json", plain(analysis))
        self.run.close()
        return Selected(verdict, kept, table, ledger, self.run)

    def _count(self) -> None:
        """Measure the target, count every part, put the columns together and mark copies."""
        learnt = self._tasks("measure", [{}], "measuring the target")[0]["learn"]
        if learnt < LEAST:
            says = f"the target has {learnt} tokens to learn from: the choice is a guess"
            self.findings.append(Finding("S101", says, "more target text"))
        self.buckets = buckets_for(learnt)
        sample = -(-PAIRS // max(len(self.parts), 1))
        found = self._over_parts(
            "count_part", "reading", buckets=self.buckets, sample=sample, strict=self.files.strict
        )
        self.columns = Columns.read([self._file(f"counts-{i:05d}") for i in range(len(self.parts))])
        self.bad = sum(r["bad"] for r in found)
        self.findings += by_parts(found, self.scratch, self.run.artifacts)

    def _score(self) -> dict[str, NDArray[Any]]:
        """Learn from target and pool, score every document by both scores."""
        given = {"parts": len(self.parts), "buckets": self.buckets}
        self._tasks("learn", [given], "learning what tells the target from the pool")
        self._over_parts("score_part", "scoring", model="model.npz")
        scores = {}
        for name in ("dsir", "classifier_odds"):
            files = (self._file(f"scores-{i:05d}") for i in range(len(self.parts)))
            found = [parts_of.load(f, name)[name].astype(np.float32) for f in files]
            scores[name] = np.concatenate(found)
        return scores

    def _random(self, draw: int) -> Rows:
        """Return the places of random documents; each draw has others."""
        scores = find("random", "select").load()(seed=self.seed + 1_000 * draw)
        return self.columns.top(scores.of_fingerprints(self.columns.keys), self.budget)

    @property
    def budget(self) -> float:
        """Tokens to take."""
        return self.share * float(self.columns.lengths.sum())

    def _rows(self, name: str, scores: Mapping[str, NDArray[Any]]) -> Rows:
        """Return the places of what a rule chooses."""
        rule = PORTFOLIO[name]
        if rule.within:
            return self._matched(scores[rule.within], rule.times)
        if rule.method == "random":
            return self._random(0)
        if rule.how == "gumbel":
            return self.columns.draw(scores[rule.method], self.budget, self.seed)
        return self.columns.top(scores[rule.method], self.budget)

    def _matched(self, odds: NDArray[Any], times: float) -> Rows:
        """Match greedily among the surest few times the budget, in blocks that fit into memory.

        From each block the part is taken that looks most like the target: so the whole does too.
        """
        lengths, starts = self.columns.lengths, self.columns.starts
        rows = np.sort(self.columns.top(odds, times * self.budget))
        share = min(1.0, self.budget / max(float(lengths[rows].sum()), 1.0))
        blocks = self.columns.blocks(rows, BLOCK)
        inputs = []
        for i, mine in enumerate(blocks):
            first, last = np.searchsorted(starts, mine[[0, -1]], side="right").tolist()
            parts_of.save(self._file(f"block-{i:05d}"), rows=mine, lengths=lengths[mine],
                          starts=starts[first - 1 : last + 1])  # fmt: skip
            inputs.append(
                {"parts": self.parts[first - 1 : last], "block": i, "share": share,
                 "buckets": self.buckets, "text_field": self.files.text_field}
            )  # fmt: skip
        self._tasks("match", inputs, "matching")
        files = (self._file(f"matched-{i:05d}") for i in range(len(blocks)))
        return np.concatenate([parts_of.load(f)["rows"] for f in files])

    def _collect(self, name: str, title: str, rows: Mapping[str, Rows]) -> None:
        """Let the workers write these documents where `select_parts.collected` finds them."""
        every = np.unique(np.concatenate(list(rows.values())))
        parts_of.save(self._file(f"{name}-rows"), every=every, starts=self.columns.starts, **rows)
        self._over_parts("collect_part", title, name=name)

    def _judge(
        self, chosen: Mapping[str, Rows], rule: str
    ) -> tuple[list[dict[str, Any]], str, Verdict]:
        """Choose the rule on one part of the held-out target, prove it on the other."""
        draws = {f"random-{d}": self._random(d) for d in range(1, DRAWS)}
        asked = {k: self.columns.some(v, JUDGED) for k, v in {**chosen, **draws}.items()}
        self._collect("judging", "collecting what the rules chose", asked)
        found = self._tasks("judge", [{"choice": c} for c in asked], "judging")
        table = [
            {"rule": name, "perplexity, choosing": f["choosing"], "perplexity, proof": f["proof"],
             "documents": len(rows), "tokens": int(self.columns.lengths[rows].sum())}
            for (name, rows), f in zip(chosen.items(), found[: len(chosen)], strict=True)
        ]  # fmt: skip
        best = rule
        if rule == "auto":
            best = str(min(table, key=lambda r: float(r["perplexity, choosing"]))["rule"])
        on_test = {c: parts_of.load(self._file(f"judged-{c}"))["log_likelihood"] for c in asked}
        against = np.array([on_test[c] for c in ("random", *draws)])
        lengths = parts_of.load(self._file("target-lengths"), "test")["test"]
        verdict = proved(on_test[best], against, lengths, best, self.seed)
        return table, best, replace(verdict, findings=(*self.findings, *verdict.findings))

    def _second(
        self, chosen: Mapping[str, Rows], table: list[dict[str, Any]], best: str, verdict: Verdict
    ) -> Verdict:
        """Ask tiny neural models too; their losses join the table."""
        from ecotone.jobs.select_neural import TOKENS, neural_losses, second_opinion

        rows = {r: self.columns.some(all_rows, TOKENS) for r, all_rows in chosen.items()}
        self._collect("neural", "collecting what the models read", rows)
        docs = {r: parts_of.collected(self.scratch, "neural", v) for r, v in rows.items()}
        held = joined([target_side(self.scratch, side) for side in ("dev", "test")])
        losses = neural_losses(docs, held, self.run, seed=self.seed, workers=self.workers)
        for row in table:
            row["neural loss"] = float(losses[row["rule"]].mean())
        return second_opinion(verdict, losses, best)[0]

    def _analysis(
        self, kept: str, judged: str, chosen: Mapping[str, Rows], table: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Join what the report is made from; it looks at samples of what was kept and dropped."""
        c = self.columns
        mask = np.zeros(len(c.lengths), dtype=bool)
        mask[chosen[kept]] = True
        rows = {"pool": np.flatnonzero(c.usable), "random": chosen["random"],
                "kept": chosen[kept], "dropped": np.flatnonzero(c.usable & ~mask)}  # fmt: skip
        some = {side: drawn(r, SHOWN, self.seed, side) for side, r in rows.items()}
        self._collect("shown", "collecting what the report shows", some)
        looked = self._tasks("look", [{"seed": self.seed}], "looking at it")[0]
        target = parts_of.load(self._file("target-lengths"), "learn")["learn"]
        command = self.run.manifest.command
        return {
            "kind": "select", "title": f"Documents for {self.name}", "version": __version__,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "target": self.name,
            "rule": kept, "judged": judged, "table": table, "share": self.share,
            "tokens": int(c.lengths.sum()),
            "kept": str(self.run.artifacts / "kept"), "repeat": [command] if command else [],
            "domain": by_domain(self.parts, c.starts, c.lengths, mask),
            "length": by_length(c.lengths, mask, target), **looked,
        }  # fmt: skip

    def _write(self, rows: Rows, scores: Mapping[str, NDArray[Any]]) -> dict[str, int]:
        cause = np.full(len(self.columns.lengths), parts_of.LOWER, dtype=np.int8)
        cause[self.columns.lengths == 0] = parts_of.NO_TOKEN
        cause[self.columns.copy] = parts_of.COPY
        cause[rows] = parts_of.KEPT
        for i, (a, b) in enumerate(pairwise(self.columns.starts.tolist())):
            own = {name: column[a:b] for name, column in scores.items()}
            parts_of.save(self._file(f"chosen-{i:05d}"), cause=cause[a:b], **own)
        self._over_parts(
            "write_part", "writing", causes=list(parts_of.CAUSES), form=self.form,
            _folder=str(self.run.artifacts), _scratch=str(self.scratch),
        )  # fmt: skip
        counts = np.bincount(cause, minlength=len(parts_of.CAUSES)).tolist()
        return {**dict(zip(parts_of.CAUSES, counts, strict=True)), "no document": self.bad}
