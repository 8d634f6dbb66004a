"""Only-IF: of many instructions, as many as before but of more kinds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import derive, stream
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book
from ecotone.rewrite._diversity import (
    Array,
    clusters,
    cover,
    effective_number,
    text_vectors,
    vendi_score,
)
from ecotone.rewrite.result import Rewritten

DEMAND = 4000  # documents that are to be covered; beyond that a drawn part stands for all
DRAWS = 19  # random choices: the choice beats all of them by chance once in 20


@method(name="only_if", paper="zhang2024only", needs=set(), handles=set())
class OnlyIf:
    r"""Keep `size` instructions that cover what there is, every kind alike.

    Instructions are vectors of words (64 directions of TF-IDF), their kinds k-means clusters c.
    Greedily maximised is how near the nearest one kept is to each one in the pool,

    .. math:: F(S) = \sum_c \frac{1}{|c|} \sum_{i \in c} \max_{j \in S} \max(0, x_i^\top x_j)

    so that a small cluster counts as much as a large one, and a copy adds nothing. At least
    `floor` of what is kept are of the domain `core`. Nothing is asked and no text is changed.

    ``notes["effective"]`` is exp(entropy) over clusters and ``notes["vendi"]`` the Vendi score, of
    the pool, the choice and random choices. The latter is taken from runs of letters, which the
    choice was not made by: where it is no higher than that of every one of 19 random choices under
    the same floor, finding W506 says so.

    Parameters
    ----------
    size : int, default 1000
        Instructions to keep.
    core : str, default ""
        Domain (`Doc.domain`) that the model is for; "": none.
    floor : float, default 0.5
        Least share of `core`, when there is one. The best share is found by trying several.
    clusters : int, default 100
        Kinds to tell apart, at most; never more than `size`.

    Examples
    --------
    >>> docs = ["Sort the list of numbers."] * 6 + ["Name a river.", "Write a poem about rain."]
    >>> done = OnlyIf(size=3).run(docs, rng=np.random.default_rng(0))
    >>> len({docs[int(i)] for i in done.untouched})
    3
    """

    def __init__(
        self, *, size: int = 1000, core: str = "", floor: float = 0.5, clusters: int = 100
    ) -> None:
        if min(size, clusters) < 1 or not 0 <= floor <= 1:
            raise BadInput(
                f"only_if: size={size}, clusters={clusters}, floor={floor} make no sense.",
                cure="-p size=1000 -p clusters=100 -p floor=0.5",
            )
        self.size = size
        self.core = core
        self.floor = floor
        self.clusters = clusters

    def run(self, docs: Any, ask: Any = None, *, rng: np.random.Generator) -> Rewritten:
        """Choose; what is drawn hangs on the seed and the ids, not on the order of documents."""
        del ask
        seed = int(rng.integers(2**62))
        book = Book("only_if", docs, None)
        # an order by seed and id: of documents that add the same, no place in the file is favoured
        pool = sorted(
            (d for d in book.docs if d.text.strip()), key=lambda d: (derive(seed, d.id), d.id)
        )
        size = min(self.size, len(pool))
        core = np.array([d.domain == self.core != "" for d in pool], dtype=bool)
        least = self._least(pool, core, size)
        chosen = self._choose(book, pool, core, size, least, seed)
        kept = {pool[i].id for i in chosen}
        for doc in book.docs:
            if doc.id in kept:
                book.keep(doc)
            else:
                book.drop(doc, "not chosen" if doc.text.strip() else "empty")
        return book.close()

    def _least(self, pool: list[Doc], core: Any, size: int) -> int:
        """Return how many of the core domain are to be kept at least."""
        if not self.core:
            return 0
        least = math.ceil(self.floor * size - 1e-9)
        if core.sum() < max(least, 1):
            known = ", ".join(sorted({d.domain for d in pool if d.domain})) or "none"
            share = core.sum() / max(size, 1)
            raise BadInput(
                f"only_if: {core.sum()} documents are of the domain {self.core!r}, "
                f"{least} are to be kept.",
                why=f"the domains are: {known}.",
                cure=f"-p floor={math.floor(share * 1000) / 1000}" if core.any() else "-p core=",
            )
        return least

    def _choose(
        self, book: Book, pool: list[Doc], core: Any, size: int, least: int, seed: int
    ) -> list[int]:
        if not pool:
            return []
        texts = [d.text for d in pool]
        X = text_vectors(texts, seed=seed % 2**31)
        # more kinds than can be kept would weigh outliers only
        label = clusters(X, min(self.clusters, size), seed % 2**31)
        asked = slice(0, DEMAND)  # the order is a drawn one
        weights = 1.0 / np.bincount(label[asked], minlength=label.max() + 1)[label[asked]]
        chosen = cover(X, X[asked], weights, size, rare=~core, most=size - least)
        drawn = [_draw(core, size, least, stream(seed, "random", i)) for i in range(DRAWS)]
        letters = text_vectors(texts, letters=True, seed=seed % 2**31)
        self._tell(book, label, letters, chosen, drawn)
        if self.core:
            book.notes["core"] = float(core[chosen].mean())
        return chosen

    def _tell(
        self, book: Book, label: Any, letters: Array, chosen: list[int], drawn: list[Any]
    ) -> None:
        """Note how varied pool, choice and random choices are; say when the choice is no better."""
        vendi = [vendi_score(letters[d]) for d in drawn]
        mine = vendi_score(letters[chosen])
        book.notes |= {
            "effective": {
                "pool": effective_number(label), "choice": effective_number(label[chosen]),
                "random": float(np.mean([effective_number(label[d]) for d in drawn])),
            },
            "vendi": {
                "pool": vendi_score(letters), "choice": mine, "random": float(np.mean(vendi)),
            },
        }  # fmt: skip
        if len(chosen) < len(letters) and mine <= max(vendi) + 1e-9:
            book.findings.append(
                Finding(
                    "W506",
                    f"the choice is no more diverse than random: {mine:.1f} in effect, random "
                    f"choices {min(vendi):.1f} to {max(vendi):.1f}.",
                    "add instructions of other kinds, or keep a random choice",
                )
            )


def _draw(core: Any, size: int, least: int, rng: np.random.Generator) -> Any:
    """Return a random choice under the same floor."""
    order = rng.permutation(len(core))
    first = order[core[order]][:least]
    rest = order[~np.isin(order, first)]
    return np.concatenate([first, rest[: size - least]])
