"""In what words: rewrite, synthesise and check examples with any generator.

A generator is a function ``list[str] -> list[str]``: a local model, an endpoint, a script (see
`generators`). `Ask` stands around it: a cache on disk, retries, rate limits, a filter for refusals.

A method is a class; its constructor takes options, ``run(docs, ask, *, rng) -> Rewritten`` writes
prompts, asks, and keeps only answers that its checks let pass.

* `docs`: a list of str, of `ecotone.core.corpus.Doc` (whose ``meta`` may hold an ``answer``), or a
  batch of `ecotone.data.docs.Docs`. All are held in memory: a large corpus is run batch by batch.
* `ask`: an `Ask`, or a bare generator, which is put into an `Ask` without a cache.
* `rng`: a numpy generator. What is drawn for a document depends on its id and the seed, not on the
  documents around it.
* `Rewritten`: every document is rewritten, left as it is, or dropped with one cause; every answer
  that was asked for is kept, refused, invalid or failed. Both counts add up, or it is not made.

The do-nothing method is `untouched_text`.
"""

from __future__ import annotations

from ecotone.core.method import from_room

_NAMES = {
    "Ask": "ecotone.rewrite.asking",
    "GeneratorFailed": "ecotone.rewrite.asking",
    "Ledger": "ecotone.rewrite.result",
    "Rewritten": "ecotone.rewrite.result",
    "Example": "ecotone.rewrite.result",
    "scripted": "ecotone.rewrite.generators",
    "endpoint": "ecotone.rewrite.generators",
    "local_model": "ecotone.rewrite.generators",
    "rule_refiner": "ecotone.rewrite.generators",
    "run_code": "ecotone.rewrite.sandbox",
}
__getattr__, __dir__ = from_room("rewrite", _NAMES)
