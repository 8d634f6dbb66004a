"""The verdict on runs that were made in pairs: one with the choice, one doing nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ecotone.core.errors import TooFewRows
from ecotone.core.verdict import Decision, Finding, Verdict

Array = NDArray[np.float64]


def paired_gain(choice: Array, baseline: Array, level: float = 0.95) -> tuple[float, float]:
    r"""Return the mean gain of a choice over doing nothing, and half the width of its interval.

    The differences :math:`d_{sj}` of seed s and text window j vary by seed and by window:

    .. math:: h^2 = t_{S-1}^2\,\frac{\mathrm{var}_s(\bar d_{s\cdot})}{S} +
              z^2\,\frac{\mathrm{var}_j(\bar d_{\cdot j})}{J}

    Parameters
    ----------
    choice, baseline : ndarray, shape (S, J)
        Losses per seed and per held-out window, the same seeds and windows; S >= 2.
    level : float
        Coverage.

    Raises
    ------
    TooFewRows
        With fewer than 2 seeds.
    """
    d = np.asarray(baseline, dtype=np.float64) - np.asarray(choice, dtype=np.float64)
    seeds, windows = d.shape
    if seeds < 2:
        raise TooFewRows("a verdict needs at least 2 seeds (better 3).", cure="--seeds 3")
    share = 0.5 + level / 2
    by_seed = stats.t.ppf(share, seeds - 1) ** 2 * d.mean(axis=1).var(ddof=1) / seeds
    by_window = 0.0
    if windows > 1:
        by_window = stats.norm.ppf(share) ** 2 * d.mean(axis=0).var(ddof=1) / windows
    return float(d.mean()), float(np.sqrt(by_seed + by_window))


def paired_verdict(
    choice: Array,
    baseline: Array,
    *,
    general: Sequence[float] | None = None,
    tolerance: float | None = None,
    findings: Sequence[Finding] = (),
    least: float = 0.0,
    level: float = 0.95,
) -> Verdict:
    """Decide between a choice and doing nothing.

    *adapt*: the whole interval of the gain lies above `least`, and the general loss is not above
    its limit for sure. *keep*: the whole interval lies below `least`, or the limit is broken for
    sure. Otherwise *cannot tell*.

    Parameters
    ----------
    choice, baseline : ndarray, shape (S, J)
        Target losses per seed and window, nats per token.
    general : sequence of float, optional
        Per seed: general loss of the choice over that of doing nothing, minus 1.
    tolerance : float, optional
        Largest allowed value of `general`.
    least : float
        Smallest gain that is worth the change, nats per token.
    """
    gain, half = paired_gain(choice, baseline, level)
    low, high = gain - half, gain + half
    decision: Decision = "adapt" if low > least else "keep" if high < least else "cannot tell"
    notes = list(findings)
    if general is not None and tolerance is not None:
        broken, note = _limit(np.asarray(general, dtype=np.float64), tolerance, level)
        notes += note
        if broken:
            decision = "keep"
    if decision == "cannot tell":
        notes.append(
            Finding(
                "V302",
                f"the interval of the gain holds {least:.3g}, from where on it is worth a change."
                if least
                else "the interval of the gain holds 0.",
                "more --seeds, or more --tokens",
            )
        )
    if decision == "keep" and gain >= 0 and high < least:
        notes.append(
            Finding("V303", f"a gain there may be, but below {least:.3g}: not worth a change.")
        )
    return Verdict(
        float(np.mean(choice)), float(np.mean(baseline)), gain, (low, high), decision,
        used_target_labels=True, findings=tuple(notes), level=level,
    )  # fmt: skip


def _limit(excess: Array, tolerance: float, level: float) -> tuple[bool, list[Finding]]:
    """Say whether the limit on the general loss is broken beyond the noise of the seeds."""
    mean = float(excess.mean())
    half = 0.0
    if len(excess) > 1:
        quantile = float(stats.t.ppf(0.5 + level / 2, len(excess) - 1))
        half = quantile * float(excess.std(ddof=1)) / float(np.sqrt(len(excess)))
    if mean <= tolerance:
        return False, []
    broken = mean - half > tolerance
    word = "is" if broken else "may be"
    return broken, [
        Finding(
            "V301",
            f"the general loss is {mean:+.1%} from natural (± {half:.1%}): {word} above the limit "
            f"of {tolerance:+.1%}.",
            f"--tolerance {mean + half:.3f} accepts it; a smaller one finds a milder mixture",
        )
    ]
