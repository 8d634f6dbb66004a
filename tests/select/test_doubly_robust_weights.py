"""Closed forms, a rare domain that must gain, and wrong labels that must be noticed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import rotate
from scipy.special import softmax
from sklearn.datasets import load_digits

from ecotone.core.errors import BadInput
from ecotone.select import pick
from ecotone.select.doubly_robust_weights import DoublyRobustWeights

torch = pytest.importorskip("torch")
cross_entropy = torch.nn.functional.cross_entropy


def some(n=50, seed=0):
    return np.random.default_rng(seed).exponential(size=n)


def test_weights_are_the_closed_form_and_no_other_mixture_is_worse():
    losses, r = some(), 0.7
    made = DoublyRobustWeights(temperature=r).fit(None, losses)
    w = made.score(losses)
    assert_allclose(w, 50 * softmax(losses / r), rtol=1e-12)
    assert_allclose(w.mean(), 1.0)

    def objective(w):
        return (w * losses).mean() - r * (w * np.log(w)).mean()

    assert_allclose(objective(w), made.value(), rtol=1e-12)
    others = 50 * np.random.default_rng(1).dirichlet(np.full(50, 3.0), 200)
    assert max(objective(v) for v in others) < made.value()
    assert_array_equal(pick(w, 5).rows, np.sort(np.argsort(-losses)[:5]))


def test_gradient_of_the_value_is_that_of_the_weighted_loss():
    X, y = torch.randn(30, 4, generator=seeded(0)).double(), torch.arange(30) % 3
    W = torch.zeros(3, 4, dtype=torch.double).requires_grad_(True)
    losses = cross_entropy(X @ W.T + torch.arange(3.0), y, reduction="none")
    value = 0.5 * (torch.logsumexp(losses / 0.5, 0) - np.log(30))
    (want,) = torch.autograd.grad(value, W, retain_graph=True)
    w = DoublyRobustWeights(temperature=0.5, rate=1.0).weigh(losses)
    assert not w.requires_grad
    assert_allclose(torch.autograd.grad((w * losses).mean(), W)[0], want, atol=1e-12)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def trained(X, y, weights=None, steps=600, seed=0, batch=64):
    """Softmax regression by Adam; weights of each batch from `weights`."""
    X, y = torch.as_tensor(X), torch.as_tensor(y)
    W = torch.zeros(10, X.shape[1] + 1, dtype=torch.double).requires_grad_(True)
    X = torch.cat([X, torch.ones_like(X[:, :1])], dim=1)
    draw, step = seeded(seed), torch.optim.Adam([W], lr=1e-2)
    for _ in range(steps):
        at = torch.randint(len(X), (batch,), generator=draw)
        losses = cross_entropy(X[at] @ W.T, y[at], reduction="none")
        step.zero_grad()
        (losses if weights is None else weights.weigh(losses) * losses).mean().backward()
        step.step()
    W = W.detach()
    return W, cross_entropy(X @ W.T, y, reduction="none").numpy()


def accuracy(W, X, y):
    return ((np.c_[X, np.ones(len(X))] @ W.numpy().T).argmax(axis=1) == y).mean()


def digits(seed, flipped=0.0, rare=0.05):
    """Digits, one in twenty of them turned by 40 degrees; a share of labels is wrong."""
    X, y = load_digits(return_X_y=True)
    turned = np.stack([rotate(x.reshape(8, 8), 40, reshape=False, order=1).ravel() for x in X])
    X, turned, rng = X / 16, turned.clip(0, 16) / 16, np.random.default_rng(seed)
    order = rng.permutation(len(X))
    old, new = order[:1000], order[1000:]
    inside = np.arange(1000) >= 1000 * (1 - rare)
    labels, bad = y[old].copy(), rng.random(1000) < flipped
    labels[bad] = (labels[bad] + rng.integers(1, 10, size=bad.sum())) % 10
    rows = np.where(inside[:, None], turned[old], X[old])
    return rows, labels, bad, (X[new], y[new]), (turned[new], y[new])


def test_large_temperature_is_plain_training_step_for_step():
    X, y, *_ = digits(0)
    for steps in (1, 40):
        plain = trained(X, y, steps=steps)[0]
        ours = trained(X, y, DoublyRobustWeights(temperature=1e6), steps=steps)[0]
        assert_allclose(ours, plain, atol=1e-6)


def test_tracking_a_whole_batch_with_rate_1_is_exact():
    losses = some()
    made, whole = DoublyRobustWeights(rate=1.0), DoublyRobustWeights().fit(None, losses)
    for shift in (1.0, 0.0):
        w = made.weigh(torch.as_tensor(losses + shift))
        assert_allclose(w, whole.score(losses), rtol=1e-12)
    assert_allclose(made.log_u_, whole.log_u_)


def test_batches_of_one_are_weighed_right_once_u_is_known():
    # each batch for itself would give every example the weight 1
    losses, rng = np.linspace(0, 2, 20), np.random.default_rng(2)
    exact = DoublyRobustWeights().fit(None, losses).score(losses)
    made, total, times = DoublyRobustWeights(rate=0.01), np.zeros(20), np.zeros(20)
    for t in range(6000):
        i = rng.integers(20)
        w = made.weigh(torch.tensor([losses[i]])).item()
        if t > 1000:
            total[i], times[i] = total[i] + w, times[i] + 1
    assert np.abs(total / times - exact).max() < 0.05 * exact.max()
    assert exact.max() > 2


def test_huge_losses_and_tiny_temperatures_stay_finite():
    made = DoublyRobustWeights(temperature=1e-3)
    losses = np.array([0.0, 1e4, 1e4])
    assert_allclose(made.fit(None, losses).score(losses), [0.0, 1.5, 1.5])
    for jump in (0.0, 1e4, -1e4):
        w = DoublyRobustWeights(temperature=1e-3).weigh(torch.tensor([jump, jump - 1]))
        assert_allclose(w, [2.0, 0.0])
    made = DoublyRobustWeights(temperature=1e-3)
    for jump in (0.0, 1e4, 0.0):
        w = made.weigh(torch.tensor([jump, jump]))
        assert torch.isfinite(w).all()
        assert w.max() <= 2 / made.rate


def test_trim_leaves_the_largest_out():
    losses = np.arange(10.0)
    made = DoublyRobustWeights(trim=0.2).fit(None, losses)
    w = made.score(losses)
    assert_allclose(w, 10 * np.append(softmax(losses[:8]), [0, 0]), rtol=1e-12)
    assert_allclose(DoublyRobustWeights(trim=0.2).weigh(torch.as_tensor(losses)), w, rtol=1e-12)
    # without trimming, a loss that the pool did not have weighs as its largest
    made = DoublyRobustWeights().fit(None, losses)
    assert made.score([50.0]) == made.score([9.0])


def test_helps_the_worse_domain():
    gains = []
    for seed in range(3):
        X, y, _, common, turned = digits(seed)
        plain, ours = (trained(X, y, w, seed=seed)[0]
                       for w in (None, DoublyRobustWeights(temperature=0.5)))  # fmt: skip
        gains.append([accuracy(ours, *test) - accuracy(plain, *test) for test in (turned, common)])
    gains = np.mean(gains, axis=0)
    assert gains[0] > 0.05
    assert gains[1] > -0.02


def test_harms_where_labels_are_wrong_says_so_and_its_cure_helps():
    found = []
    for seed in range(2):
        X, y, bad, common, _ = digits(seed, flipped=0.1)
        W, losses = trained(X, y, DoublyRobustWeights(), seed=seed)
        fitted = DoublyRobustWeights().fit(None, losses)
        w = fitted.score(losses)
        assert w[bad].sum() > 0.25 * w.sum()  # of 10 % of the examples
        (finding,) = fitted.findings(losses, X, y)
        assert finding.code == "S141"
        trim = float(finding.cure.split("trim=")[1])
        cured = trained(X, y, DoublyRobustWeights(trim=trim), seed=seed)[0]
        found.append([accuracy(M, *common) for M in (trained(X, y, seed=seed)[0], W, cured)])
    plain, ours, cured = np.mean(found, axis=0)
    assert ours < plain - 0.03
    assert cured > plain - 0.015


def test_says_nothing_where_labels_are_right():
    for seed in range(2):
        X, y, *_ = digits(seed)
        losses = trained(X, y, DoublyRobustWeights(), seed=seed)[1]
        assert DoublyRobustWeights().fit(None, losses).findings(losses, X, y) == ()


def test_attack_on_a_linear_model_is_the_closed_form():
    w, x = torch.tensor([1.0, -2.0, 0.5]), torch.randn(6, 3, generator=seeded(0))
    y = torch.tensor([1.0, -1.0]).repeat(3)

    def loss(z):
        return torch.nn.functional.softplus(-y * (z @ w))

    moved = DoublyRobustWeights.attacked(x, loss, eps=0.1)
    assert_allclose(moved, x - 0.1 * y[:, None] * w.sign(), atol=1e-6)
    assert not moved.requires_grad
    assert_array_equal(DoublyRobustWeights.attacked(x, loss, eps=0.1, steps=0), x)


def test_errors_carry_a_cure():
    for name, bad in (("temperature", 0), ("rate", 0), ("rate", 2), ("trim", 1)):
        with pytest.raises(BadInput, match=name) as caught:
            DoublyRobustWeights(**{name: bad}).fit(None, [1.0])
        assert caught.value.cure
    for pool, says in (([], "empty"), ([[1.0]], "shape"), ([np.nan], "loss 0"), (["a"], "array")):
        with pytest.raises(BadInput, match=says):
            DoublyRobustWeights().fit(None, pool)
    made = DoublyRobustWeights()
    for losses in (torch.tensor(1.0), [1.0], torch.zeros(0)):
        with pytest.raises(BadInput, match="losses are"):
            made.weigh(losses)
    with pytest.raises(BadInput, match="not finite"):
        made.weigh(torch.tensor([1.0, torch.inf]))
    with pytest.raises(BadInput, match="not fitted"):
        made.score([1.0])
    with pytest.raises(BadInput, match="2 losses, 3 rows"):
        made.fit(None, [1.0, 2.0]).findings([1.0, 2.0], np.zeros((3, 1)), [0, 1, 0])
