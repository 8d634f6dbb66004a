from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import GlobalLocalClustering
from ecotone.align._open_set import h_score, one_against_all
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift

KNOWN = np.arange(6)


def digits(seed, size=1.0):
    """Return digits 0 to 5, and all digits under an affine map: source rows, target rows."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order] / 16, y[order]
    Q, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(64, 64)))
    A = (Q * np.exp(size * np.linspace(-0.8, 0.8, 64))) @ Q.T
    at = np.arange(len(y)) < 900
    moved = X[~at] @ A + 0.1 * size * np.where(np.arange(64) % 2, 1, -1)
    return X[at & (y < 6)], y[at & (y < 6)], moved, y[~at]


def circle(degrees):
    angle = np.deg2rad(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def test_six_rows_by_hand():
    F = circle([0, 10, 90, 80, 225, 230])
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [0.4, 0.6]])
    clusters = np.array([0, 0, 1, 1, 2, 2])
    # prototypes at 5 and 85 degrees, of weight .25 * .85 + .75 = .9625; rows 4 and 5 are nearer to
    # that at 85, cosine -.766, and nearer still to their own cluster, cosine .999
    found = one_against_all(F, p, clusters, top=2, floor=0.75)
    assert_array_equal(found, [0, 0, 1, 1, -1, -1])
    # a row between both, at 43: .9625 cos(38) = .758 for class 0, cos(42) = .743 against it; with
    # no floor the weight is .85, and .85 cos(38) = .670 is not enough
    F[5] = circle([43])[0]
    assert one_against_all(F, p, clusters, top=2, floor=0.75)[5] == 0
    assert one_against_all(F, p, clusters, top=2, floor=0.0)[5] == -1


def test_h_score_by_hand():
    truth = [0, 0, 0, 0, 1, 7, 8]
    answer = [0, 0, 0, 1, 1, -1, 0]
    a, b = (3 / 4 + 1) / 2, 1 / 2
    assert_allclose(h_score(truth, answer, [0, 1]), 2 * a * b / (a + b))
    assert h_score(truth, np.full(7, -1), [0, 1]) == 0
    for one_sided in ([0, 1, 1], [7, 8]):
        with pytest.raises(BadInput, match="rows are of a known class"):
            h_score(one_sided, one_sided, [0, 1])


def test_the_head_is_frozen_to_the_bit_and_rows_move_in_front_of_it():
    X, y, rows, _ = digits(0)
    model = GlobalLocalClustering().fit(X, y)
    W, b = model.estimator_.coef_.copy(), model.estimator_.intercept_.copy()
    model.adapt(rows)
    assert_array_equal(model.estimator_.coef_, W)
    assert_array_equal(model.estimator_.intercept_, b)
    assert np.abs(model.moves_).max() > 0
    p = softmax(model.features(rows) @ W.T + b, axis=1)
    assert_allclose(model.predict_proba(rows), p, atol=1e-12)
    still = GlobalLocalClustering(rounds=0).fit(X, y).adapt(rows)
    assert_allclose(still.features(rows), rows, atol=1e-12)
    source = np.where(np.arange(len(rows)) < 5, 1, -2)
    assert_array_equal(model.features(rows, source)[:5], rows[:5])


def test_the_move_is_a_minimum_of_the_loss():
    """Written again with a free (d, d + 1) map: its gradient is 0 too."""
    X, y, rows, _ = digits(1)
    model = GlobalLocalClustering(LogisticRegression(max_iter=1000, C=0.1)).fit(X, y).adapt(rows)
    Z = (rows - rows.mean(axis=0)) / model.scale_.spread
    W, b = model.directions_, model.estimator_.intercept_
    b = b + model.estimator_.coef_ @ rows.mean(axis=0)
    F = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    p = softmax(Z @ W.T + b, axis=1)
    near = np.argsort(-(F @ F.T) + 9 * np.eye(len(F)), axis=1)[:, :4]
    goal = np.where(model.labels_[:, None] < 0, 1 / 6, np.eye(6)[model.labels_])
    wanted = goal + p[near].mean(axis=1)
    A, Z1 = W.T @ model.moves_, np.column_stack([Z, np.ones(len(Z))])
    q = softmax((Z + Z1 @ A.T) @ W.T + b, axis=1)
    gradient = ((2 * q - wanted) @ W).T @ Z1 / len(Z) + A
    assert np.linalg.norm(gradient) < 1e-2 * np.linalg.norm(A)


def test_a_target_of_known_classes_alone_is_the_closed_set():
    rng = np.random.default_rng(0)
    y, truth = np.arange(400) % 4, np.arange(200) % 4
    X, rows = (8 * np.eye(4)[c] + rng.normal(size=(len(c), 4)) for c in (y, truth))
    model = GlobalLocalClustering().fit(X, y).adapt(rows + 0.5)
    assert model.ratio_ == 1.0
    assert_array_equal(model.labels_, truth)
    assert_array_equal(model.predict_open(rows + 0.5), model.predict(rows + 0.5))
    assert_array_equal(model.predict(rows + 0.5), truth)


def test_unknown_digits_are_rejected_and_known_ones_kept():
    found = []
    for seed in range(10, 20):
        X, y, rows, truth = digits(seed)
        model = GlobalLocalClustering().fit(X, y)
        before = h_score(truth, model.predict_open(rows), KNOWN)
        found.append((before, h_score(truth, model.adapt(rows).predict_open(rows), KNOWN)))
    before, after = np.mean(found, axis=0)
    assert after >= before + 0.10


def test_closed_set_without_a_shift_costs_less_than_a_point():
    lost = []
    for seed in range(10, 20):
        X, y, rows, truth = digits(seed, size=0.0)
        rows, truth = rows[truth < 6], truth[truth < 6]
        model = GlobalLocalClustering().fit(X, y)
        lost.append(model.score(rows, truth) - model.adapt(rows).score(rows, truth))
    assert np.mean(lost) <= 0.01


def test_hurts_where_known_classes_are_missing_or_overlap():
    lost, refused = [], []
    for seed in range(10, 15):
        X, y, rows, truth = digits(seed)
        rows, truth = rows[truth < 2], truth[truth < 2]
        model = GlobalLocalClustering().fit(X, y)
        lost.append(model.score(rows, truth) - model.adapt(rows).score(rows, truth))
        made = made_shift("none", n=300, seed=seed)
        model = GlobalLocalClustering().fit(made.X, made.y, made.sample_domain)
        refused.append(model.rejects(made.target[0]).mean())
    assert np.mean(lost) >= 0.02
    assert np.mean(refused) >= 0.2


def test_row_order_and_batches_have_no_say():
    X, y, rows, _ = digits(2)
    order = np.random.default_rng(0).permutation(len(rows))
    one = GlobalLocalClustering().fit(X, y).adapt(rows)
    two = GlobalLocalClustering().fit(X, y).adapt(rows[order])
    assert_array_equal(one.labels_[order], two.labels_)
    assert_allclose(one.predict_proba(rows), two.predict_proba(rows), atol=1e-9)
    alone = [bool(one.rejects(rows[i : i + 1])[0]) for i in range(50)]
    assert_array_equal(alone, one.rejects(rows[:50]))


def test_the_label_of_unknown_rows():
    made = made_shift("affine", n=100)
    model = GlobalLocalClustering(threshold=0.3).fit(made.X, made.y, made.sample_domain)
    rows = made.target[0]
    out = model.rejects(rows)
    assert out.any()
    assert_array_equal(model.predict_open(rows) == -1, out)
    assert_array_equal(model.predict_open(rows)[~out], model.predict(rows)[~out])
    names = np.array(["cat", "dog", "eel"])[made.truth]
    words = GlobalLocalClustering(threshold=0.3).fit(made.X, names, made.sample_domain)
    assert_array_equal(words.predict_open(rows) == "unknown", out)
    taken = GlobalLocalClustering(unknown=0).fit(made.X, made.y, made.sample_domain)
    with pytest.raises(BadInput, match="0 is a class of the source"):
        taken.predict_open(rows)


def test_two_classes_equal_rows_and_bad_input():
    made = made_shift("subspace", n=100)
    X = made.X.copy()
    X[made.sample_domain < 0] = np.repeat(made.target[0][:5], 20, axis=0)  # five different rows
    fitted = GlobalLocalClustering().fit(X, made.y, made.sample_domain)
    assert_array_equal(fitted.predict(X), (fitted.decision_function(X) > 0).astype(int))
    with pytest.raises(BadInput, match="RandomForestClassifier is no linear") as error:
        GlobalLocalClustering(RandomForestClassifier(5)).fit(made.X, made.y, made.sample_domain)
    assert "LogisticRegression" in error.value.cure
    with pytest.raises(BadInput, match="Ridge is a regressor"):
        GlobalLocalClustering(Ridge()).fit(made.X, made.truth * 1.0, made.sample_domain)
    with pytest.raises(TooFewRows, match="1 target rows for 2 classes"):
        GlobalLocalClustering().fit(made.X, made.truth).adapt(made.X[:1])
    for wrong in ({"penalty": -1.0}, {"ratios": ()}, {"neighbours": 0}, {"rounds": -1}):
        with pytest.raises(BadInput, match="GlobalLocalClustering: neighbours"):
            GlobalLocalClustering(**wrong).fit(made.X, made.y, made.sample_domain)
