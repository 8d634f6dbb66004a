"""Why no mixture meets the limits, and the smallest change after which one does."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import Infeasible
from ecotone.mix._box import Box
from ecotone.mix.problem import Limits, Problem

Array = NDArray[np.float64]
GRACE = 1e-12


def allowed_box(problem: Problem) -> Box:
    """Return the box of a problem, or raise `Infeasible` with the smallest cure.

    With a pull towards the prior, a domain without prior share cannot get any.
    """
    limits, domains, prior = problem.limits, problem.domains, problem.prior
    assert prior is not None
    box = Box.of(limits, domains, prior)
    found = _clash(box, limits, domains)
    if found:
        raise Infeasible(found, why=_why(box, limits, domains), cure=_cure(problem))
    if problem.kl == 0:
        return box
    upper = np.where(box.prior > 0, box.upper, 0.0)
    pulled = Box(box.spread, box.lower, upper, box.prior, box.groups)
    if not _fits(pulled):
        where = [n for n, p in zip(domains, prior, strict=True) if p <= 0]
        raise Infeasible(
            f"the limits force a share on {', '.join(where)}, where the prior is 0.",
            why="a pull towards the prior makes every share where the prior is 0 infinitely dear.",
            cure="kl=0, or a prior above 0 for every domain",
        )
    return pulled


def _fits(box: Box) -> bool:
    ordered = bool((box.lower <= box.upper + GRACE).all())
    return ordered and box.lower.sum() <= 1 + GRACE and box.upper.sum() >= 1 - GRACE


def _label(group: tuple[int, ...], domains: tuple[str, ...]) -> str:
    return " + ".join(domains[i] for i in group)


def _clash(box: Box, limits: Limits, domains: tuple[str, ...]) -> str:
    """Return the sentence that says which limits clash; empty when none do."""
    if _fits(box):
        return ""
    for g in np.flatnonzero(box.lower > box.upper + GRACE):
        name = _label(box.groups[g], domains)
        return f"{name}: the floor of {box.lower[g]:.4g} is above the cap of {box.upper[g]:.4g}."
    if box.upper.sum() < 1 - GRACE:
        return (
            f"the caps leave room for {box.upper.sum():.2%} of the training tokens only"
            + (f" ({limits.tokens:,} tokens)" if limits.tokens else "")
            + "."
        )
    return f"the floors ask for {box.lower.sum():.2%} of the training tokens."


def _why(box: Box, limits: Limits, domains: tuple[str, ...]) -> str:
    if (box.lower > box.upper + GRACE).any():
        frozen = "; inside a frozen group one domain's limit binds all" if limits.frozen else ""
        return f"no share can be above the one and below the other{frozen}."
    if box.upper.sum() < 1 - GRACE:
        most = np.argsort(-box.upper)[:3]
        parts = (f"{_label(box.groups[g], domains)} {box.upper[g]:.2%}" for g in most)
        return f"every domain at its cap leaves the rest unassigned; largest: {', '.join(parts)}."
    return "shares of one training sum to 100 %."


def _cure(problem: Problem) -> str:
    """Return the smallest change of caps, tokens or floors, each one enough alone."""
    limits, cures = problem.limits, []
    wider = _smallest(lambda s: _scaled(problem, s, 1.0))
    if wider is not None:
        cures += _cures_of_caps(problem, wider)
    narrower = _smallest(lambda s: _scaled(problem, 1.0, 1 / s))
    if narrower is not None and (limits.lower > 0).any():
        factor = math.floor(1e4 / narrower) / 1e4
        cures.append(f"multiply the floors by {factor:.4g}")
    return "\nor ".join(cures) or "raise the caps and lower the floors"


def _cures_of_caps(problem: Problem, wider: float) -> list[str]:
    """Say "all caps times `wider`" in the units the caps were given in."""
    limits = problem.limits
    if limits.caps is None:
        return [f"multiply the caps by {math.ceil(wider * 1e4) / 1e4:.5g}"]
    given = limits.caps[np.isfinite(limits.caps)]
    cures = []
    if len(set(given.tolist())) == 1:
        cures.append(f"--caps {math.ceil(given[0] * wider * 100 - 1e-9) / 100:g}")
    else:
        pairs = zip(problem.domains, limits.caps, strict=True)
        each = (
            f"{n}={math.ceil(c * wider * 100 - 1e-9) / 100:g}" for n, c in pairs if np.isfinite(c)
        )
        cures.append("--caps " + ",".join(each))
    if limits.tokens:
        cures.append(f"--tokens {short_count(limits.tokens / wider)}")
    return cures


def _scaled(problem: Problem, caps: float, floors: float) -> bool:
    """Whether the limits fit with caps and floors multiplied by these factors."""
    limits = problem.limits
    changed = Limits(limits.upper * caps, limits.lower * floors, limits.frozen)
    assert problem.prior is not None
    return _fits(Box.of(changed, problem.domains, problem.prior))


def _smallest(fits: Callable[[float], bool]) -> float | None:
    """Return the smallest factor above 1 that fits, by bisection; None when a million does not."""
    low, high = 0.0, math.log(1e6)
    if not fits(math.exp(high)):
        return None
    while high - low > 1e-13:
        middle = (low + high) / 2
        low, high = (low, middle) if fits(math.exp(middle)) else (middle, high)
    return math.exp(high)


def short_count(tokens: float) -> str:
    """Write a number of tokens with three digits, rounded down.

    Examples
    --------
    >>> short_count(3_149_000), short_count(999.0)
    ('3.14M', '999')
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if tokens >= size:
            digits = 2 - math.floor(math.log10(tokens / size))
            return f"{math.floor(tokens / size * 10**digits) / 10**digits:g}{letter}"
    return f"{math.floor(tokens)}"


def unreachable(problem: Problem, best: float, *, proven: bool) -> Infeasible:
    """Return the error for a general limit below the best general loss, in nats per token."""
    assert problem.general is not None
    tolerance = problem.general.tolerance
    natural = problem.natural_general
    needed = best / natural - 1
    found = "the best reachable" if proven else "the best found"
    # the next thousandth above: at the best itself no room would be left to choose
    cure = math.floor(needed * 1000 + 1) / 1000
    return Infeasible(
        f"no mixture within the limits keeps the general loss at {problem.general_bound:.4f}: "
        f"{found} is {best:.4f}.",
        why=f"the natural mixture has {natural:.4f}; {found} is {needed:+.2%} away from it, the "
        f"tolerance is {tolerance:+.2%}.",
        cure=f"--tolerance {cure:g}",
    )
