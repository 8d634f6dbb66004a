"""Doubly robust weights: train for the mixture of examples that is worst for the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.neighbors import NearestNeighbors

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.select._layers import torch_for
from ecotone.select._losses import checked_losses, pool_losses, step_losses
from ecotone.select._rows import checked_rows
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Tensor = Any
NEIGHBOURS = 10  # whose labels are held against that of an example
MASS = 0.3  # of all weight on examples whose neighbours have another label: too much


@method(
    name="doubly_robust_weights",
    paper="sow2024doubly",
    needs={"source_rows", "source_labels", "gradients"},
    handles=set(),
    extra="lm",
)
class DoublyRobustWeights:
    r"""Weights of the worst mixture of examples within a penalty of its divergence [1]_.

    .. math:: \max_w \sum_i \frac{w_i}{n} \ell_i
              - r\,\mathrm{KL}\Big(\frac{w}{n} \Big\| \frac{1}{n}\Big)
              = r \log u,\quad w_i = \frac{e^{\ell_i / r}}{u},\quad
              u = \frac1n \sum_j e^{\ell_j / r}

    Weights have the mean 1. As r grows all become 1, as it falls to 0 all weight goes to the
    largest loss. The gradient of the value is that of the weighted mean loss, weights held fixed.
    A batch does not know u, so `weigh` tracks it over steps,
    :math:`u_t = (1 - \eta) u_{t-1} + \eta\, \operatorname{mean}_{batch} e^{\ell / r}`, in logs.

    Parameters
    ----------
    temperature : float, default 1.0
        r, in the unit of the loss, nats for cross-entropy.
    rate : float, default 0.1
        :math:`\eta`; 1 takes each batch for the whole.
    trim : float, default 0.0
        Share of the largest losses, of the pool or of each batch, that weigh nothing: examples that
        are wrong rather than hard.

    Attributes
    ----------
    log_u_ : float
        Logarithm of u: of the pool after `fit`, tracked after `weigh`; what a checkpoint must keep.
    cut_ : float
        Largest loss of the pool that weighs anything.

    References
    ----------
    .. [1] Sow et al., Doubly robust instance-reweighted adversarial training, ICLR 2024.

    Examples
    --------
    >>> losses = np.array([0.0, 0.0, np.log(4)])
    >>> DoublyRobustWeights().fit(None, losses).score(losses).round(6).tolist()
    [0.5, 0.5, 2.0]

    In a training loop:

    >>> import torch
    >>> weights, losses = DoublyRobustWeights(), torch.tensor([0.1, 0.7, 0.3], requires_grad=True)
    >>> (weights.weigh(losses) * losses).mean().backward()
    >>> int(losses.grad.argmax())
    1
    """

    def __init__(self, *, temperature: float = 1.0, rate: float = 0.1, trim: float = 0.0) -> None:
        self.temperature = temperature
        self.rate = rate
        self.trim = trim

    def fit(self, target: Any, pool: Any) -> Self:
        """Take u from the losses of the whole pool; the target is not looked at, and may be None.

        Parameters
        ----------
        target : object
            Not used.
        pool : array-like, shape (n,)
            Losses.
        """
        del target  # the worst mixture is of the pool, whatever the target
        self._check()
        losses = pool_losses(pool, "DoublyRobustWeights")
        left = np.sort(losses)[: len(losses) - int(self.trim * len(losses))]
        self.cut_ = float(left[-1])
        self.log_u_ = float(logsumexp(left / self.temperature) - np.log(len(losses)))
        return self

    def score(self, docs: Any) -> Array:
        """Return the weight of examples with these losses, (n,): a ``sample_weight``."""
        check_fitted(self, "cut_")
        losses = checked_losses(docs, "DoublyRobustWeights", "docs")
        # losses that were not in the pool: above its largest all are alike
        w = np.exp(np.minimum(losses, self.cut_) / self.temperature - self.log_u_)
        return np.where(losses > self.cut_, 0.0, w) if self.trim else w

    def value(self) -> float:
        """Return r log u, what the worst mixture costs, in the unit of the loss."""
        check_fitted(self, "log_u_")
        return float(self.temperature * self.log_u_)

    def weigh(self, losses: Tensor) -> Tensor:
        """Return the weights of a batch, (n,), without a gradient, and bring u up to date.

        Parameters
        ----------
        losses : tensor, shape (n,)
            Of a training step; take ``(weights * losses).mean()`` for the loss.
        """
        self._check()
        found = step_losses(losses, "DoublyRobustWeights")
        torch, n = torch_for("DoublyRobustWeights"), len(found)
        powers = found / self.temperature
        drop = int(self.trim * n)
        if drop:
            powers[found.topk(drop).indices] = -torch.inf
        here = float(torch.logsumexp(powers, 0)) - np.log(n)
        if hasattr(self, "log_u_") and self.rate < 1:
            old = self.log_u_ + np.log1p(-self.rate)
            self.log_u_ = float(np.logaddexp(old, here + np.log(self.rate)))
        else:
            self.log_u_ = here
        # u holds a share of this batch, so that no weight is above n / rate
        return (powers - self.log_u_).exp().to(losses.dtype)

    def findings(self, losses: Any, features: Any, labels: Any) -> tuple[Finding, ...]:
        """Say when much of the weight lies on examples whose neighbours have another label.

        Parameters
        ----------
        losses : array-like, shape (n,)
        features : array-like, shape (n, d)
            Where neighbours are looked for.
        labels : array-like, shape (n,)
        """
        check_fitted(self, "cut_")
        X, y = checked_rows(features, None, "DoublyRobustWeights", "features"), np.asarray(labels)
        w = self.score(losses)
        if not len(w) == len(X) == len(y) > 1:
            raise BadInput(
                f"DoublyRobustWeights: {len(w)} losses, {len(X)} rows, {len(y)} labels.",
                cure="pass one of each for two examples or more",
            )
        k = min(NEIGHBOURS, len(X) - 1)
        near = NearestNeighbors(n_neighbors=k).fit(X).kneighbors(return_distance=False)
        doubtful = (y[near] == y[:, None]).mean(axis=1) < 0.5
        mass, share = float(w[doubtful].sum() / w.sum()), float(doubtful.mean())
        if mass < MASS:
            return ()
        cure = f"temperature={4 * self.temperature:g}, or trim={max(share, 0.01):.2f}"
        return (
            Finding(
                "S141",
                f"{mass:.0%} of the weight lies on the {share:.1%} of examples whose neighbours "
                "mostly have another label: labels may be wrong.",
                cure,
            ),
        )

    @staticmethod
    def attacked(
        x: Tensor, loss: Callable[[Tensor], Tensor], *, eps: float, steps: int = 10,
        rate: float | None = None,
    ) -> Tensor:  # fmt: skip
        r"""Return inputs within `eps` of x that raise the loss, by steps along signs of gradients.

        For training on :math:`\ell_i(x_i + \delta_i)`: the gradient of the largest loss is the
        gradient at the inputs that reach it, held fixed.

        Parameters
        ----------
        x : tensor, shape (n, ...)
        loss : callable
            From inputs to losses, (n,).
        eps : float
            Largest change of any one number of an input.
        steps : int, default 10
        rate : float, optional
            Change in a step; eps / 4 by default.
        """
        torch = torch_for("DoublyRobustWeights.attacked")
        delta, step = torch.zeros_like(x), eps / 4 if rate is None else rate
        for _ in range(steps):
            moved = (x.detach() + delta).requires_grad_(True)
            (up,) = torch.autograd.grad(loss(moved).sum(), moved)
            delta = (delta + step * up.sign()).clamp(-eps, eps)
        return x.detach() + delta

    def _check(self) -> None:
        for name, fine, cure in (
            ("temperature", self.temperature > 0, "temperature=1.0"),
            ("rate", 0 < self.rate <= 1, "rate=0.1"),
            ("trim", 0 <= self.trim < 1, "trim=0.1"),
        ):
            if not fine:
                raise BadInput(f"DoublyRobustWeights: {name} is {getattr(self, name)}.", cure=cure)
