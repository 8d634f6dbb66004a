from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import NearestNeighbourReweight, SourceOnly
from ecotone.align.nearest_neighbour_reweight import nearest
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def sides(n, d, shift, seed=0):
    """Rows N(0, I) and N(shift along the first axis, I), and the true ratio at the source's."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    X[n:, 0] += shift
    ratio = np.exp(shift * X[:n, 0] - shift**2 / 2)
    return X, rng.integers(2, size=2 * n), np.repeat([1, -2], n), ratio


def corner(n, seed, noise=0):
    """A square and a target in its corner, where another rule holds; columns of noise."""
    rng = np.random.default_rng(seed)
    X = rng.random((2 * n, 2))
    X[n:] = 0.6 + 0.4 * X[n:]
    inside = (X > 0.6).all(axis=1)
    y = np.where(inside, X.sum(axis=1) > 1.6, X[:, 0] > X[:, 1]).astype(int)
    return np.hstack([X, rng.normal(size=(2 * n, noise))]), y, np.repeat([1, -2], n)


@pytest.mark.parametrize("d", [2, 30])
@pytest.mark.parametrize("k", [1, 7])
def test_counts_are_those_of_all_pairs(d, k):
    X, y, domain, _ = sides(150, d, 0.5)
    fitted = NearestNeighbourReweight(n_neighbours=k, smoothing=0.0).fit(X, y, domain)
    near = np.argsort(cdist(X[150:], X[:150]), axis=1)[:, :k]
    counts = np.bincount(near.ravel(), minlength=150) / k
    assert_allclose(counts.sum(), 150)
    assert_allclose(fitted.counts_.sum(), 150)
    assert_allclose(fitted._weights[nearest(X[:150], fitted.places_, 1)[:, 0]], counts)


def test_one_unit_for_all_features_changes_nothing():
    X, y, domain, _ = sides(100, 3, 0.5)
    one, two = (
        NearestNeighbourReweight().fit(c * X, y, domain).weights_ for c in (1.0, 1024.0)
    )  # fmt: skip
    assert_array_equal(one, two)


def test_equal_rows_share_their_count():
    X = np.array([[0.0], [0.0], [0.0], [1.0], [0.1], [0.1], [0.1], [1.0]])
    y, domain = np.array([0, 1, 0, 1, -1, -1, -1, -1]), np.repeat([1, -2], 4)
    fitted = NearestNeighbourReweight(n_neighbours=1, smoothing=0.0).fit(X, y, domain)
    assert_array_equal(fitted.counts_, [3.0, 1.0])
    assert_allclose(fitted.weights_[:4], 1.0)


def test_weights_are_the_right_way_round():
    for seed in range(5):
        X, y, domain, ratio = sides(600, 1, 1.0, seed)
        fitted = NearestNeighbourReweight().fit(X, y, domain)
        w = fitted.weights_[:600]
        assert spearmanr(w, ratio)[0] >= 0.95
        assert 0.7 < w @ X[:600, 0] / 600 < 1.1
        assert spearmanr(fitted.log_ratio(X[600:]), X[600:, 0])[0] > 0.75


def test_one_neighbour_leaves_most_rows_without_weight():
    X, y, domain, ratio = sides(600, 1, 1.0)
    w = NearestNeighbourReweight(n_neighbours=1, smoothing=0.0).fit(X, y, domain).weights_[:600]
    assert (w == 0).mean() > 0.5
    assert spearmanr(w, ratio)[0] < 0.6
    assert abs(w @ X[:600, 0] / 600 - 1) < 0.15  # the mean is right all the same


def test_helps_a_shallow_tree_in_a_corner():
    gain = []
    for seed in range(5):
        X, y, domain = corner(300, seed)
        fits = [
            make(DecisionTreeClassifier(max_depth=2, random_state=0)).fit(X, y, domain)
            for make in (NearestNeighbourReweight, SourceOnly)
        ]
        gain.append(fits[0].score(X[300:], y[300:]) - fits[1].score(X[300:], y[300:]))
    assert np.mean(gain) >= 0.03


def test_noise_features_take_the_gain_away():
    gain = []
    for seed in range(5):
        X, y, domain = corner(300, seed, noise=100)
        fits = [
            make(DecisionTreeClassifier(max_depth=2, random_state=0)).fit(X, y, domain)
            for make in (NearestNeighbourReweight, SourceOnly)
        ]
        gain.append(fits[0].score(X[300:], y[300:]) - fits[1].score(X[300:], y[300:]))
    assert -0.1 < np.mean(gain) < 0.03


def test_helps_a_linear_model_of_a_curve():
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = np.r_[rng.normal(0.5, 0.5, 300), rng.normal(0, 0.3, 300)]
        truth = x**3 - x
        domain = np.repeat([1, -2], 300)
        y = np.where(domain > 0, truth + 0.1 * rng.normal(size=600), np.nan)
        errors = [
            np.mean((m.fit(x[:, None], y, domain).predict(x[300:, None]) - truth[300:]) ** 2)
            for m in (NearestNeighbourReweight(Ridge(1e-6)), SourceOnly(Ridge(1e-6)))
        ]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 0.3


def test_does_not_help_under_a_concept_shift():
    gain = []
    for seed in range(5):
        made = made_shift("concept", n=200, seed=seed)
        fits = [
            m.fit(made.X, made.y, made.sample_domain)
            for m in (NearestNeighbourReweight(), SourceOnly())
        ]
        gain.append(fits[0].score(*made.target) - fits[1].score(*made.target))
    assert abs(np.mean(gain)) <= 0.01


def test_counts_are_those_of_the_peer(skada):
    from skada import NearestNeighborReweightAdapter

    X, y, domain, _ = sides(200, 20, 0.5)
    theirs = NearestNeighborReweightAdapter(laplace_smoothing=True).fit(X, sample_domain=domain)
    counts = theirs.compute_weights(X, sample_domain=domain)[:200]
    ours = NearestNeighbourReweight(n_neighbours=1).fit(X, y, domain).weights_[:200]
    assert_allclose(ours, counts / counts.mean())


def test_weights_are_finite_in_500_dimensions():
    for shift in (0.0, 1.0, 30.0):
        X, y, domain, _ = sides(100, 500, shift)
        fitted = NearestNeighbourReweight().fit(X, y, domain)
        assert np.isfinite(fitted.weights_).all()
        assert np.isfinite(fitted.log_ratio(X)).all()


def test_what_cannot_be_done_is_refused():
    X, y, domain, _ = sides(20, 2, 0.5)
    for wrong in ({"n_neighbours": 0}, {"n_neighbours": 1.5}, {"smoothing": -1.0}, {"cap": 0.0}):
        with pytest.raises(BadInput) as error:
            NearestNeighbourReweight(**wrong).fit(X, y, domain)
        assert error.value.cure
