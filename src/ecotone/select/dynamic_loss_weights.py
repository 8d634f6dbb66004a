"""Dynamic loss weights: examples of a batch count by where their losses lie in its range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.select._layers import torch_for
from ecotone.select._losses import checked_losses, pool_losses, step_losses
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Tensor = Any
# of h in [-1, 1] to [0, 1]; operators alone, so that arrays and tensors both go through
SHAPES: dict[str, Callable[[Any], Any]] = {
    "lin_upper": lambda h: 1 - abs(h.clip(-1, 0)),
    "quadratic": lambda h: 1 - h * h,
    "extremes": lambda h: abs(h),
    "upper": lambda h: (1 + h) / 2,
}
CROWDED = 0.95  # of the pool in the lowest tenth of the range: one loss has stretched it


@method(
    name="dynamic_loss_weights",
    paper="sow2025dynamic",
    needs={"source_rows", "gradients"},
    handles=set(),
    extra="lm",
)
class DynamicLossWeights:
    r"""Weights that play down small losses and do not chase the largest [1]_.

    .. math:: w_i = \frac{n\, e^{f(h_i) / r}}{\sum_j e^{f(h_j) / r}}, \qquad
              h_i = \frac{2 \ell_i - \ell_{\max} - \ell_{\min}}{\ell_{\max} - \ell_{\min}}

    The strategy says what f is: :math:`\min(1 + h, 1)` (``lin_upper``: all of the upper half of the
    range alike), :math:`1 - h^2` (``quadratic``: the middle), :math:`|h|` (``extremes``) or
    :math:`(1 + h) / 2` (``upper``). All go from 0 to 1, so that no example weighs more than
    :math:`e^{1 / r}` times another. Weights have the mean 1, and multiplying all losses or adding
    to them changes none.

    Parameters
    ----------
    strategy : {"lin_upper", "quadratic", "extremes", "upper"}, default "lin_upper"
        f.
    temperature : float, default 1.0
        r, without unit.
    burn_in : int, default 0
        Steps in which `weigh` gives weights of 1: early losses tell nothing.

    Attributes
    ----------
    low_, high_ : float
        Range of the pool's losses.
    steps_ : int
        Batches that `weigh` has seen; what a checkpoint must keep if there is a burn-in.

    References
    ----------
    .. [1] Sow et al., Dynamic loss-based sample reweighting for improved large language model
       pretraining, ICLR 2025.

    Examples
    --------
    >>> losses = np.array([0.0, 1.0, 3.0, 4.0])
    >>> DynamicLossWeights().fit(None, losses).score(losses).round(2).tolist()
    [0.49, 0.82, 1.34, 1.34]

    In a training loop:

    >>> import torch
    >>> weights, losses = DynamicLossWeights(), torch.tensor([0.1, 0.7, 0.3], requires_grad=True)
    >>> (weights.weigh(losses) * losses).mean().backward()
    >>> int(losses.grad.argmin())
    0
    """

    def __init__(
        self, *, strategy: str = "lin_upper", temperature: float = 1.0, burn_in: int = 0
    ) -> None:
        self.strategy = strategy
        self.temperature = temperature
        self.burn_in = burn_in

    def fit(self, target: Any, pool: Any) -> Self:
        """Take the range from the losses of the whole pool; the target may be None.

        Parameters
        ----------
        target : object
            Not used.
        pool : array-like, shape (n,)
            Losses: token means for sequences.
        """
        del target  # the method looks at the model's losses alone
        self._check()
        losses = pool_losses(pool, "DynamicLossWeights")
        self.low_, self.high_ = float(losses.min()), float(losses.max())
        self._log_mean = float(logsumexp(self._logs(losses)) - np.log(len(losses)))
        self._crowd = float((self._scaled(losses) < -0.8).mean())
        return self

    def score(self, docs: Any) -> Array:
        """Return the weights of examples with these losses, (n,), 1 in the mean over the pool.

        A ``sample_weight``, or the weights of a ``torch.utils.data.WeightedRandomSampler``. Losses
        outside the pool's range count as its ends.
        """
        check_fitted(self, "low_")
        logs = self._logs(checked_losses(docs, "DynamicLossWeights", "docs"))
        w: Array = np.exp(logs - self._log_mean)
        return w

    def weigh(self, losses: Tensor, groups: Any = None) -> Tensor:
        """Return the weights of a batch, (n,), without a gradient; their mean is 1.

        Parameters
        ----------
        losses : tensor, shape (n,)
            Of a training step; take ``(weights * losses).mean()`` for the loss. With several
            workers, pass the gathered losses of all.
        groups : array-like of int, shape (n,), optional
            Domains: range and mean are then taken in each, so that a domain whose text is hard
            to predict keeps its share.
        """
        self._check()
        found, torch = step_losses(losses, "DynamicLossWeights"), torch_for("DynamicLossWeights")
        self.steps_ = getattr(self, "steps_", 0) + 1
        if self.steps_ <= self.burn_in:
            return torch.ones_like(losses).detach()
        of = (
            torch.zeros(len(found), dtype=torch.long) if groups is None else torch.as_tensor(groups)
        )
        if of.shape != found.shape:
            raise BadInput(
                f"DynamicLossWeights: {len(found)} losses, groups of the shape {tuple(of.shape)}.",
                cure="pass the group of every example",
            )
        out, of = torch.ones_like(found), of.to(found.device)
        for group in of.unique():
            own = found[of == group]
            wide = own.max() - own.min()
            if wide > 0:
                f = SHAPES[self.strategy]((2 * own - own.max() - own.min()) / wide)
                out[of == group] = (f / self.temperature).softmax(0) * len(own)
        return out.to(losses.dtype)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Say when one loss has stretched the range, so that nearly all weigh alike."""
        check_fitted(self, "low_")
        if self._crowd < CROWDED:
            return ()
        return (
            Finding(
                "S142",
                f"{self._crowd:.0%} of the losses lie in the lowest tenth of their range, up to "
                f"{self.high_:.3g}: they weigh nearly alike.",
                "losses clipped at their 99 % quantile: "
                "weigh(losses.clamp(max=losses.quantile(0.99)))",
            ),
        )

    def _scaled(self, losses: Array) -> Array:
        wide = self.high_ - self.low_
        h = (2 * losses - self.high_ - self.low_) / wide if wide > 0 else np.zeros(len(losses))
        return np.clip(h, -1.0, 1.0)

    def _logs(self, losses: Array) -> Array:
        f: Array = SHAPES[self.strategy](self._scaled(losses)) / self.temperature
        return f

    def _check(self) -> None:
        for name, fine, cure in (
            ("strategy", self.strategy in SHAPES, 'strategy="lin_upper"'),
            ("temperature", self.temperature > 0, "temperature=1.0"),
            ("burn_in", self.burn_in >= 0, "burn_in=0"),
        ):
            if not fine:
                value = getattr(self, name)
                raise BadInput(f"DynamicLossWeights: {name} is {value!r}.", cure=cure)
