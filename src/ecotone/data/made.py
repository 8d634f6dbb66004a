"""Made-up text whose best mixture is known: `made_corpus`.

Each source domain is a language of its own: a first-order Markov chain over made-up words. All
languages share a core of common words; the other words belong to one domain. The documents of the
target are written in the source languages, in known proportions, so what serves the target is known
as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import orjson

from ecotone.core.corpus import Corpus, Doc, Domain
from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, replacing
from ecotone.core.mixture import Mixture, check_weights
from ecotone.core.seeds import stream
from ecotone.core.simplex import largest_remainder
from ecotone.data.languages import Floats, Languages, Whole, language_names, languages, walk

TARGET = "meadow"
EDITION = 1  # raised when the same parameters give other text
_OPENER = "ecotone.data.made:made_corpus"
_BATCH = 256  # documents written side by side


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
    names = language_names(domains)
    counts = _counts(names, docs, sizes)
    mix = _target_mix(names, counts, target_mix)
    if target_docs < 1 or not 1 <= doc_words[0] <= doc_words[1]:
        raise BadInput(
            f"made_corpus: target_docs = {target_docs}, doc_words = {tuple(doc_words)}.",
            cure="ask for 1 document or more, of 1 word or more",
        )
    tongue = languages(seed=seed, domains=domains)
    components = _components(names, mix, target_docs, seed)
    starts = np.array([np.cumsum(tongue.unigram(name)) for name in names])
    low, high = doc_words

    def opener(name: str) -> Iterator[Doc]:
        of = components if name == TARGET else np.full(counts[name], names.index(name))
        return _docs(tongue, starts, name, of, (low, high), seed)

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


def _docs(
    tongue: Languages, starts: Floats, domain: str, of: Whole, words: tuple[int, int], seed: int
) -> Iterator[Doc]:
    """Write the documents of a domain, each in the language `of` names, a batch at a time.

    A batch draws the same numbers however few of its documents are wanted: a larger corpus
    begins with the documents of a smaller one.
    """
    low, high = words
    for first in range(0, len(of), _BATCH):
        batch = of[first : first + _BATCH]
        rng = stream(seed, "made", "docs", domain, first)
        lengths = rng.integers(low, high + 1, size=_BATCH)
        walks = walk(tongue, starts, np.resize(batch, _BATCH), high, rng)
        stops = rng.random((_BATCH, high)) < 0.1  # sentences of ten words on average
        stops[np.arange(_BATCH), lengths - 1] = True
        for i, language in enumerate(batch):
            pairs = zip(walks[i].tolist(), stops[i].tolist(), strict=True)
            text = " ".join(tongue.words[w] + "." * s for w, s in islice(pairs, int(lengths[i])))
            yield Doc(f"{domain}:{first + i}", text, domain, {"language": tongue.names[language]})
