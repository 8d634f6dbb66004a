"""`Problem`: which mixture is best, and `Limits`: which mixtures are allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.mix.objective import GeneralLimit, Objective

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limits:
    """Least and largest shares, and groups of domains whose inner ratios stay as they are.

    Attributes
    ----------
    upper, lower : ndarray, shape (k,)
        Bounds of each domain's share; infinity for no cap.
    frozen : tuple of tuple of str
        Groups of domains; inside a group the shares keep the ratios of the prior.
    caps : ndarray, shape (k,), optional
        Where the upper bounds come from: most epochs of each domain.
    unique : ndarray, shape (k,), optional
        Tokens at hand.
    tokens : int, optional
        Tokens of the whole training. With `caps` and `unique` it lets an error name its cure.
    """

    upper: Array
    lower: Array
    frozen: tuple[tuple[str, ...], ...] = ()
    caps: Array | None = None
    unique: Array | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("upper", "lower", "caps", "unique"):
            value = getattr(self, name)
            if value is None:
                continue
            value = np.array(value, dtype=np.float64)
            if value.ndim != 1 or np.isnan(value).any() or (value < 0).any():
                raise BadInput(f"limits: {name} holds {value}.", cure="numbers of 0 or more")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "frozen", tuple(tuple(g) for g in self.frozen))

    @classmethod
    def none(cls, k: int) -> Limits:
        """Return no limits on k domains.

        Examples
        --------
        >>> Limits.none(2).lower.tolist()
        [0.0, 0.0]
        """
        return cls(np.full(k, np.inf), np.zeros(k))

    @classmethod
    def epochs(
        cls,
        caps: float | Array,
        *,
        unique: Array,
        tokens: int,
        lower: Array | None = None,
        frozen: tuple[tuple[str, ...], ...] = (),
    ) -> Limits:
        """Return the limits that caps in epochs put on shares: ``caps * unique / tokens``.

        Examples
        --------
        >>> Limits.epochs(4, unique=np.array([1e6, 9e6]), tokens=10_000_000).upper.tolist()
        [0.4, 3.6]
        """
        unique = np.asarray(unique, dtype=np.float64)
        caps = np.broadcast_to(np.asarray(caps, dtype=np.float64), unique.shape)
        finite = np.where(np.isinf(caps), 0.0, caps)  # infinity times no tokens is no number
        upper = np.where(np.isinf(caps), np.inf, finite * unique / tokens)
        lower = np.zeros(len(unique)) if lower is None else lower
        return cls(upper, lower, frozen, caps, unique, tokens)


@dataclass(frozen=True, eq=False)
class Problem:
    r"""Which mixture is best: minimise objective plus pull, within the limits.

    .. math::

        \min_w\; f(L(w)) + \mathrm{kl}\cdot\mathrm{KL}(w \| \mathrm{prior})
        \quad\text{s.t.}\quad l \le w \le u,\ \sum w = 1,\
        G(L(w)) \le (1 + \mathrm{tolerance})\, G(L(w_\mathrm{natural}))

    Attributes
    ----------
    law : Law
        Predicts ``W (n, k) -> (n, t)`` losses in nats per token.
    targets, domains : tuple of str
        Names of the law's outputs and inputs.
    objective : Objective
        `TargetLoss`, `WeightedLosses` or `SpreadAverage`.
    limits : Limits
        Bounds and frozen groups.
    general : GeneralLimit or None
        Limit on the general loss.
    prior : ndarray, shape (k,)
        What a frozen group takes its ratios from and what the pull pulls to.
    kl : float
        Strength of the pull, nats per nat of divergence; 0 for none.
    natural : ndarray, shape (k,), optional
        The mixture the general limit refers to; the prior by default.
    tried : ndarray, shape (m, k), optional
        Mixtures of past trials; a law without gradient is searched around them as well.
    """

    law: Any
    targets: tuple[str, ...]
    domains: tuple[str, ...]
    objective: Objective
    limits: Limits
    general: GeneralLimit | None
    prior: Array
    kl: float = 0.0
    natural: Array | None = None
    tried: Array | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", self.objective.on(tuple(self.targets)))
        if self.general is not None:
            object.__setattr__(self, "general", self.general.on(tuple(self.targets)))
        k = len(self.domains)
        prior = np.array(self.prior, dtype=np.float64)
        natural = prior if self.natural is None else np.array(self.natural, dtype=np.float64)
        for name, shares in (("prior", prior), ("natural", natural)):
            if shares.shape != (k,) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-6:
                raise BadInput(
                    f"problem: {name} is {shares}, which are not the shares of {k} domains.",
                    cure="give one number of 0 or more for each domain; they sum to 1",
                )
            object.__setattr__(self, name, shares / shares.sum())
        for name, bound in (("upper", self.limits.upper), ("lower", self.limits.lower)):
            if bound.shape != (k,):
                raise BadInput(f"problem: limits.{name} has the shape {bound.shape}, not ({k},).")
        if not (np.isfinite(self.kl) and self.kl >= 0):
            raise BadInput(f"problem: kl is {self.kl}.", cure="a strength of 0 or more")

    @property
    def smooth(self) -> bool:
        """Whether the law has a gradient."""
        return bool(getattr(self.law, "smooth", False))

    @property
    def convex(self) -> bool:
        """Whether every part is known to be convex in the shares, so that a gap is a proof.

        A law says so for all its targets by ``convex_``; it may say more by
        ``convex_targets_ (t,)`` and, for logarithms of its losses, ``log_convex_targets_ (t,)``.
        """
        t = len(self.targets)
        plain = bool(getattr(self.law, "convex_", False))
        losses = np.broadcast_to(getattr(self.law, "convex_targets_", plain), t).astype(bool)
        logs = np.broadcast_to(getattr(self.law, "log_convex_targets_", False), t).astype(bool)
        general = self.general is None or self.general.convex(losses, logs)
        return self.smooth and general and self.objective.convex(losses, logs)

    def losses(self, W: Array) -> Array:
        """Predict the losses of mixtures ``W (n, k)``, shape (n, t)."""
        # a descent steps off the simplex and back: past the door where users' shares are checked
        ask = getattr(self.law, "_predict", self.law.predict)
        return np.asarray(ask(W), dtype=np.float64).reshape(len(W), -1)

    @property
    def natural_general(self) -> float:
        """General loss predicted for the natural mixture, nats per token; infinity without one."""
        if self.general is None or self.natural is None:
            return np.inf
        return float(self.general.value(self.losses(self.natural[None, :]))[0])

    @property
    def general_bound(self) -> float:
        """Largest general loss allowed, nats per token; infinity without a general limit.

        A part in 10^12 above the exact number, so that at tolerance 0 rounding does not forbid
        the natural mixture itself.
        """
        if self.general is None:
            return np.inf
        return (1 + self.general.tolerance) * self.natural_general * (1 + 1e-12)
