"""Carry a law fitted on small runs to the scale of a few large ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.trials import Trials
from ecotone.mix._law import Law

Array = NDArray[np.float64]
LEAST_SLOPE = 0.05  # below, the large runs say that the target's small losses mean nothing


class Calibrated(Law):
    r"""Keep a law's shape and refit level and slope of every target on a few large runs.

    Gaps between mixtures shrink as models grow, on some targets much more than on others. Each
    target keeps its ranking, but an average over targets does not: it is dominated by those whose
    gaps are wide at the small scale. Two numbers per target put that right:

    .. math:: \log L^{\mathrm{big}}_t(w) = c_{0t} + c_{1t} \log \hat L^{\mathrm{small}}_t(w)

    fitted by least squares, the slopes pulled towards a common value,

    .. math:: c_{1t} = \frac{S_{xy,t} + \lambda \bar c}{S_{xx,t} + \lambda}, \qquad
        c_{0t} = \bar y_t - c_{1t} \bar x_t, \qquad \bar c = \frac{\sum_t S_{xy,t}}{\sum_t S_{xx,t}}

    with x the log prediction and y the log loss of the large runs, :math:`S` their centred sums of
    products. With two large runs :math:`\bar c` decides most; with many, each target its own.

    Parameters
    ----------
    law : Law
        Fitted to the small runs by `fit`.
    large : Trials
        Large runs, 2 or more; their mixtures need not be among the small ones.
    domains, targets : tuple of str
        Names of the columns `fit` will be given; those of `large`, in its order, by default.
    ridge : float
        :math:`\lambda`, in squared log loss times runs.
    common : float, optional
        :math:`\bar c`; the slope over all targets at once by default.

    Attributes
    ----------
    level_, slope_ : ndarray, shape (t,)
        :math:`c_0, c_1`; slopes are at least 0.05.
    contradicted_ : tuple of str
        Targets whose slope would have been below 0.05: the large runs rank them otherwise, or not
        at all.
    convex_targets_, log_convex_targets_ : ndarray of bool, shape (t,)
        A loss whose logarithm is convex (`EffectiveData`) stays so for every slope. A loss that is
        only convex stays so for :math:`c_1 \ge 1`, and as a rule gaps shrink.

    Examples
    --------
    >>> from ecotone.mix.effective_data import EffectiveData
    >>> W = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    >>> L = 2 + (0.1 + W @ np.array([[1.0, 0.3], [0.3, 0.1], [0.0, 1.0]])) ** -0.4
    >>> large = Trials(W[:4], L[:4] ** [0.5, 0.9], ("a", "b", "c"), ("x", "y"))
    >>> Calibrated(EffectiveData(), large).fit(W, L).slope_.round(2).tolist()
    [0.51, 0.88]
    """

    def __init__(
        self,
        law: Law,
        large: Trials,
        *,
        domains: tuple[str, ...] = (),
        targets: tuple[str, ...] = (),
        ridge: float = 0.002,
        common: float | None = None,
    ) -> None:
        self.law = law
        self.large = large
        self.domains = domains
        self.targets = targets
        self.ridge = ridge
        self.common = common

    def rows_needed(self, k: int) -> int:
        """Return what the law needs."""
        return self.law.rows_needed(k)

    def _fit(self, W: Array, L: Array) -> None:
        targets = self.targets or self.large.targets
        shares, losses = _columns(self.large, self.domains or self.large.domains, targets)
        if shares.shape[1] != W.shape[1] or losses.shape[1] != L.shape[1]:
            raise BadInput(
                f"Calibrated: the large runs have {shares.shape[1]} domains and "
                f"{losses.shape[1]} targets, the small ones {W.shape[1]} and {L.shape[1]}.",
                cure="name the columns of the small runs with domains=... and targets=...",
            )
        if len(shares) < 2:
            raise TooFewRows(
                f"a calibration needs 2 large runs or more; there are {len(shares)}.",
                cure="add large runs of other mixtures to --calibrate",
            )
        self.law_ = clone(self.law).fit(W, L)
        x = np.log(self.law_.predict(shares).reshape(losses.shape))
        self.level_, slope = level_and_slope(x, np.log(losses), self.ridge, self.common)
        self.slope_ = np.maximum(slope, LEAST_SLOPE)
        self.level_ = self.level_ + (slope - self.slope_) * x.mean(axis=0)
        self.contradicted_ = tuple(
            n for n, s in zip(targets, slope, strict=True) if s < LEAST_SLOPE
        )
        convex = np.broadcast_to(
            getattr(self.law_, "convex_targets_", self.law_.convex_), len(slope)
        )
        self.log_convex_targets_ = np.broadcast_to(
            getattr(self.law_, "log_convex_targets_", False), len(slope)
        ).copy()
        self.convex_targets_ = (convex & (self.slope_ >= 1)) | self.log_convex_targets_
        self.convex_ = bool(self.convex_targets_.all())

    def scaled(self, trials: Trials) -> Trials:
        """Return the small runs with the losses that are expected of them at the large scale."""
        targets = self.targets or self.large.targets
        columns = [trials.targets.index(n) for n in targets]
        scores = np.exp(self.level_ + self.slope_ * np.log(trials.scores[:, columns]))
        return replace(trials, scores=scores, targets=targets)

    def _predict(self, W: Array) -> Array:
        small = self.law_._predict(W).reshape(len(W), -1)
        out: Array = np.exp(self.level_ + self.slope_ * np.log(small))
        return out

    @property
    def smooth(self) -> bool:
        """Whether the law has a gradient."""
        return self.law_.smooth if hasattr(self, "law_") else self.law.smooth

    def _gradient(self, W: Array) -> Array:
        small = self.law_._predict(W).reshape(len(W), -1)
        factor = self.slope_ * self._predict(W) / small
        slopes: Array = self.law_.gradient(W).reshape(*small.shape, -1)
        slopes *= factor[..., None]
        return slopes

    def __sklearn_clone__(self) -> Calibrated:
        # the large runs are given, not fitted: the copy shares them
        return Calibrated(
            clone(self.law), self.large, domains=self.domains, targets=self.targets,
            ridge=self.ridge, common=self.common,
        )  # fmt: skip


def level_and_slope(
    x: Array, y: Array, ridge: float, common: float | None = None
) -> tuple[Array, Array]:
    """Return c0 and c1 of ``y = c0 + c1 x`` per column, c1 pulled to a common value.

    Parameters
    ----------
    x, y : ndarray, shape (n, t)
        Log predictions and log losses.
    ridge : float
        Strength of the pull.
    common : float, optional
        Where to; the slope over all columns by default, 1 when x does not vary.

    Returns
    -------
    (ndarray, ndarray), each (t,)
    """
    dx, dy = x - x.mean(axis=0), y - y.mean(axis=0)
    sxx, sxy = (dx**2).sum(axis=0), (dx * dy).sum(axis=0)
    if common is None:
        common = float(sxy.sum() / sxx.sum()) if sxx.sum() > 0 else 1.0
    total = sxx + ridge
    slope = np.where(total > 0, (sxy + ridge * common) / np.where(total > 0, total, 1.0), common)
    return y.mean(axis=0) - slope * x.mean(axis=0), slope


def _columns(
    trials: Trials, domains: tuple[str, ...], targets: tuple[str, ...]
) -> tuple[Array, Array]:
    """Return shares and losses in this order of names."""
    for what, have, want in (
        ("domain", trials.domains, domains),
        ("target", trials.targets, targets),
    ):
        missing = [n for n in want if n not in have]
        extra = [n for n in have if n not in want] if what == "domain" else []
        if missing or extra:
            raise BadInput(
                f"the large runs do not have the {what}s of the small ones: "
                + "; ".join(
                    f"{word} {', '.join(names)}"
                    for word, names in (("missing", missing), ("unknown", extra))
                    if names
                )
                + ".",
                cure="give both tables the same column names",
            )
    shares = trials.weights[:, [trials.domains.index(n) for n in domains]]
    return shares, trials.scores[:, [trials.targets.index(n) for n in targets]]
