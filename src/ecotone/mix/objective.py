"""What a mixture is asked to do: one number, lower is better, from the losses on many targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.trials import Trials

Array = NDArray[np.float64]


class Objective(Protocol):
    """One number, lower is better, from the predicted losses on every target.

    An objective names its targets; `on` binds it to the columns of a loss array.
    """

    def on(self, targets: tuple[str, ...]) -> Self:
        """Return the same objective for loss arrays with these columns."""
        ...

    def value(self, L: Array) -> Array:
        """Return the objective of each row of ``L (n, t)``, shape (n,)."""
        ...

    def gradient(self, L: Array) -> Array:
        """Return its derivative by each loss, shape (n, t)."""
        ...

    def convex(self, losses: NDArray[np.bool_], log_losses: NDArray[np.bool_]) -> bool:
        """Whether it is convex in the shares, given which (log) losses are, each (t,)."""
        ...


class _Named:
    """An objective that reads the columns it names."""

    targets: tuple[str, ...]

    @property
    def _names(self) -> tuple[str, ...]:
        raise AssertionError("an objective says which targets it names")

    def on(self, targets: tuple[str, ...]) -> Self:
        for name in self._names:
            if name not in targets:
                raise BadInput(
                    f"the objective names {name!r}, which no loss was measured on.",
                    cure=f"use one of: {', '.join(targets)}",
                )
        return replace(self, targets=tuple(targets))  # type: ignore[type-var]

    def _spread_out(self, numbers: Array) -> Array:
        """Put one number per named target into its column; 0 elsewhere; shape (t,)."""
        if not self.targets:
            raise BadInput(
                "this objective does not know the columns of the losses yet.",
                cure="bind it: objective.on(trials.targets)",
            )
        row = np.zeros(len(self.targets))
        for name, number in zip(self._names, numbers, strict=True):
            row[self.targets.index(name)] += number
        return row


@dataclass(frozen=True)
class TargetLoss(_Named):
    """The loss on one target, nats per token.

    Examples
    --------
    >>> TargetLoss("law").on(("law", "web")).value(np.array([[3.0, 4.0]])).tolist()
    [3.0]
    """

    target: str
    targets: tuple[str, ...] = ()

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.target,)

    def value(self, L: Array) -> Array:
        """Return the loss on the target, shape (n,)."""
        return np.asarray(L) @ self._spread_out(np.ones(1))

    def gradient(self, L: Array) -> Array:
        """Return 1 in the target's column, 0 elsewhere, shape (n, t)."""
        return np.broadcast_to(self._spread_out(np.ones(1)), np.shape(L)).copy()

    def convex(self, losses: NDArray[np.bool_], log_losses: NDArray[np.bool_]) -> bool:
        """Whether the target's loss is convex."""
        return bool((losses | log_losses)[self.targets.index(self.target)])


@dataclass(frozen=True)
class WeightedLosses(_Named):
    r"""A weighted sum of losses, :math:`\sum_i a_i L_i`, nats per token when the weights sum to 1.

    Examples
    --------
    >>> both = WeightedLosses({"law": 0.75, "web": 0.25}).on(("law", "web"))
    >>> both.value(np.array([[3.0, 4.0]])).tolist()
    [3.25]
    """

    weights: Mapping[str, float]
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.weights or not np.isfinite(list(self.weights.values())).all():
            raise BadInput(
                f"the objective has the weights {dict(self.weights)}.",
                cure="name at least one target, each with a number",
            )

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def _row(self) -> Array:
        return self._spread_out(np.array(list(self.weights.values()), dtype=np.float64))

    def value(self, L: Array) -> Array:
        """Return the weighted sum, shape (n,)."""
        return np.asarray(L) @ self._row()

    def gradient(self, L: Array) -> Array:
        """Return the weights in their columns, shape (n, t)."""
        return np.broadcast_to(self._row(), np.shape(L)).copy()

    def convex(self, losses: NDArray[np.bool_], log_losses: NDArray[np.bool_]) -> bool:
        """Whether no weight is negative and every loss with a weight is convex."""
        row = self._row()
        return bool((row >= 0).all() and (losses | log_losses)[row > 0].all())


@dataclass(frozen=True)
class SpreadAverage(_Named):
    r"""Mean over targets of the log loss in units of its spread over the trials.

    .. math:: \frac1t \sum_i \frac{\log L_i - m_i}{s_i}

    with the mean :math:`m_i` and standard deviation :math:`s_i` of :math:`\log L_i` over the
    trials. Gaps between mixtures shrink unevenly from one target to the next as models grow, so a
    plain average is soon an average of the one or two targets whose gaps are widest; in units of
    its own spread every target keeps its say. No unit.

    Attributes
    ----------
    names : tuple of str
        Targets to average.
    mean, spread : tuple of float
        Mean and standard deviation of each target's log loss over the trials.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.mean) == len(self.spread) > 0:
            raise BadInput("spread average: give one mean and one spread for each name.")
        for name, spread in zip(self.names, self.spread, strict=True):
            if not spread > 0:
                raise BadInput(
                    f"spread average: the losses on {name} do not vary over the trials.",
                    why="a target whose loss is the same for every mixture cannot rank mixtures.",
                    cure=f"leave {name} out",
                )

    @classmethod
    def of(cls, trials: Trials, names: tuple[str, ...] = ()) -> SpreadAverage:
        """Take mean and spread from trials; every target when no name is given."""
        names = tuple(names) or trials.targets
        logs = np.log(np.column_stack([trials.target(n) for n in names]))
        mean, spread = logs.mean(axis=0).tolist(), logs.std(axis=0).tolist()
        return cls(names, tuple(mean), tuple(spread), trials.targets)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.names

    def _row(self) -> Array:
        return self._spread_out(1 / (len(self.names) * np.array(self.spread)))

    def value(self, L: Array) -> Array:
        """Return the average, shape (n,); losses must be positive."""
        offset = float(np.mean(np.array(self.mean) / np.array(self.spread)))
        return np.log(L) @ self._row() - offset

    def gradient(self, L: Array) -> Array:
        """Return its derivative by each loss, shape (n, t)."""
        return self._row() / np.asarray(L)

    def convex(self, losses: NDArray[np.bool_], log_losses: NDArray[np.bool_]) -> bool:
        """Whether every named log loss is convex: that the loss itself is convex is not enough."""
        del losses
        return bool(log_losses[self._row() > 0].all())


@dataclass(frozen=True)
class GeneralLimit(_Named):
    """How much general ability may be given up for the target.

    The general loss, a (weighted) mean of the named losses, must be at most ``1 + tolerance``
    times the general loss predicted for the natural mixture.

    Attributes
    ----------
    names : tuple of str
        Targets that stand for general ability.
    weights : tuple of float, optional
        One for each name, 0 or more; divided by their sum. All equal by default.
    tolerance : float
        Share of the natural mixture's general loss; 0.03 is 3 %.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...] | None = None
    tolerance: float = 0.03
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        weights = np.ones(len(self.names)) if self.weights is None else np.array(self.weights)
        if len(weights) != len(self.names) or not (weights >= 0).all() or not weights.sum() > 0:
            raise BadInput(
                f"general limit: the weights {self.weights} do not fit the names {self.names}.",
                cure="give every name a weight of 0 or more, not all 0",
            )
        if not self.tolerance > -1:
            raise BadInput(
                f"general limit: the tolerance is {self.tolerance}.", cure="--tolerance 0.03"
            )

    @property
    def _names(self) -> tuple[str, ...]:
        return self.names

    def _row(self) -> Array:
        weights = np.ones(len(self.names)) if self.weights is None else np.array(self.weights)
        return self._spread_out(weights / weights.sum())

    def value(self, L: Array) -> Array:
        """Return the general loss, nats per token, shape (n,)."""
        return np.asarray(L) @ self._row()

    def gradient(self, L: Array) -> Array:
        """Return the normalised weights in their columns, shape (n, t)."""
        return np.broadcast_to(self._row(), np.shape(L)).copy()

    def convex(self, losses: NDArray[np.bool_], log_losses: NDArray[np.bool_]) -> bool:
        """Whether every loss with a weight is convex."""
        return bool((losses | log_losses)[self._row() > 0].all())
