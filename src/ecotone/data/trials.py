"""Tables of finished runs: what was mixed and what it scored, from wherever it was trained."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.files import plain, write_text
from ecotone.core.trials import Trials
from ecotone.data.csv_table import RUN_IDS, CsvTable, join, read_csv, refuse_twice

WEIGHT_MARKS = ("weight:", "weight/", "weight_", "w:", "w/", "w_", "ratio:", "ratio/", "ratio_",
                "share:", "share/", "share_", "train/", "train_")  # fmt: skip
LOSS_MARKS = ("loss:", "loss/", "loss_", "metric/", "metric:", "eval/", "eval:", "score:", "score/")
LOSS_ENDS = ("_val_loss", "/val_loss", "_valid_loss", "_loss", "/loss", " loss", "_nll")
ABOUT = frozenset(
    {*RUN_IDS, "column 1", "seed", "tokens", "steps", "step", "seconds", "time", "parameters",
     "params", "model", "size", "depth", "epochs", "epoch", "lr", "status", "date", "group"}
)  # fmt: skip


def read_trials(
    path: Path | str,
    losses: Path | str | None = None,
    *,
    weights: Sequence[str] | None = None,
    scores: Sequence[str] | None = None,
) -> Trials:
    r"""Read what was trained: shares of the training tokens and held-out losses, one row a run.

    Three shapes are understood.

    * **One CSV** with shares and losses side by side. Domains are the columns named in `weights`;
      else those that begin with ``weight:``, ``w_``, ``train_``, ``ratio_`` or ``share_``; else the
      longest run of neighbouring columns whose rows sum to 1. Losses are the columns named in
      `scores`; else those that begin with ``loss:``, ``metric/`` or ``eval/`` or end in ``_loss``;
      else all other columns of numbers. The rest (seed, tokens, seconds ...) becomes ``about``.
    * **Two CSVs**, shares in `path` and losses in `losses`, joined by the first of the columns
      ``run_id``, ``run``, ``index``, ``id``, ``trial``, ``name`` that both have and that names
      every run once. A beginning that all domains and all losses share is dropped:
      ``train_the_pile_arxiv`` and ``metric/the_pile_arxiv_val_loss`` both become ``arxiv``.
    * **A run folder** of ours, or a ``.json`` file that `Trials.save` wrote.

    Parameters
    ----------
    path : path
        CSV, JSON or run folder.
    losses : path, optional
        Second CSV.
    weights, scores : sequence of str, optional
        Columns to take, as they are called in the file.

    Returns
    -------
    Trials
        Shares divided by their sums; losses as they stand, lower is better, nats per token.

    Raises
    ------
    BadInput
        With file and line: a cell that is no number, a negative share, shares that do not sum to
        1 (within 0.02); a run that is named twice or stands in one file only; a missing column;
        a loss that is the same for every run.
    TooFewRows
        Fewer than 2 runs.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "runs.csv"
    >>> _ = file.write_text("run,law,web,loss,seed\n1,0.5,0.5,3.1,0\n2,0.9,0.1,2.8,0\n")
    >>> trials = read_trials(file)
    >>> trials.domains, trials.targets, list(trials.about)
    (('law', 'web'), ('loss',), ['run', 'seed'])
    """
    path = Path(path).expanduser()
    if path.is_dir() or path.suffix.lower() == ".json":
        return Trials.load(_ours(path))
    table = read_csv(path)
    domains = _domain_columns(table, weights, strict=losses is None)
    shares = _shares(table, domains)
    if losses is None:
        refuse_twice(next((n for n in ("run_id", "run") if n in table.names), ""), table)
        targets = _loss_columns(table, scores, set(domains))
        values = _losses(table, targets)
        about = {n: table.values(n) for n in table.names if n not in {*domains, *targets}}
        names = _bare(domains, WEIGHT_MARKS), _bare(targets, LOSS_MARKS, LOSS_ENDS)
        return Trials(shares, values, *names, about)
    other = read_csv(Path(losses).expanduser())
    targets = _loss_columns(other, scores, set())
    order = join(table, other)
    values = _losses(other, targets)[order]
    about = {n: table.values(n) for n in table.names if n not in domains}
    extra = [n for n in other.names if n not in {*targets, *about}]
    about |= {n: [other.values(n)[i] for i in order] for n in extra}
    names = _without_common_start(
        _bare(domains, WEIGHT_MARKS), _bare(targets, LOSS_MARKS, LOSS_ENDS)
    )
    return Trials(shares, values, *names, about)


def write_trials(trials: Trials, path: Path | str) -> None:
    """Write as one CSV that `read_trials` reads: ``about``, ``weight:`` and ``loss:`` columns."""
    columns: dict[str, list[Any]] = {k: list(plain(v)) for k, v in trials.about.items()}
    for j, name in enumerate(trials.domains):
        columns[f"weight:{name}"] = trials.weights[:, j].tolist()
    for j, name in enumerate(trials.targets):
        columns[f"loss:{name}"] = trials.scores[:, j].tolist()
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    write_text(Path(path), text.getvalue())


def _ours(path: Path) -> Path:
    """Return the trials file of a run folder."""
    places = [path] if path.suffix.lower() == ".json" else []
    places += [path / "artifacts" / "trials.json", path / "trials.json"]
    for place in places:
        if place.is_file():
            return place
    raise BadInput(
        f"{path}: no trials.json here.",
        cure="pass a run folder whose proxy runs are done, a trials.json or a CSV file",
    )


def _domain_columns(
    table: CsvTable, weights: Sequence[str] | None, *, strict: bool
) -> tuple[str, ...]:
    if weights is not None:
        table.require(list(weights), "weights")
        return tuple(weights)
    numeric = [n for n in table.names if n.lower() not in ABOUT and table.is_numeric(n)]
    marked = max((_marked(numeric, mark) for mark in WEIGHT_MARKS), key=len)
    if len(marked) >= 2:
        return marked
    found = _summing_run(table, [n for n in numeric if not _is_loss(n)])
    if found:
        return found
    if not strict and len(numeric) >= 2:
        return tuple(numeric)  # a table of shares alone: let the check of the rows say what is off
    raise BadInput(
        f"{table.path}: no columns found whose rows sum to 1.",
        why=f"the columns of numbers are: {', '.join(numeric) or 'none'}.",
        cure="name the domains with weights=[...], or begin their names with weight:",
    )


def _marked(names: Sequence[str], mark: str) -> tuple[str, ...]:
    """Return the columns that begin with `mark` and are neither losses nor facts about a run."""
    found = (n for n in names if n.startswith(mark) and len(n) > len(mark))
    return tuple(n for n in found if not _is_loss(n) and n[len(mark) :].lower() not in ABOUT)


def _is_loss(name: str) -> bool:
    return name.lower() == "loss" or name.startswith(LOSS_MARKS) or name.endswith(LOSS_ENDS)


def _summing_run(table: CsvTable, names: Sequence[str]) -> tuple[str, ...]:
    """Return the longest run of neighbouring columns that sum to 1 in more than half of the rows.

    More than half and not all, so that one bad row becomes an error with its line.
    """
    if not names:
        return ()
    columns = np.nan_to_num(np.column_stack([table.numbers(n) for n in names]), nan=1e6)
    sums = np.cumsum(np.column_stack([np.zeros(len(columns)), columns]), axis=1)
    place = {name: i for i, name in enumerate(table.names)}
    for length in range(len(names), 1, -1):
        for i in range(len(names) - length + 1):
            chosen = names[i : i + length]
            fits = np.abs(sums[:, i + length] - sums[:, i] - 1) <= 0.02
            neighbours = place[chosen[-1]] - place[chosen[0]] == length - 1
            if neighbours and 2 * fits.sum() > len(fits):
                return tuple(chosen)
    return ()


def _loss_columns(
    table: CsvTable, scores: Sequence[str] | None, domains: set[str]
) -> tuple[str, ...]:
    if scores is not None:
        table.require(list(scores), "scores")
        return tuple(scores)
    numeric = [n for n in table.names if n.lower() not in ABOUT and table.is_numeric(n)]
    left = [n for n in numeric if n not in domains]
    marked = [n for n in left if _is_loss(n)]
    if not left:
        raise BadInput(
            f"{table.path}: no column of losses found.",
            cure="name them with scores=[...], or pass a second file: losses=FILE",
        )
    return tuple(marked or left)


def _shares(table: CsvTable, domains: Sequence[str]) -> NDArray[np.float64]:
    """Return the shares, each row checked: 0 or more, sum 1 within 0.02."""
    cure = "give every domain a share of 0 or more, or name the domains with weights=[...]"
    out = np.column_stack([table.checked(name, cure=cure) for name in domains])
    for row, column in np.argwhere(out < 0).tolist():
        what = f"the share of {domains[column]} is {out[row, column]:g}, below 0."
        raise BadInput.at(table.path, table.lines[row], what, cure=cure)
    sums = out.sum(axis=1)
    for row in np.flatnonzero(np.abs(sums - 1) > 0.02).tolist():
        what = f"the shares of {', '.join(domains)} sum to {sums[row]:.4g}, not to 1."
        raise BadInput.at(
            table.path,
            table.lines[row],
            what,
            cure="divide every row by its sum, or name the domains with weights=[...]",
        )
    return out


def _losses(table: CsvTable, targets: Sequence[str]) -> NDArray[np.float64]:
    cure = "remove the runs that diverged or did not finish, or name the losses with scores=[...]"
    out = np.column_stack([table.checked(name, cure=cure) for name in targets])
    for column in np.flatnonzero(np.ptp(out, axis=0) == 0).tolist():
        raise BadInput(
            f"{table.path}: every run has the same loss in the column {targets[column]}.",
            why="nothing can be learned from it.",
            cure="check how it was logged, or leave it out with scores=[...]",
        )
    return out


def _bare(
    names: Sequence[str], marks: tuple[str, ...], ends: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Drop the marks from column names, unless two names would become one."""
    out = []
    for name in names:
        mark = next((m for m in marks if name.startswith(m) and len(name) > len(m)), "")
        name = name[len(mark) :]
        if not mark.endswith(":"):  # what stands after weight: or loss: is the name itself
            end = next((e for e in ends if name.endswith(e) and len(name) > len(e)), "")
            name = name.removesuffix(end)
        out.append(name)
    return tuple(out) if len(set(out)) == len(out) else tuple(names)


def _without_common_start(
    domains: tuple[str, ...], targets: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Drop what every domain and every target begins with, up to a ``_``, ``/``, ``:`` or ``.``."""
    first, last = min(*domains, *targets), max(*domains, *targets)
    same = [a == b for a, b in zip(first, last, strict=False)]
    start = first[: [*same, False].index(False)]
    cut = max(start.rfind(mark) for mark in "_/:.") + 1
    return tuple(n[cut:] for n in domains), tuple(n[cut:] for n in targets)
