"""The job of ``ecotone select``: choose the documents of a pool for a target, and prove it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ecotone._version import __version__
from ecotone.core.errors import BadInput
from ecotone.core.files import plain, write_json
from ecotone.core.method import find
from ecotone.core.run import Manifest, Run
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.doc_files import DocFiles
from ecotone.data.docs import Docs, empty, joined
from ecotone.engine import pool as engine
from ecotone.jobs import select_parts as parts_of
from ecotone.jobs import select_told as told
from ecotone.jobs._memory import give_back
from ecotone.jobs.select_proof import perplexity, proved, thirds
from ecotone.select._grams import Counted, buckets_for
from ecotone.select._lm import Bigrams
from ecotone.select._pick import pick
from ecotone.select._text import counted, no_token
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
RULES = ("random", "dsir", "classifier_odds", "greedy_matching")
PAIRS = 1_200  # documents of the pool that a classifier is fitted on
JUDGED = 500_000  # tokens of a choice that a language model is counted on
BLOCK, TIMES = 1_500_000, 2.0  # tokens greedy matching looks at at once; budgets of them in all
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


def select_pool(
    pool: Path | str, target: Path | str, *, share: float = 0.05, rule: str = "auto",
    text_field: str = "text", strict: bool = False, form: str = "jsonl",
    neural: bool = False, seed: int = 0, out: Path | str = "runs",
    workers: int | None = None, command: str = "", note: Callable[[str], None] = lambda _: None,
) -> Selected:  # fmt: skip
    """Choose a share of the tokens of a pool for a target.

    The target's documents are cut in three by their text: 60 % to learn from, 20 % to choose the
    rule by, 20 % for the verdict. Copies are dropped first. A rule is judged by a bigram model
    counted on what it chose. If the choice is not clearly better than random documents, random
    ones are kept and the verdict says so.

    Parameters
    ----------
    pool, target : path
        A file or a folder of texts each.
    share : float
        Of the pool's tokens.
    rule : str
        One of `RULES`, or "auto".
    text_field, strict
        See `ecotone.data.doc_files.DocFiles`.
    form : {"jsonl", "parquet"}
        How the kept documents are written.
    neural : bool
        Train tiny neural models on what the rules chose, too (the extra ``lm``, minutes): the
        verdict is then *adapt* only if theirs is.
    seed, out, workers, command, note
        As everywhere.

    Raises
    ------
    BadInput
        An empty pool or target, an unknown rule, a share that is not above 0 and at most 1.
    """
    if rule != "auto" and rule not in RULES:
        raise BadInput(f"no rule is called {rule!r}.", cure=f"auto or one of: {', '.join(RULES)}")
    if not 0 < share <= 1:
        raise BadInput(f"the share to take is {share}.", cure="--take 5%")
    files = DocFiles(pool, text_field=text_field, strict=strict)
    wanted = joined(DocFiles(target, text_field=text_field, strict=strict), "target", least=1)
    inputs = {"target": DocFiles(target).fingerprint, "pool": files.fingerprint}
    params = {"share": share, "rule": rule, "text_field": text_field, "strict": strict,
              "form": form, **({"neural": True} if neural else {})}  # fmt: skip
    run = Run.open(out, Manifest("select", rule, params, inputs, seed, command))
    job = _Job(run, files, wanted, Path(target).name, share, form, neural, seed, workers, note)
    give_back()
    with engine.kept(workers):
        return job.done(rule)


class _Job:
    """The steps of one run, each of which finds its results when it is done again."""

    def __init__(
        self, run: Run, files: DocFiles, target: Docs, name: str, share: float, form: str,
        neural: bool, seed: int, workers: int | None, note: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.run, self.files, self.share, self.form, self.seed = run, files, share, form, seed
        self.name, self.neural, self.workers, self.note = name, neural, workers, note
        self.parts = [p.__dict__ for p in files.parts()]
        self.learn, self.dev, self.test = thirds(target, seed)
        self.findings: list[Finding] = []
        n = int(tokens(self.learn).lengths.sum())
        self.buckets = buckets_for(n)
        if n < LEAST:
            says = f"the target has {n} tokens to learn from: the choice is a guess"
            self.findings.append(Finding("S101", says, "more target text"))

    def _over_parts(self, task: str, title: str, **given: Any) -> list[dict[str, Any]]:
        inputs = [
            {"part": p, "number": i, "text_field": self.files.text_field, **given,
             "_folder": str(self.run.artifacts)}
            for i, p in enumerate(self.parts)
        ]  # fmt: skip
        size = [float(p["size"]) for p in self.parts]
        name = f"ecotone.jobs.select_parts:{task}"
        return engine.map(name, inputs, self.run, workers=self.workers, title=title, work=size)

    def done(self, rule: str) -> Selected:
        """Count, score, choose, judge and write."""
        self._count()
        scores = self._score()
        rules = RULES if rule == "auto" else tuple(dict.fromkeys(("random", rule)))
        chosen = {name: self._rows(name, scores) for name in rules}
        table, best, verdict = self._judge(chosen, rule)
        if self.neural:
            verdict = self._second(chosen, table, best, verdict)
        kept = best if verdict.decision == "adapt" else "random"
        ledger = self._write(chosen[kept], scores)
        analysis = self._analysis(kept, best, chosen, table, ledger, verdict)
        repeated = analysis["near copies"]["kept"]
        if repeated > REPEATED:
            says = f"{repeated:.0%} of what was kept mostly repeats another kept document"
            verdict = replace(
                verdict, findings=(*verdict.findings, Finding("S106", says, "ecotone clean POOL"))
            )
            analysis["verdict"] = verdict.facts()
        verdict.save(self.run.artifacts / "verdict.json")
        write_json(self.run.artifacts / "analysis.json", plain(analysis))
        self.run.close()
        return Selected(verdict, kept, table, ledger, self.run)

    def _analysis(
        self, kept: str, judged: str, chosen: dict[str, NDArray[np.int64]],
        table: list[dict[str, Any]], ledger: dict[str, int], verdict: Verdict,
    ) -> dict[str, Any]:  # fmt: skip
        """Join what the report is made from; it looks at samples of what was kept and dropped."""
        mask = np.zeros(len(self.lengths), dtype=bool)
        mask[chosen[kept]] = True
        whole = np.flatnonzero(self.usable)
        rows = {"pool": whole, "random": chosen["random"], "kept": chosen[kept],
                "dropped": np.flatnonzero(self.usable & ~mask)}  # fmt: skip
        self.note("looking at what was kept")
        some = {side: told.drawn(r, SHOWN, self.seed, side) for side, r in rows.items()}
        every = np.unique(np.concatenate(list(some.values())))
        docs = self._gathered(every)  # one pass over the pool for all of them
        sides = {side: docs.take(np.searchsorted(every, r)) for side, r in some.items()}
        command = self.run.manifest.command
        return {
            "kind": "select", "title": f"Documents for {self.name}", "version": __version__,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "target": self.name,
            "rule": kept, "judged": judged, "table": table, "ledger": ledger,
            "verdict": verdict.facts(), "share": self.share, "tokens": int(self.lengths.sum()),
            "kept": str(self.run.artifacts / "kept"), "repeat": [command] if command else [],
            **told.told(sides, self.learn, joined([self.dev, self.test]), self.parts, self.starts,
                        self.lengths, mask, self.seed),
        }  # fmt: skip

    def _gathered(self, rows: NDArray[np.int64]) -> Docs:
        return parts_of.gather(self.parts, self.starts, rows, self.files.text_field)

    def _count(self) -> None:
        """Count every part, put the columns together and mark copies."""
        sample = -(-PAIRS // max(len(self.parts), 1))
        found = self._over_parts(
            "count_part", "reading", buckets=self.buckets, sample=sample, strict=self.files.strict
        )
        self.grams, self.sample = np.zeros(self.buckets, dtype=np.int64), list[str]()
        lengths, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        for i in range(len(self.parts)):  # one at a time: the grams of each are a megabyte or two
            held = parts_of.load(self._file("counts", i))
            self.grams += held["grams"]
            self.sample += orjson.loads(held["sample"].tobytes())
            lengths.append(held["lengths"].astype(np.int64))
            columns.append(held["keys"])
        self.lengths, keys = np.concatenate(lengths), np.concatenate(columns)
        if len(self.lengths) == 0:
            raise empty("pool")
        self.starts = np.cumsum([len(n) for n in lengths])
        del lengths, columns
        first = np.zeros(len(keys), dtype=bool)
        first[np.unique(keys, return_index=True)[1]] = True
        self.keys, self.copy = keys, ~first
        self.usable = first & (self.lengths > 0)
        if not self.usable.any():
            raise no_token("pool")
        bad = sum(r["bad"] for r in found)
        if bad:
            shown = "; ".join(s for r in found for s in r["shown"])
            self.findings.append(
                Finding("S102", f"{bad:,} lines held no document, passed over: {shown[:300]}",
                        f"look at {self.run.artifacts}/no-document-*.jsonl, or --strict")
            )  # fmt: skip
        self.bad = bad

    def _file(self, what: str, number: int) -> Path:
        return self.run.artifacts / f"{what}-{number:05d}.npz"

    def _score(self) -> dict[str, Array]:
        """Learn from target and pool, score every document by both scores."""
        whole = Counted(self.grams, len(self.lengths), int(self.lengths.sum()), 0)
        dsir = find("dsir", "select").load()(buckets=self.buckets)
        dsir.fit_counts(counted(self.learn, self.buckets, "target"), whole)
        self.note("learning what tells the target from the pool")
        odds = find("classifier_odds", "select").load()().fit(self.learn, self.sample)
        del self.sample[1:]  # megabytes that nobody needs any more
        parts_of.save(
            self.run.artifacts / "model.npz", log_ratio=dsir.log_ratio_, weights=odds.weights_,
            offset=np.array([odds.offset_]),
        )  # fmt: skip
        self._over_parts("score_part", "scoring", model="model.npz")
        found = [parts_of.load(self._file("scores", i)) for i in range(len(self.parts))]
        random = find("random", "select").load()(seed=self.seed)
        return {
            "dsir": np.concatenate([f["dsir"] for f in found]).astype(np.float32),
            "classifier_odds": np.concatenate([f["classifier_odds"] for f in found]).astype(
                np.float32
            ),
            "random": random.of_fingerprints(self.keys),
        }

    def _top(self, score: Array, budget: float) -> NDArray[np.int64]:
        """Return the places of the best documents that fill a budget.

        Only those that can be among them are sorted: a pool of millions has columns of megabytes.
        """
        usable = int(self.usable.sum())
        total = float(self.lengths[self.usable].sum())
        known, k = np.where(self.usable, score, -np.inf), 1000
        k += int(2 * min(budget / max(total, 1.0), 1.0) * usable)
        while True:
            k = min(k, usable)
            bar = np.partition(known, len(known) - k)[len(known) - k]
            at = np.flatnonzero(known >= bar)
            if k == usable or self.lengths[at].sum() > 1.5 * budget:
                break
            k *= 2
        fits = min(budget, float(self.lengths[at].sum()))
        return at[pick(known[at], fits, sizes=self.lengths[at]).rows]

    @property
    def budget(self) -> float:
        """Tokens to take."""
        return self.share * float(self.lengths.sum())

    def _rows(self, name: str, scores: dict[str, Array]) -> NDArray[np.int64]:
        """Return the places of what a rule chooses.

        Greedy matching looks at the surest twice the budget, in blocks that fit into memory: from
        each it takes the part that looks most like the target, so that the whole does too.
        """
        if name != "greedy_matching":
            return self._top(scores[name], self.budget)
        rows = np.sort(self._top(scores["classifier_odds"], TIMES * self.budget))
        total = max(float(self.lengths[rows].sum()), 1.0)
        part = min(1.0, self.budget / total)
        block = np.cumsum(self.lengths[rows]) * max(1.0, np.ceil(total / BLOCK)) // (total + 1)
        model = find(name, "select").load()(share=part, buckets=self.buckets)
        model.fit(self.learn, self.sample[:1])  # the pool is not looked at
        taken = []
        for b in np.unique(block):
            mine = rows[block == b]
            self.note(f"matching block {int(b) + 1} of {int(block[-1]) + 1}")
            order = model.score(self._gathered(mine))
            budget = part * float(self.lengths[mine].sum())
            taken.append(mine[pick(order, budget, sizes=self.lengths[mine]).rows])
        return np.concatenate(taken)

    def _model(self, rows: NDArray[np.int64]) -> Bigrams:
        """Count a bigram model on at most half a million tokens of a choice."""
        return Bigrams.fit([self._gathered(self._some(rows, JUDGED))])

    def _some(self, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """Return documents of a choice with about so many tokens, drawn by their text."""
        part = rows[np.argsort(self.keys[rows])]
        return part[: max(1, int(np.searchsorted(np.cumsum(self.lengths[part]), most)))]

    def _second(
        self, chosen: dict[str, NDArray[np.int64]], table: list[dict[str, Any]], best: str,
        verdict: Verdict,
    ) -> Verdict:  # fmt: skip
        """Ask tiny neural models too; their losses join the table."""
        from ecotone.jobs.select_neural import TOKENS, neural_losses, second_opinion

        docs = {r: self._gathered(self._some(rows, TOKENS)) for r, rows in chosen.items()}
        held = joined([self.dev, self.test])
        losses = neural_losses(docs, held, self.run, seed=self.seed, workers=self.workers)
        for row in table:
            row["neural loss"] = float(losses[row["rule"]].mean())
        return second_opinion(verdict, losses, best)[0]

    def _judge(
        self, chosen: dict[str, NDArray[np.int64]], rule: str
    ) -> tuple[list[dict[str, Any]], str, Verdict]:
        """Choose the rule on one part of the held-out target, prove it on the other."""
        dev, test = tokens(self.dev), tokens(self.test)
        on_test: dict[str, Array] = {}
        table: list[dict[str, Any]] = []
        for name, rows in chosen.items():
            self.note(f"judging {name}")
            model = self._model(rows)
            on_dev, on_test[name] = model.log_likelihood(dev), model.log_likelihood(test)
            table.append(
                {"rule": name, "perplexity, choosing": perplexity(on_dev, dev),
                 "perplexity, proof": perplexity(on_test[name], test), "documents": len(rows),
                 "tokens": int(self.lengths[rows].sum())}
            )  # fmt: skip
        best = rule
        if rule == "auto":
            best = str(min(table, key=lambda r: float(r["perplexity, choosing"]))["rule"])
        draws = [on_test["random"]]
        for draw in range(1, DRAWS):
            scores = find("random", "select").load()(seed=self.seed + 1_000 * draw)
            rows = self._top(scores.of_fingerprints(self.keys), self.budget)
            draws.append(self._model(rows).log_likelihood(test))
        verdict = proved(on_test[best], np.array(draws), test.lengths, best, self.seed)
        return table, best, replace(verdict, findings=(*self.findings, *verdict.findings))

    def _write(self, rows: NDArray[np.int64], scores: dict[str, Array]) -> dict[str, int]:
        cause = np.full(len(self.lengths), parts_of.LOWER, dtype=np.int8)
        cause[self.lengths == 0] = parts_of.NO_TOKEN
        cause[self.copy] = parts_of.COPY
        cause[rows] = parts_of.KEPT
        for i, (a, b) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            parts_of.save(
                self._file("chosen", i), cause=cause[a:b],
                **{k: scores[k][a:b] for k in ("dsir", "classifier_odds")},
            )  # fmt: skip
        for name in ("kept", "ledger"):
            (self.run.artifacts / name).mkdir(exist_ok=True)
        self._over_parts("write_part", "writing", chosen="chosen-{:05d}.npz",
                         causes=list(parts_of.CAUSES), form=self.form)  # fmt: skip
        counts = np.bincount(cause, minlength=len(parts_of.CAUSES)).tolist()
        return {**dict(zip(parts_of.CAUSES, counts, strict=True)), "no document": self.bad}
