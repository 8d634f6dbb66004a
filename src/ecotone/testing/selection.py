"""Laws of the room select, for methods that score texts and filters that mark them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import Method
from ecotone.core.seeds import stream
from ecotone.data.docs import Docs
from ecotone.select._marks import Marks
from ecotone.testing import cases
from ecotone.testing.fixtures import babble
from ecotone.testing.says import demand

Array = NDArray[np.float64]
TIGHT = 1e-9


def texts() -> tuple[list[str], list[str]]:
    """Return a target of one language and a pool of it and another one, with copies."""
    rng = stream(0, "selection laws")
    law, news = "court finds appeal judge order motion", "goal match team score player coach"
    target = babble(law, 12, rng)
    mixed = zip(babble(law, 10, rng, length=60), babble(news, 10, rng), strict=True)
    pool = [t for pair in mixed for t in pair]
    return target, [*pool, pool[3], pool[4]]


def scored(method: Method, docs: Any = None) -> Array:
    """Fit on the texts above and score some, or the pool."""
    target, pool = texts()
    found = cases.make(method).fit(target, pool).score(pool if docs is None else docs)
    return np.asarray(found, dtype=np.float64)


def one_score_a_document(method: Method) -> None:
    """Scores are finite numbers, one for each document; none for no document."""
    scores = scored(method)
    demand(scores.shape == (22,), f"{method.name}: 22 documents have scores {scores.shape}")
    demand(bool(np.isfinite(scores).all()), f"{method.name}: a score is no number")


def copies_score_alike(method: Method) -> None:
    """Neither the place of a document nor the cut of batches moves its score."""
    _, pool = texts()
    scores = scored(method)
    apart = max(abs(scores[20] - scores[3]), abs(scores[21] - scores[4]))
    demand(apart < TIGHT, f"{method.name}: copies differ by {apart:.1e}")
    cut = scored(method, [Docs.of(pool[:5]), Docs.of(pool[5:6]), Docs.of(pool[6:])])
    demand(bool(np.abs(cut - scores).max() < TIGHT), f"{method.name}: batches move a score")
    turned = scored(method, pool[::-1])[::-1]
    demand(bool(np.abs(turned - scores).max() < TIGHT), f"{method.name}: order moves a score")


def marked(method: Method, docs: Any = None) -> Marks:
    """Hold the pool above, or some documents, against the target by a filter."""
    target, pool = texts()
    found: Marks = held(method, target).mark(pool if docs is None else docs)
    return found


def held(method: Method, target: Any) -> Any:
    """Return a filter, fitted on the target where it can be."""
    made = cases.make(method)
    return made.fit(target) if hasattr(made, "fit") else made


def one_mark_a_document(method: Method) -> None:
    """Every document has one mark; each that is dropped has one cause, and the counts add up."""
    marks = marked(method)
    shape = (22, len(marks.causes))
    demand(marks.fired.shape == shape, f"{method.name}: marks of 22 documents have {shape}")
    added = sum(marks.counts().values())
    demand(added == marks.dropped.sum(), f"{method.name}: causes add up to {added}")
    clear = set(np.flatnonzero(~marks.dropped).tolist())
    shown = clear & (set(marks.match) | set(marks.spans))
    demand(not shown, f"{method.name}: reasons are given for documents that are kept: {shown}")
    whole = all(len(v) == 22 for v in marks.values.values())
    demand(whole, f"{method.name}: not every document has its numbers")


def cuts_move_no_mark(method: Method) -> None:
    """Demand that the cut of batches moves no mark, and that another order drops as many."""
    _, pool = texts()
    marks = marked(method)
    cut = marked(method, [Docs.of(pool[:5]), Docs.of(pool[5:6]), Docs.of(pool[6:])])
    same = bool((cut.fired == marks.fired).all()) and cut.spans == marks.spans
    demand(same, f"{method.name}: batches move a mark")
    turned = marked(method, pool[::-1])
    same = int(turned.dropped.sum()) == int(marks.dropped.sum())
    demand(same, f"{method.name}: another order drops another number")


def nothing_to_mark(method: Method) -> None:
    """No document gets no mark, and an empty document gets one."""
    target, _ = texts()
    demand(len(held(method, target).mark([])) == 0, f"{method.name}: marks for no document")
    demand(len(held(method, target).mark([""])) == 1, f"{method.name}: no mark for an empty one")


MARKS: list[Callable[[Method], None]] = [one_mark_a_document, cuts_move_no_mark, nothing_to_mark]
LAWS: list[Callable[[Method], None]] = [one_score_a_document, copies_score_alike]


def wrong(method: Method) -> list[tuple[str, Callable[[], Any]]]:
    """Return inputs that must be refused with a cure."""
    target, pool = texts()
    return [
        ("empty pool", lambda: cases.make(method).fit(target, [])),
        ("empty target", lambda: cases.make(method).fit([], pool)),
        ("one string", lambda: cases.make(method).fit(target, pool[0])),
        ("a generator", lambda: cases.make(method).fit(target, (t for t in pool))),
        ("no strings", lambda: cases.make(method).fit([1, 2], pool)),
    ]


def wrong_marks(method: Method) -> list[tuple[str, Callable[[], Any]]]:
    """Return inputs that a filter must refuse with a cure."""
    target, pool = texts()
    return [
        ("one string", lambda: held(method, target).mark(pool[0])),
        ("a generator", lambda: held(method, target).mark(t for t in pool)),
        ("no strings", lambda: held(method, target).mark([1, 2])),
    ]
