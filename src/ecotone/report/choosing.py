"""The report of ``ecotone select``: decision first, then the rules, what was kept, and examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecotone.report import tables
from ecotone.report.blocks import (
    Block,
    Commands,
    Document,
    Drawing,
    Findings,
    Headline,
    Prose,
    Row,
    Section,
    Table,
)
from ecotone.report.pairs import shares
from ecotone.report.phrases import about

_TONE: dict[str, Any] = {"adapt": "adapt", "keep": "keep", "cannot tell": "unsure"}
_LEAD = {
    "adapt": "Adapt: train on the documents that {rule} chose.",
    "keep": "Keep to random documents: no choice is worth more.",
    "cannot tell": "Cannot tell: random documents were kept, no rule is clearly better.",
}


def document(analysis: Mapping[str, Any]) -> Document:
    """Return the whole report."""
    sections = (
        _rules(analysis), _kept(analysis), _likeness(analysis), _examples(analysis),
        _ledger(analysis), _repeat(analysis),
    )  # fmt: skip
    return Document(analysis["title"], about(analysis), _headline(analysis), sections)


def _headline(analysis: Mapping[str, Any]) -> Headline:
    v = analysis["verdict"]
    low, high = v["interval"]
    chosen = next(r for r in analysis["table"] if r["rule"] == analysis["rule"])
    evidence = (
        f"A bigram model counted on the choice of {analysis['judged']} is {v['gain']:+.3f} nats a "
        f"token ({low:+.3f} to {high:+.3f}) better on held-out target text than one counted on "
        "random documents of equal tokens.",
        f"{chosen['documents']:,} documents with {chosen['tokens']:,} tokens are kept, "
        f"{tables.share(chosen['tokens'] / max(analysis['tokens'], 1))} of the pool's tokens.",
    )
    found = tuple(v["findings"])
    blocks: tuple[Block, ...] = (Findings(found),) if found else ()
    return Headline(
        _TONE[v["decision"]], "On held-out target text",
        _LEAD[v["decision"]].format(rule=analysis["rule"]), evidence, blocks,
    )  # fmt: skip


def _rules(analysis: Mapping[str, Any]) -> Section:
    rows = [
        Row(
            (r["rule"], f"{r['perplexity, choosing']:,.1f}", f"{r['perplexity, proof']:,.1f}",
             f"{r['documents']:,}", f"{r['tokens']:,}"),
            "natural" if r["rule"] == "random" else "best" if r["rule"] == analysis["rule"] else "",
        )
        for r in analysis["table"]
    ]  # fmt: skip
    words = (
        "Perplexity of held-out target text under a model counted on what each rule chose; lower "
        "is better. One part of the held-out text chooses the rule, the other is its proof."
    )
    columns: tuple[str, ...] = ("rule", "choosing", "proof", "documents", "tokens")
    if all("neural loss" in r for r in analysis["table"]):
        columns = (*columns, "neural loss, nats")
        both = zip(rows, analysis["table"], strict=True)
        rows = [Row((*row.cells, f"{r['neural loss']:.3f}"), row.tone) for row, r in both]
    return Section("rules", "What was tried", (Prose(words), Table("Rules", columns, tuple(rows))))


def _kept(analysis: Mapping[str, Any]) -> Section:
    drawn = [
        shares(f"by-{what}", title, part["rows"], part["columns"])
        for what, title in (
            ("domain", "Tokens by file or folder"),
            ("length", "Documents by length, in tokens"),
            ("cluster", "Documents by subject"),
        )
        if (part := analysis[what])
    ]
    words = (
        "Shares of the pool and of what was kept; a tick is the target's. Subjects are clusters of "
        "a sample, named by the words that set them apart."
    )
    return Section("kept", "What was kept", (Prose(words), Drawing(tuple(drawn))))


def _likeness(analysis: Mapping[str, Any]) -> Section:
    far, twice = analysis["divergence"], analysis["near copies"]
    rows = tuple(
        Row((what, f"{far[what]:.3f}", tables.share(twice[what]) if what in twice else ""),
            "best" if what == "kept" else "natural" if what == "random" else "")
        for what in ("pool", "random", "kept")
    )  # fmt: skip
    words = (
        "Divergence of held-out target text from each, in nats, over words and pairs of words. "
        "Near-copies: documents that mostly repeat another one of the same set."
    )
    table = Table("Likeness", ("documents", "divergence from the target", "near-copies"), rows)
    return Section("likeness", "How like the target it is", (Prose(words), table))


def _examples(analysis: Mapping[str, Any]) -> Section:
    blocks: list[Block] = []
    for side in ("kept", "dropped"):
        rows = tuple(Row((e["id"], e["text"])) for e in analysis["examples"][side])
        if rows:
            blocks.append(Table(side.capitalize(), ("document", "begins"), rows))
    words = Prose("Drawn from all that was kept, and from all that others were better than.")
    return Section("examples", "Kept and dropped", (words, *blocks))


def _ledger(analysis: Mapping[str, Any]) -> Section:
    ledger = analysis["ledger"]
    rows = [Row((cause, f"{n:,}")) for cause, n in ledger.items()]
    rows.append(Row(("all that was read", f"{sum(ledger.values()):,}"), "total"))
    table = Table("Documents by cause", ("cause", "documents"), tuple(rows))
    return Section("ledger", "Where every document went", (table,))


def _repeat(analysis: Mapping[str, Any]) -> Section:
    where = Prose(f"The documents are in {analysis['kept']}, one row for each of all in ledger.")
    return Section("repeat", "How to repeat it", (Commands(tuple(analysis["repeat"])), where))
