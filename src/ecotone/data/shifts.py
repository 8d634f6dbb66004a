"""Made-up labelled rows in a source and a target, named by the kind of shift between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.data.domains import Domains, mask_targets

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Sides = tuple[tuple[Array, Labels], tuple[Array, Labels]]


@dataclass(frozen=True, eq=False)
class Shifted:
    """Source and target rows in random order, the target's labels apart.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Rows.
    y : ndarray of int64, shape (n,)
        Class numbers; -1 in target rows.
    sample_domain : ndarray of int64, shape (n,)
        1 and -2.
    truth : ndarray of int64, shape (n,)
        Class numbers of all rows: for the final score alone.
    """

    X: Array
    y: Labels
    sample_domain: Domains
    truth: Labels

    @property
    def target(self) -> tuple[Array, Labels]:
        """The target's rows and their true labels."""
        at = self.sample_domain < 0
        return self.X[at], self.truth[at]


def _blobs(
    n: int, priors: Array, rng: np.random.Generator, *, d: int = 5, gap: float = 1.5
) -> tuple[Array, Labels]:
    """Draw classes that are Gaussian around the corners of a simplex, with unequal spreads."""
    y = rng.choice(len(priors), size=n, p=priors)
    centres = gap * np.eye(len(priors), d)
    spread = np.linspace(0.6, 1.4, d)
    return centres[y] + spread * rng.normal(size=(n, d)), y.astype(np.int64)


def _none(n: int, size: float, rng: np.random.Generator) -> Sides:  # noqa: ARG001  one protocol
    even = np.full(3, 1 / 3)
    return _blobs(n, even, rng), _blobs(n, even, rng)


def _location_scale(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Move and stretch every feature of the target."""
    even = np.full(3, 1 / 3)
    (Xs, ys), (Xt, yt) = _blobs(n, even, rng), _blobs(n, even, rng)
    d = Xt.shape[1]
    stretch = np.exp(size * np.linspace(-0.5, 0.5, d))
    return (Xs, ys), (Xt * stretch + size * np.where(np.arange(d) % 2, 1.0, -1.0), yt)


def _affine(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Multiply the target by a symmetric positive matrix, and move it."""
    even = np.full(3, 1 / 3)
    (Xs, ys), (Xt, yt) = _blobs(n, even, rng), _blobs(n, even, rng)
    d = Xt.shape[1]
    Q, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(d, d)))
    A = (Q * np.exp(size * np.linspace(-0.8, 0.8, d))) @ Q.T
    return (Xs, ys), (Xt @ A + size, yt)


def _label(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Change the class proportions: the first class gets (1 + 2 size) / 3 of the target."""
    share = min((1 + 2 * size) / 3, 0.95)
    there = np.array([share, *np.full(2, (1 - share) / 2)])
    return _blobs(n, np.full(3, 1 / 3), rng), _blobs(n, there, rng)


def _covariate(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Move the rows; p(y|x) stays a curve that no straight line follows."""

    def draw(centre: float) -> tuple[Array, Labels]:
        X = rng.normal(0, 1, (n, 2)) + np.array([centre, 0.0])
        p = 1 / (1 + np.exp(-4 * (X[:, 1] - np.sin(1.5 * X[:, 0]))))
        return X, (rng.random(n) < p).astype(np.int64)

    return draw(0.0), draw(size)


def _concept(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Keep the rows and swap two class labels in a share `size` of the target."""
    even = np.full(3, 1 / 3)
    (Xs, ys), (Xt, yt) = _blobs(n, even, rng), _blobs(n, even, rng)
    swap = rng.random(n) < size
    return (Xs, ys), (Xt, np.where(swap & (yt < 2), 1 - yt, yt))


def _rotation(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Turn two moons by `size` times 30 degrees."""

    def moons() -> tuple[Array, Labels]:
        y = rng.integers(2, size=n)
        t = np.pi * rng.random(n)
        X = np.column_stack([np.cos(t), np.sin(t)])
        X = np.where(y[:, None] == 1, np.array([1.0, 0.5]) - X, X) - np.array([0.5, 0.25])
        return X + rng.normal(0, 0.08, (n, 2)), y.astype(np.int64)

    (Xs, ys), (Xt, yt) = moons(), moons()
    angle = np.deg2rad(30 * size)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (Xs, ys), (Xt @ turn.T, yt)


def _subspace(n: int, size: float, rng: np.random.Generator) -> Sides:
    """Let the label depend on one feature; the target moves along the others."""

    def draw(offset: float) -> tuple[Array, Labels]:
        y = rng.integers(2, size=n)
        X = rng.normal(0, 1, (n, 6))
        X[:, 0] = np.where(y == 1, 1.5, -1.5) + rng.normal(0, 0.7, n)
        # a second feature speaks of the label at home alone
        X[:, 1] += np.where(y == 1, 1.0, -1.0) * (2.0 - offset) / 2.0 + offset * 2
        return X, y.astype(np.int64)

    return draw(0.0), draw(size)


KINDS: dict[str, Callable[[int, float, np.random.Generator], Sides]] = {
    "none": _none,
    "location_scale": _location_scale,
    "affine": _affine,
    "label": _label,
    "covariate": _covariate,
    "concept": _concept,
    "rotation": _rotation,
    "subspace": _subspace,
}


def made_shift(kind: str, *, n: int = 200, size: float = 1.0, seed: int = 0) -> Shifted:
    """Make labelled source and target rows with a known kind of shift.

    Parameters
    ----------
    kind : str
        ``none``, ``location_scale``, ``affine`` (a symmetric positive matrix and an offset),
        ``label`` (class proportions), ``covariate`` (p(x) moves, p(y|x) stays), ``concept``
        (p(y|x) changes, p(x) stays), ``rotation`` (two moons) or ``subspace`` (a misleading
        feature).
    n : int
        Rows on each side.
    size : float
        0 is no shift; 1 a plain one.
    seed : int
        Decides the rows.

    Examples
    --------
    >>> made = made_shift("label", n=50)
    >>> made.X.shape, sorted(set(made.sample_domain.tolist()))
    ((100, 5), [-2, 1])
    """
    if kind not in KINDS:
        raise BadInput(f"no shift is called {kind!r}.", cure=f"one of: {', '.join(KINDS)}")
    rng = stream(seed, "shift", kind)
    (Xs, ys), (Xt, yt) = KINDS[kind](n, size, rng)
    order = rng.permutation(len(ys) + len(yt))
    domain = np.repeat(np.array([1, -2], dtype=np.int64), [len(ys), len(yt)])[order]
    truth = np.concatenate([ys, yt]).astype(np.int64)[order]
    return Shifted(np.vstack([Xs, Xt])[order], mask_targets(truth, domain), domain, truth)
