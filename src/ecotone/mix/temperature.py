"""Temperature mixture: between natural and uniform."""

from __future__ import annotations

import numpy as np

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.mixture import Mixture
from ecotone.mix._limits import Caps, capped_mixture, domain_tokens


@method(name="temperature", paper="", needs=set(), handles=set())
def temperature(
    corpus: Corpus,
    target: str | None,
    *,
    tokens: int,
    caps: Caps,
    rng: np.random.Generator | None,
    tau: float = 3.3,
) -> Mixture:
    r"""Flatten the natural shares by a temperature.

    .. math:: p_k \propto n_k^{1/\tau}

    :math:`\tau = 1` is natural, :math:`\tau = \infty` uniform. Under caps the nearest mixture in
    Kullback-Leibler divergence is taken.

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
    tau : float
        Temperature, 1 or more; may be infinite.

    Raises
    ------
    Infeasible
        When the caps leave too few tokens for the training.
    """
    del target, rng  # the protocol's: nothing is chosen by them
    if not tau >= 1:
        raise BadInput(f"temperature: tau is {tau}.", cure="-p tau=3.3, or any number from 1 on")
    sizes = domain_tokens(corpus)
    # relative to the largest, so that no power over- or underflows
    shares = np.where(sizes > 0, (sizes / sizes.max()) ** (1 / tau), 0.0)
    return capped_mixture(corpus, shares, tokens=tokens, caps=caps, made_by="temperature")
