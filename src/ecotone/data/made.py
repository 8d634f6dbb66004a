"""Made-up text whose best mixture is known: `made_corpus`.

Each source domain is a language of its own: a first-order Markov chain over made-up words. All
languages share a core of common words; the other words belong to one domain. The documents of the
target are written in the source languages, in known proportions, so what serves the target is known
as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus, Doc, Domain
from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, replacing
from ecotone.core.mixture import Mixture, check_weights
from ecotone.core.seeds import stream
from ecotone.core.simplex import largest_remainder

NAMES = ("alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")
TARGET = "meadow"
EDITION = 1  # raised when the same parameters give other text
CORE, OWN = 60, 120  # words all languages share; words of each language alone
SHARED = 0.2  # probability that the next word is a core word, whatever came before
SLOTS = 1 / np.arange(1, 7) / np.sum(1 / np.arange(1, 7))  # six successors, Zipf's law
_OPENER = "ecotone.data.made:made_corpus"
_BATCH = 256  # documents written side by side

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
        P[np.ix_(known, range(CORE))] = SHARED * _zipf(CORE)
        for slot, share in enumerate(SLOTS):
            np.add.at(P, (known, self.next[d, slot, known]), (1 - SHARED) * share)
        return P

    def unigram(self, domain: str) -> Floats:
        """Return the stationary distribution over the words, shape (V,)."""
        known = self.own[self.names.index(domain)]
        P = self.transitions(domain)[np.ix_(known, known)]
        A = np.vstack([P.T - np.eye(len(known)), np.ones(len(known))])
        out = np.zeros(len(self.words))
        out[known] = np.linalg.lstsq(A, np.eye(len(A))[-1], rcond=None)[0]
        return out

    def entropy(self, domain: str) -> float:
        """Return the entropy rate, nats per word: no model can do better on average."""
        P = self.transitions(domain)
        plogp = P * np.log(np.where(P > 0, P, 1.0))
        return float(-self.unigram(domain) @ plogp.sum(axis=1))


def languages(*, seed: int = 0, domains: int = 5) -> Languages:
    """Make the languages that `made_corpus` writes in, for the same `seed` and `domains`."""
    names = _names(domains)
    words = _words(CORE + OWN * domains, seed)
    core = np.arange(CORE)
    own = np.array([[*core, *range(CORE + OWN * d, CORE + OWN * (d + 1))] for d in range(domains)])
    following = np.full((domains, len(SLOTS), len(words)), -1)
    for d, name in enumerate(names):
        rng = stream(seed, "made", "language", name)
        for slot in range(len(SLOTS)):
            following[d, slot, own[d]] = rng.choice(own[d, CORE:], size=CORE + OWN, p=_zipf(OWN))
    return Languages(words, names, own, following)


def made_corpus(
    *,
    seed: int = 0,
    target_mix: Mapping[str, float] | None = None,
    domains: int = 5,
    docs: int = 8000,
    target_docs: int = 600,
    sizes: Sequence[float] | None = None,
    doc_words: tuple[int, int] = (60, 180),
) -> Corpus:
    r"""Make text in several domains with a target whose best mixture is known.

    With the target's documents written in the languages of the sources in the shares
    :math:`p`, a model that has learned the training text tells the language from the first few
    words, and the training text from the mixture :math:`p` has the target's own distribution. So
    `target_mix` is the best mixture once the model has seen enough text; when it has seen little
    (each domain's loss still falls as :math:`n^{-\alpha}`), the optimum lies between `target_mix`
    and equal shares of the same domains, at :math:`w \propto p^{1/(1+\alpha)}`. A domain with
    share 0 never helps except through the core words.

    Parameters
    ----------
    seed : int, default 0
        Decides the languages and the documents; the same seed, the same text.
    target_mix : mapping of str to float, optional
        Share of the target's documents in each source language; sums to 1, missing names are 0.
        Not given: the natural shares, so that the right decision is to keep them.
    domains : int, default 5
        Number of sources, 1 to 10, named by `NAMES`; the target is called ``meadow``.
    docs, target_docs : int
        Number of documents in all sources together and in the target.
    sizes : sequence of float, optional
        Relative sizes of the sources; 1, 1/2, 1/3, ... when not given.
    doc_words : tuple of int, default (60, 180)
        Least and most words of a document, uniformly distributed.

    Returns
    -------
    Corpus
        Read lazily, nothing is stored; ``Doc.meta["language"]`` tells the language.

    Examples
    --------
    >>> corpus = made_corpus(seed=1, target_mix={"elm": 0.6, "fir": 0.4}, docs=100)
    >>> [(d.name, d.size) for d in corpus.domains][:3]
    [('alder', 43), ('birch', 22), ('cedar', 15)]
    >>> best_mixture(corpus)
    Mixture(elm 60.0%, fir 40.0%, alder 0.0%, birch 0.0%, cedar 0.0%, by known)
    """
    names = _names(domains)
    counts = _counts(names, docs, sizes)
    mix = _target_mix(names, counts, target_mix)
    if target_docs < 1 or not 1 <= doc_words[0] <= doc_words[1]:
        raise BadInput(
            f"made_corpus: target_docs = {target_docs}, doc_words = {tuple(doc_words)}.",
            cure="ask for 1 document or more, of 1 word or more",
        )
    tongue = languages(seed=seed, domains=domains)
    components = _components(names, mix, target_docs, seed)
    low, high = doc_words

    def opener(name: str) -> Iterator[Doc]:
        of = components if name == TARGET else np.full(counts[name], names.index(name))
        return _docs(tongue, name, of, low, high, seed)

    parameters = {
        "seed": seed,
        "target_mix": mix,
        "domains": domains,
        "docs": docs,
        "target_docs": target_docs,
        "sizes": None if sizes is None else [float(s) for s in sizes],
        "doc_words": [low, high],
    }
    key = [EDITION, seed, domains, low, high]
    made = [Domain(n, "source", counts[n], None, fingerprint([*key, n, counts[n]])) for n in names]
    mark = fingerprint([*key, TARGET, target_docs, mix])
    made.append(Domain(TARGET, "target", target_docs, None, mark))
    ordered = tuple(sorted(made, key=lambda d: d.name))
    return Corpus(ordered, None, {"opener": _OPENER, **parameters}, opener)


def best_mixture(corpus: Corpus) -> Mixture:
    """Return the mixture that the target of a made corpus was written in."""
    if corpus.origin.get("opener") != _OPENER:
        raise BadInput(
            "the best mixture of this corpus is not known: it was not made by made_corpus.",
            cure="ecotone.data.made.made_corpus(seed=0)",
        )
    return Mixture(dict(corpus.origin["target_mix"]), made_by="known")


def write(corpus: Corpus, folder: Path | str) -> Path:
    """Write any corpus as a folder of JSON lines, one file a domain, for `read_corpus`."""
    for name in corpus.names:
        with replacing(Path(folder) / f"{name}.jsonl") as part, part.open("wb") as file:
            for doc in corpus.docs(name):
                file.write(orjson.dumps({"text": doc.text, **doc.meta}) + b"\n")
    return Path(folder)


def _names(domains: int) -> tuple[str, ...]:
    if not 1 <= domains <= len(NAMES):
        raise BadInput(
            f"made_corpus: domains = {domains}.", cure=f"ask for 1 to {len(NAMES)} domains"
        )
    return NAMES[:domains]


def _counts(names: Sequence[str], docs: int, sizes: Sequence[float] | None) -> dict[str, int]:
    """Divide the documents among the sources by their relative sizes."""
    given = [1 / (i + 1) for i in range(len(names))] if sizes is None else list(sizes)
    if len(given) != len(names) or not all(s > 0 for s in given) or docs < len(names):
        raise BadInput(
            f"made_corpus: {docs} documents in {len(names)} domains of sizes {given}.",
            cure="give one positive size a domain, and at least one document a domain",
        )
    shares = np.array(given) / sum(given)
    counts = 1 + largest_remainder(shares, docs - len(names))
    return {name: int(n) for name, n in zip(names, counts, strict=True)}


def _target_mix(
    names: Sequence[str], counts: Mapping[str, int], target_mix: Mapping[str, float] | None
) -> dict[str, float]:
    if target_mix is None:
        total = sum(counts.values())
        return {name: counts[name] / total for name in names}
    for name in target_mix:
        if name not in names:
            raise BadInput(
                f"made_corpus: target_mix names {name!r}.", cure=f"use some of: {', '.join(names)}"
            )
    given = check_weights(target_mix, "target_mix")
    return {name: given.get(name, 0.0) for name in names}


def _components(names: Sequence[str], mix: Mapping[str, float], n: int, seed: int) -> Whole:
    """Return the language of each target document: exact shares, in random order."""
    counts = largest_remainder(np.array([mix[name] for name in names]), n)
    return stream(seed, "made", "components").permutation(np.repeat(np.arange(len(names)), counts))


def _zipf(n: int) -> Floats:
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


def _docs(
    tongue: Languages, domain: str, of: Whole, low: int, high: int, seed: int
) -> Iterator[Doc]:
    """Write the documents of a domain, each in the language `of` names, a batch at a time."""
    starts = np.array([np.cumsum(tongue.unigram(name)) for name in tongue.names])
    for first in range(0, len(of), _BATCH):
        batch = of[first : first + _BATCH]
        rng = stream(seed, "made", "docs", domain, first)
        lengths = rng.integers(low, high + 1, size=len(batch))
        walks = _walks(tongue, starts, batch, high, rng)
        stops = rng.random((len(batch), high)) < 0.1  # sentences of ten words on average
        for i, (language, length) in enumerate(zip(batch, lengths, strict=True)):
            stops[i, length - 1] = True
            text = " ".join(
                tongue.words[w] + "." * stop
                for w, stop in zip(walks[i, :length].tolist(), stops[i].tolist(), strict=False)
            )
            meta = {"language": tongue.names[language]}
            yield Doc(f"{domain}:{first + i}", text, domain, meta)


def _walks(
    tongue: Languages, starts: Floats, of: Whole, steps: int, rng: np.random.Generator
) -> Whole:
    """Walk the chains side by side, shape (n, steps)."""
    n = len(of)
    core, slots = np.cumsum(_zipf(CORE))[:-1], np.cumsum(SLOTS)[:-1]
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
