"""Which features: make an estimator trained on some domains good in another one.

A method on arrays is a scikit-learn estimator around a base estimator::

    fit(X, y, sample_domain=None, sample_weight=None), predict(X)

with ``X (n, d)``, ``y (n,)`` and ``sample_domain (n,)``: positive numbers for sources, negative for
targets. Labels of target rows never reach a method that did not declare that it needs them.
``sample_domain=None`` means one source and no target: the method is then its base estimator. Rows
to be predicted are target rows unless ``predict(X, sample_domain=...)`` says otherwise.

A new method is a subclass of `Aligner`, or of one of its three kinds: `Reweighter` (weighs source
rows), `Mapper` (moves source rows) and `Projector` (gives both sides new features).

The do-nothing method is `SourceOnly`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone.core.method import from_room

if TYPE_CHECKING:
    from ecotone.align._aligner import Aligner
    from ecotone.align._kinds import Mapper, Projector, Reweighter
    from ecotone.align._open_set import h_score
    from ecotone.data.domains import mask_targets, split

# importing scikit-learn costs a second: looked up when they are used
_NAMES = {
    "Aligner": "ecotone.align._aligner",
    "Mapper": "ecotone.align._kinds",
    "Projector": "ecotone.align._kinds",
    "Reweighter": "ecotone.align._kinds",
    "h_score": "ecotone.align._open_set",
    "mask_targets": "ecotone.data.domains",
    "split": "ecotone.data.domains",
}
__getattr__, __dir__ = from_room("align", _NAMES)

__all__ = ["Aligner", "Mapper", "Projector", "Reweighter", "h_score", "mask_targets", "split"]
