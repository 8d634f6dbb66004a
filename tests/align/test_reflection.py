from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from ecotone.align import CORAL, Reflection, SourceOnly
from ecotone.align._matching import Cost, Moments
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift

CHANNELS = 4


def windows(n, rng):
    """Draw statistics of windows of four channels (mean, deviation, 10 % and 90 %) and a class."""
    y = rng.integers(4, size=n)
    level = np.array([[2, 0, 1, 0], [-1, 1, 0, 2], [0, -2, 2, 1], [1, 1, -2, -1]])[y]
    mean = level + 0.7 * rng.normal(size=(n, CHANNELS)) @ (np.eye(4) + 0.6 * np.eye(4, k=1))
    spread = 0.3 + rng.gamma(2.0, 0.2, (n, CHANNELS)) + 0.15 * np.abs(level)
    low = mean - 1.1 * spread + 0.1 * rng.normal(size=mean.shape)
    high = mean + 1.5 * spread + 0.1 * rng.normal(size=mean.shape)
    return np.hstack([mean, spread, low, high]), y


def mirror(X, channels):
    """Return the statistics of the windows with some channels negated."""
    out = X.copy()
    for c in channels:
        out[:, c] *= -1
        out[:, 8 + c], out[:, 12 + c] = -X[:, 12 + c], -X[:, 8 + c]
    return out


def mirrored(seed, n=500, channels=(0, 2)):
    rng = np.random.default_rng(seed)
    (Xs, ys), (Xt, yt) = windows(n, rng), windows(n, rng)
    return np.vstack([Xs, mirror(Xt, channels)]), np.r_[ys, yt], np.repeat([1, -2], n), Xt


def test_the_cheapest_match_is_found_among_all():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    A, B = rng.gamma(1.5, size=(300, 4)) @ mix, rng.gamma(1.5, size=(300, 4)) @ mix
    B = B[:, [2, 0, 1, 3]] * [1, -1, 1, -1]
    sides = [Moments.of((Z - Z.mean(axis=0)) / Z.std(axis=0)) for Z in (A, B)]
    cost = Cost(*sides, 1.0)
    all_of_them = [
        np.eye(4)[list(p)] * np.array(s)[:, None]
        for p in permutations(range(4)) for s in product((1.0, -1.0), repeat=4)
    ]  # fmt: skip
    cheapest = min(all_of_them, key=cost.of)
    assert_array_equal(cost.best(rounds=200), cheapest)
    assert_array_equal(cheapest, np.eye(4)[:, [2, 0, 1, 3]] * [1, -1, 1, -1])


def test_mirrored_channels_are_found_without_labels():
    """Means change sign; the lower quantile becomes the negated upper one."""
    for seed, channels in enumerate([(0, 2), (1,), (0, 1, 3)]):
        X, y, domain, _ = mirrored(seed, channels=channels)
        found = Reflection().fit(X, np.where(domain > 0, y, -1), domain)
        want = mirror(np.eye(16), channels)
        assert_array_equal(found.matches_[1], want)
        before, after = found.costs_[1]
        assert after < 0.1 * before


def test_the_mirror_costs_nothing_any_more():
    gain, gap = [], []
    for seed in range(3):
        X, y, domain, straight = mirrored(seed)
        at = domain < 0
        ours, coral, plain = (
            m.fit(X, y, domain).score(X[at], y[at]) for m in (Reflection(), CORAL(), SourceOnly())
        )
        assert ours > coral + 0.1
        gain.append(ours - plain)
        home = np.vstack([X[~at], straight])
        gap.append(SourceOnly().fit(home, y, domain).score(straight, y[at]) - ours)
    assert np.mean(gain) >= 0.3
    assert abs(np.mean(gap)) <= 0.02


def test_columns_in_another_order():
    rng = np.random.default_rng(3)
    (Xs, ys), (Xt, yt) = windows(800, rng), windows(800, rng)
    order = rng.permutation(16)
    X, domain = np.vstack([Xs, Xt[:, order] * 9 - 4]), np.repeat([1, -2], 800)
    fitted = Reflection().fit(X, np.r_[ys, yt], domain)
    assert_array_equal(fitted.matches_[1], np.eye(16)[:, order])
    assert (
        fitted.score(X[800:], yt)
        > SourceOnly().fit(X, np.r_[ys, yt], domain).score(X[800:], yt) + 0.2
    )


def test_nothing_moves_without_evidence():
    for kind in ("none", "location_scale", "label"):
        for seed in range(4):
            made = made_shift(kind, n=150, seed=seed)
            fitted = Reflection().fit(made.X, made.y, made.sample_domain)
            assert_array_equal(fitted.matches_[1], np.eye(5))


def test_every_source_is_matched_by_itself():
    X, y, domain, _ = mirrored(0, n=600)
    two = np.where(domain > 0, 1 + 2 * (np.arange(len(y)) % 2), -2)
    X[two == 3] = mirror(X[two == 3], (0, 2))  # this source is like the target already
    fitted = Reflection().fit(X, y, two)
    assert_array_equal(fitted.matches_[3], np.eye(16))
    assert_array_equal(fitted.matches_[1], mirror(np.eye(16), (0, 2)))
    Z = fitted.features(X, two)
    assert_allclose(Z[two == 1].mean(axis=0), 0, atol=1e-9)


def test_symmetric_features_have_no_sign():
    """The limit: uncorrelated symmetric columns look the same in the mirror."""
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(1000, 3)), np.repeat([1, -2], 500)
    y = (X[:, 0] > 0).astype(int)
    X[500:, 0] *= -1
    fitted = Reflection().fit(X, y, domain)
    assert_array_equal(fitted.matches_[1], np.eye(3))
    assert fitted.score(X[500:], y[500:]) < 0.2


def test_hurts_where_a_turn_resembles_a_swap_and_under_a_label_shift():
    for kind in ("rotation", "label"):
        loss = []
        for seed in range(4):
            made = made_shift(kind, n=200, seed=seed)
            fits = [m.fit(made.X, made.y, made.sample_domain) for m in (Reflection(), SourceOnly())]
            loss.append(np.subtract(*[f.score(*made.target) for f in fits]))
        assert np.mean(loss) <= -0.03


def test_regression_constant_columns_and_bad_input():
    X, _, domain, _ = mirrored(0)
    X = np.column_stack([X, np.ones(len(X))])
    truth = mirror(X[:, :16], (0, 2))[:, 0]
    y = np.where(domain > 0, X[:, 0], truth)
    ours, plain = (m.fit(X, y, domain) for m in (Reflection(Ridge()), SourceOnly(Ridge())))
    at = domain < 0
    assert ours.score(X[at], y[at]) > 0.8 > plain.score(X[at], y[at])
    with pytest.raises(TooFewRows):
        Reflection().fit(X[[0, 1, 2, 900]], [0, 1, 0, 1], [1, 1, 1, -2])
    with pytest.raises(BadInput, match="caution is -1"):
        Reflection(caution=-1).fit(X, y > 0, domain)
