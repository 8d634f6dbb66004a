"""The laws of the room align."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import Method
from ecotone.core.seeds import stream
from ecotone.data.shifts import Shifted, made_shift
from ecotone.testing import cases
from ecotone.testing.says import demand

Array = NDArray[np.float64]
SAME = 1e-6  # largest difference of probabilities that counts as rounding
HARM = 0.06  # largest mean loss of accuracy without a shift, at 150 rows a side


def _answers(method: Method, made: Shifted, new: Array | None = None) -> Array:
    """Fit, and return what the method says of the target rows: probabilities or class numbers."""
    fitted = cases.make(method).fit(made.X, made.y, made.sample_domain)
    rows = made.X[made.sample_domain < 0] if new is None else new
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(rows))
    return np.asarray(fitted.predict(rows), dtype=np.float64)[:, None]


def _apart(one: Array, two: Array) -> float:
    return float(np.abs(one - two).max())


def reads_only(method: Method) -> None:
    """Fit and predict on arrays that cannot be written to."""
    made = cases.shifted(method)
    for array in (made.X, made.y, made.sample_domain):
        array.flags.writeable = False
    _answers(method, made)


def no_favourite_number(method: Method) -> None:
    """Other numbers with the same signs, and other names of the classes, change nothing."""
    made = cases.shifted(method)
    one = _answers(method, made)
    other = np.where(made.sample_domain > 0, 9 - made.sample_domain, -7)
    two = _answers(method, Shifted(made.X, made.y, other, made.truth))
    demand(_apart(one, two) < SAME, f"{method.name}: other domain numbers change the answer")


def row_order_is_irrelevant(method: Method) -> None:
    """Shuffling the rows that are fitted leaves the predictions of given rows as they are."""
    made = cases.shifted(method)
    new = made.X[made.sample_domain < 0]
    order = stream(0, "rows").permutation(len(made.X))
    turned = Shifted(made.X[order], made.y[order], made.sample_domain[order], made.truth[order])
    apart = np.abs(_answers(method, made, new) - _answers(method, turned, new)).max(axis=1)
    moved = float((apart > 1e-3).mean())
    demand(moved <= 0.05, f"{method.name}: shuffling rows moves {moved:.0%} of the predictions")


def blind_to_target_labels(method: Method) -> None:
    """Target labels that the method did not ask for change no bit, whatever they are."""
    made = cases.shifted(method)
    if "target_labels" in method.needs:
        return
    one = _answers(method, made)
    for poison in (made.truth, stream(0, "poison").integers(3, size=len(made.y))):
        y = np.where(made.sample_domain < 0, poison, made.y)
        two = _answers(method, Shifted(made.X, y, made.sample_domain, made.truth))
        demand(np.array_equal(one, two), f"{method.name} looks at target labels")


def alone_it_is_its_base(method: Method) -> None:
    """Without `sample_domain` it predicts what its base estimator predicts."""
    from sklearn.base import clone

    made = made_shift("none", n=60)
    fitted = cases.make(method).fit(made.X, made.truth)
    base = clone(fitted._base()).fit(made.X, made.truth)
    same = np.array_equal(fitted.predict(made.X), base.predict(made.X))
    demand(same, f"{method.name} without domains is not its base estimator")


def no_shift_little_harm(method: Method) -> None:
    """Where the target is the source, the loss of accuracy against `source_only` is small."""
    from ecotone.align.source_only import SourceOnly

    losses = []
    for seed in range(6):
        made = cases.shifted(method, n=150, size=0.0, seed=seed)
        X, truth = made.target
        plain = SourceOnly().fit(made.X, made.y, made.sample_domain).score(X, truth)
        ours = cases.make(method).fit(made.X, made.y, made.sample_domain).score(X, truth)
        losses.append(plain - ours)
    mean = float(np.mean(losses))
    demand(mean <= HARM, f"{method.name} costs {100 * mean:.1f} points where nothing shifted")


def new_rows_are_welcome(method: Method) -> None:
    """Target rows that `fit` has not seen are predicted, one alone as in a batch."""
    made = cases.shifted(method)
    new = made_shift("location_scale", n=20, seed=5).target[0]
    fitted = cases.make(method).fit(made.X, made.y, made.sample_domain)
    together = fitted.predict(new)
    demand(len(together) == len(new), f"{method.name}: {len(together)} answers for {len(new)} rows")
    alone = np.array([fitted.predict(new[i : i + 1])[0] for i in range(len(new))])
    demand(np.array_equal(together, alone), f"{method.name}: an answer depends on its batch")


LAWS: list[Callable[[Method], None]] = [
    row_order_is_irrelevant,
    blind_to_target_labels,
    alone_it_is_its_base,
    no_shift_little_harm,
    new_rows_are_welcome,
]


def a_score_is_blind_to_target_labels(method: Method) -> None:
    """Whatever labels the target rows come with, the score has the same bits."""
    one, two = cases.scored(method), cases.scored(method, poison=True)
    demand(one == two, f"{method.name} looks at target labels: {one} and {two}")


def a_score_is_one_finite_number(method: Method) -> None:
    """Give an ordinary model on ordinary rows a finite score."""
    value = cases.scored(method)
    demand(bool(np.isfinite(value)), f"{method.name}: the score is {value}")


SCORE_LAWS: list[Callable[[Method], None]] = [
    a_score_is_blind_to_target_labels,
    a_score_is_one_finite_number,
]


def wrong(method: Method) -> list[tuple[str, Callable[[], Any]]]:
    """Return inputs that every aligner must refuse with a cure."""
    made = cases.shifted(method)
    X, y, domain = made.X, made.y, made.sample_domain
    hole = np.where(np.arange(X.size).reshape(X.shape) == 7, np.nan, X)
    words = X.astype(object)
    words[0, 0] = "red"

    def fit(X: Any = X, y: Any = y, domain: Any = domain) -> Callable[[], Any]:
        return lambda: cases.make(method).fit(X, y, domain)

    return [
        ("no target", fit(domain=np.abs(domain))),
        ("no source", fit(domain=-np.abs(domain))),
        ("domain 0", fit(domain=np.zeros_like(domain))),
        ("NaN", fit(X=hole)),
        ("inf", fit(X=np.where(np.isnan(hole), np.inf, hole))),
        ("words", fit(X=words)),
        ("one class", fit(y=np.where(domain > 0, 0, -1))),
        ("y too short", fit(y=y[1:])),
        ("domain too short", fit(domain=domain[1:])),
    ]
