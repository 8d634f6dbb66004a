"""You have a table of finished runs: which mixture do they speak for?

python docs/examples/law_of_your_own_runs.py
"""

import tempfile
from pathlib import Path

import numpy as np

import ecotone as eco
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear

# 24 runs over three domains; in real life this file comes from your own logs
rng = np.random.default_rng(0)
shares = rng.dirichlet([2, 2, 2], 24)
law = 3.2 * (shares[:, 0] + 0.05) ** -0.08
web = 3.0 * (shares[:, 1] + 0.05) ** -0.05
rows = ["run,w_law,w_web,w_code,law_loss,web_loss"]
for i, (s, a, b) in enumerate(zip(shares, law, web, strict=True)):
    rows.append(f"{i}," + ",".join(f"{x:.6f}" for x in (*s, a, b)))

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "runs.csv"
    file.write_text("\n".join(rows) + "\n")
    trials = eco.read_trials(file)

print(f"{len(trials)} runs, domains {trials.domains}, losses {trials.targets}")
train, test = slice(0, 16), slice(16, 24)
for model in (LinearLaw(), LogLinear()):
    model.fit(trials.weights[train], trials.scores[train])
    error = np.abs(model.predict(trials.weights[test]) - trials.scores[test]).mean()
    print(f"{type(model).__name__:10} held-out error {error:.4f} nats per token")
