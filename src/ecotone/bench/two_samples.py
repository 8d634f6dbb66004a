"""The suite ``two-samples``: how often a distance sees a shift of known size."""

from __future__ import annotations

from typing import Any

from ecotone.core.method import Method
from ecotone.core.seeds import stream
from ecotone.testing.cases import null_p, rate_samples


def check(
    method: Method,
    *,
    shift: float = 0.5,
    rows: int = 40,
    features: int = 20,
    draws: int = 39,
    seeds: int = 20,
    level: float = 0.05,
    least: float = 0.0,
    most: float = 1.0,
    seed: int = 0,
    **params: Any,
) -> tuple[bool, str]:
    """Count how often the permutation test at `level` finds the shift.

    Parameters
    ----------
    method : Method
        Of the room shift.
    shift : float
        Size: rates of counts are multiplied by exp(+-shift); 0 is no shift.
    rows, features : int
        Size of each sample.
    draws : int
        Shuffles.
    seeds : int
        Pairs of samples.
    level : float
        Of the test.
    least, most : float
        Share of found shifts that the claim allows.
    seed : int
        Decides samples and shuffles.
    **params
        Parameters of the method.

    Returns
    -------
    (bool, str)
        Whether the share lies within [least, most], and the measured share in words.
    """
    measure = method.load()
    found = 0
    for s in range(seeds):
        rng = stream(seed, "two-samples", s)
        A, B = rate_samples(rng, rows=rows, features=features, shift=shift)
        found += null_p(measure, A, B, draws=draws, rng=rng, **params) <= level
    share = found / seeds
    says = f"a shift of {shift:g} was found in {found} of {seeds} pairs of {rows} rows"
    return least <= share <= most, says
