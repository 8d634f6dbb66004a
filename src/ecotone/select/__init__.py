"""Which examples to keep, and how much each should weigh.

A method is a class: its constructor takes options, ``fit(target, pool)`` learns from two sets of
examples, ``score(docs) -> (n,)`` answers for any, higher is better. Three kinds live here.

* **Text**: `target`, `pool` and `docs` are texts in any form that `ecotone.data.docs.as_docs`
  takes: a list of str, a batch of bytes, or files that are read in batches, so that a pool need
  not fit in memory.
* **Features**: arrays of shape (n, d), one row an example.
* **Gradients and losses**: what a model says of each example; such methods take arrays too, or a
  PyTorch model and its data.

Filters need no target: ``mark(docs) -> Marks`` says which documents to drop and why, rule by rule,
with the id of what a document repeats, or the bytes that are the reason. ``fit(texts)`` gives a
filter what the documents are held against: an existing corpus, a benchmark.

`pick` turns scores into the examples to keep under a budget. The do-nothing method is `random`.
"""

from __future__ import annotations

from ecotone.core.method import from_room

_NAMES = {
    "pick": "ecotone.select._pick",
    "Picked": "ecotone.select._pick",
    "Marks": "ecotone.select._marks",
}
__getattr__, __dir__ = from_room("select", _NAMES)
