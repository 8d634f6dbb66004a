"""RegMix: many tiny runs, a regression from mixtures to losses, and the best of many candidates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.mixture import Mixture
from ecotone.core.seeds import derive, stream
from ecotone.core.trials import Trials
from ecotone.mix._design import cap_rows, dirichlet_rows, regmix_design
from ecotone.mix.boosted_trees import BoostedTrees

Array = NDArray[np.float64]


@method(name="regmix", paper="liu2025regmix", needs={"proxies"}, handles=set(), extra="trees")
class RegMix:
    r"""Fit boosted trees to the losses of proxy runs and average the best simulated mixtures.

    .. math:: \hat w = \frac1m \sum_{j=1}^m w_{(j)}, \qquad w \sim \mathrm{Dirichlet}(p)

    where :math:`w_{(1)}, w_{(2)}, \dots` are the candidates in the order of their predicted losses.
    A mean of many is taken because the prediction of trees is flat around its least value.

    Parameters
    ----------
    proxies : int
        Proxy runs to design.
    seed : int
        Decides design and candidates.
    candidates : int
        Simulated mixtures.
    top : int
        Best candidates that are averaged, m.

    References
    ----------
    .. [1] Liu et al., RegMix, ICLR 2025.

    Examples
    --------
    >>> RegMix(proxies=8).design(np.array([0.5, 0.3, 0.2])).shape
    (8, 3)
    """

    def __init__(
        self, *, proxies: int = 64, seed: int = 0, candidates: int = 100_000, top: int = 128
    ) -> None:
        if proxies < 1 or not 1 <= top <= candidates:
            raise BadInput(
                f"RegMix: proxies={proxies}, top={top}, candidates={candidates}.",
                cure="one proxy or more, and no more top than candidates",
            )
        self.proxies = proxies
        self.seed = seed
        self.candidates = candidates
        self.top = top

    def design(self, prior: Array, limits: Array | None = None) -> Array:
        """Return the mixtures to train proxies on, shape (proxies, k).

        Parameters
        ----------
        prior : ndarray, shape (k,)
            Natural shares.
        limits : ndarray, shape (k,), optional
            Largest share of each domain.
        """
        rng = stream(self.seed, "regmix", "design")
        return regmix_design(prior, self.proxies, rng, limits=limits)

    def law(self) -> BoostedTrees:
        """Return the regressor it proposes with, unfitted."""
        return BoostedTrees(random_state=derive(self.seed, "regmix", "trees") % 2**31)

    def propose(
        self,
        trials: Trials,
        target: str,
        limits: Array | None = None,
        prior: Mapping[str, float] | Array | None = None,
    ) -> Mixture:
        """Return the mixture that the trials speak for.

        Parameters
        ----------
        trials : Trials
            Finished proxy runs, 8 or more.
        target : str
            One of ``trials.targets``.
        limits : ndarray, shape (k,), optional
            Largest share of each domain of `trials`; the mixture respects them.
        prior : mapping or ndarray, shape (k,), optional
            Natural shares that the candidates are drawn around; the mean of the trials by default.

        Raises
        ------
        TooFewRows
            Fewer than 8 trials.
        """
        law = self.law()
        law.fit(trials.weights, trials.target(target))
        p = _prior(trials, prior)
        rng = stream(self.seed, "regmix", "candidates")
        W = dirichlet_rows(np.broadcast_to(p, (self.candidates, len(p))), rng)
        if limits is not None:
            W = cap_rows(W, np.minimum(limits, 1.0), p)
        losses = law.predict(W)
        best = np.argpartition(losses, self.top - 1)[: self.top]
        mean = W[best].mean(axis=0)
        weights = dict(zip(trials.domains, (mean / mean.sum()).tolist(), strict=True))
        return Mixture(weights, made_by="regmix")


def _prior(trials: Trials, prior: Mapping[str, float] | Array | None) -> Array:
    """Return positive shares in the order of the trials' domains."""
    if prior is None:
        p = trials.weights.mean(axis=0)
    elif isinstance(prior, Mapping):
        missing = [name for name in trials.domains if name not in prior]
        if missing:
            raise BadInput(
                f"RegMix: the prior has no share for {', '.join(missing)}.",
                cure=f"give one for each of: {', '.join(trials.domains)}",
            )
        p = np.array([prior[name] for name in trials.domains])
    else:
        p = np.asarray(prior, dtype=np.float64)
    # a domain that no trial used has no chance to be chosen, but a Dirichlet wants it above 0
    p = np.maximum(p, 1e-6)
    if p.shape != (len(trials.domains),):
        raise BadInput(f"RegMix: the prior has the shape {p.shape}, not ({len(trials.domains)},).")
    return p / p.sum()
