"""UniMax: as uniform as a limit on epochs allows, smallest domains first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.method import method
from ecotone.core.mixture import Mixture
from ecotone.mix._limits import Caps, check_caps, domain_tokens, share_limits

Array = NDArray[np.float64]


@method(name="unimax", paper="", needs=set(), handles=set())
def unimax(
    corpus: Corpus,
    target: str | None,
    *,
    tokens: int,
    caps: Caps,
    rng: np.random.Generator | None,
    epochs: float = 4.0,
) -> Mixture:
    r"""Divide the training equally, but repeat no domain more than so many times.

    Domains are visited from the smallest allowance :math:`E_k n_k` on; each gets
    :math:`\min(E_k n_k,\ \text{tokens left} / \text{domains left})` [1]_. Those below their
    allowance all get the same.

    Parameters
    ----------
    corpus : Corpus
        With its tokens counted.
    target : str or None
        Not looked at.
    tokens : int
        Tokens of the whole training.
    caps : float, mapping of str to float, or None
        Further limits on epochs: of every domain, of the named ones, or none.
    rng : Generator or None
        Not looked at.
    epochs : float
        Most epochs of any domain.

    Raises
    ------
    Infeasible
        When all domains, repeated as often as allowed, have too few tokens for the training.

    References
    ----------
    .. [1] Chung et al., UniMax, ICLR 2023.
    """
    del target, rng  # the protocol's: nothing is chosen by them
    if not epochs > 0:
        raise BadInput(f"unimax: epochs is {epochs}.", cure="-p epochs=4, or any number above 0")
    sizes = domain_tokens(corpus)
    # the caps that are the user's may be smaller than ours
    most = epochs * np.maximum(sizes, 1.0)
    allowed = np.minimum(most, share_limits(corpus, tokens, caps) * tokens)
    parts = fill(np.where(sizes > 0, allowed, 0.0), float(tokens))
    weights = dict(zip(corpus.names, (parts / parts.sum()).tolist(), strict=True))
    named = check_caps(corpus, caps)
    merged = {n: min(epochs, named.get(n, np.inf)) for n in corpus.names}
    return Mixture(weights, caps=check_caps(corpus, merged), made_by="unimax")


def fill(allowed: Array, total: float) -> Array:
    """Divide `total` as equally as `allowed` permits, by filling up from the smallest on.

    Parameters
    ----------
    allowed : ndarray, shape (k,)
        Largest part of each.
    total : float
        What to divide.

    Raises
    ------
    Infeasible
        When the largest parts sum to less than `total`.

    Examples
    --------
    >>> fill(np.array([10.0, 1.0, 10.0]), 9.0).tolist()
    [4.0, 1.0, 4.0]
    """
    if allowed.sum() < total * (1 - 1e-12):
        raise Infeasible(
            f"the domains, repeated as often as allowed, have {allowed.sum():,.0f} tokens; the "
            f"training has {total:,.0f}.",
            cure=f"train for {np.floor(allowed.sum()):.0f} tokens, or allow "
            f"{total / max(float(allowed.sum()), 1e-300):.3g} times as many epochs",
        )
    parts = np.zeros_like(allowed)
    left = total
    for seen, i in enumerate(np.argsort(allowed, kind="stable")):
        parts[i] = min(allowed[i], left / (len(allowed) - seen))
        left -= parts[i]
    return parts
