"""Made-up languages about which everything can be computed: words, frequencies, entropy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream

NAMES = ("alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")
CORE, OWN = 60, 120  # words all languages share; words of each language alone
SHARED = 0.2  # probability that the next word is a core word, whatever came before
SLOTS = 1 / np.arange(1, 7) / np.sum(1 / np.arange(1, 7))  # six successors, Zipf's law

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Languages:
    r"""The languages of a made corpus, and what can be computed about them exactly.

    From the word v, language d goes to w with the probability

    .. math:: P_d(w \mid v) = s\,c(w) + (1-s) \sum_j z_j\,[\pi_{d,j}(v) = w],

    where s = 0.2, c is Zipf's law on the core words, z Zipf's law on six slots and each
    :math:`\pi_{d,j}` a random map from the words of d to its own words, which it meets by Zipf's
    law too: some transitions are seen often, many rarely, and learning is gradual as on real
    text. A document starts in the stationary distribution, so every word of it follows that.

    Attributes
    ----------
    words : tuple of str
        V words: the core, then those of each domain.
    names : tuple of str
        The k domains.
    own : ndarray of int, shape (k, S)
        Numbers of the words of each domain, core included.
    next : ndarray of int, shape (k, 6, V)
        The maps; -1 for words a domain does not know.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    own: Whole
    next: Whole

    def transitions(self, domain: str) -> Floats:
        """Return P of one domain, shape (V, V); rows of words it does not know are zero."""
        d = self.names.index(domain)
        known = self.own[d]
        P = np.zeros((len(self.words), len(self.words)))
        P[np.ix_(known, range(CORE))] = SHARED * zipf(CORE)
        for slot, share in enumerate(SLOTS):
            np.add.at(P, (known, self.next[d, slot, known]), (1 - SHARED) * share)
        return P

    def unigram(self, domain: str) -> Floats:
        """Return the stationary distribution over the words, shape (V,)."""
        known = self.own[self.names.index(domain)]
        P = self.transitions(domain)[np.ix_(known, known)]
        A = np.vstack([P.T - np.eye(len(known)), np.ones(len(known))])
        out = np.zeros(len(self.words))
        out[known] = np.maximum(np.linalg.lstsq(A, np.eye(len(A))[-1], rcond=None)[0], 0.0)
        return out

    def entropy(self, domain: str) -> float:
        """Return the entropy rate, nats per word: no model can do better on average."""
        P = self.transitions(domain)
        plogp = P * np.log(np.where(P > 0, P, 1.0))
        return float(-self.unigram(domain) @ plogp.sum(axis=1))


def languages(*, seed: int = 0, domains: int = 5) -> Languages:
    """Make the languages that `made_corpus` writes in, for the same `seed` and `domains`."""
    names = language_names(domains)
    words = _words(CORE + OWN * domains, seed)
    core = np.arange(CORE)
    own = np.array([[*core, *range(CORE + OWN * d, CORE + OWN * (d + 1))] for d in range(domains)])
    following = np.full((domains, len(SLOTS), len(words)), -1)
    for d, name in enumerate(names):
        rng = stream(seed, "made", "language", name)
        for slot in range(len(SLOTS)):
            following[d, slot, own[d]] = rng.choice(own[d, CORE:], size=CORE + OWN, p=zipf(OWN))
    return Languages(words, names, own, following)


def walk(
    tongue: Languages, starts: Floats, of: Whole, steps: int, rng: np.random.Generator
) -> Whole:
    """Walk the chains side by side, shape (n, steps)."""
    n = len(of)
    core, slots = np.cumsum(zipf(CORE))[:-1], np.cumsum(SLOTS)[:-1]
    out = np.empty((n, steps), dtype=np.int64)
    u = rng.random((n, 1)) * starts[of, -1:]
    state = (starts[of] <= u).sum(axis=1)
    for t in range(steps):
        out[:, t] = state
        to_core = rng.random(n) < SHARED
        u = rng.random(n)
        own = tongue.next[of, np.searchsorted(slots, u, side="right"), state]
        state = np.where(to_core, np.searchsorted(core, u, side="right"), own)
    return out


def language_names(domains: int) -> tuple[str, ...]:
    """Return the names of the first languages."""
    if not 1 <= domains <= len(NAMES):
        raise BadInput(
            f"made_corpus: domains = {domains}.", cure=f"ask for 1 to {len(NAMES)} domains"
        )
    return NAMES[:domains]


def zipf(n: int) -> Floats:
    """Return shares in proportion to 1, 1/2, ..., 1/n."""
    law = 1 / np.arange(1, n + 1)
    return law / law.sum()


def _words(n: int, seed: int) -> tuple[str, ...]:
    """Return n different words of one or two syllables."""
    rng = stream(seed, "made", "words")
    starts, vowels, ends = list("bdfgklmnprstvz"), list("aeiou"), ["", "", "", "n", "r", "s"]
    found: dict[str, None] = {}
    while len(found) < n:
        parts = [rng.choice(s) for _ in range(rng.integers(1, 3)) for s in (starts, vowels, ends)]
        found["".join(parts)] = None
    return tuple(found)
