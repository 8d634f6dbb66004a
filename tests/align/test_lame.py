from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import LAME, SourceOnly
from ecotone.align.lame import energy, smoothed
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def gains(kind, seeds=5, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=300, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (LAME(**params), SourceOnly())]
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return float(np.mean(out))


def test_energy_falls_and_nothing_without_affinity():
    rng = np.random.default_rng(0)
    q, F = rng.dirichlet(np.ones(4), 60), rng.normal(size=(60, 8))
    W = F @ F.T / 8
    values = [energy(q, q, W, 0.7)]
    for rounds in range(1, 15):
        Y = smoothed(q, lambda Y: W @ Y, 0.7, rounds)
        assert_allclose(Y.sum(axis=1), 1)
        values.append(energy(Y, q, W, 0.7))
    assert (np.diff(values) <= 1e-10).all()
    assert values[-1] < values[0] - 1
    assert_allclose(smoothed(q, lambda Y: 0 * Y, 1.0, 5), q, atol=1e-9)
    made = made_shift("affine", n=80)
    none = LAME(strength=0).fit(made.X, made.y, made.sample_domain)
    plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
    assert_allclose(none.predict_proba(made.X), plain.predict_proba(made.X), atol=1e-8)


def test_rows_of_the_fit_get_their_own_answer():
    made = made_shift("affine", n=100)
    fitted = LAME().fit(made.X, made.y, made.sample_domain)
    target = made.X[made.sample_domain < 0]
    assert_allclose(fitted.predict_proba(target), fitted.smoothed_, atol=1e-6)
    # by hand, for new rows
    new = made_shift("affine", n=20, seed=5).target[0]
    source = made.sample_domain > 0
    model = LogisticRegression(max_iter=1000).fit(made.X[source], made.truth[source])
    mean, deviation = target.mean(axis=0), target.std(axis=0)
    apart = ((((new - mean)[:, None] - (target - mean)) / deviation) ** 2).sum(axis=2)
    votes = fitted.smoothed_[np.argsort(apart, axis=1)[:, :5]].sum(axis=1)
    want = model.predict_proba(new) * np.exp(votes)
    assert_allclose(fitted.predict_proba(new), want / want.sum(axis=1, keepdims=True), atol=1e-8)
    alone = np.vstack([fitted.predict_proba(new[i : i + 1]) for i in range(len(new))])
    assert_allclose(alone, fitted.predict_proba(new), atol=1e-12)
    assert_array_equal(fitted.predict(new), fitted.decision_function(new).argmax(axis=1))


def digits(keep, rows, seed):
    """Return digits: some rows of all classes, and others of the classes in `keep`."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order] / 16, y[order]
    a, b = np.arange(rows), np.arange(1000, 1700)
    b = b[np.isin(y[b], keep)]
    return np.vstack([X[a], X[b]]), np.r_[y[a], y[b]], np.repeat([1, -2], [len(a), len(b)])


def errors(task):
    X, y, domain = task
    rows, truth = X[domain < 0], y[domain < 0]
    return [1 - m.fit(X, y, domain).score(rows, truth) for m in (LAME(), SourceOnly())]


def test_helps_where_neighbours_know_more_than_the_model():
    for task in ((range(10), 40), ([1, 4, 8], 80)):
        ours, plain = np.mean([errors(digits(*task, seed)) for seed in range(4)], axis=0)
        assert ours <= 0.9 * plain


def test_hurts_where_classes_overlap():
    assert gains("none", neighbours=20) <= -0.03


def test_does_not_repair_moved_features():
    assert gains("location_scale") <= 0.01


def test_two_classes_and_bad_input():
    made = made_shift("subspace", n=100)
    fitted = LAME().fit(made.X, made.y, made.sample_domain)
    assert_array_equal(fitted.predict(made.X), (fitted.decision_function(made.X) > 0).astype(int))
    with pytest.raises(BadInput, match="Ridge is a regressor"):
        LAME(Ridge()).fit(made.X, made.truth * 1.0, made.sample_domain)
    for wrong in ({"neighbours": 0}, {"strength": -1}, {"rounds": 0}):
        with pytest.raises(BadInput, match="LAME: neighbours"):
            LAME(**wrong).fit(made.X, made.y, made.sample_domain)
