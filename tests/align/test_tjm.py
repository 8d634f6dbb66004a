from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.align import TCA, TJM, SourceOnly
from ecotone.align._kernels import rbf
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def gains(kind, seeds=5, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=200, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (TJM(**params), SourceOnly())]
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return float(np.mean(out))


def test_without_rounds_it_is_tca():
    made = made_shift("affine", n=80)
    fit = (made.X, made.y, made.sample_domain)
    for whiten in (False, True):
        one = TJM(rounds=0, whiten=whiten).fit(*fit).features(made.X)
        two = TCA(whiten=whiten).fit(*fit).features(made.X)
        assert_allclose(one, two, atol=1e-7)


def test_most_source_rows_are_left_out():
    made = made_shift("affine", n=100)
    fitted = TJM(n_components=5, rounds=30).fit(made.X, made.y, made.sample_domain)
    source = made.sample_domain > 0
    norms = fitted.row_norms_
    assert np.median(norms[source]) < 0.1 * norms[source].mean()
    assert np.median(norms[~source]) > 0.5 * norms[~source].mean()
    # the last penalties belong to the eigenproblem that the components solve
    K = rbf(made.X, made.X, fitted.gamma_)
    e = np.where(source, 1 / source.sum(), -1 / (~source).sum())
    W, H, G = fitted.components_, np.eye(200) - 1 / 200, fitted.penalties_
    assert_allclose(G[~source], 1)
    left = K @ H @ K @ W
    right = (np.outer(K @ e, K @ e) + np.diag(G)) @ W * fitted.values_
    assert np.linalg.norm(left - right) < 1e-6 * np.linalg.norm(left)


def test_rows_far_away_are_not_the_ones_left_out():
    """The claim that does not hold here; the card says so."""
    made = made_shift("location_scale", n=150)
    X = made.X.copy()
    source = made.sample_domain > 0
    far = np.flatnonzero(source)[:45]
    X[far] += 6
    norms = TJM().fit(X, made.y, made.sample_domain).row_norms_
    near = np.setdiff1d(np.flatnonzero(source), far)
    assert np.median(norms[far]) > np.median(norms[near])


def test_fault_4_row_order_is_kept():
    made = made_shift("location_scale", n=120)
    order = np.random.default_rng(1).permutation(240)
    for landmarks in (500, 60):
        one = TJM(landmarks=landmarks).fit(made.X, made.y, made.sample_domain)
        two = TJM(landmarks=landmarks)
        two.fit(made.X[order], made.y[order], made.sample_domain[order])
        assert_allclose(two.features(made.X[order]), one.features(made.X)[order], atol=1e-4)


def test_fault_4_the_peer_has_it(skada):
    """Drop this when the peer returns features in the order of the rows."""
    made = made_shift("none", n=40)
    adapter = skada.TransferJointMatchingAdapter(n_components=3)
    both = adapter.fit_transform(made.X, sample_domain=made.sample_domain)
    alone = [
        adapter.transform(made.X[i : i + 1], sample_domain=d, allow_source=True)
        for i, d in enumerate(made.sample_domain[:, None])
    ]
    assert not np.allclose(both, np.vstack(alone), atol=1e-3)


def test_helps_where_the_target_lies_elsewhere():
    assert gains("location_scale") >= 0.05
    assert gains("rotation") >= 0.05


def test_hurts_under_a_label_shift():
    assert gains("label", mu=0.1) <= -0.05


def test_bad_numbers():
    made = made_shift("none", n=30)
    for wrong in ({"mu": -1}, {"n_components": 0}, {"rounds": -1}):
        with pytest.raises(BadInput) as error:
            TJM(**wrong).fit(made.X, made.y, made.sample_domain)
        assert error.value.cure
