"""Uniform mixture: every domain gets the same share."""

from __future__ import annotations

import numpy as np

from ecotone.core.corpus import Corpus
from ecotone.core.method import method
from ecotone.core.mixture import Mixture
from ecotone.mix._limits import Caps, capped_mixture, domain_tokens


@method(name="uniform", paper="", needs=set(), handles=set())
def uniform(
    corpus: Corpus,
    target: str | None,
    *,
    tokens: int,
    caps: Caps,
    rng: np.random.Generator | None,
) -> Mixture:
    r"""Give every domain that has tokens the same share.

    .. math:: p_k = 1 / K

    Small domains are repeated often: give caps. A domain at its cap leaves the rest to the others
    in equal parts (the nearest mixture in Kullback-Leibler divergence).

    Parameters
    ----------
    corpus : Corpus
        With its tokens counted.
    target : str or None
        Not looked at.
    tokens : int
        Tokens of the whole training.
    caps : float, mapping of str to float, or None
        Most epochs: of every domain, of the named ones, or no cap.
    rng : Generator or None
        Not looked at.

    Raises
    ------
    Infeasible
        When the caps leave too few tokens for the training.
    """
    del target, rng  # the protocol's: nothing is chosen by them
    present = (domain_tokens(corpus) > 0).astype(np.float64)
    return capped_mixture(corpus, present, tokens=tokens, caps=caps, made_by="uniform")
