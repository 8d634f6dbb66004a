"""The columns of a pool that is chosen from, one number a document: all that the job itself holds.

Tens of megabytes a million documents; nothing here looks at text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.seeds import derive, stream
from ecotone.data.docs import empty
from ecotone.jobs.select_parts import load
from ecotone.select._pick import gumbel_keys, pick
from ecotone.select._text import no_token
from ecotone.select.random import uniform

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
BATCH = 1 << 16  # looked at once
DOMAINS = 12  # shown; the others are added up


@dataclass(frozen=True, eq=False)
class Columns:
    """Tokens and fingerprint of each document, and which are no copy of an earlier one.

    Attributes
    ----------
    lengths : ndarray of int32, shape (n,)
        Tokens.
    keys : ndarray of uint64, shape (n,)
        Fingerprints.
    copy, usable : ndarray of bool, shape (n,)
        A document is usable that has a token and repeats no earlier one.
    starts : ndarray of int64, shape (parts + 1,)
        Where each part begins.
    """

    lengths: NDArray[np.int32]
    keys: NDArray[np.uint64]
    copy: Mask
    usable: Mask
    starts: Rows

    @classmethod
    def read(cls, files: Sequence[Path]) -> Columns:
        """Put together what `count_part` wrote.

        Raises
        ------
        BadInput
            No document, or none with a token.
        """
        held = [load(f, "lengths", "keys") for f in files]
        lengths = np.concatenate([np.zeros(0, np.int32), *(h["lengths"] for h in held)])
        keys = np.concatenate([np.zeros(0, np.uint64), *(h["keys"] for h in held)])
        if len(lengths) == 0:
            raise empty("pool")
        starts = np.cumsum([0, *(len(h["keys"]) for h in held)])
        held.clear()
        first = np.zeros(len(keys), dtype=bool)
        first[np.unique(keys, return_index=True)[1]] = True
        usable = first & (lengths > 0)
        if not usable.any():
            raise no_token("pool")
        return cls(lengths, keys, ~first, usable, starts)

    def top(self, score: NDArray[Any], budget: float) -> Rows:
        """Return the places of the best documents that fill a budget of tokens.

        Only those that can be among them are sorted: a pool of millions has columns of megabytes.
        """
        usable = int(self.usable.sum())
        total = float(self.lengths[self.usable].sum())
        known, k = np.where(self.usable, score, -np.inf), 1000
        k += int(2 * min(budget / max(total, 1.0), 1.0) * usable)
        while True:
            k = min(k, usable)
            bar = np.partition(known, len(known) - k)[len(known) - k]
            at = np.flatnonzero(known >= bar)
            if k == usable or self.lengths[at].sum() > 1.5 * budget:
                break
            k *= 2
        fits = min(budget, float(self.lengths[at].sum()))
        return at[pick(known[at], fits, sizes=self.lengths[at]).rows]

    def draw(self, score: NDArray[Any], budget: float, seed: int) -> Rows:
        """Return documents drawn by their score, as `pick` does with ``how="gumbel"``.

        The draw of a document depends on its text and the seed alone.
        """
        at, key = np.flatnonzero(self.usable), np.full(len(self.keys), -np.inf)
        u = uniform(self.keys[at] ^ np.uint64(derive(seed, "pick") % (1 << 64)))
        key[at] = gumbel_keys(score[at].astype(np.float64), self.lengths[at], budget, u)[0]
        return self.top(key, budget)

    def some(self, rows: Rows, most: int) -> Rows:
        """Return documents of a choice with about so many tokens, drawn by their text, in order."""
        part = rows[np.argsort(self.keys[rows])]
        end = max(1, int(np.searchsorted(np.cumsum(self.lengths[part]), most)))
        return np.sort(part[:end])

    def blocks(self, rows: Rows, most: int) -> list[Rows]:
        """Cut places that rise into runs of about so many tokens, and as many in each."""
        total = float(self.lengths[rows].sum())
        number = np.cumsum(self.lengths[rows]) * max(1.0, np.ceil(total / most)) // (total + 1)
        return np.split(rows, np.flatnonzero(np.diff(number)) + 1)


def drawn(rows: Rows, n: int, seed: int, name: str) -> Rows:
    """Return at most n of the rows, drawn, in order."""
    return np.sort(stream(seed, "report", name).permutation(rows)[:n])


def by_domain(
    parts: list[dict[str, Any]], starts: Rows, lengths: NDArray[np.int32], kept: Mask
) -> dict[str, Any] | None:
    """Return the shares of tokens by file or folder; None where there is only one."""
    names = [p["shown"].partition("/")[0] for p in parts]
    pool, mine = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for name, a, b in zip(names, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        pool[name] += int(lengths[a:b].sum())
        mine[name] += int(lengths[a:b][kept[a:b]].sum())
    if len(pool) == 1:
        return None
    rows = sorted(pool, key=lambda n: -max(mine[n], pool[n]))
    shown, rest = rows[:DOMAINS], rows[DOMAINS:]
    out = {}
    for column, counts in (("pool", pool), ("kept", mine)):
        total = max(sum(counts.values()), 1)
        values = [counts[n] / total for n in shown]
        out[column] = [*values, *([sum(counts[n] for n in rest) / total] if rest else [])]
    return {"rows": [*shown, *([f"{len(rest)} others"] if rest else [])], "columns": out}


def by_length(lengths: NDArray[Any], kept: Mask, target: NDArray[Any]) -> dict[str, Any]:
    """Return the shares of documents by length, in powers of two of tokens."""
    sides = {"pool": lengths, "kept": lengths[kept], "target": target}
    counts = {side: _powers(values) for side, values in sides.items()}
    there = np.flatnonzero(np.sum(list(counts.values()), axis=0))
    some = range(int(there[0]), int(there[-1]) + 1)
    return {
        "rows": [f"{2**p:,} to {2 ** (p + 1) - 1:,}" for p in some],
        "columns": {k: (c[some] / max(c.sum(), 1)).tolist() for k, c in counts.items()},
    }


def _powers(lengths: NDArray[Any]) -> Rows:
    """Count numbers by their power of two, (63,), batch by batch."""
    out = np.zeros(63, dtype=np.int64)
    for i in range(0, len(lengths), BATCH):
        part = np.maximum(lengths[i : i + BATCH], 1)
        out += np.bincount(np.floor(np.log2(part)).astype(np.int64), minlength=63)
    return out
