r"""Entropic transport plans by a scaling algorithm that reads its kernel once a step.

A plan is held by its two potentials:

.. math:: G_{ij} = a_i\,b_j\,e^{\phi_i + \psi_j + t_{c(i)j} - C_{ij}/\epsilon}

with a and b the masses of the rows and t an optional term for each class of source rows. It is the
minimum of :math:`\langle G, C\rangle + \epsilon\,\mathrm{KL}(G\,|\,a b^\top)` with row sums a and
column sums b, or, with a finite :math:`\tau`, of that plus :math:`\tau` times the KL divergence of
each sum from what it should be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.align._costs import Costs
from ecotone.core.errors import BadInput

Array = NDArray[np.float64]
SMALL = 4_000_000  # entries up to which the kernel is float64
REACH = 60.0  # a range of exponents that float32 holds with room for the masses
DRIFT = 20.0  # potentials this far from what the kernel holds are moved into it
MEMORY = 6  # earlier steps that the acceleration looks at
CACHE = 1_000_000  # bytes of a block of the kernel, read twice in a row
NOISE = 5e-7  # sums of float32 cannot be told apart below this


class Scaling:
    """The scaling algorithm for one kernel; keeps its potentials, so that it can go on.

    Parameters
    ----------
    cost : Costs
        Source rows sorted by class, if `starts` is given.
    a, b : ndarray, shape (n,) and (m,)
        Masses, each of sum 1.
    reg : float
        Entropic regularisation, in the unit of the (divided) cost.
    tau : float
        Price of missing the masses, in the same unit; inf is balanced.
    starts : ndarray of int, shape (C + 1,), optional
        Where each class of source rows begins, and where the last ends.

    Attributes
    ----------
    phi, psi : ndarray, shape (n,) and (m,)
        Potentials.
    term : ndarray, shape (C, m)
        t, to be set between runs.
    classes : ndarray, shape (C, m)
        Mass that each class of source rows sends to each target row.
    error : float
        Balanced: sum of |column sum - b| (row sums are exact). Unbalanced: mean change of psi.
    sweeps : int
        How often the kernel was read.
    """

    def __init__(
        self,
        cost: Costs,
        a: Array,
        b: Array,
        reg: float,
        *,
        tau: float = np.inf,
        starts: NDArray[np.int64] | None = None,
    ) -> None:
        n, m = cost.shape
        self.cost, self.a, self.b, self.reg, self.tau = cost, a, b, reg, tau
        self.starts = np.array([0, n]) if starts is None else starts
        self.term = np.zeros((len(self.starts) - 1, m))
        self.kernel: NDArray[Any] = np.empty((n, m), np.float64 if n * m <= SMALL else np.float32)
        self.phi, self.psi, self.sweeps = np.zeros(n), np.zeros(m), 0
        self.classes, self.error = np.zeros_like(self.term), np.inf
        self._begin()

    def run(self, tol: float, most: int) -> Scaling:
        """Sweep until the error is at most `tol`, or `most` times."""
        self._iterate(self.reg, tol, most)
        return self

    def means(self, values: Array) -> Array:
        """Return the mean of target values under each row of the plan, (n, k)."""
        _, right = self._factors()
        out = np.empty((len(self.a), values.shape[1]))
        now = -1
        for c, start, stop in self._blocks():
            if c != now:
                mass = np.exp(self.term[c] - self._term0[c]) * right
                both = np.column_stack([mass[:, None] * values, mass]).astype(self.kernel.dtype)
                now = c
            top = (self.kernel[start:stop] @ both).astype(np.float64)
            out[start:stop] = top[:, :-1] / top[:, -1:]
        return out

    def rows(self, start: int, stop: int) -> Array:
        """Return rows start to stop of the plan, (stop - start, m); all of one class or no term."""
        left, right = self._factors()
        c = int(np.searchsorted(self.starts, start, side="right")) - 1
        out: Array = self.kernel[start:stop] * (right * np.exp(self.term[c] - self._term0[c]))
        out *= left[start:stop, None]
        return out

    def to_rows(self) -> None:
        """Set phi so that row sums are right, psi as it is; see `to_columns`."""
        if self._stale():
            self._build(self.reg)
        each = (np.exp(self.term - self._term0) * self._factors()[1]).astype(self.kernel.dtype)
        for c, start, stop in self._blocks():
            seen = (self.kernel[start:stop] @ each[c]).astype(np.float64)
            self.phi[start:stop] = self._phi0[start:stop] - np.log(seen)

    def to_columns(self) -> Array:
        """Return the psi for which column sums are right, phi and a as they are.

        With `to_rows` it is a sweep in two halves, for methods that change a in between.
        """
        if self._stale():
            self._build(self.reg)
        left, sums = self._factors()[0], np.zeros_like(self.term)
        for c, start, stop in self._blocks():
            K = self.kernel[start:stop]
            sums[c] += left[start:stop].astype(K.dtype) @ K
        sums *= np.exp(self.term - self._term0)
        self.classes = sums * self._factors()[1]
        out: Array = self._psi0 - np.log(sums.sum(axis=0))
        return out

    # ---- the kernel

    def _blocks(self) -> Iterator[tuple[int, int, int]]:
        """Give class, start and stop of blocks of rows that fit in a processor's cache."""
        size = max(8, CACHE // (self.kernel.shape[1] * self.kernel.itemsize))
        for c, (first, last) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            for start in range(int(first), int(last), size):
                yield c, start, min(start + size, int(last))

    def _build(self, reg: float) -> None:
        """Fill the kernel, with the potentials and the term as they are in it."""
        self._phi0, self._psi0, self._term0 = self.phi.copy(), self.psi.copy(), self.term.copy()
        for c, start, stop in self._blocks():
            E = self.cost.block(start, stop)
            E *= -1 / reg
            E += self._phi0[start:stop, None]
            E += self._psi0 + self._term0[c]
            # what the kernel holds of phi is ours to choose: as much as cannot overflow
            over = np.maximum(E.max(axis=1) - DRIFT, 0.0)
            if over.any():
                self._phi0[start:stop] -= over
                E -= over[:, None]
            np.exp(E.astype(self.kernel.dtype), out=self.kernel[start:stop])

    def _stale(self) -> bool:
        """Say whether the kernel holds potentials or a term that are too far from the present."""
        far = [self.phi - self._phi0, self._phi0 - self.phi, self.psi - self._psi0]
        far += [self._psi0 - self.psi, self.term - self._term0]
        return max(float(x.max()) for x in far) > DRIFT

    def _factors(self) -> tuple[Array, Array]:
        return self.a * np.exp(self.phi - self._phi0), self.b * np.exp(self.psi - self._psi0)

    def _begin(self) -> None:
        """Fill the kernel; for a small reg, come down to it from one that float32 can hold."""
        bound = self.cost.bound
        reg = max(self.reg, bound / REACH)
        self.phi += 1 / reg  # the median cost is 1: exponents lie around 0
        while reg > self.reg:
            self._build(reg)
            self._iterate(reg, 1e-3, 50)
            step = max(self.reg / reg, 0.25)
            reg *= step
            self.phi, self.psi = self.phi / step, self.psi / step
            self._in_logarithms(reg)
        self._build(self.reg)

    def _in_logarithms(self, reg: float) -> None:
        """Do one step by sums of logarithms, after which no row and no column can be 0."""
        m, power = len(self.b), self._power(reg)
        top, total = np.full(m, -np.inf), np.zeros(m)
        with np.errstate(divide="ignore"):
            log_a, log_b = np.log(self.a), np.log(self.b)
        for c, start, stop in self._blocks():
            E = self.cost.block(start, stop) / -reg + self.term[c]
            R = E + (self.psi + log_b)
            high = R.max(axis=1)
            R = np.exp(R - high[:, None])
            self.phi[start:stop] = -power * (high + np.log(R.sum(axis=1)))
            E += (self.phi + log_a)[start:stop, None]
            new = np.maximum(top, E.max(axis=0))
            total = total * np.exp(top - new) + np.exp(E - new).sum(axis=0)
            top = new
        self.psi = -power * (top + np.log(total))

    # ---- the steps

    def _power(self, reg: float) -> float:
        return 1.0 if np.isinf(self.tau) else self.tau / (self.tau + reg)

    def _sweep(self, reg: float) -> Array:
        """Update phi from psi; return the psi that follows. The kernel is read once."""
        power = self._power(reg)
        right = self.b * np.exp(self.psi - self._psi0)
        term = np.exp(self.term - self._term0)
        each = (term * right).astype(self.kernel.dtype)
        sums = np.zeros_like(self.term)
        for c, start, stop in self._blocks():
            K, held = self.kernel[start:stop], self._phi0[start:stop]
            seen = (K @ each[c]).astype(np.float64)
            phi = power * (held - np.log(seen))
            self.phi[start:stop] = phi
            # while this block is still in the cache
            sums[c] += (self.a[start:stop] * np.exp(phi - held)).astype(K.dtype) @ K
        sums *= term
        self.classes = sums * right
        self.sweeps += 1
        new: Array = power * (self._psi0 - np.log(sums.sum(axis=0)))
        return new

    def _iterate(self, reg: float, tol: float, most: int) -> None:
        """Repeat sweeps with Anderson's acceleration, which a rise of the error undoes."""
        if self.kernel.dtype == np.float32:
            tol = max(tol, NOISE)
        steps, best = Anderson(), np.inf
        for _ in range(most):
            if self._stale():
                self._build(reg)
            with np.errstate(all="ignore"):
                new = self._sweep(reg)
            if not np.isfinite(new).all():  # float32 has lost a row or a column
                self._in_logarithms(reg)
                self._build(reg)
                steps, best = Anderson(), np.inf
                continue
            if np.isinf(self.tau):
                self.error = float(np.abs(self.classes.sum(axis=0) - self.b).sum())
            else:
                self.error = float(self.b @ np.abs(new - self.psi))
            if self.error <= tol:
                return
            if self.error > 2 * best:
                steps, best = Anderson(), np.inf
                self.psi = new
            else:
                best = min(best, self.error)
                self.psi = steps.next(self.psi, new)
        if not np.isfinite(self.phi).all():
            raise BadInput(
                f"the transport plan underflows at reg={self.reg:g}.", cure=f"reg={10 * self.reg:g}"
            )


class Anderson:
    """Extrapolate a fixed-point iteration from its last few steps."""

    def __init__(self) -> None:
        self._last: tuple[Array, Array] | None = None
        self._df: deque[Array] = deque(maxlen=MEMORY)
        self._dg: deque[Array] = deque(maxlen=MEMORY)

    def next(self, x: Array, g: Array) -> Array:
        """Return where to go from x, whose image is g."""
        f = g - x
        if self._last is not None:
            self._df.append(f - self._last[0])
            self._dg.append(g - self._last[1])
        self._last = (f, g)
        if not self._df:
            return g
        F = np.array(self._df)
        M = F @ F.T
        M[np.diag_indices(len(M))] += 1e-12 * np.trace(M) + np.finfo(float).tiny
        ahead = np.asarray(np.linalg.solve(M, F @ f) @ np.array(self._dg), dtype=np.float64)
        return g if np.abs(ahead).max() > DRIFT / 2 else np.asarray(g - ahead)
