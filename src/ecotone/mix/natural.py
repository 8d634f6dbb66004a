"""Natural mixture: every domain in proportion to its tokens. The do-nothing method of the room."""

from __future__ import annotations

import numpy as np

from ecotone.core.corpus import Corpus
from ecotone.core.method import method
from ecotone.core.mixture import Mixture
from ecotone.mix._limits import Caps, capped_mixture, domain_tokens


@method(name="natural", paper="", needs=set(), handles=set())
def natural(
    corpus: Corpus,
    target: str | None,
    *,
    tokens: int,
    caps: Caps,
    rng: np.random.Generator | None,
) -> Mixture:
    r"""Give every domain its share of the tokens at hand.

    .. math:: p_k = n_k / \sum_j n_j

    It is what a training on everything, shuffled together, does. All domains of the corpus take
    part, the target too. Under caps the nearest mixture in Kullback-Leibler divergence is taken;
    one cap for all domains binds all of them or none, as all are repeated equally often.

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
    sizes = domain_tokens(corpus)
    return capped_mixture(corpus, sizes, tokens=tokens, caps=caps, made_by="natural")
