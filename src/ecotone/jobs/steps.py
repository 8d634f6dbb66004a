"""What the user wants, and the pieces that every way to a mixture shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.simplex import cap_shares
from ecotone.core.trials import Trials
from ecotone.data.tokens import TokenStore
from ecotone.jobs.decide import Question
from ecotone.jobs.trials import natural_shares, try_mixtures
from ecotone.mix.counting_oracle import CountingOracle
from ecotone.mix.problem import Limits

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """What the user wants and may spend.

    Attributes
    ----------
    tokens : int
        Training tokens of the real run; caps refer to it.
    proxy_tokens : int
        Training tokens of each proxy.
    proxies : int
        Number of proxies; 0 asks the counting oracle alone.
    caps : float
        Most epochs of any domain.
    tolerance : float or None
        Largest rise of the general loss over natural.
    kl : float
        Pull towards natural.
    floors : mapping of str to float
        Least shares.
    frozen : tuple of tuple of str
        Groups whose inner ratios stay natural.
    depth : int
        Dial of the tiny decoder.
    """

    tokens: int
    proxy_tokens: int = 300_000
    proxies: int = 12
    caps: float = 4.0
    tolerance: float | None = 0.03
    kl: float = 0.0
    floors: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[tuple[str, ...], ...] = ()
    depth: int = 2


def limits_of(store: TokenStore, settings: Settings) -> tuple[Limits, Array]:
    """Return the limits on shares, and the natural mixture within its caps."""
    unique = np.array([store.full_count(n) for n in store.names], dtype=np.float64)
    unknown = sorted({*settings.floors, *(n for g in settings.frozen for n in g)} - {*store.names})
    if unknown:
        raise BadInput(
            f"no domain is called {unknown[0]!r}.", cure=f"use: {', '.join(store.names)}"
        )
    lower = np.array([settings.floors.get(n, 0.0) for n in store.names])
    limits = Limits.epochs(
        settings.caps, unique=unique, tokens=settings.tokens, lower=lower, frozen=settings.frozen
    )
    return limits, cap_shares(natural_shares(store), limits.upper)


@dataclass
class Steps:
    """The pieces that several ways share: oracle, trials, question."""

    corpus: Corpus
    store: TokenStore
    settings: Settings
    natural: Array
    limits: Limits
    seed: int
    workers: int | None
    out: Path | str
    note: Callable[[str], None]
    confirming: bool = False
    trials: Trials | None = None
    rehearsals: Trials | None = None
    counting: float = 0.0

    @property
    def caps(self) -> dict[str, float]:
        """Most epochs, by domain."""
        return dict.fromkeys(self.store.names, self.settings.caps)

    def oracle(self, tokens: int) -> CountingOracle:
        """Count for a training of this many tokens that stands for the real one."""
        self.note("counting n-grams")
        began = time.process_time()
        made = CountingOracle.of(self.store, tokens=tokens, horizon=self.settings.tokens)
        self.counting += time.process_time() - began
        return made

    def train(self, shares: Array) -> Trials:
        """Train proxies at these mixtures; the finished ones are taken from the run."""
        s = self.settings
        self.trials = self._trained(shares, s.proxy_tokens, {"depth": s.depth}, "training proxies")
        return self.trials

    def train_long(self, shares: Array, eval_tokens: int) -> Trials:
        """Train at the length of the real training, once each."""
        recipe = {"depth": self.settings.depth, "eval_tokens": eval_tokens}
        self.rehearsals = self._trained(shares, self.settings.tokens, recipe, "rehearsing")
        return self.rehearsals

    def _trained(self, shares: Array, tokens: int, recipe: dict[str, Any], title: str) -> Trials:
        return try_mixtures(
            self.store, shares, tokens=tokens, horizon=self.settings.tokens, seed=self.seed,
            workers=self.workers, out=self.out, recipe=recipe, title=title,
        )  # fmt: skip

    def question(self) -> Question:
        """Return what is asked of the trials."""
        target = self.corpus.target.name
        return Question(
            target, self.natural, self.limits, self.settings.tolerance,
            tuple(n for n in self.store.names if n != target), kl=self.settings.kl,
        )  # fmt: skip
