"""What more of the same brings: gain a doubling of the data, and how far it reaches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ecotone.core.errors import BadInput

LEAST_SIZES = 4
LEAST_SEEDS = 5  # from which it can be said how far apart questions of one kind lie
_NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")
USUAL = 0.8  # share of seeds that lie near to what was made from others
LEAST_NEAR = 0.5  # share of target questions below which what is won will not carry over
_ROWS = 256  # of similarities held at a time


class ScalingFit(NamedTuple):
    """A line of scores over the logarithm of sizes.

    Attributes
    ----------
    intercept, slope : float
        Score at size 1, and gain a doubling.
    intercept_interval, slope_interval : tuple of float
        Confidence intervals, each on its own.
    noise : float
        Standard deviation of a score around the line.
    """

    intercept: float
    slope: float
    intercept_interval: tuple[float, float]
    slope_interval: tuple[float, float]
    noise: float

    def predict(self, size: float) -> float:
        """Return the score at a size; beyond the sizes measured nobody knows."""
        return self.intercept + self.slope * float(np.log2(size))


def scaling_fit(sizes: Any, scores: Any, *, confidence: float = 0.95) -> ScalingFit:
    r"""Fit scores of sets of growing size by least squares.

    .. math:: s = a + b \log_2 n + \varepsilon, \qquad
        b \pm t_{m-2}\, \frac{\hat\sigma}{\sqrt{\sum_i (x_i - \bar x)^2}}, \quad
        a \pm t_{m-2}\, \hat\sigma \sqrt{\frac1m + \frac{\bar x^2}{\sum_i (x_i - \bar x)^2}}

    with m scores, :math:`x = \log_2 n`, and t the quantile of Student's distribution. Scores of
    several seeds at one size are scores of their own; those of nested subsets are not quite
    independent, and their interval is a little too short.

    Parameters
    ----------
    sizes : array_like, shape (m,)
        Examples in each set, above 0; four different ones or more.
    scores : array_like, shape (m,)
        Such as accuracy, in any unit.
    confidence : float
        Of the intervals.

    Raises
    ------
    BadInput
        Fewer than four different sizes, a size that is not above 0, something that is no number.

    Examples
    --------
    >>> fit = scaling_fit([100, 200, 400, 800], [0.50, 0.56, 0.59, 0.66])
    >>> round(fit.slope, 3), [round(x, 3) for x in fit.slope_interval]
    (0.051, [0.029, 0.073])
    """
    n, s = np.asarray(sizes, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if n.ndim != 1 or n.shape != s.shape or not (np.isfinite(n).all() and np.isfinite(s).all()):
        raise BadInput(
            f"scaling_fit: sizes have the shape {n.shape}, scores {s.shape}, or hold no numbers.",
            cure="pass one score for each size",
        )
    if len(np.unique(n)) < LEAST_SIZES or n.min() <= 0:
        raise BadInput(
            f"scaling_fit: {len(np.unique(n))} different sizes, the smallest of "
            f"{n.min() if n.size else 'none'}.",
            why="through two or three points a line always goes.",
            cure="measure at four sizes or more, such as [250, 500, 1000, 2000]",
        )
    if not 0 < confidence < 1:
        raise BadInput(f"scaling_fit: confidence is {confidence}.", cure="confidence=0.95")
    x = np.log2(n)
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * s).sum()) / spread
    intercept = float(s.mean() - slope * x.mean())
    free = len(n) - 2
    noise = float(np.sqrt(((s - intercept - slope * x) ** 2).sum() / free))
    t = float(stats.t.ppf((1 + confidence) / 2, free)) * noise
    b, a = t / spread**0.5, t * (1 / len(n) + float(x.mean()) ** 2 / spread) ** 0.5
    return ScalingFit(
        intercept, slope, (intercept - a, intercept + a), (slope - b, slope + b), noise
    )


class Reach(NamedTuple):
    """How near questions of a target lie to those that were made.

    Attributes
    ----------
    near : float
        Share of target questions within `radius` of one that was made.
    radius : float
        Distance within which four of five seeds have a question made from another seed.
    made, seeds : float
        Mean distance of a target question to the nearest one made, and to the nearest seed.
    """

    near: float
    radius: float
    made: float
    seeds: float


def reach(
    target: Sequence[str], made: Sequence[str], seeds: Sequence[str], sources: Sequence[int]
) -> Reach:
    """Compare the distance of target questions to those made with that of the seeds themselves.

    Distance is 1 - cosine of TF-IDF of words, in [0, 1], numbers all alike. A seed is measured to
    what was made from other seeds: so far off is a new question of their kind. That more made
    questions lie nearer to anything than few seeds do says nothing, hence this measure.

    Parameters
    ----------
    target, made, seeds : sequence of str
        Questions.
    sources : sequence of int
        Which seed each one made comes from.

    Raises
    ------
    BadInput
        Nothing was made from one seed that another could be measured to.

    Examples
    --------
    >>> made = ["a cow eats 3 apples", "a cow eats 4 pears", "a pig eats 5 pears"]
    >>> seeds = ["a cow eats 2 apples", "a cow eats 2 pears", "a pig eats 2 pears"]
    >>> [reach([t], made, seeds, [0, 1, 2]).near for t in ("a pig eats 9 apples", "pi is odd")]
    [1.0, 0.0]
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = TfidfVectorizer(
        sublinear_tf=True, token_pattern=r"\w+",
        preprocessor=lambda text: _NUMBER.sub("0", text.lower()),
    )  # fmt: skip
    whole = table.fit_transform([*target, *made, *seeds])
    t, m = len(target), len(target) + len(made)
    T, M, S = whole[:t], whole[t:m], whole[m:]
    from_seed = np.asarray(sources)
    home = _nearest(S, M, lambda rows: rows[:, None] == from_seed)
    home = home[np.isfinite(home)]
    if not len(home):
        raise BadInput(
            "reach: there is no seed beside the one that everything was made from.",
            cure=f"give {LEAST_SEEDS} seeds or more",
        )
    radius = float(np.quantile(home, USUAL, method="higher"))
    away = _nearest(T, M)
    near = float((away <= radius + 1e-9).mean())
    return Reach(near, radius, float(away.mean()), float(_nearest(T, S).mean()))


def _nearest(A: Any, B: Any, banned: Any = None) -> NDArray[np.float64]:
    """Return the distance of each row of A to the nearest row of B; inf when all are banned."""
    out = np.empty(A.shape[0])
    for start in range(0, A.shape[0], _ROWS):
        rows = np.arange(start, min(start + _ROWS, A.shape[0]))
        alike = (A[rows] @ B.T).toarray()
        if banned is not None:
            alike[banned(rows)] = -np.inf
        out[rows] = 1 - alike.max(axis=1)
    return out
