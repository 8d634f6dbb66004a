"""Tables of labelled and unlabelled rows: from a file to ``X, y, sample_domain``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, MissingExtra, NoTarget
from ecotone.data.domains import Domains, mask_targets, numbered

if TYPE_CHECKING:
    import pandas as pd

MOST_WORDS = 100  # different words of a column that are still categories
UNKNOWN = ("", "?", "NA", "nan", "None")


def read_table(
    path: Path | str, label: str, domain: str, target: str | Sequence[str]
) -> tuple[pd.DataFrame, NDArray[Any], Domains]:
    """Read a table whose rows come from several domains.

    Parameters
    ----------
    path : Path
        ``.csv`` (also ``.csv.gz``), ``.parquet``, or ``.npz`` with the arrays ``X`` and those
        named by `label` and `domain`.
    label, domain : str
        Columns of the label and of the domain. All others are features.
    target : str or sequence of str
        Domains that are the target.

    Returns
    -------
    X : DataFrame, shape (n, d)
        Features as they are: numbers and words.
    y : ndarray, shape (n,)
        Labels; those of the target are masked, whether the file has them or not.
    sample_domain : ndarray of int64, shape (n,)
        1, 2, ... for sources in the order of their names, then negative ones for targets.

    Raises
    ------
    BadInput
        A missing column, a ragged line (file:line), a source row without a label.
    NoTarget
        No row of the target.
    """
    frame = load_frame(path)
    for name, option in ((label, "--label"), (domain, "--domain")):
        if name not in frame.columns:
            raise BadInput(
                f"{path}: there is no column {name!r}.",
                why=f"the columns are: {', '.join(map(str, frame.columns[:30]))}.",
                cure=f"{option} {frame.columns[-1]}",
            )
    names = frame[domain].astype(str).to_numpy()
    sample_domain, _ = numbered(names.tolist(), target)
    if (sample_domain < 0).all():
        raise NoTarget(f"{path}: every row is of the target.", cure="add rows of a source domain")
    y = _labels(frame[label], sample_domain, path, label)
    return frame.drop(columns=[label, domain]), y, sample_domain


def load_frame(path: Path | str) -> pd.DataFrame:
    """Read any of the table formats as a data frame."""
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise MissingExtra.of("tables", "pandas", "reading a table") from None
    path = Path(path)
    if not path.exists():
        raise BadInput(f"{path}: there is no such file.", cure="name a .csv, .parquet or .npz file")
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return _read_csv(path)
    if name.endswith(".parquet"):
        return pd.read_parquet(path)
    if name.endswith(".npz"):
        return _read_npz(path)
    raise BadInput(f"{path}: not a table.", cure="a .csv, .csv.gz, .parquet or .npz file")


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv

    bad: list[Any] = []

    def ragged(row: Any) -> str:
        bad.append(row)
        return "error"

    try:
        table = csv.read_csv(
            path, read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(invalid_row_handler=ragged),
            convert_options=csv.ConvertOptions(null_values=list(UNKNOWN), strings_can_be_null=True),
        )  # fmt: skip
    except pa.ArrowInvalid as error:
        if bad:  # pyarrow counts lines from 1, the header included
            raise BadInput.at(
                path, bad[0].number or "?",
                f"{bad[0].actual_columns} cells where the header names {bad[0].expected_columns}.",
                cure="mend that line: a comma inside a cell needs quotes around the cell",
            ) from None  # fmt: skip
        raise BadInput(f"{path}: {error}", cure="a comma-separated file with a header") from None
    return pd.DataFrame(table.to_pandas())


def _read_npz(path: Path) -> pd.DataFrame:
    import pandas as pd

    with np.load(path, allow_pickle=False) as arrays:
        found = {n: arrays[n] for n in arrays.files}
    if "X" not in found:
        raise BadInput(f"{path}: there is no array X.", cure="np.savez(path, X=X, y=y, domain=d)")
    X = found.pop("X")
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    for name, values in found.items():
        if values.shape != (len(X),):
            raise BadInput(
                f"{path}: {name} has the shape {values.shape}; X has {len(X)} rows.",
                cure="one value for each row of X",
            )
        frame[name] = values
    return frame


def _labels(column: Any, sample_domain: Domains, path: Path | str, name: str) -> NDArray[Any]:
    known = column[sample_domain > 0]
    if known.isna().any():
        row = int(np.flatnonzero(sample_domain > 0)[np.flatnonzero(known.isna())[0]])
        raise BadInput.at(
            path, row + 2, f"a source row has no {name}.",
            why="only rows of the target may come without a label.",
            cure="remove those rows, or name their domain as a target",
        )  # fmt: skip
    values = known.to_numpy()
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)  # whole numbers that a missing cell made fractions
    whole = np.empty(len(column), dtype=values.dtype if values.dtype.kind in "biuf" else object)
    whole[sample_domain > 0] = values
    whole[sample_domain < 0] = values[0]
    return mask_targets(whole, sample_domain)


def encoder(X: pd.DataFrame) -> Any:
    """Return an unfitted scikit-learn transformer from a mixed table to finite numbers.

    Words become indicators (one unseen later becomes none of them), missing numbers the median
    with an indicator of their own where any was missing, all is standardised.

    Raises
    ------
    BadInput
        A column of more than 100 different words: an identifier or a text, named.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = [c for c in X.columns if not _numeric(X[c])]
    for name in words:
        found = X[name].nunique()
        if found > MOST_WORDS:
            raise BadInput(
                f"the column {name} holds {found:,} different words.",
                why="it looks like an identifier or a text, from which nothing carries over.",
                cure=f"drop it: X.drop(columns={name!r}), or --drop {name}",
            )
    numbers = [c for c in X.columns if c not in words]
    parts = []
    if numbers:
        parts.append((SimpleImputer(strategy="median", add_indicator=True), numbers))
    if words:
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, min_frequency=5)
        parts.append((one_hot, words))
    return make_pipeline(make_column_transformer(*parts), StandardScaler())


def plain_words(X: pd.DataFrame) -> pd.DataFrame:
    """Return the table with numbers as float64 and words as strings, missing ones a word too."""
    out = X.copy()
    for name in out.columns:
        column = out[name]
        if _numeric(column):
            out[name] = column.astype(np.float64)
        else:
            gone = column.isna()
            out[name] = np.array(
                ["missing" if g else str(v) for v, g in zip(column, gone, strict=True)], object
            )
    return out


def _numeric(column: Any) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(column) or is_bool_dtype(column))
