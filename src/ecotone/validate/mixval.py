"""MixVal: mix two target rows, and see whether the model still names the nearer one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method
from ecotone.validate.prediction_entropy import classes_only


@method(
    name="mixval",
    paper="hu2023mixed",
    needs={"target_rows"},
    handles=set(),
)
def mixval(
    model: Any,
    X: Any,
    y: NDArray[Any],  # noqa: ARG001  the protocol of scores
    sample_domain: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    share: float = 0.55,
    pairs: str = "both",
    rounds: int = 5,
) -> float:
    r"""Share of mixed target rows that keep the class of their larger part [1]_.

    .. math:: \tilde x = a x_i + (1 - a) x_j, \qquad
              s = \mathrm{mean}\, \mathbb 1[f(\tilde x) = f(x_i)]

    Pairs that are answered alike ("intra") probe whether the model's class is one piece;
    pairs that are not ("inter") whether its border runs half-way between classes. "both" is the
    mean of the two shares. From 0 to 1.

    Parameters
    ----------
    model : fitted Aligner
        A classifier, fitted on other rows.
    X : array, shape (n, d)
        Held-out rows, of numbers for which a mean of two rows makes sense.
    y : ndarray, shape (n,)
        Not looked at.
    sample_domain : ndarray of int64, shape (n,)
        Signs say source and target.
    rng : Generator
        Decides the pairs.
    share : float, default 0.55
        a, from 1/2 to 1.
    pairs : {"both", "intra", "inter"}, default "both"
        Which pairs count.
    rounds : int, default 5
        Pairings of all rows; no row is paired with itself.

    Returns
    -------
    float
        0 where no pair is of the kind that counts, and for "both" where one kind is missing: a
        model that gives all target rows one class has no border to probe, and must rank last.

    Raises
    ------
    BadInput
        A regressor, or a knob out of its range.
    TooFewRows
        Fewer than 2 target rows.

    Notes
    -----
    Blind spot: classes that were swapped, and classes that are no convex piece: on two
    moons the better model is the one whose class a mixture leaves. It asks whether a border lies
    half-way, not whether it is the right one.

    References
    ----------
    .. [1] Hu, Liang, Liew, Xue, Bai and Wang, Mixed samples as probes for unsupervised model
       selection in domain adaptation, NeurIPS 2023.

    Examples
    --------
    >>> from ecotone.align import SourceOnly
    >>> from ecotone.validate import scorer
    >>> X, domain = [[0.0], [1.0], [0.1], [0.9]], [1, 1, -2, -2]
    >>> model = SourceOnly().fit(X, [0, 1, -1, -1], domain)
    >>> scorer("mixval")(model, X, [0, 1, -1, -1], domain)  # no two rows are answered alike
    0.0
    """
    _check(share, pairs, rounds)
    classes_only(model)
    rows = np.asarray(X, dtype=np.float64)[sample_domain < 0]
    if len(rows) < 2:
        raise TooFewRows(
            f"{len(rows)} target rows make no pair.",
            cure="hand over 2 target rows or more; ecotone.validate.DomainSplit(2) keeps most",
        )
    named = np.asarray(model.predict(rows))
    kept, alike = [], []
    for _ in range(rounds):
        other = _partners(len(rows), rng)
        mixed = np.asarray(model.predict(share * rows + (1 - share) * rows[other]))
        kept.append(mixed == named)
        alike.append(named == named[other])
    same, whole = np.concatenate(alike), np.concatenate(kept)
    counted = {"intra": [same], "inter": [~same], "both": [same, ~same]}[pairs]
    if not all(at.any() for at in counted):
        return 0.0
    return float(np.mean([whole[at].mean() for at in counted]))


def _check(share: float, pairs: str, rounds: int) -> None:
    if not 0.5 <= share <= 1:
        raise BadInput(f"share is {share}; the larger part is 0.5 or more.", cure="share=0.55")
    if pairs not in ("both", "intra", "inter"):
        raise BadInput(f"pairs is {pairs!r}.", cure='pairs="both", "intra" or "inter"')
    if rounds < 1:
        raise BadInput(f"rounds is {rounds}.", cure="rounds=5")


def _partners(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a partner for each row, never itself: the next one in a random circle."""
    circle = rng.permutation(n)
    out = np.empty(n, dtype=np.int64)
    out[circle] = np.roll(circle, 1)
    return out
