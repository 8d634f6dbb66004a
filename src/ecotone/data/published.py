"""Published tables of proxy runs that come with the package: for tests and comparisons."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ecotone.core.errors import BadInput
from ecotone.core.trials import Trials

FIVE = ("pile_cc", "wikipedia_en", "github", "pubmed_abstracts", "stackexchange")
"""Five targets of `regmix_runs` that every comparison of laws in this package reports."""

_REGMIX = Path(__file__).resolve().parent / "published_runs" / "regmix"

# shares of the training tokens of the Pile that the sampler of these runs was centred on
_REGMIX_PRIOR = {
    "arxiv": 0.11328527,
    "freelaw": 0.07960865,
    "nih_exporter": 0.00391349,
    "pubmed_central": 0.1853759,
    "wikipedia_en": 0.05108136,
    "dm_mathematics": 0.01596293,
    "github": 0.10175077,
    "philpapers": 0.00370752,
    "stackexchange": 0.06652935,
    "enron_emails": 0.00175077,
    "gutenberg_pg_19": 0.02708548,
    "pile_cc": 0.23686921,
    "ubuntu_irc": 0.01184346,
    "europarl": 0.00792997,
    "hackernews": 0.00803296,
    "pubmed_abstracts": 0.03882595,
    "uspto_backgrounds": 0.04644696,
}


def regmix_runs() -> Trials:
    """Return 512 published proxy runs: mixtures of 17 Pile domains, losses on 13 of them.

    Models of 1 million non-embedding parameters trained on 1 billion tokens each [1]_; losses in
    nats per token. The published shares are rounded; the rows are divided by their sums. The
    column ``index`` of ``about`` is the number of the run in the published files.

    Returns
    -------
    Trials
        ``weights (512, 17)``, ``scores (512, 13)``, in the order of the published file.

    References
    ----------
    .. [1] liu2025regmix; files from github.com/sail-sg/regmix, MIT licence, (c) 2024 Sea AI Lab.

    Examples
    --------
    >>> regmix_runs()
    Trials(512 x 17 domains, 13 targets)
    """
    domains, weights = _table(_REGMIX / "train_mixture_1m.csv")
    targets, scores = _table(_REGMIX / "train_pile_loss_1m.csv")
    if weights.keys() != scores.keys():
        raise BadInput(
            f"{_REGMIX}: the two files do not hold the same runs.",
            cure="pip install --force-reinstall --no-deps ecotone",
        )
    order = list(weights)
    return Trials(
        np.array([weights[i] for i in order]),
        np.array([scores[i] for i in order]),
        tuple(name.removeprefix("train_the_pile_") for name in domains),
        tuple(t.removeprefix("metric/the_pile_").removesuffix("_val_loss") for t in targets),
        {"index": [int(i) for i in order]},
    )


def regmix_prior() -> dict[str, float]:
    """Return the share of each domain among the tokens at hand when `regmix_runs` were made.

    Sums to 1; the names are the domains of `regmix_runs`, in their order.

    Examples
    --------
    >>> round(regmix_prior()["pile_cc"], 3)
    0.237
    """
    total = sum(_REGMIX_PRIOR.values())
    return {name: share / total for name, share in _REGMIX_PRIOR.items()}


def _table(path: Path) -> tuple[list[str], dict[str, list[float]]]:
    """Read a CSV whose first column names the row: column names, and row name -> numbers."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        names = next(rows)[1:]
        return names, {row[0]: [float(x) for x in row[1:]] for row in rows}
