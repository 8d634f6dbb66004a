"""Turns against budgets by hand, copies, the choice of scores, and a stream of digit tasks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from ecotone.core.errors import BadInput
from ecotone.select import _skills, pick
from ecotone.select.adapt_infinity import AdaptInfinity


def blobs(sizes, d=6, seed=0, spread=0.05):
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return np.eye(d)[of] + spread * rng.normal(size=(len(of), d)), of


def equal_shares(sizes, budget):
    """The rule as published: ascending sizes; a short group leaves its rest to the others."""
    out, left = np.zeros(len(sizes)), float(budget)
    for i, c in enumerate(order := np.argsort(sizes, kind="stable")):
        out[c] = min(sizes[c], left / (len(order) - i))
        left -= out[c]
    return out


def test_budgets_are_those_of_the_rule_rounded_to_add_up():
    X, of = blobs([5, 50, 50])
    S = np.random.default_rng(1).normal(size=(105, 1))
    scores = AdaptInfinity(clusters=3, trim=0.0).fit(None, (X, S)).score((X, S))
    # 27.5 for each large one: the odd document goes to one of them
    assert sorted(np.bincount(of[pick(scores, 60).rows]).tolist()) == [5, 27, 28]
    for budget in (1, 3, 14, 16, 60, 99, 105):
        got = np.bincount(of[pick(scores, budget).rows], minlength=3)
        assert got.sum() == budget
        assert np.abs(got - equal_shares([5, 50, 50], budget)).max() < 1


def test_turns_never_differ_from_water_filling_by_one():
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = rng.integers(1, 40, size=rng.integers(1, 8))
        group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
        place = _skills.places(group, rng.random(len(group)))
        order = _skills.turns(group, place)
        for budget in rng.integers(1, len(group) + 1, size=5):
            got = np.bincount(group[order[:budget]], minlength=len(sizes))
            assert np.abs(got - equal_shares(sizes, budget)).max() < 1


def test_even_scores_are_sampled_in_strata():
    s = np.linspace(0, 1, 1000)[:, None]
    X = np.ones((1000, 2))
    method = AdaptInfinity(clusters=1, trim=0.05).fit(None, (X, s))
    kept = pick(method.score((X, s)), 200).rows
    assert kept.min() >= 50  # 5 % at either end are set aside
    assert kept.max() < 950
    assert_array_equal(np.histogram(s[kept, 0], 50, (s[50, 0], s[949, 0]))[0], 4)
    skewed = s**4  # bins of equal width: the few far ones are as wanted as the many near ones
    top = pick(AdaptInfinity(clusters=1).fit(None, (X, skewed)).score((X, skewed)), 200).rows
    assert (skewed[top] > skewed[950] / 2).mean() > 2 * (skewed[50:950] > skewed[950] / 2).mean()


def test_entropy_prefers_a_score_that_tells_apart():
    rng = np.random.default_rng(0)
    even, rare = rng.random(2000), (rng.random(2000) < 0.01) + 1e-3 * rng.random(2000)
    assert _skills.bits(even) > _skills.bits(rare) + 2
    assert _skills.bits(np.full(10, 0.1)) == 0.0  # and no division by zero
    z = (even - even.mean()) / even.std()
    p = np.histogram(z, 50, (-4, 4))[0] / 2000
    assert_allclose(_skills.bits(even), -sum(x * np.log2(x) for x in p if x), rtol=1e-12)
    X, S = np.ones((2000, 2)), np.column_stack([rare, even, np.full(2000, 3.0)])
    assert AdaptInfinity(clusters=1).fit(None, (X, S)).expert_.tolist() == [1]


def test_a_second_state_of_the_model_unmasks_noise():
    rng = np.random.default_rng(0)
    X, real = np.ones((500, 2)), rng.exponential(size=500)
    now = np.column_stack([rng.random(500), real])
    before = np.column_stack([rng.random(500), real * rng.uniform(0.8, 1.2, 500)])
    method = AdaptInfinity(clusters=1)
    assert method.fit(None, (X, now)).expert_.tolist() == [0]  # noise has the higher entropy
    assert method.fit(None, (X, now, before)).expert_.tolist() == [1]


def test_one_of_each_copy_is_kept_before_any_row_is_lost():
    X, _ = blobs([60, 20, 4], spread=0.2)
    rng = np.random.default_rng(2)
    origin = np.concatenate([np.arange(84), rng.integers(84, size=50)])
    method = AdaptInfinity(clusters=(2, 3, 4)).fit(None, (X[origin], np.ones((134, 1))))
    novelty = method.novelty(X[origin])
    kept = pick(novelty, 84).rows
    assert sorted(origin[kept]) == list(range(84))
    assert kept.max() < 84  # the copy that came first
    assert len(set(origin[pick(novelty, 40).rows])) == 40
    cosine = (U := X / np.linalg.norm(X, axis=1)[:, None]) @ U.T
    want = [max(cosine[i, :i], default=-1.0) for i in range(84)]
    assert_allclose(_skills.repeats(U, np.zeros(84, dtype=int)), want, atol=1e-12)


def test_signals_are_those_of_the_output_layer():
    rng = np.random.default_rng(0)
    h, y, p = rng.normal(size=(40, 7)), rng.integers(3, size=40), rng.dirichlet([1, 1, 1], 40)
    features, scores = AdaptInfinity.signals(p, h, y, width=4000)
    G = (p - np.eye(3)[y])[:, :, None] * np.column_stack([h, np.ones(40)])[:, None, :]
    G = G.reshape(40, -1)
    assert np.corrcoef((features @ features.T).ravel(), (G @ G.T).ravel())[0, 1] > 0.995
    assert_allclose(scores[:, 0], -np.log(p[np.arange(40), y]), rtol=1e-12)
    assert_allclose(scores[:, 1], np.linalg.norm(p - np.eye(3)[y], axis=1), rtol=1e-12)
    assert_allclose(scores[:, 2], -(p * np.log(p)).sum(axis=1), rtol=1e-12)


def test_order_of_rows_and_seed_decide_as_said():
    X, _ = blobs([30, 10])
    S = np.random.default_rng(0).random((40, 2))
    method = AdaptInfinity(clusters=2).fit(None, (X, S))
    turned = np.random.default_rng(1).permutation(40)
    assert_array_equal(method.score((X[turned], S[turned])), method.score((X, S))[turned])
    again = AdaptInfinity(clusters=2).fit(None, (X, S))
    assert_array_equal(method.score((X, S)), again.score((X, S)))
    assert sorted(method.score((X, S))) == [*(np.arange(1, 41) / 40)]


# a stream of digit tasks: five upright digits, the other five, and both upside down or mirrored

SIZES = (600, 150, 30, 30)  # 20 : 5 : 1 : 1


def digit_tasks(seed):
    """Four tasks of five classes; 30 % of the rows of each are copies of others."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    images = X[order].reshape(-1, 8, 8) / 16
    out = []
    for t, n in enumerate(SIZES):
        at = np.flatnonzero((y[order] >= 5) == t % 2)
        seen = images[at] if t < 2 else (images[at, ::-1] if t == 2 else images[at, :, ::-1])
        labels = y[order][at] + 10 * (t >= 2)
        new = round(0.7 * n)
        rows = np.concatenate([np.arange(new), rng.integers(new, size=n - new)])
        test = slice(len(at) - 300, len(at))
        out.append((seen[rows].reshape(n, 64), labels[rows], seen[test].reshape(300, 64),
                    labels[test]))  # fmt: skip
    return out


def hidden(model, X):
    return np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)


def run_stream(tasks, ours, seed, budget, capacity, epochs=15):
    """Train on a subset a step; return the accuracy of every task at the end."""
    rng = np.random.default_rng(seed)
    classes = np.unique(np.concatenate([t[1] for t in tasks]))
    model = MLPClassifier((64,), learning_rate_init=3e-3, random_state=seed, batch_size=32)
    X, y = np.zeros((0, tasks[0][0].shape[1])), np.zeros(0, dtype=int)
    for step, (A, a, _, _) in enumerate(tasks):
        X, y = np.vstack([X, A]), np.concatenate([y, a])
        rows = rng.permutation(len(y))[: min(budget, len(y))]
        kept = np.sort(rng.permutation(len(y))[: min(capacity, len(y))])
        if step == 0:
            model.partial_fit(X[rows], y[rows], classes=classes)
        if ours:
            F, S = AdaptInfinity.signals(
                model.predict_proba(X), hidden(model, X), np.searchsorted(classes, y), width=64
            )
            method = AdaptInfinity(seed=seed).fit(None, (F, S))
            rows = pick(method.score((F, S)), min(budget, len(y))).rows
            kept = pick(method.novelty(F), min(capacity, len(y))).rows
        for _ in range(epochs):
            mixed = rng.permutation(rows)
            model.partial_fit(X[mixed], y[mixed])
        X, y = X[kept], y[kept]
    return np.array([model.score(B, b) for _, _, B, b in tasks])


def gains(make, seeds=5):
    """Accuracy over that of random subsets of equal size, (seeds, tasks)."""
    return np.array(
        [run_stream(t, True, s, 150, 400) - run_stream(t, False, s, 150, 400)
         for s in range(seeds) for t in [make(s)]]
    )  # fmt: skip


def test_helps_rare_tasks_of_a_stream():
    found = gains(digit_tasks)
    assert found.mean() > 0.05
    assert found[:, 2:].mean() > 0.10
    assert (found.mean(axis=1) > 0.02).all()


def one_task(noise):
    """An i.i.d. stream of Gaussian rows and two classes: there is one skill."""

    def make(seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(2700, 20))
        y = (X[:, 0] + X[:, 1] - X[:, 2] + noise * rng.normal(size=2700) > 0).astype(int)
        return [(X[i : i + 300], y[i : i + 300], X[1200:], y[1200:]) for i in range(0, 1200, 300)]

    return make


def test_does_not_help_a_stream_of_one_noisy_skill():
    assert gains(one_task(1.0)).mean() < -0.01


def test_features_and_scores_that_say_nothing_choose_like_random():
    rng = np.random.default_rng(0)
    kind = rng.choice(4, 2000, p=[0.7, 0.2, 0.05, 0.05])
    X, S = rng.normal(size=(2000, 8)), rng.normal(size=(2000, 2))
    kept = pick(AdaptInfinity().fit(None, (X, S)).score((X, S)), 500).rows
    share = np.bincount(kind[kept], minlength=4) / 500
    assert np.abs(share - [0.7, 0.2, 0.05, 0.05]).max() < 0.05


def test_errors_carry_a_cure():
    X, S = np.ones((4, 2)), np.ones((4, 1))
    for wrong, says in (
        ((X[:0], S[:0]), "pool is empty"),
        ((X, S[:3]), "4 rows of features"),
        (X, "no pair or triple"),
        ((X, S, S[:2]), "rows of features"),
        ((X * np.nan, S), "missing or infinite"),
    ):
        with pytest.raises(BadInput, match=says) as caught:
            AdaptInfinity(clusters=1).fit(None, wrong)
        assert caught.value.cure
    with pytest.raises(BadInput, match="clusters"):
        AdaptInfinity(clusters=(4, 2)).fit(None, (X, S))
    with pytest.raises(BadInput, match="trim"):
        AdaptInfinity(trim=0.5).fit(None, (X, S))
    with pytest.raises(BadInput, match="not fitted"):
        AdaptInfinity().score((X, S))
    with pytest.raises(BadInput, match="labels"):
        AdaptInfinity.signals(np.ones((2, 2)), np.ones((2, 3)), [0, 2])
    fitted = AdaptInfinity(clusters=1).fit(None, (X, S))
    assert fitted.score((X[:0], S[:0])).shape == fitted.novelty(X[:0]).shape == (0,)
