from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import check_estimator

from ecotone.align._sphere_net import (
    Beside,
    Net,
    Task,
    discriminant,
    objective,
    on_sphere,
    soft_labels,
)
from ecotone.align.heterogeneous_transfer import (
    Control,
    HeterogeneousTransfer,
    noise_source,
)
from ecotone.core.errors import BadInput


def digits(seed, shots=3):
    """Half of the digits as 64 columns; the other half as 20 others, three labels a class."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    at = rng.permutation(len(X))
    s, t = at[:400], at[600:1050]
    T = PCA(20, random_state=0).fit_transform(X)[t]
    few = np.full(len(t), -1)
    for c in range(10):
        few[np.flatnonzero(y[t] == c)[:shots]] = c
    return X[s], y[s], T, few, y[t]


def blobs(seed=0, n=60):
    """Three classes in 4 columns and in 6 others; three labels a class."""
    rng = np.random.default_rng(seed)
    y, ys = np.arange(n) % 3, np.arange(2 * n) % 3
    X = 2 * rng.normal(size=(3, 4))[y] + rng.normal(size=(n, 4))
    Xs = 3 * rng.normal(size=(3, 6))[ys] + rng.normal(size=(2 * n, 6))
    return X, np.where(np.arange(n) < 9, y, -1), Xs, ys, y


def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    X, few, _, ys, _ = blobs(n=20)
    source = Beside(on_sphere(rng.normal(size=(len(ys), 5))), np.eye(3)[ys])
    task = Task(X, np.eye(3)[few[:9]], source, mu=0.7, beta=0.4, tau=0.1)
    net = Net.drawn(4, 5, 3, seed=1)
    S = soft_labels(net, task)
    _, gradient = objective(net, task, S)
    for name in Net._fields:
        for at in np.ndindex(getattr(net, name).shape):
            moved = []
            for h in (1e-6, -1e-6):
                p = getattr(net, name).copy()
                p[at] += h
                moved.append(objective(net._replace(**{name: p}), task, S)[0])
            slope = (moved[0] - moved[1]) / 2e-6
            assert_allclose(getattr(gradient, name)[at], slope, rtol=1e-5, atol=1e-7)


def test_without_both_weights_it_is_the_target_alone_bit_for_bit():
    X, few, Xs, ys, _ = blobs()
    alone = HeterogeneousTransfer(mu=0, beta=0).fit(X, few)
    beside = HeterogeneousTransfer(mu=0, beta=0).fit(X, few, Xs, ys)
    assert_array_equal(alone.predict_proba(X), beside.predict_proba(X))
    with_source = HeterogeneousTransfer().fit(X, few, Xs, ys)
    assert np.abs(with_source.predict_proba(X) - alone.predict_proba(X)).max() > 0.01


def test_discriminant_coordinates_are_those_of_scikit_learn():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, _, _, _, y = blobs(n=90)
    ours = discriminant(X, y)
    theirs = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.0).fit(X, y).transform(X)
    # unshrunk, both span the same plane; ours with a shrunk covariance stays near it
    for column in theirs.T:
        fit, *_ = np.linalg.lstsq(np.c_[ours, np.ones(len(X))], column, rcond=None)
        left = column - np.c_[ours, np.ones(len(X))] @ fit
        assert left.var() < 0.02 * column.var()


@pytest.fixture(scope="module")
def accuracies():
    """Target alone, beside noise, beside the source, beside it with permuted classes, one class."""
    found = []
    for seed in range(3):
        Xs, ys, T, few, truth = digits(seed)
        new, rng = few < 0, np.random.default_rng(seed)
        noise, turned = noise_source(ys, 64, rng=rng), rng.permutation(10)[ys]
        one = ys == 0
        given = ((None, None), (noise, ys), (Xs, ys), (Xs, turned), (Xs[one], ys[one]))
        model = HeterogeneousTransfer(random_state=seed)
        found.append([model.fit(T, few, *g).score(T[new], truth[new]) for g in given])
    names = ("alone", "noise", "source", "permuted", "one class")
    return dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))


def test_helps_across_feature_spaces_of_digits(accuracies):
    assert accuracies["source"] >= accuracies["alone"] + 0.03


def test_half_of_the_gain_is_there_beside_noise(accuracies):
    gain = accuracies["source"] - accuracies["alone"]
    assert accuracies["noise"] - accuracies["alone"] >= 0.5 * gain > 0


def test_a_source_of_one_class_gives_nothing(accuracies):
    assert accuracies["one class"] <= accuracies["alone"]


def test_permuting_the_classes_of_the_source_costs_more_than_the_study_found(accuracies):
    assert accuracies["permuted"] < accuracies["source"] - 0.02


def test_with_many_labels_nothing_is_left_to_gain():
    Xs, ys, T, few, truth = digits(0, shots=30)
    new = few < 0
    scores = [
        HeterogeneousTransfer().fit(T, few, *given).score(T[new], truth[new])
        for given in ((None, None), (Xs, ys))
    ]
    assert scores[1] - scores[0] < 0.02


def test_the_control_is_a_table_of_three_and_says_when_noise_does_as_well():
    X, few, _, ys, y = blobs()
    new = few < 0
    model = HeterogeneousTransfer(steps=30)
    noise = noise_source(ys, 6, rng=np.random.default_rng(5))
    found = model.control(X, few, noise, ys, X_test=X[new], y_test=y[new], repeats=3)
    assert [r.source for r in found.rows] == ["target only", "noise", "source"]
    assert [f.code for f in found.findings] == ["A411"]
    assert str(found).count("\n") == 3
    assert not hasattr(model, "net_")  # the model itself is not fitted
    scores = np.array([[0.5, 0.6, 0.7], [0.52, 0.61, 0.71], [0.48, 0.59, 0.69]])
    clear = Control.of(scores)
    assert_allclose(clear.noise_share, 0.5)
    assert clear.findings == ()
    assert np.isnan(Control.of(scores[:, ::-1]).noise_share)


def test_noise_has_a_mean_for_each_class_and_nothing_else():
    y = np.repeat(["a", "b"], 4000)
    rows = noise_source(y, 3, rng=np.random.default_rng(0))
    for name in ("a", "b"):
        assert_allclose(np.cov(rows[y == name].T), np.eye(3), atol=0.1)
    assert np.linalg.norm(rows[y == "a"].mean(axis=0) - rows[y == "b"].mean(axis=0)) > 0.5


def test_neither_row_order_nor_batches_nor_masked_truth_matter():
    X, few, Xs, ys, _ = blobs()
    one = HeterogeneousTransfer(steps=50).fit(X, few, Xs, ys)
    a, b = np.random.default_rng(0).permutation(len(X)), np.random.default_rng(1).permutation(120)
    for array in (X, few, Xs, ys):
        array.flags.writeable = False
    two = HeterogeneousTransfer(steps=50).fit(X[a], few[a], Xs[b], ys[b])
    assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    masked = np.where(few == -1, np.nan, few)
    assert_array_equal(
        HeterogeneousTransfer(steps=50).fit(X, masked, Xs, ys).predict_proba(X),
        one.predict_proba(X),
    )
    alone = np.vstack([one.predict_proba(X[[i]]) for i in range(5)])
    assert_allclose(alone, one.predict_proba(X)[:5], atol=1e-12)


def test_labels_may_be_words():
    X, few, Xs, ys, _ = blobs()
    words = np.array(["cat", "dog", "eel", None], dtype=object)
    named = HeterogeneousTransfer(steps=50).fit(X, words[few], Xs, words[ys])
    plain = HeterogeneousTransfer(steps=50).fit(X, few, Xs, ys)
    assert_array_equal(named.predict(X) == "dog", plain.predict(X) == 1)


def test_separation_is_the_dial_of_the_source():
    X, few, _, ys, _ = blobs()
    rows = np.random.default_rng(0).normal(size=(len(ys), 6))
    found = [
        HeterogeneousTransfer(steps=1).fit(X, few, rows + gap * np.eye(3, 6)[ys], ys).separation_
        for gap in (0.0, 1.0, 4.0)
    ]
    assert found == sorted(found)
    assert np.isnan(HeterogeneousTransfer(steps=1).fit(X, few).separation_)


MINUS_ONE = {"check_classifiers_classes": "-1 stands for unlabelled, as in LabelPropagation"}


def test_scikit_learn_accepts_it_without_a_source():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks that are skipped
        found = check_estimator(
            HeterogeneousTransfer(steps=100), on_fail=None, expected_failed_checks=MINUS_ONE
        )
    assert {c["check_name"] for c in found if c["status"] == "xfail"} == set(MINUS_ONE)
    failed = {c["check_name"]: c["exception"] for c in found if c["status"] == "failed"}
    assert not failed


def wrong(**change):
    X, few, Xs, ys, _ = blobs()
    given = {"X": X, "y": few, "X_source": Xs, "y_source": ys} | change
    return HeterogeneousTransfer(steps=1).fit(**given)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": np.full(60, -1)}, "are of 0 class"),
        ({"y": np.r_[0, np.full(59, -1)]}, "only one class"),
        ({"y": np.r_[0, 1, np.full(58, -1)]}, "no labelled target row is of the source's class 2"),
        ({"y": np.zeros(5)}, r"the shape \(5,\)"),
        ({"y_source": None}, "every source row needs its label"),
        ({"y_source": np.zeros(5)}, "every source row needs its label"),
        ({"X_source": np.full((120, 6), np.nan)}, "X_source holds NaN"),
        ({"X": np.full((60, 4), np.inf)}, "X holds NaN or inf in column 0"),
        ({"y_source": np.full(120, np.nan)}, "every source row needs its label"),
    ],
)
def test_bad_input_is_one_sentence_with_a_cure(change, says):
    with pytest.raises(BadInput, match=says) as error:
        wrong(**change)
    assert error.value.cure


def test_parameters_out_of_range_are_refused():
    with pytest.raises(BadInput, match="mu -1"):
        HeterogeneousTransfer(mu=-1).fit([[0.0], [1.0]], [0, 1])
