"""Against sums written out; digits with classes that nobody labelled; where it must not help."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ecotone.core.errors import BadInput
from ecotone.select import pick, wad
from ecotone.select.wad import WAD


def rows(n=12, m=30, d=4, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.normal(size=(n, d)) + 3 * np.eye(d)[y]
    return X, y, rng.normal(size=(m, d)) + 2 * np.eye(d)[rng.integers(4, size=m)]


def test_information_and_weights_are_those_of_the_formulas():
    X, y, P = rows()
    made = WAD(stages=0, temperature=0.3).fit((X, y), P)
    both = np.vstack([X, P])
    m = both.mean(axis=0)

    def kernel(a, b):
        a, b = a - m, b - m
        return np.exp(a @ b / np.linalg.norm(a) / np.linalg.norm(b) / 0.3)

    s = np.array(
        [
            [
                np.log(np.mean([kernel(x, r) for r in X[y == k]]))
                - np.log(np.mean([kernel(x, r) for r in both]))
                for k in range(3)
            ]
            for x in P
        ]
    )
    of, best = s.argmax(axis=1), s.max(axis=1)
    want = np.zeros(len(P))
    for k in range(3):
        own = best[of == k]
        want[of == k] = (own - own.min()) / (own.max() - own.min())
    assert_array_equal(made.labels(P), of)
    assert_allclose(made.score(P), want, atol=1e-9)


def test_rows_that_join_are_the_surest_and_count_as_labelled():
    X, y, P = rows(m=60)
    first, one = WAD(stages=0).fit((X, y), P), WAD(stages=1, share=0.2).fit((X, y), P)
    others = np.delete(first.score(P), one.joined_)
    assert first.score(P)[one.joined_].min() >= others.max()
    assert_array_equal(one.of_[12:], first.labels(P[one.joined_]))
    assert len(WAD(stages=3, share=0.5).fit((X, y), P).joined_) == 30 + 15 + 7


def test_no_weight_is_supervised_bit_for_bit_and_full_weight_is_pseudo_labelling(monkeypatch):
    X, y, P = rows()
    made = WAD(stages=0).fit((X, y), P)
    monkeypatch.setattr(WAD, "score", lambda self, rows: np.zeros(len(rows)))
    found, alone = LogisticRegression().fit(*made.joint((X, y), P)), LogisticRegression().fit(X, y)
    assert_array_equal(found.coef_, alone.coef_)
    monkeypatch.setattr(WAD, "score", lambda self, rows: np.ones(len(rows)))
    both, labels, weights = made.joint((X, y), P)
    assert_array_equal(both, np.vstack([X, P]))
    assert_array_equal(labels, np.append(y, made.labels(P)))
    # the mean over the pool counts as much as the mean over the labelled rows
    assert_allclose([weights[:12].sum(), weights[12:].sum()], [12, 12])


def test_neither_names_of_classes_nor_company_nor_blocks_move_a_weight(monkeypatch):
    X, y, P = rows()
    made = WAD().fit((X, y), P)
    w = made.score(P)
    named = WAD().fit((X, np.array(["c", "a", "b"])[y]), P)
    assert_allclose(named.score(P), w, atol=1e-9)
    assert_array_equal(named.labels(P), np.array(["c", "a", "b"])[made.labels(P)])
    assert_allclose(made.score(P[5:6]), w[5:6], atol=1e-9)
    assert_allclose(WAD().fit((X, y), P[::-1]).score(P), w, atol=1e-9)
    monkeypatch.setattr(wad, "CELLS", 50)
    assert_allclose(WAD().fit((X, y), P).score(P), w, atol=1e-9)


def test_most_draws_what_the_lower_mean_is_over():
    X, y, P = rows(m=300)
    full, drawn = WAD(stages=0).fit((X, y), P), WAD(stages=0, most=150).fit((X, y), P)
    assert drawn.all_.shape == (150, 4)
    assert np.corrcoef(full.score(P), drawn.score(P))[0, 1] > 0.98
    assert_array_equal(drawn.score(P), WAD(stages=0, most=150).fit((X, y), P).score(P))


def digits(seed, unknown=0.6, each=5):
    """Five labels for each of 0 to 5; a pool where so large a share are other digits; a test."""
    X, y = load_digits(return_X_y=True)
    X, order = X / 16, np.random.default_rng(seed).permutation(len(X))
    test, rest = order[:500], order[500:]
    test, known, other = test[y[test] < 6], rest[y[rest] < 6], rest[y[rest] >= 6]
    few = np.concatenate([known[y[known] == c][:each] for c in range(6)])
    known = np.setdiff1d(known, few)
    other = other[: int(len(known) * unknown / (1 - unknown))]
    known = np.random.default_rng(seed).permutation(known)
    pool = np.append(known[: round(len(other) * (1 - unknown) / unknown)], other)
    return (X[few], y[few]), X[pool], y[pool] < 6, (X[test], y[test])


def accuracy(joint, test):
    return LogisticRegression(max_iter=3000).fit(*joint).score(*test)


def compared(seed, unknown=0.6):
    """Accuracy of the few labels alone, of plain pseudo-labelling, of WAD; and its ranking."""
    few, P, known, test = digits(seed, unknown)
    alone = LogisticRegression(max_iter=3000).fit(*few)
    guess, made = alone.predict(P), WAD().fit(few, P)
    share = np.full(len(P), len(few[1]) / len(P))
    plain = np.vstack([few[0], P]), np.append(few[1], guess), np.append(np.ones(30), share)
    return (
        alone.score(*test), accuracy(plain, test), accuracy(made.joint(few, P), test),
        roc_auc_score(known, made.score(P)),
    )  # fmt: skip


def test_helps_where_the_pool_holds_classes_that_nobody_labelled():
    alone, plain, ours, ranked = np.mean([compared(seed) for seed in range(8)], axis=0)
    assert plain < alone
    assert ours > alone + 0.015
    assert ranked > 0.9


def test_picks_are_of_known_classes():
    found = []
    for seed in range(4):
        few, P, known, _ = digits(seed)
        found.append(known[pick(WAD().fit(few, P).score(P), 100).rows].mean())
    assert np.mean(found) > 0.85  # of 40 % in the pool


def test_harms_where_more_rows_join_than_the_pool_has_of_known_classes():
    found = np.mean([compared(seed, 0.8) for seed in range(8)], axis=0)
    assert found[2] < found[0] - 0.01


def test_does_not_help_where_features_say_nothing():
    found = []
    for seed in range(4):
        few, P, known, test = digits(seed)
        rng = np.random.default_rng(seed)
        noise, more = rng.normal(size=(30, 16)), rng.normal(size=(len(P), 16))
        made = WAD().fit((noise, few[1]), more)
        w, labels = made.score(more) * 30 / len(P), made.labels(more)
        joint = np.vstack([few[0], P]), np.append(few[1], labels), np.append(np.ones(30), w)
        alone = LogisticRegression(max_iter=3000).fit(*few).score(*test)
        found.append((accuracy(joint, test) - alone, roc_auc_score(known, made.score(more))))
    gain, ranked = np.mean(found, axis=0)
    assert gain < 0.005
    assert 0.45 < ranked < 0.55


def test_equal_rows_and_no_rows():
    made = WAD().fit((np.ones((4, 2)), [0, 0, 1, 1]), np.ones((5, 2)))
    assert_array_equal(made.score(np.ones((2, 2))), [1.0, 1.0])
    assert made.score([]).shape == made.labels([]).shape == (0,)


def test_errors_carry_a_cure():
    X, y, P = rows()
    for wrong, says in (
        ((X, P), "no pair|labels of the shape"), ((3, P), "no pair"), (((X, y[1:]), P), "labels"),
        (((X, y * 0), P), "one class"), (((X, y), P[:, 1:]), "shape"), (((X, y), P[:0]), "empty"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=says) as caught:
            WAD().fit(*wrong)
        assert caught.value.cure
    for name in ("temperature", "stages", "share", "most"):
        with pytest.raises(BadInput, match=f"{name} is -1"):
            WAD(**{name: -1}).fit((X, y), P)
    with pytest.raises(BadInput, match="not fitted"):
        WAD().score(P)
