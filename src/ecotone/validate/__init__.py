"""Did it help: scores that need no target labels, splits, and the guard that does no harm.

A score is a function ``(model, X, y, sample_domain, *, rng) -> float``, higher is better:

* ``model`` was fitted on *other* rows (an `ecotone.align.Aligner` or anything with its face);
* ``X (n, d)`` are held-out rows of sources and targets, ``y (n,)`` their labels, those of target
  rows masked before the score sees them;
* a score may refit ``sklearn.base.clone(model)`` on the rows it was given, and draws from ``rng``.

Every score has a blind spot, and a test that shows it. `scorer` makes a scikit-learn scorer of a
score, `guard` asks several of them whether to adapt at all, and `final_score` is the one place
that target labels reach.
"""

from __future__ import annotations

from ecotone.core.method import from_room

_NAMES = {
    "DomainSplit": "ecotone.validate.splits",
    "LeaveOneDomainOut": "ecotone.validate.splits",
    "scorer": "ecotone.validate.scoring",
    "final_score": "ecotone.validate.scoring",
    "guard": "ecotone.validate.harm",
}
__getattr__, __dir__ = from_room("validate", _NAMES)
