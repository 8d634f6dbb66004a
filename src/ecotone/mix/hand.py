"""Mixture by hand: the shares somebody wrote down, checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.mixture import Mixture, check_weights
from ecotone.mix._limits import Caps, check_caps, check_fits


@method(name="hand", paper="", needs=set(), handles=set())
def hand(
    corpus: Corpus,
    target: str | None,
    *,
    tokens: int,
    caps: Caps,
    rng: np.random.Generator | None,
    shares: Mapping[str, float] | None = None,
) -> Mixture:
    """Take the shares as they are, or say what is wrong with them.

    Nothing is moved: a share beyond its cap is refused, because whoever wrote it should know.

    Parameters
    ----------
    corpus : Corpus
        Must hold every domain named; domains not named get 0.
    target : str or None
        Not looked at.
    tokens : int
        Tokens of the whole training.
    caps : float, mapping of str to float, or None
        Most epochs: of every domain, of the named ones, or no cap.
    rng : Generator or None
        Not looked at.
    shares : mapping of str to float
        Share of each domain; they sum to 1.

    Raises
    ------
    BadInput
        No shares, an unknown domain, or shares that do not sum to 1.
    Infeasible
        A share is beyond its cap.
    """
    del target, rng  # the protocol's: nothing is chosen by them
    if not shares:
        names = ",".join(f"{name}=..." for name in corpus.names)
        raise BadInput("hand: no shares are given.", cure=f"--hand {names}")
    for name in shares:
        corpus[name]  # says which names there are
    given = check_weights(shares, "hand")
    weights = {name: given.get(name, 0.0) for name in corpus.names}
    check_fits(corpus, np.array(list(weights.values())), tokens=tokens, caps=caps)
    return Mixture(weights, caps=check_caps(corpus, caps), made_by="hand")
