"""In what proportions should the domains be mixed.

Three kinds of method live here.

* A **law** is a scikit-learn regressor from mixtures to losses: ``fit(W, L)``, ``predict(W)`` with
  ``W (n, k)`` shares and ``L (n, t)`` losses in nats per token (see `ecotone.mix._law.Law`). The
  room adds designs, objectives and the solver.
* A **rule** needs no runs: a function ``(corpus, target, *, tokens, caps, rng) -> Mixture``.
* A **mixer** joins a design and a law: ``design(domains, n, rng) -> (n, k)``,
  ``propose(trials, ...) -> Mixture``.

The do-nothing method is `natural`: shares in proportion to the tokens at hand.
"""

from __future__ import annotations

from ecotone.core.method import from_room

__getattr__, __dir__ = from_room("mix")
