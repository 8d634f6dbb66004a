"""From most epochs a domain may be repeated to largest shares of the training."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.mixture import Mixture
from ecotone.core.simplex import cap_shares

Array = NDArray[np.float64]
Caps = float | Mapping[str, float] | None


def domain_tokens(corpus: Corpus) -> Array:
    """Return the tokens of every domain, in the order of the corpus, shape (k,).

    Raises
    ------
    BadInput
        A domain was not counted, or none has any token.
    """
    for domain in corpus.domains:
        if domain.tokens is None:
            raise BadInput(
                f"the tokens of {domain.name} are not counted yet.",
                why="shares are shares of tokens, not of documents.",
                cure="count them with ecotone.data.tokens.prepare",
            )
    sizes = np.array([d.tokens for d in corpus.domains], dtype=np.float64)
    if not sizes.sum() > 0:
        raise BadInput("no domain of this corpus has any token.", cure="add documents to it")
    return sizes


def check_caps(corpus: Corpus, caps: Caps) -> dict[str, float]:
    """Return the cap of every domain that has one, by name.

    A number is a cap for all domains; infinity, a missing name and None are no cap.
    """
    if caps is None:
        return {}
    named = caps if isinstance(caps, Mapping) else dict.fromkeys(corpus.names, caps)
    for name, cap in named.items():
        corpus[name]  # says which names there are
        if not cap > 0:
            raise BadInput(f"caps: {name} has the cap {cap}.", cure="a cap is above 0 epochs")
    return {name: float(cap) for name, cap in named.items() if not math.isinf(cap)}


def share_limits(corpus: Corpus, tokens: int, caps: Caps) -> Array:
    r"""Return the largest share of each domain under `caps`, in the order of the corpus.

    :math:`\min(1, E_k n_k / T)` for a domain of :math:`n_k` tokens that may be repeated
    :math:`E_k` times in a training of T tokens; 1 without a cap.

    Parameters
    ----------
    corpus : Corpus
        With its tokens counted if there are caps.
    tokens : int
        Tokens of the whole training, T.
    caps : float, mapping of str to float, or None
        Most epochs: of every domain, of the named domains, or no cap at all.

    Returns
    -------
    ndarray of float64, shape (k,)
    """
    named = check_caps(corpus, caps)
    limits = np.ones(len(corpus.domains))
    if not named:
        return limits
    if not tokens > 0:
        raise BadInput(f"the training has {tokens} tokens.", cure="give tokens above 0")
    sizes = domain_tokens(corpus)
    for i, name in enumerate(corpus.names):
        if name in named:
            limits[i] = min(1.0, named[name] * sizes[i] / tokens)
    return limits


def capped_mixture(
    corpus: Corpus, shares: Array, *, tokens: int, caps: Caps, made_by: str
) -> Mixture:
    """Return the mixture nearest to `shares` in Kullback-Leibler divergence within the caps.

    Raises
    ------
    Infeasible
        When all domains with a positive share together have too few tokens for the training.
    """
    limits = share_limits(corpus, tokens, caps)
    shares = cap_shares(shares / shares.sum(), limits)
    weights = dict(zip(corpus.names, shares.tolist(), strict=True))
    return Mixture(weights, caps=check_caps(corpus, caps), made_by=made_by)


def check_fits(corpus: Corpus, shares: Array, *, tokens: int, caps: Caps) -> None:
    """Refuse shares beyond the caps, naming the first domain that breaks its own."""
    limits = share_limits(corpus, tokens, caps)
    for name, share, limit in zip(corpus.names, shares, limits, strict=True):
        if share > limit * (1 + 1e-9):
            epochs = share * tokens / max(float(corpus[name].tokens or 0), 1.0)
            floored = math.floor(limit * 1e4) / 1e4
            raise Infeasible(
                f"{name}: {share:.4g} of {tokens:,} tokens is {epochs:.4g} epochs; the cap allows "
                f"{limit:.4g}.",
                cure=f"--caps {math.ceil(epochs)}, or at most {name}={floored:g}",
            )
