"""The best mixture under caps, and what a limit costs.

python docs/examples/limits_and_solver.py
"""

import numpy as np

from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.objective import TargetLoss
from ecotone.mix.problem import Limits, Problem
from ecotone.mix.solver import solve

names = ("law", "web", "code")
shares = np.random.default_rng(0).dirichlet([2, 2, 2], 12)
losses = np.column_stack([3.5 - shares[:, 0], 3.2 - 0.5 * shares[:, 1]])  # on law and on web
law = LinearLaw().fit(shares, losses)

tokens, at_hand = 10_000_000, np.array([1e6, 9e6, 5e6])
for caps in (4, 8):
    problem = Problem(
        law=law,
        targets=("law", "web"),
        domains=names,
        objective=TargetLoss("law"),
        limits=Limits.epochs(caps, unique=at_hand, tokens=tokens),
        general=None,
        prior=at_hand / at_hand.sum(),
    )
    best = solve(problem, rng=np.random.default_rng(0))
    words = ", ".join(f"{n} {w:.0%}" for n, w in zip(names, best.weights, strict=True))
    print(f"{caps} epochs: {words}; active: {best.active}; proven: {best.exact}")
