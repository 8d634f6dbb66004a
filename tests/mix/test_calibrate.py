"""Level and slope per target on a few large runs: closed form, where it helps, where not."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.trials import Trials
from ecotone.mix.calibrate import LEAST_SLOPE, Calibrated, level_and_slope
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear

DOMAINS, TARGETS = tuple("abcde"), tuple(f"t{i}" for i in range(6))


def small_losses(W, rng):
    """Six targets, each fed by its own blend of the five domains."""
    feeds = rng.dirichlet(np.full(5, 0.6), 6)
    return 1.5 + (0.02 + W @ feeds.T) ** -0.35


def world(seed, slopes, noise=0.002):
    """Small runs, large runs of the same surface with gaps shrunk per target, and a pool."""
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.ones(5), 300)
    L = small_losses(W, rng)
    level = rng.uniform(-0.3, 0.1, 6)
    big = np.exp(level + slopes * np.log(L) + noise * rng.standard_normal(L.shape))
    return W, L, big


def test_closed_form():
    """The penalised squares as ordinary ones, solved by another routine."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    ridge, common = 0.7, 0.4
    level, slope = level_and_slope(x, y, ridge, common)
    for j in range(3):
        # an extra row sqrt(ridge) * (c1 - common) turns the ridge into ordinary least squares
        A = np.vstack([np.column_stack([np.ones(5), x[:, j]]), [0, np.sqrt(ridge)]])
        b = np.append(y[:, j], np.sqrt(ridge) * common)
        want = np.linalg.lstsq(A, b, rcond=None)[0]
        np.testing.assert_allclose([level[j], slope[j]], want, atol=1e-12)


def test_the_limits_of_the_ridge():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 2))
    y = 0.3 + x * [0.5, 0.9]
    level, slope = level_and_slope(x, y, 0.0)
    np.testing.assert_allclose(slope, [0.5, 0.9])
    np.testing.assert_allclose(level, 0.3)
    pooled = ((x - x.mean(0)) * (y - y.mean(0))).sum() / ((x - x.mean(0)) ** 2).sum()
    np.testing.assert_allclose(level_and_slope(x, y, 1e12)[1], pooled)
    # mixtures that the law cannot tell apart say nothing about slopes
    level, slope = level_and_slope(np.ones((3, 2)), y[:3], 0.002)
    np.testing.assert_allclose(slope, 1.0)
    np.testing.assert_allclose(level + 1.0, y[:3].mean(axis=0))


def test_two_numbers_per_target_are_found_again():
    slopes = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.3])
    W, L, big = world(2, slopes, noise=0.0)
    law = Calibrated(LinearLaw(), Trials(W[:30], big[:30], DOMAINS, TARGETS), ridge=0.0)
    # fitted to what the linear law itself says: then the relation is exact
    said = LinearLaw().fit(W, L).predict(W)
    law.large = Trials(W[:30], np.exp(-0.1 + slopes * np.log(said[:30])), DOMAINS, TARGETS)
    law.fit(W, L)
    np.testing.assert_allclose(law.slope_, slopes, atol=1e-9)
    np.testing.assert_allclose(law.level_, -0.1, atol=1e-9)
    np.testing.assert_allclose(law.predict(W), np.exp(-0.1 + slopes * np.log(said)), rtol=1e-9)


def test_gradient_agrees_with_differences():
    slopes = np.linspace(0.3, 1.2, 6)
    W, L, big = world(3, slopes)
    law = Calibrated(EffectiveData(starts=2), Trials(W[:8], big[:8], DOMAINS, TARGETS))
    law.fit(W[:40], L[:40])
    w = np.full(5, 0.2)
    steps = 1e-6 * np.eye(5)
    slope = (law.predict(w + steps) - law.predict(w - steps)) / 2e-6
    np.testing.assert_allclose(law.gradient(w)[0], slope.T, atol=1e-5)
    assert law.smooth


def test_convexity_is_claimed_only_where_it_holds():
    slopes = np.array([0.3, 0.3, 0.5, 0.7, 1.4, 1.5])
    W, L, big = world(4, slopes, noise=0.0)
    large = Trials(W[:20], big[:20], DOMAINS, TARGETS)
    ends = np.random.default_rng(0).dirichlet(np.ones(5), (2, 200))

    def excess(law):
        middle = law.predict(ends.mean(axis=0))
        return (middle - (law.predict(ends[0]) + law.predict(ends[1])) / 2).max(axis=0)

    # the logarithm of an effective-data law is convex, and a multiple of it as well
    law = Calibrated(EffectiveData(starts=2), large).fit(W[:60], L[:60])
    assert law.convex_
    assert law.log_convex_targets_.all()
    assert (excess(law) <= 1e-12).all()
    # a straight line to a power below 1 bends down
    line = Calibrated(LinearLaw(), large).fit(W[:60], L[:60])
    assert line.law_.convex_
    assert line.convex_targets_.tolist() == (line.slope_ >= 1).tolist()
    assert set(line.convex_targets_.tolist()) == {False, True}
    assert not line.convex_
    assert ((excess(line) <= 1e-12) == line.convex_targets_).all()


@pytest.mark.parametrize("k", [4, 8])
def test_average_loss_is_ranked_better(k):
    """Must help: gaps shrink unevenly, so that a raw average listens to the wrong targets."""
    raw, calibrated = [], []
    for seed in range(4):
        slopes = np.random.default_rng(seed).permutation([0.05, 0.1, 0.2, 0.5, 1.0, 1.5])
        W, L, big = world(seed, slopes)
        law = EffectiveData(starts=2)
        large = Trials(W[60 : 60 + k], big[60 : 60 + k], DOMAINS, TARGETS)
        fitted = Calibrated(law, large).fit(W[:60], L[:60])
        truth = big[100:].mean(axis=1)
        raw.append(spearmanr(fitted.law_.predict(W[100:]).mean(axis=1), truth)[0])
        calibrated.append(spearmanr(fitted.predict(W[100:]).mean(axis=1), truth)[0])
    assert np.mean(calibrated) > 0.95
    assert np.mean(calibrated) > np.mean(raw) + 0.03


def test_a_scale_with_the_same_gaps_changes_nothing():
    """Must not help, and must not harm: the large runs are the small ones at another level."""
    W, L, big = world(5, np.full(6, 0.7), noise=0.0)
    fitted = Calibrated(
        EffectiveData(starts=2), Trials(W[60:64], big[60:64], DOMAINS, TARGETS)
    ).fit(W[:60], L[:60])
    truth = big[100:].mean(axis=1)
    raw = spearmanr(fitted.law_.predict(W[100:]).mean(axis=1), truth)[0]
    assert spearmanr(fitted.predict(W[100:]).mean(axis=1), truth)[0] == pytest.approx(raw, abs=0.01)
    np.testing.assert_allclose(fitted.slope_, 0.7, atol=0.05)


def test_large_runs_that_contradict_are_named():
    W, L, big = world(6, np.full(6, 0.7))
    big[:, 2] = 1 / L[:, 2]
    large = Trials(W[:20], big[:20], DOMAINS, TARGETS)
    law = Calibrated(LogLinear(), large, ridge=0.0).fit(W, L)
    assert law.contradicted_ == ("t2",)
    assert law.slope_[2] == LEAST_SLOPE
    # the level still goes through the middle of the large runs
    x = np.log(law.law_.predict(W[:20]))[:, 2]
    assert law.level_[2] + LEAST_SLOPE * x.mean() == pytest.approx(np.log(big[:20, 2]).mean())


def test_columns_are_found_by_name():
    W, L, big = world(7, np.full(6, 0.5))
    turned = Trials(W[:9, ::-1], big[:9, ::-1], DOMAINS[::-1], TARGETS[::-1])
    straight = Trials(W[:9], big[:9], DOMAINS, TARGETS)
    a = Calibrated(LogLinear(), turned, domains=DOMAINS, targets=TARGETS).fit(W, L)
    b = Calibrated(LogLinear(), straight).fit(W, L)
    np.testing.assert_allclose(a.predict(W), b.predict(W))
    two = Calibrated(LogLinear(), turned, domains=DOMAINS, targets=("t1", "t4"))
    two.fit(W, L[:, [1, 4]])
    scaled = two.scaled(Trials(W, L, DOMAINS, TARGETS))
    assert scaled.targets == ("t1", "t4")
    np.testing.assert_allclose(
        scaled.scores, np.exp(two.level_ + two.slope_ * np.log(L[:, [1, 4]]))
    )
    assert clone(two).targets == ("t1", "t4")
    with pytest.raises(BadInput, match="missing zzz"):
        Calibrated(LogLinear(), turned, domains=DOMAINS, targets=("zzz",)).fit(W, L[:, 0])
    with pytest.raises(BadInput, match="5 domains and 6 targets"):
        Calibrated(LogLinear(), straight).fit(W, L[:, :2])
    with pytest.raises(TooFewRows):
        Calibrated(LogLinear(), straight.rows([0])).fit(W, L)
