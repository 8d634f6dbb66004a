"""Tasks of adaptation on real rows: what a method may see, and what is kept for the final score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.data import labelled, labelled_text
from ecotone.data.domains import numbered
from ecotone.data.labelled import Array, Rows
from ecotone.data.packages import cache_folder

MOST = 4_000  # rows of a domain that a task takes
SMALL = 400  # target rows below which all of them are scored


@dataclass(frozen=True)
class Task:
    """From these domains to that one.

    Attributes
    ----------
    family : str
        Tasks of one family share their rows: what is learnt on some must not judge the others.
    sources, target : tuple of str, str
        Domains.
    about : str
        What to expect: a sentence.
    regression : bool
        Whether labels are numbers.
    """

    family: str
    sources: tuple[str, ...]
    target: str
    about: str = ""
    regression: bool = False

    @property
    def name(self) -> str:
        """Family, sources and target in one word."""
        return f"{self.family}: {'+'.join(self.sources)} > {self.target}"


LOADERS: dict[str, Callable[[Path], Rows]] = {
    "penguins": labelled.penguins,
    "houses": labelled.houses,
    "employment_year": labelled.employment_year,
    "employment_age": labelled.employment_age,
    "arms": labelled.arms,
    "reactor": labelled.reactor,
    "flights": labelled.flights,
    "seasons": labelled.seasons,
    "vowels": labelled.vowels,
    "sentiment": labelled_text.sentiment,
    "topics": labelled_text.topics,
    "spam": labelled_text.spam,
}


@lru_cache(maxsize=4)
def rows_of(family: str, cache: Path | None = None) -> Rows:
    """Load one family of tasks."""
    if family not in LOADERS:
        raise BadInput(f"no tasks are called {family!r}.", cure=f"one of: {', '.join(LOADERS)}")
    return LOADERS[family](cache_folder(cache))


def tasks() -> tuple[Task, ...]:
    """Return every real task; new ones come last, so that their numbers stay."""
    out = _pairs("penguins", ("Adelie", "Gentoo", "Chinstrap"), "location and scale")
    regions = ("south coast", "north inland", "north coast", "south inland")
    out += _pairs("houses", regions, "covariate, label and concept shift at once")
    for year in ("2016", "2017", "2018"):
        out.append(Task("employment_year", ("2015",), year, "no shift: keep"))
    for a, b in (("66+", "16-25"), ("26-45", "46-65"), ("46-65", "26-45"), ("16-25", "46-65")):
        out.append(Task("employment_age", (a,), b, "the base rate moves"))
    out += _pairs("arms", ("arm 0", "arm 1"), "mirror images")
    out.append(Task("reactor", ("laboratory",), "reactor", "level and range", regression=True))
    out += _pairs("flights", ("EWR", "LGA", "JFK"), "almost no shift")
    for a, b in (("winter", "summer"), ("summer", "winter"), ("spring", "autumn")):
        out.append(Task("seasons", (a,), b, "a small shift"))
    speakers = tuple(f"s{i}" for i in range(15))
    for t in speakers:
        out.append(Task("vowels", tuple(s for s in speakers if s != t), t, "speakers"))
    kinds = ("movie", "product", "newspaper", "tweets")
    out += _pairs("sentiment", kinds, "other words for the same judgement")
    out += [Task("sentiment", tuple(k for k in kinds if k != t), t, "three sources") for t in kinds]
    for question in labelled_text.QUESTIONS:
        out.append(Task("topics", (f"{question} old",), f"{question} new", "other sub-topics"))
    for t in ("easy 2", "hard"):
        out.append(Task("spam", ("easy 1",), t, "ordinary mail that looks like spam"))
    return tuple(out)


def _pairs(family: str, names: tuple[str, ...], about: str) -> list[Task]:
    return [Task(family, (a,), b, about) for a in names for b in names if a != b]


@dataclass(frozen=True, eq=False)
class Posed:
    """A task as a method meets it, and the truth apart.

    Attributes
    ----------
    X, y, sample_domain : ndarray
        Rows of the sources and half of the target's, its labels not masked yet.
    group : ndarray or None
        Rows that belong together.
    X_test, y_test : ndarray
        For the final score alone: the other half of the target, or all of a small one.
    """

    X: Array
    y: NDArray[Any]
    sample_domain: NDArray[np.int64]
    group: NDArray[np.int64] | None
    X_test: Array
    y_test: NDArray[Any]


def pose(task: Task, *, seed: int = 0, most: int = MOST, cache: Path | None = None) -> Posed:
    """Draw the rows of a task: at most `most` of a domain; groups are never torn apart.

    Half of the target's groups (or rows) are at hand without labels, the other half is for the
    final score. A target of fewer than 400 rows is at hand whole, and scored whole: half of it
    would tell nothing within ten points.
    """
    rows = rows_of(task.family, cache)
    rng = stream(seed, "pose", task.name)
    taken, test = [], np.zeros(0, dtype=np.int64)
    for name in (*task.sources, task.target):
        at = np.flatnonzero(rows.domain == name)
        group = at if rows.group is None else rows.group[at]
        unique = rng.permutation(np.unique(group))
        # whole groups, one after the other, in random order
        place = np.argsort(unique)[np.searchsorted(np.sort(unique), group)]
        at = at[np.argsort(place, kind="stable")]
        if name != task.target:
            taken.append(at[:most])
            continue
        group = at if rows.group is None else rows.group[at]
        few = len(at) < SMALL
        seen = np.isin(group, unique if few else unique[: len(unique) // 2])
        taken.append(at[seen][:most])
        test = at[seen if few else ~seen][:most]
    at = rng.permutation(np.concatenate(taken))
    domain, _ = numbered(rows.domain[at].tolist(), task.target)
    return Posed(
        rows.X[at], rows.y[at], domain, None if rows.group is None else rows.group[at],
        rows.X[test], rows.y[test],
    )  # fmt: skip
