"""Formulas written out, redundant points that slow training down, and noise that must not help."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ecotone.core.errors import BadInput
from ecotone.select import pick
from ecotone.select.dynamic_loss_weights import SHAPES, DynamicLossWeights

torch = pytest.importorskip("torch")


def some(n=40, seed=0):
    return np.random.default_rng(seed).exponential(size=n)


def written_out(losses, strategy, r):
    low, high = min(losses), max(losses)
    f = []
    for loss in losses:
        h = 2 * loss / (high - low) - (high + low) / (high - low)
        f.append(
            {
                "lin_upper": min(h + 1, 1),
                "quadratic": 1 - h**2,
                "extremes": abs(h),
                "upper": (h + 1) / 2,
            }[strategy]
        )
    powers = [math.exp((x - max(f)) / r) for x in f]
    return np.array(powers) / sum(powers) * len(f)


@pytest.mark.parametrize("strategy", SHAPES)
def test_weights_are_those_of_the_formulas(strategy):
    losses = some()
    made = DynamicLossWeights(strategy=strategy, temperature=0.4)
    want = written_out(losses, strategy, 0.4)
    assert_allclose(made.fit(None, losses).score(losses), want, rtol=1e-9)
    assert_allclose(made.weigh(torch.as_tensor(losses)), want, rtol=1e-9)
    assert_allclose(want.mean(), 1.0)
    assert want.max() / want.min() <= math.exp(1 / 0.4) * (1 + 1e-9)
    moved = made.weigh(torch.as_tensor(7 * losses + 3))
    assert_allclose(moved, want, rtol=1e-9)
    flat = DynamicLossWeights(strategy=strategy, temperature=1e6).weigh(torch.as_tensor(losses))
    assert_allclose(flat, 1.0, atol=1e-5)


def test_lin_upper_rises_to_the_middle_and_is_flat_above():
    losses = np.sort(some())
    w = DynamicLossWeights().fit(None, losses).score(losses)
    upper = losses >= (losses[0] + losses[-1]) / 2
    assert (np.diff(w) >= 0).all()
    assert np.ptp(w[upper]) < 1e-12
    assert w[~upper].max() < w[upper].min()
    assert upper[pick(w, 3).rows].all()


def test_no_gradient_flows_through_weights():
    losses = torch.tensor([0.1, 0.5, 2.0], requires_grad=True)
    made = DynamicLossWeights()
    w = made.weigh(losses)
    assert not w.requires_grad
    assert w.dtype == losses.dtype
    (w * losses).mean().backward()
    assert_allclose(losses.grad, w / 3, rtol=1e-6)


def test_burn_in_is_uniform_and_counts_steps():
    losses, made = torch.tensor([0.0, 1.0]), DynamicLossWeights(burn_in=2)
    found = [made.weigh(losses).tolist() for _ in range(3)]
    assert found[:2] == [[1.0, 1.0]] * 2
    assert found[2][1] > found[2][0]
    assert made.steps_ == 3


def test_groups_keep_their_share():
    easy, hard = torch.as_tensor(some(10)), 5 + torch.as_tensor(some(30, seed=1))
    of = np.repeat([0, 1], [10, 30])
    w = DynamicLossWeights().weigh(torch.cat([easy, hard]), groups=of)
    assert_allclose([w[:10].mean(), w[10:].mean()], 1.0)
    assert_allclose(w[:10], DynamicLossWeights().weigh(easy))
    without = DynamicLossWeights().weigh(torch.cat([easy, hard]))
    assert without[:10].mean() < 0.7


def test_equal_losses_weigh_alike_and_others_count_as_ends():
    for strategy in SHAPES:
        made = DynamicLossWeights(strategy=strategy, temperature=1e-3)
        assert_array_equal(made.weigh(torch.ones(4)), torch.ones(4))
        assert_allclose(made.fit(None, np.ones(4)).score([1.0, 2.0]), 1.0)
    made = DynamicLossWeights().fit(None, [0.0, 1.0])
    assert_array_equal(made.score([-5.0, 9.0]), made.score([0.0, 1.0]))


def test_a_sampler_with_these_weights_draws_by_them():
    losses = np.array([0.0, 1.0, 2.0, 4.0])
    w = DynamicLossWeights(temperature=0.5).fit(None, losses).score(losses)
    draw = torch.utils.data.WeightedRandomSampler(
        w.tolist(), 40_000, generator=torch.Generator().manual_seed(0)
    )
    assert_allclose(np.bincount(list(draw)) / 40_000, w / 4, atol=0.01)


def test_one_stretched_range_is_noticed_and_the_cure_mends_it():
    losses = np.append(some(200) / 10, 100.0)
    made = DynamicLossWeights().fit(None, losses)
    (finding,) = made.findings
    assert finding.code == "S142"
    assert np.ptp(made.score(losses[:200])) < 0.1
    losses = torch.as_tensor(losses)
    cured = DynamicLossWeights().weigh(losses.clamp(max=losses.quantile(0.99)))
    assert np.ptp(cured[:200].numpy()) > 0.5
    assert DynamicLossWeights().fit(None, some()).findings == ()


def regression(seed, strategy, noise=0.0, steps=400, rate=0.1):
    """Share of the target's variance left on new points after each step.

    900 of 1,000 points are copies of four, in a corner of the space; the rest fill it.
    """
    rng, d = np.random.default_rng(seed), 20
    truth, corner = rng.normal(size=d), np.zeros((4, d))
    corner[:, :4] = rng.normal(size=(4, 4))
    X = np.vstack([corner[rng.integers(4, size=900)], rng.normal(size=(100, d))])
    wrong = rng.random(1000) < noise
    y = np.where(wrong, 5 * rng.normal(size=1000), X @ truth)
    new = rng.normal(size=(500, d))
    X, y = torch.as_tensor(X), torch.as_tensor(y)
    w, left, draw = torch.zeros(d, dtype=torch.double), [], np.random.default_rng(seed + 1)
    weights = None if strategy == "uniform" else DynamicLossWeights(strategy=strategy)
    for _ in range(steps):
        at = draw.integers(1000, size=64)
        miss = X[at] @ w - y[at]
        each = torch.ones(64) if weights is None else weights.weigh(miss**2 / 2)
        w = w - rate * X[at].T @ (each * miss) / 64
        left.append((((new @ (w.numpy() - truth)) ** 2).mean()) / (new @ truth).var())
    return np.array(left)


def test_helps_where_most_points_are_redundant():
    uniform, ours = (
        np.mean([(regression(seed, s) > 0.01).sum() for seed in range(10)])
        for s in ("uniform", "lin_upper")
    )
    assert uniform < 400  # all have arrived
    assert ours < 0.8 * uniform


def test_harms_where_labels_are_noise():
    uniform, lin_upper, upper = (
        np.mean([regression(seed, s, noise=0.2)[200:].mean() for seed in range(10)])
        for s in ("uniform", "lin_upper", "upper")
    )
    assert lin_upper > 1.3 * uniform
    assert upper > 1.3 * uniform


def test_errors_carry_a_cure():
    for name, bad in (("strategy", "mid"), ("temperature", 0), ("burn_in", -1)):
        for attempt in (
            lambda made: made.fit(None, [1.0]),
            lambda made: made.weigh(torch.ones(2)),
        ):
            with pytest.raises(BadInput, match=name) as caught:
                attempt(DynamicLossWeights(**{name: bad}))
            assert caught.value.cure
    with pytest.raises(BadInput, match="empty"):
        DynamicLossWeights().fit(None, [])
    with pytest.raises(BadInput, match="groups of the shape"):
        DynamicLossWeights().weigh(torch.ones(2), groups=[0, 1, 1])
    with pytest.raises(BadInput, match="losses are"):
        DynamicLossWeights().weigh(torch.ones(2, 2))
    with pytest.raises(BadInput, match="not finite"):
        DynamicLossWeights().weigh(torch.tensor([1.0, torch.nan]))
    with pytest.raises(BadInput, match="not fitted"):
        DynamicLossWeights().score([1.0])
