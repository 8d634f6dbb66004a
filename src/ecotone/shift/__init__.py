"""How far apart are the domains.

A method of this room is a function ``(A, B, *, rng) -> float``: a distance between two samples,
larger when they differ more. The room adds the permutation null, the intervals and the
domain-by-domain table. Its do-nothing answer is the null itself: a distance that lies within the
null interval says "no shift to be seen".
"""

from __future__ import annotations

from ecotone.core.method import from_room

__getattr__, __dir__ = from_room("shift")
