from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from ecotone.align import TCA, SourceOnly, _kernels, _krylov
from ecotone.align._components import leading
from ecotone.align._kernels import rbf
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def matrices(fitted, made):
    """Return K, e and H of a fit in which all rows are landmarks."""
    K = rbf(made.X, fitted.landmarks_, fitted.gamma_)
    source = made.sample_domain > 0
    e = np.where(source, 1 / source.sum(), -1 / (~source).sum())
    return K, e, np.eye(len(K)) - 1 / len(K)


def gains(kind, seeds=5, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=300, seed=seed)
        fits = [m.fit(made.X, made.y, made.sample_domain) for m in (TCA(**params), SourceOnly())]
        out.append(np.subtract(*[f.score(*made.target) for f in fits]))
    return float(np.mean(out))


def test_eigenproblem_is_solved_to_1e_6():
    made = made_shift("affine", n=100)
    for mu, landmarks in ((0.1, 500), (10.0, 500), (0.1, None), (10.0, None)):
        fitted = TCA(mu=mu, landmarks=landmarks).fit(made.X, made.y, made.sample_domain)
        K, e, H = matrices(fitted, made)
        left = K @ H @ K @ fitted.components_
        right = (np.outer(K @ e, K @ e) + mu * np.eye(200)) @ fitted.components_ * fitted.values_
        assert np.linalg.norm(left - right) / np.linalg.norm(left) < 1e-6
        # an independent solver finds the same values
        A = np.outer(K @ e, K @ e) + mu * np.eye(200)
        theirs = scipy.linalg.eigh(K @ H @ K, A, eigvals_only=True)[::-1][:20]
        assert_allclose(fitted.values_, theirs, rtol=1e-7)


def noise(n, d, move=0.2):
    """Return rows whose values lie close together: the hard case for an iteration."""
    X = np.random.default_rng(0).normal(size=(n, d))
    X[n // 2 :] += move
    return X, np.arange(n) % 2, np.repeat([1, -2], n // 2)


def moved(n, seed=0):
    made = made_shift("affine", n=n, seed=seed)
    return made.X, made.y, made.sample_domain


@pytest.mark.parametrize(
    ("rows", "params"),
    [
        (moved(150), {}),
        (moved(150), {"mu": 1e-8, "n_components": 40}),
        (moved(150), {"gamma": 1e-5}),  # a kernel that is 1 nearly everywhere
        (moved(8), {}),  # fewer rows than the first block has columns
        (noise(400, 60), {"n_components": 3}),
        (noise(400, 60), {"whiten": True}),
    ],
    ids=["plain", "small-mu", "wide", "few", "noise", "white"],
)
def test_all_rows_are_the_dense_solution(rows, params, monkeypatch):
    monkeypatch.setattr(_krylov, "BLOCK", 70**2)  # several blocks, the last one smaller
    dense, exact = (TCA(landmarks=r, **params).fit(*rows) for r in (500, None))
    assert_allclose(exact.values_, dense.values_, rtol=1e-6)
    assert_allclose(exact.features(rows[0]), dense.features(rows[0]), atol=1e-6)
    some = dense.values_ > 1e-6 * dense.values_[0]
    spans = [f.features(rows[0])[:, some] for f in (dense, exact)]
    assert scipy.linalg.subspace_angles(*spans).max() < 1e-6


def test_all_rows_find_each_of_many_equal_values():
    """Rows that are strangers to each other: all values are alike, and one vector finds one."""
    X, y, domain = noise(100, 5)
    dense, exact = (
        TCA(gamma=1e4, n_components=60, landmarks=r).fit(X, y, domain) for r in (500, None)
    )
    assert_allclose(exact.values_, dense.values_, rtol=1e-6)
    assert len(exact.values_) == 60


def test_all_rows_see_a_group_without_landmarks():
    """Eight rows of one thousand lie far off: few landmarks hardly see them, all rows do."""
    X, y, domain = noise(1000, 5)
    X[:4] += 100
    X[-4:] += 100
    near, exact = (TCA(landmarks=r, n_components=8).fit(X, y, domain) for r in (50, None))
    assert np.abs(near.features(X[:4])).max() < 0.1 * np.abs(exact.features(X[:4])).max()


@pytest.mark.parametrize(("mu", "move"), [(1e-8, 20.0), (1e-8, 2.0), (1.0, 2.0)])
def test_all_rows_stop_when_the_equation_holds(mu, move, monkeypatch):
    """25 passes span all 600 rows: a residual that rounding keeps up would go on till then."""
    passes = []
    product = _krylov._product
    monkeypatch.setattr(_krylov, "_product", lambda *a: passes.append(1) or product(*a))
    TCA(landmarks=None, mu=mu).fit(*noise(600, 3, move))
    assert 2 <= len(passes) <= 10


def test_all_rows_give_the_same_bits_and_start_alike_in_any_order():
    X, y, domain = noise(400, 60)
    one, two = (TCA(landmarks=None).fit(X, y, domain) for _ in range(2))
    assert (one.components_ == two.components_).all()
    order = np.random.default_rng(1).permutation(400)
    other = TCA(landmarks=None).fit(X[order], y[order], domain[order])
    # another start would end within 1e-10
    assert_allclose(other.features(X), one.features(X), rtol=0, atol=1e-12)


def test_all_rows_refuse_what_does_not_fit(monkeypatch):
    monkeypatch.setattr(_kernels, "MOST_BYTES", 10**5)
    rows = moved(300)
    with pytest.raises(BadInput) as error:
        TCA(landmarks=None).fit(*rows)
    assert error.value.cure == "landmarks=500"
    TCA(landmarks=500).fit(*rows)


def test_fault_5_the_solver_sees_a_symmetric_matrix():
    """The closed-form root, against a general solver for the same, non-symmetric, quotient."""
    rng = np.random.default_rng(0)
    F, v, G = rng.normal(size=(30, 12)), rng.normal(size=12), rng.uniform(0.5, 2, 12)
    values, W = leading(F.T @ F, v, G, 5)
    A = np.outer(v, v) + np.diag(G)
    theirs = np.sort(np.linalg.eigvals(np.linalg.solve(A, F.T @ F)).real)[::-1][:5]
    assert_allclose(values, theirs, rtol=1e-9)
    assert_allclose(W.T @ A @ W, np.eye(5), atol=1e-9)


def test_fault_4_row_order_is_kept():
    """Shuffled rows get the same features, row by row, seen in the fit or not."""
    made = made_shift("location_scale", n=150)
    order = np.random.default_rng(1).permutation(300)
    for landmarks in (500, 60, None):
        one = TCA(landmarks=landmarks).fit(made.X, made.y, made.sample_domain)
        two = TCA(landmarks=landmarks)
        two.fit(made.X[order], made.y[order], made.sample_domain[order])
        assert_allclose(two.features(made.X[order]), one.features(made.X)[order], atol=1e-6)
        assert_allclose(one.features(made.X)[:5], one.features(made.X[:5]), atol=1e-9)


def test_fault_4_the_peer_has_it(skada):
    """Drop this when the peer returns features in the order of the rows."""
    made = made_shift("none", n=50)
    X, domain = made.X, made.sample_domain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter = skada.TransferComponentAnalysisAdapter(n_components=3)
        shuffled = adapter.fit_transform(X, sample_domain=domain)
    alone = [
        adapter.transform(X[i : i + 1], sample_domain=d, allow_source=True)
        for i, d in enumerate(domain[:, None])
    ]
    assert not np.allclose(shuffled, np.vstack(alone), atol=1e-3)


def test_means_are_closer_than_in_kernel_pca():
    made = made_shift("location_scale", n=200)
    fitted = TCA(mu=0.1, n_components=5).fit(made.X, made.y, made.sample_domain)
    K, e, H = matrices(fitted, made)
    vectors = np.linalg.eigh(H @ K @ H)[1][:, ::-1][:, :5]
    plain = K @ H @ vectors
    ours = fitted.features(made.X)
    plain, ours = plain / plain.std(axis=0), ours / ours.std(axis=0)
    assert ((e @ ours) ** 2).sum() < 0.1 * ((e @ plain) ** 2).sum()


def test_few_landmarks_come_near_the_exact_components():
    made = made_shift("affine", n=300)
    exact = TCA(landmarks=600, n_components=3).fit(made.X, made.y, made.sample_domain)
    near = TCA(landmarks=200, n_components=3).fit(made.X, made.y, made.sample_domain)
    assert len(near.landmarks_) == 200
    A, B = exact.features(made.X), near.features(made.X)
    centred = (A - A.mean(axis=0), B - B.mean(axis=0))
    share = [np.linalg.norm(np.linalg.lstsq(centred[1], a)[0] @ centred[1].T) for a in centred[0].T]
    assert np.min(np.array(share) / np.linalg.norm(centred[0], axis=0)) > 0.97


def test_components_have_the_variance_that_is_documented():
    made = made_shift("affine", n=150)
    fit = (made.X, made.y, made.sample_domain)
    white = TCA(whiten=True).fit(*fit).features(made.X)
    assert_allclose(white.std(axis=0), 1, rtol=1e-6)
    plain = TCA().fit(*fit)
    assert_allclose(plain.features(made.X).var(axis=0), plain.values_ / plain.values_[0], rtol=1e-6)


def test_helps_where_the_target_lies_elsewhere():
    assert gains("location_scale") >= 0.05
    assert gains("rotation") >= 0.05


def test_hurts_under_a_label_shift():
    assert gains("label", mu=0.1) <= -0.05
    assert gains("label", mu=0.1, whiten=True, n_components=5) <= -0.3


def test_equal_rows_and_bad_numbers():
    X, domain = np.ones((20, 2)), np.repeat([1, -2], 10)
    y = np.arange(20) % 2
    for landmarks in (500, None):
        fitted = TCA(landmarks=landmarks).fit(X, y, domain)
        assert np.isfinite(fitted.predict_proba(X)).all()
        assert (fitted.features(X) == 0).all()
    bad = ({"mu": 0}, {"n_components": 0}, {"gamma": -1.0}, {"landmarks": 1})
    for wrong in (*bad, {"gamma": -1.0, "landmarks": None}):
        with pytest.raises(BadInput) as error:
            TCA(**wrong).fit(X, y, domain)
        assert error.value.cure
