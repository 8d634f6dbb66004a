"""Crafted shifts: distort labelled source rows in known ways, adapt to them, and count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor
from sklearn.metrics import r2_score

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.data.domains import mask_targets
from ecotone.validate.splits import fold_of

Array = NDArray[np.float64]
Labels = NDArray[Any]
Made = tuple[Array, Labels]
LEAST_ROWS = 8  # source rows, of which half are adapted from


@method(
    name="crafted_shifts",
    paper="efthymiadis2025crafting",
    needs={"source_rows", "source_labels"},
    handles={"covariate", "label"},
)
def crafted_shifts(
    model: Any,
    X: Any,
    y: Labels,
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    draws: int = 4,
    training: str = "plain",
    families: Sequence[str] = ("scale", "offset", "noise", "mixing", "missing", "prior"),
) -> float:
    r"""Mean accuracy (R2 for regression) on made-up targets, each of a family left out of the fit.

    .. math:: s = \frac{1}{|F|} \sum_{f \in F} \mathrm{acc}\big(y_B,\; g_f(c_f(x_B))\big), \qquad
              g_f = \mathrm{fit}\big((A, y_A),\ c_f(B)\big)

    The source rows are halved into A and B. Each family distorts B, whose labels are known; a clone
    of the model is fitted with A as the source and the distorted B as its unlabelled target, and
    judged on the labels of B [1]_. What is judged is the recipe, not the fitted model; target rows
    are not looked at. Costs ``draws * len(families)`` fits. For rows of numbers, after each feature
    was brought to mean 0 and spread 1 (the paper has images and their distortions):

    * ``scale``: features times :math:`e^{N(0, 0.5^2)}`; ``offset``: plus N(0, 1), one number for
      each feature; ``noise``: plus N(0, u^2) in each cell, u from 0.3 to 1;
    * ``mixing``: rows times :math:`I + 0.5\,G / \sqrt d`, G of standard normal numbers;
    * ``missing``: a share of cells, from 10 to 40 %, at the feature's mean;
    * ``prior``: rows drawn again with other class proportions, from a flat Dirichlet (regression:
      with weights :math:`e^{\pm y}` of standardised labels).

    Parameters
    ----------
    model : Aligner
        Cloned, never asked.
    X : array, shape (n, d)
        Held-out rows.
    y : ndarray, shape (n,)
        Labels, target rows masked.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Decides halves and distortions.
    draws : int, default 4
        Halvings, each with new distortions. With one draw the ranking of models is mostly chance.
    training : {"plain", "others"}, default "plain"
        "others" adds to A one copy of it distorted by each other family, as when one trains with
        made-up shifts.
    families : sequence of str
        Which ones; leave out those that change the meaning of a row.

    Returns
    -------
    float
        At most 1. R2 counts as -1 where it is less, so that one family cannot speak alone.

    Raises
    ------
    BadInput
        An unknown family or training, or no draw.
    TooFewRows
        Fewer than 8 source rows.

    Notes
    -----
    Blind spot: a real shift that is like none of the families, and the target itself: a model that
    is bad for this target alone has the score of a good one.

    References
    ----------
    .. [1] Efthymiadis, Tolias and Chum, Crafting distribution shifts for validation and training in
       single source domain generalization, WACV 2025.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows, labels = craft("missing", np.ones((4, 3)), np.arange(4), rng)
    >>> rows.shape, set(np.unique(rows)) <= {0.0, 1.0}
    ((4, 3), True)
    """
    _check(draws, training, families)
    at = sample_domain > 0
    rows, known = np.asarray(X, dtype=np.float64)[at], np.asarray(y)[at]
    if len(rows) < LEAST_ROWS:
        raise TooFewRows(
            f"{len(rows)} source rows; half of them are adapted from, half are judged.",
            cure=f"hand over {LEAST_ROWS} source rows or more; ecotone.validate.DomainSplit(2)",
        )
    known = _numbered(known, numbers=is_regressor(model))
    spread = rows.std(axis=0)
    unit = np.where(spread > 0, spread, 1.0)
    Z, back, scores = (rows - rows.mean(axis=0)) / unit, (unit, rows.mean(axis=0)), []
    for _ in range(draws):
        first = fold_of(known, 2, int(rng.integers(2**31))) == 0
        for family in families:
            others = [f for f in families if f != family] if training == "others" else []
            source = _with_copies((Z[first], known[first]), sample_domain[at][first], others, rng)
            target = craft(family, Z[~first], known[~first], rng)
            scores.append(_adapted(model, source, target, back))
    return float(np.mean(scores))


def _check(draws: int, training: str, families: Sequence[str]) -> None:
    if draws < 1:
        raise BadInput(f"draws is {draws}.", cure="draws=4")
    if training not in ("plain", "others"):
        raise BadInput(f"training is {training!r}.", cure='training="plain" or "others"')
    strange = [f for f in families if f not in FAMILIES]
    if strange or not families:
        raise BadInput(
            f"no family is called {strange[0]!r}." if strange else "families is empty.",
            cure=f"families={tuple(FAMILIES)!r}",
        )


def _numbered(y: Labels, *, numbers: bool) -> Labels:
    """Return labels as numbers with fractions, or as class numbers 0, 1, ..."""
    if numbers:
        return y.astype(np.float64)
    return np.unique(y.astype(str) if y.dtype == object else y, return_inverse=True)[1]


def _with_copies(
    source: Made, domains: NDArray[np.int64], others: Sequence[str], rng: np.random.Generator
) -> tuple[Array, Labels, NDArray[np.int64]]:
    """Return source rows and their distorted copies, labels and domain numbers."""
    made = [source, *(craft(f, *source, rng) for f in others)]
    return (
        np.vstack([rows for rows, _ in made]),
        np.concatenate([labels for _, labels in made]),
        np.tile(domains, len(made)),
    )


def _adapted(
    model: Any,
    source: tuple[Array, Labels, NDArray[np.int64]],
    target: Made,
    back: tuple[Array, Array],
) -> float:
    """Return how well a clone that is adapted to the made-up target does on it."""
    rows = np.vstack([source[0], target[0]]) * back[0] + back[1]
    domain = np.concatenate([source[2], np.full(len(target[0]), -1 - source[2].max())])
    labels = mask_targets(np.concatenate([source[1], target[1]]), domain)
    again = clone(model).fit(rows, labels, sample_domain=domain)
    guessed = again.predict(rows[domain < 0])
    if is_regressor(model):
        return max(float(r2_score(target[1], guessed)), -1.0)
    return float(np.mean(target[1] == guessed))


def craft(family: str, Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    """Return distorted rows and their labels; Z (n, d) has features of mean 0 and spread 1."""
    return FAMILIES[family](Z, y, rng)


def _scale(Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    return Z * np.exp(0.5 * rng.normal(size=Z.shape[1])), y


def _offset(Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    return Z + rng.normal(size=Z.shape[1]), y


def _noise(Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    return Z + rng.uniform(0.3, 1.0) * rng.normal(size=Z.shape), y


def _mixing(Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    d = Z.shape[1]
    return Z @ (np.eye(d) + 0.5 * rng.normal(size=(d, d)) / np.sqrt(d)), y


def _missing(Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    return np.where(rng.random(Z.shape) < rng.uniform(0.1, 0.4), 0.0, Z), y


def _prior(Z: Array, y: Labels, rng: np.random.Generator) -> Made:
    if y.dtype.kind == "f":
        weight = np.exp(rng.choice([-1, 1]) * (y - y.mean()) / (y.std() or 1.0))
    else:
        _, code, count = np.unique(y, return_inverse=True, return_counts=True)
        weight = (rng.dirichlet(np.ones(len(count))) / count)[code]
    at = rng.choice(len(y), len(y), p=weight / weight.sum())
    return Z[at], y[at]


FAMILIES: dict[str, Callable[[Array, Labels, np.random.Generator], Made]] = {
    "scale": _scale,
    "offset": _offset,
    "noise": _noise,
    "mixing": _mixing,
    "missing": _missing,
    "prior": _prior,
}
