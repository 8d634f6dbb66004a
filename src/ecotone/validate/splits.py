"""Splits of rows from several domains: every part holds sources and targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.seeds import derive
from ecotone.data.domains import check_domains, masked

Rows = NDArray[np.int64]


class DomainSplit:
    """K folds that keep the shares of every domain, and of every class in the sources.

    Labels of target rows are not looked at. With `groups` (a day, a person, a map cell) no group is
    on both sides, in whatever domains its rows lie: rows of one day share their weather, and a
    split that tears them apart flatters every model.

    Parameters
    ----------
    n_splits : int, default 5
        Folds.
    seed : int, default 0
        Decides which row falls into which fold.

    Examples
    --------
    >>> domain = np.repeat([1, -2], 10)
    >>> y = np.where(domain > 0, np.arange(20) % 2, -1)
    >>> [len(test) for _, test in DomainSplit(5).split(None, y, sample_domain=domain)]
    [4, 4, 4, 4, 4]
    """

    def __init__(self, n_splits: int = 5, *, seed: int = 0) -> None:
        self.n_splits = n_splits
        self.seed = seed

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002
        """Return the number of folds."""
        return self.n_splits

    def split(
        self,
        X: Any,  # noqa: ARG002  scikit-learn's face
        y: Any,
        groups: Any = None,
        *,
        sample_domain: Any = None,
    ) -> Iterator[tuple[Rows, Rows]]:
        """Yield train and test row numbers.

        Parameters
        ----------
        X : ignored
            For scikit-learn's sake.
        y : array, shape (n,)
            Labels; masked ones (-1, NaN, None) mark target rows when `sample_domain` is not given.
        groups : array, shape (n,), optional
            Rows of one group stay together.
        sample_domain : array of int, shape (n,), optional
            Positive for sources, negative for targets.

        Raises
        ------
        TooFewRows
            A side has fewer rows than there are folds.
        """
        domain = domains_of(y, sample_domain)
        state = derive(self.seed, "domain split") % (1 << 32)
        if groups is not None:
            yield from self._by_group(np.asarray(y), domain, np.asarray(groups), state)
            return
        fold = np.empty(len(domain), dtype=np.int64)
        for number in np.unique(domain).tolist():
            at = np.flatnonzero(domain == number)
            if len(at) < self.n_splits:
                raise TooFewRows(
                    f"domain {number} has {len(at)} rows for {self.n_splits} folds.",
                    cure=f"DomainSplit({max(2, min(len(at), 3))})",
                )
            labels = np.asarray(y)[at] if number > 0 else np.zeros(len(at))
            fold[at] = fold_of(labels, self.n_splits, state)
        for k in range(self.n_splits):
            yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)

    def _by_group(
        self, y: NDArray[Any], domain: NDArray[np.int64], groups: NDArray[Any], state: int
    ) -> Iterator[tuple[Rows, Rows]]:
        if len(np.unique(groups)) < self.n_splits:
            raise TooFewRows(
                f"{len(np.unique(groups))} groups for {self.n_splits} folds.",
                cure=f"DomainSplit({max(2, len(np.unique(groups)))})",
            )
        if _continuous(y[domain > 0]):
            yield from GroupKFold(self.n_splits, shuffle=True, random_state=state).split(
                y, groups=groups
            )
            return
        label = np.where(domain > 0, y.astype(str), "")
        strata = [f"{d} {v}" for d, v in zip(domain.tolist(), label.tolist(), strict=True)]
        _, codes = np.unique(strata, return_inverse=True)
        split = StratifiedGroupKFold(self.n_splits, shuffle=True, random_state=state)
        yield from split.split(y, codes, groups)


class LeaveOneDomainOut:
    """Each source domain in turn plays the target: how good is a method where labels are known.

    Train rows are those of all other sources, test rows those of the one left out; the rows of the
    real target are in neither.
    """

    def split(
        self,
        X: Any,  # noqa: ARG002  scikit-learn's face
        y: Any,
        groups: Any = None,  # noqa: ARG002
        *,
        sample_domain: Any,
    ) -> Iterator[tuple[Rows, Rows]]:
        """Yield train and test row numbers: all other sources, and the one left out."""
        domain = check_domains(sample_domain, len(np.asarray(y)))
        sources = np.unique(domain[domain > 0]).tolist()
        if len(sources) < 2:
            raise BadInput(
                "leaving one domain out needs two source domains or more.",
                cure="DomainSplit(5)",
            )
        for number in sources:
            yield (
                np.flatnonzero((domain > 0) & (domain != number)),
                np.flatnonzero(domain == number),
            )


def domains_of(y: Any, sample_domain: Any = None) -> NDArray[np.int64]:
    """Return domain numbers; without any, rows with a masked label are the target (-2).

    Raises
    ------
    BadInput
        Neither domain numbers nor masked labels say which rows are the target.
    """
    labels = np.asarray(y)
    if sample_domain is not None:
        return check_domains(sample_domain, len(labels))
    gone = masked(labels)
    if not gone.any() or gone.all():
        raise BadInput(
            "which rows are the target is not known here: no sample_domain was handed over, and no "
            "label is masked.",
            why="scikit-learn hands sample_domain to fit alone.",
            cure="y = ecotone.data.domains.mask_targets(y, sample_domain)",
        )
    return np.where(gone, -2, 1).astype(np.int64)


def fold_of(y: NDArray[Any], folds: int, state: int) -> NDArray[np.int64]:
    """Return the fold of each row: classes in equal shares where each has enough rows."""
    split: Any = KFold(folds, shuffle=True, random_state=state)
    labels = np.zeros(len(y), dtype=np.int64)
    if not _continuous(y):
        _, labels, counts = np.unique(y.astype(str), return_inverse=True, return_counts=True)
        if counts.min() >= folds:
            split = StratifiedKFold(folds, shuffle=True, random_state=state)
    out = np.empty(len(y), dtype=np.int64)
    for k, (_, test) in enumerate(split.split(labels, labels)):
        out[test] = k
    return out


def rows_at(X: Any, at: NDArray[Any]) -> Any:
    """Return rows by number or by mask, of an array or of a data frame."""
    if hasattr(X, "iloc"):
        return X.iloc[np.flatnonzero(at) if at.dtype == bool else at]
    return np.asarray(X)[at]


def _continuous(y: NDArray[Any]) -> bool:
    """Say whether labels are numbers with fractions."""
    if y.dtype.kind != "f":
        return False
    known = y[np.isfinite(y)]
    return bool(len(known)) and bool((known != np.rint(known)).any())
