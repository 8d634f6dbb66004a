"""A CSV file as columns that remember their lines, so that an error can name the cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, TooFewRows

RUN_IDS = ("run_id", "run", "index", "id", "trial", "name")


@dataclass(frozen=True)
class CsvTable:
    """One CSV file.

    Attributes
    ----------
    path : Path
    names : tuple of str
        The header, without white space around the names.
    lines : tuple of int
        Line of each row in the file, from 1.
    cells : dict of str to list of str
        Columns, cells without white space around them.
    """

    path: Path
    names: tuple[str, ...]
    lines: tuple[int, ...]
    cells: dict[str, list[str]]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers; NaN where a cell is none."""
        return np.array([_number(cell) for cell in self.cells[name]])

    def is_numeric(self, name: str) -> bool:
        """Whether more than half of the cells of a column are numbers."""
        return 2 * np.isfinite(self.numbers(name)).sum() > len(self.lines)

    def checked(self, name: str, *, cure: str) -> NDArray[np.float64]:
        """Return a column as finite numbers; raise `BadInput` at the first cell that is none."""
        values = self.numbers(name)
        for row in np.flatnonzero(~np.isfinite(values)):
            cell = self.cells[name][row]
            what = f"holds {cell!r}, not a finite number" if cell else "is empty"
            raise BadInput.at(self.path, self.lines[row], f"the column {name} {what}.", cure=cure)
        return values

    def values(self, name: str) -> list[int | float | str]:
        """Return a column as whole numbers, else numbers, else as it stands."""
        cells = self.cells[name]
        for kind in (int, float):
            try:
                return [kind(cell) for cell in cells]
            except ValueError:
                continue
        return list(cells)

    def require(self, names: list[str], argument: str) -> None:
        """Raise `BadInput` when a column is missing."""
        for name in names:
            if name not in self.names:
                raise BadInput(
                    f"{self.path}: the column {name!r} is missing.",
                    why=f"the file has: {', '.join(self.names)}.",
                    cure=f"add the column or leave it out of {argument}",
                )


def join(table: CsvTable, other: CsvTable) -> list[int]:
    """Return, for every row of `table`, the row of `other` with the same run.

    The runs are told apart by the first of `RUN_IDS` that both have and that repeats in neither.
    """
    both = [n for n in RUN_IDS if n in table.names and n in other.names]
    if not both:
        raise BadInput(
            f"{table.path} and {other.path} have no column in common that names the runs.",
            cure=f"give both files a column {RUN_IDS[0]}",
        )
    unique = [n for n in both if all(len(set(_ids(t, n))) == len(t.lines) for t in (table, other))]
    if not unique:
        refuse_twice(both[0], table, other)
    left, right = _ids(table, unique[0]), _ids(other, unique[0])
    alone = [
        f"{t.path} only: {_some([run for run in these if run not in set(those)])}"
        for t, these, those in ((table, left, right), (other, right, left))
        if set(these) - set(those)
    ]
    if alone:
        raise BadInput(
            f"some runs stand in one file only, by the column {unique[0]}.",
            why="; ".join(alone) + ".",
            cure="remove these rows, or add the missing ones to the other file",
        )
    where = {run: i for i, run in enumerate(right)}
    return [where[run] for run in left]


def refuse_twice(name: str, *tables: CsvTable) -> None:
    """Raise `BadInput` at the first run that a column names a second time."""
    for table in tables:
        seen: dict[str, int] = {}
        for run, line in zip(_ids(table, name), table.lines, strict=False):
            if run in seen:
                raise BadInput.at(
                    table.path,
                    line,
                    f"the run {run} stands in line {seen[run]} already (column {name}).",
                    cure="keep one row a run, or number the runs in a column run_id",
                )
            seen[run] = line


def _ids(table: CsvTable, name: str) -> list[str]:
    """Return run ids as text; 7, 7.0 and 07 are one id."""
    whole = re.compile(r"0*([0-9]+)(\.0*)?")
    cells = table.cells.get(name, [])
    return [match[1] if (match := whole.fullmatch(c)) else c for c in cells]


def _some(runs: Sequence[str], most: int = 10) -> str:
    more = f" and {len(runs) - most} more" if len(runs) > most else ""
    return ", ".join(runs[:most]) + more


def read_csv(path: Path) -> CsvTable:
    """Read a CSV file whose cells are separated by commas, semicolons or tabs."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}).", cure=f'ls -l "{path}"'
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput.at(
            path, f"byte {error.start}", "the table is not UTF-8.", cure="save it as UTF-8"
        ) from None
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names: tuple[str, ...] = ()
    lines, rows = [], []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = _header(path, cells)
                continue
            if len(cells) != len(names):
                raise BadInput.at(
                    path,
                    reader.line_num,
                    f"the row has {len(cells)} cells, the header has {len(names)}.",
                    cure="give every row one cell a column, separated as in the header",
                )
            lines.append(reader.line_num)
            rows.append([_point(cell.strip(), separator) for cell in cells])
    except csv.Error as error:
        raise BadInput.at(
            path, reader.line_num, f"not a CSV table ({error}).", cure="save it as CSV again"
        ) from None
    if len(rows) < 2:
        raise TooFewRows(
            f"{path}: {len(rows)} rows of runs; at least 2 are needed.",
            cure="give one row a trained mixture, under a header line",
        )
    columns = zip(*rows, strict=True)
    return CsvTable(path, names, tuple(lines), dict(zip(names, map(list, columns), strict=True)))


def _point(cell: str, separator: str) -> str:
    """Turn the decimal comma into a point: where it is used, semicolons separate the cells."""
    is_number = separator == ";" and re.fullmatch(r"[-+]?[0-9]*,[0-9]+(e[-+]?[0-9]+)?", cell, re.I)
    return cell.replace(",", ".") if is_number else cell


def _header(path: Path, cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column {i}" for i, cell in enumerate(cells, start=1))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput.at(
            path, 1, f"two columns are called {twice[0]!r}.", cure="rename or remove one"
        )
    return names


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
