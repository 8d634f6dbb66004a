"""The `sample_domain` convention: positive numbers are sources, negative numbers are targets.

It is the convention of the field's scikit-learn packages, so that estimators from there and from
here sit in one benchmark. Labels of target rows are masked: -1 for classes, NaN for numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, NoTarget

Array = NDArray[np.float64]
Domains = NDArray[np.int64]


def check_domains(sample_domain: Any, rows: int) -> Domains:
    """Return domain numbers as int64, or say what is wrong with them.

    Parameters
    ----------
    sample_domain : array of int, shape (n,)
        One number for each row, not 0.
    rows : int
        n.

    Raises
    ------
    BadInput
        Another length, no whole numbers, or a 0.
    NoTarget
        Only sources, or only targets.
    """
    given = np.asarray(sample_domain)
    if given.ndim != 1 or len(given) != rows:
        raise BadInput(
            f"sample_domain has the shape {given.shape}; X has {rows:,} rows.",
            cure=f"give one number for each row: shape ({rows},)",
        )
    if given.dtype.kind not in "iu" and not (
        given.dtype.kind == "f" and np.isfinite(given).all() and (given == np.rint(given)).all()
    ):
        raise BadInput(
            f"sample_domain holds {given.dtype} values such as {given[:1].tolist()}.",
            cure="whole numbers, or ecotone.data.domains.numbered(names, target=NAME)",
        )
    out = given.astype(np.int64)
    if (out == 0).any():
        raise BadInput(
            f"sample_domain is 0 in {int((out == 0).sum()):,} of {rows:,} rows.",
            why="the sign says what a row is: positive a source, negative a target.",
            cure="sample_domain=np.where(is_target, -2, 1)",
        )
    if (out > 0).all():
        raise NoTarget(
            f"none of the {rows:,} rows is marked as target.",
            why="adaptation moves what is learnt from source rows toward unlabelled target rows; "
            f"sample_domain has only positive numbers: {_some(out)}.",
            cure="give target rows a negative number, or leave sample_domain out to fit the "
            "plain estimator",
        )
    if (out < 0).all():
        raise NoTarget(
            f"all {rows:,} rows are marked as target.",
            why=f"there is no labelled source to learn from; sample_domain holds {_some(out)}.",
            cure="give source rows a positive number",
        )
    return out


def _some(numbers: Domains) -> str:
    return ", ".join(map(str, np.unique(numbers)[:5].tolist()))


def numbered(names: Sequence[Any] | NDArray[Any], target: Any) -> tuple[Domains, dict[int, str]]:
    """Turn domain names into numbers: sources 1, 2, ... by name; the target the next, negated.

    Parameters
    ----------
    names : sequence, shape (n,)
        The domain of each row.
    target : str or sequence of str
        Which of them are targets.

    Returns
    -------
    sample_domain : ndarray of int64, shape (n,)
    names : dict of int to str
        What each number means.

    Examples
    --------
    >>> numbered(["a", "b", "c", "a"], target="b")[0].tolist()
    [1, -3, 2, 1]
    """
    words = np.array([str(n) for n in names])
    targets = [str(target)] if isinstance(target, str | int) else [str(t) for t in target]
    known = np.unique(words).tolist()
    for t in targets:
        if t not in known:
            raise NoTarget(
                f"no row is of the domain {t!r}.",
                why=f"the domains are: {', '.join(known[:20])}.",
                cure=f"--target {known[-1] if known else 'NAME'}",
            )
    order = [n for n in known if n not in targets] + targets
    sign = {n: (i + 1) * (-1 if n in targets else 1) for i, n in enumerate(order)}
    return np.array([sign[w] for w in words], dtype=np.int64), {v: k for k, v in sign.items()}


def split(X: NDArray[Any], sample_domain: Domains) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the source rows and the target rows, each in the order they came.

    Examples
    --------
    >>> split(np.arange(3), np.array([1, -2, 1]))
    (array([0, 2]), array([1]))
    """
    return X[sample_domain > 0], X[sample_domain < 0]


def mask_targets(y: Any, sample_domain: Domains) -> NDArray[Any]:
    """Return a copy of the labels in which those of target rows are gone.

    Numbers with a fraction become NaN, whole numbers -1, other labels None.

    Examples
    --------
    >>> mask_targets([1, 0, 1], np.array([1, -2, 1])).tolist()
    [1, -1, 1]
    """
    given = np.asarray(y)
    out = given.astype(object) if given.dtype.kind not in "biuf" else given.copy()
    if out.dtype.kind in "bu":
        out = out.astype(np.int64)
    out[sample_domain < 0] = {"f": np.nan, "i": -1, "O": None}[out.dtype.kind]
    return out


def masked(y: NDArray[Any], *, numbers: bool = True) -> NDArray[np.bool_]:
    """Return where a label stands for *unknown*: NaN, None, and (with `numbers`) -1."""
    if y.dtype.kind == "f":
        gone = np.isnan(y)
        return gone | (y == -1) if numbers else gone
    if y.dtype.kind in "iu":
        return y == -1 if numbers else np.zeros(len(y), dtype=bool)
    if y.dtype.kind == "O":
        return np.array(
            [v is None or (isinstance(v, float) and np.isnan(v)) or (numbers and v == -1)
             for v in y], dtype=bool,
        )  # fmt: skip
    return np.zeros(len(y), dtype=bool)
