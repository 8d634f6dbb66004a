"""Small inputs for tests: corpora, trials from a known law, and hypothesis strategies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus, Doc, Domain
from ecotone.core.files import fingerprint
from ecotone.core.mixture import Mixture, Phase
from ecotone.core.trials import Trials

Array = NDArray[np.float64]


def counted_corpus(sizes: Mapping[str, int], target: str | None = None) -> Corpus:
    """Return a corpus without text whose tokens are counted.

    Parameters
    ----------
    sizes : mapping of str to int
        Tokens by domain, in this order.
    target : str, optional
        Which one is the target.

    Examples
    --------
    >>> counted_corpus({"law": 10, "web": 90}, "law")
    Corpus(2 domains: law, web, target law)
    """
    domains = (
        Domain(n, "target" if n == target else "source", 1, t, fingerprint([n, t]))
        for n, t in sizes.items()
    )
    return Corpus(tuple(domains))


def text_corpus(texts: Mapping[str, list[str]], target: str | None = None) -> Corpus:
    """Return a corpus that holds these documents in memory.

    Examples
    --------
    >>> [d.text for d in text_corpus({"a": ["one", "two"]}).docs("a")]
    ['one', 'two']
    """
    domains = tuple(
        Domain(n, "target" if n == target else "source", len(t), None, fingerprint([n, t]))
        for n, t in texts.items()
    )

    def opener(name: str) -> Iterator[Doc]:
        for i, text in enumerate(texts[name]):
            yield Doc(f"{name}:{i}", text, name, {})

    return Corpus(domains, None, {}, opener)


def babble(words: str, n: int, rng: np.random.Generator, length: int = 40) -> list[str]:
    """Return n documents of `length` words drawn from the words given, all different.

    Examples
    --------
    >>> babble("a b", 2, np.random.default_rng(0), length=3)
    ['b b b 0.', 'a a a 1.']
    """
    pool = words.split()
    return [
        " ".join([*(pool[i] for i in rng.integers(0, len(pool), length)), f"{d}."])
        for d in range(n)
    ]


def law_trials(
    n: int = 24,
    k: int = 4,
    *,
    noise: float = 0.0,
    rng: np.random.Generator,
) -> Trials:
    r"""Return trials whose losses follow a known law.

    .. math:: L_j(w) = 2 + \Big(0.05 + \sum_i a_{ij} w_i\Big)^{-0.3}, \qquad a_{jj} = 1

    with :math:`a_{ij}` falling as domain i stands farther from target j: each target is served best
    by its own domain.

    Parameters
    ----------
    n, k : int
        Trials and domains; every domain is a target.
    noise : float
        Standard deviation of the logarithm of the losses.
    rng : Generator
        Draws mixtures and noise.

    Returns
    -------
    Trials
        Nats per token.
    """
    names = tuple(f"d{i}" for i in range(k))
    W = rng.dirichlet(np.full(k, 0.8), n)
    L = known_losses(W) * np.exp(noise * rng.standard_normal((n, k)))
    return Trials(W, L, names, names)


def known_losses(W: Array) -> Array:
    """Return the losses of mixtures ``W (n, k)`` under the law of `law_trials`, shape (n, k)."""
    k = W.shape[1]
    far = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    out: Array = 2 + (0.05 + W @ 0.3**far) ** -0.3
    return out


def shares(min_size: int = 1, max_size: int = 8) -> Any:
    """Strategy: ndarray (k,) of float64, 0 or more, that sums to 1; some entries exactly 0."""
    from hypothesis import strategies as st

    parts = st.lists(
        st.one_of(st.just(0.0), st.floats(1e-6, 1.0)), min_size=min_size, max_size=max_size
    )
    return parts.filter(lambda p: sum(p) > 0).map(lambda p: np.array(p) / sum(p))


def mixtures(max_phases: int = 3) -> Any:
    """Strategy: `Mixture` with one to six domains, perhaps phases, perhaps caps."""
    from hypothesis import strategies as st

    @st.composite
    def draw_mixture(draw: Any) -> Mixture:
        names = draw(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True))
        one = shares(len(names), len(names)).map(
            lambda w: dict(zip(names, w.tolist(), strict=True))
        )
        caps = draw(st.dictionaries(st.sampled_from(names), st.floats(0.01, 100)))
        cuts = draw(st.lists(st.integers(1, 99), unique=True, max_size=max_phases - 1).map(sorted))
        if not cuts:
            return Mixture(draw(one), (), caps, "strategy")
        ends = [c / 100 for c in cuts] + [1.0]
        phases = tuple(Phase(end, draw(one)) for end in ends)
        return Mixture.scheduled(phases, caps=caps, made_by="strategy")

    return draw_mixture()


def trials(max_rows: int = 6) -> Any:
    """Strategy: `Trials` of a few rows, with a column about each."""
    from hypothesis import strategies as st

    @st.composite
    def draw_trials(draw: Any) -> Trials:
        n, k = draw(st.integers(1, max_rows)), draw(st.integers(1, 5))
        W = np.stack([draw(shares(k, k)) for _ in range(n)])
        t = draw(st.integers(1, 3))
        loss = st.floats(1e-3, 20, allow_nan=False)
        L = np.array(draw(st.lists(st.lists(loss, min_size=t, max_size=t), min_size=n, max_size=n)))
        about = {"seed": list(range(n))}
        names = tuple(f"d{i}" for i in range(k))
        return Trials(W, L, names, tuple(f"t{j}" for j in range(t)), about)

    return draw_trials()
