"""Laws of the room align for estimators that are no `Aligner`: no labels, or no common columns.

A clusterer has ``fit(X, *, sample_domain)``; a transfer has ``fit(X, y, X_source, y_source)``. Both
are held to what an `Aligner` is held to, as far as their input allows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import Method
from ecotone.core.seeds import stream
from ecotone.testing import cases
from ecotone.testing.says import demand

Array = NDArray[np.float64]
SAME = 1e-6  # largest difference of probabilities that counts as rounding


def rows(method: Method) -> dict[str, Any]:
    """Return the arguments of `fit`: two classes far apart, in shares or columns that differ."""
    rng = stream(0, "unpaired")
    n = 120
    y = np.repeat([0, 1, 0, 1], [45, 15, 15, 45])
    X = 4 * np.eye(2, 3)[y] + rng.normal(size=(n, 3))
    if cases.kind(method) == "clusterer":
        return {"X": X, "sample_domain": np.repeat([1, -2], n // 2)}
    few = np.where(np.arange(n) % 15 == 0, y, -1)
    y_source = np.arange(80) % 2
    X_source = 3 * np.eye(2, 5)[y_source] + rng.normal(size=(80, 5))
    return {"X": X, "y": few, "X_source": X_source, "y_source": y_source}


def answers(method: Method, given: dict[str, Any], new: Array | None = None) -> Array:
    """Fit, and return the probabilities of these rows; classes without names in a fixed order."""
    fitted = cases.make(method).fit(**given)
    P = np.asarray(fitted.predict_proba(rows(method)["X"] if new is None else new))
    # what nobody has named comes in any order
    return P[:, np.argsort(P[0])] if cases.kind(method) == "clusterer" else P


def answer(method: Method) -> Any:
    """Return the probabilities as nested lists."""
    return answers(method, rows(method)).tolist()


def reads_only(method: Method) -> None:
    """Fit and predict on arrays that cannot be written to."""
    given = rows(method)
    for array in given.values():
        array.flags.writeable = False
    answers(method, given, given["X"])


def no_favourite_number(method: Method) -> None:
    """Other numbers of the domains, and other names of the classes, change nothing."""
    given = rows(method)
    if cases.kind(method) == "clusterer":
        turned = given | {"sample_domain": 5 - 3 * given["sample_domain"]}
    else:
        few, named = given["y"], np.array(["a", "b"])
        words = np.where(few < 0, None, named[few].astype(object))
        turned = given | {"y": words, "y_source": named[given["y_source"]]}
    apart = np.abs(answers(method, given) - answers(method, turned)).max()
    demand(bool(apart < SAME), f"{method.name}: other numbers or names move an answer by {apart}")


def row_order_is_irrelevant(method: Method) -> None:
    """Shuffling the rows that are fitted leaves the predictions of given rows as they are."""
    given = rows(method)
    order = stream(0, "rows").permutation(len(given["X"]))
    turned = given | {k: given[k][order] for k in ("X", "y", "sample_domain") if k in given}
    if "X_source" in given:
        turned |= {k: given[k][::-1] for k in ("X_source", "y_source")}
    apart = np.abs(answers(method, given) - answers(method, turned)).max()
    demand(bool(apart < SAME), f"{method.name}: shuffling rows moves an answer by {apart:.1e}")


def new_rows_are_welcome(method: Method) -> None:
    """Rows that `fit` has not seen are predicted, one alone as in a batch."""
    fitted = cases.make(method).fit(**rows(method))
    new = stream(0, "new").normal(size=(10, 3))
    together = fitted.predict(new)
    alone = np.array([fitted.predict(new[i : i + 1])[0] for i in range(len(new))])
    demand(np.array_equal(together, alone), f"{method.name}: an answer depends on its batch")


LAWS: list[Callable[[Method], None]] = [row_order_is_irrelevant, new_rows_are_welcome]


def wrong(method: Method) -> list[tuple[str, Callable[[], Any]]]:
    """Return inputs that must be refused with a cure."""
    given = rows(method)
    X = given["X"]
    hole = np.where(np.arange(X.size).reshape(X.shape) == 7, np.nan, X)
    words = X.astype(object)
    words[0, 0] = "red"

    def fit(**change: Any) -> Callable[[], Any]:
        return lambda: cases.make(method).fit(**(given | change))

    out = [
        ("NaN", fit(X=hole)),
        ("inf", fit(X=np.where(np.isnan(hole), np.inf, hole))),
        ("words", fit(X=words)),
    ]
    if cases.kind(method) == "clusterer":
        domain = given["sample_domain"]
        return [
            *out,
            ("no domains", fit(sample_domain=None)),
            ("one domain", fit(sample_domain=np.abs(domain) * 0 + 1)),
            ("domain too short", fit(sample_domain=domain[1:])),
        ]
    return [
        *out,
        ("no label", fit(y=np.full(len(X), -1))),
        ("one class", fit(y=np.where(given["y"] == 0, 0, -1))),
        ("y too short", fit(y=given["y"][1:])),
        ("source without labels", fit(y_source=None)),
        ("NaN in the source", fit(X_source=np.full_like(given["X_source"], np.nan))),
    ]
