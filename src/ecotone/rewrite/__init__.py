"""In what words: rewrite, synthesise and check examples with any generator.

A generator is a function ``list[str] -> list[str]``: a local model, an endpoint, a script. A method
of this room is a class with ``run(docs, ask, *, rng) -> Rewritten``: it writes prompts, asks, and
keeps only answers that its checks let pass. ``ask`` is what `ecotone.rewrite.asking` puts around a
generator: a cache on disk, retries, rate limits, a filter for refusals, a ledger.

The do-nothing method is `untouched_text`.
"""

from __future__ import annotations

from ecotone.core.method import from_room

__getattr__, __dir__ = from_room("rewrite")
