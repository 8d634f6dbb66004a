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

import importlib

from ecotone.core.method import from_room

_NAMES = {
    "Ask": "asking", "GeneratorFailed": "asking", "Ledger": "result", "Rewritten": "result",
    "Example": "result", "scripted": "generators", "endpoint": "generators",
    "local_model": "generators", "rule_refiner": "generators", "run_code": "sandbox",
}  # fmt: skip
_methods, __dir__ = from_room("rewrite")


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(importlib.import_module(f"ecotone.rewrite.{_NAMES[name]}"), name)
    return _methods(name)
