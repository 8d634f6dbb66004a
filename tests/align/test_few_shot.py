from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from ecotone.align import FewShot, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def told(y, truth, domain, shots, rng):
    """Return y with the labels of `shots` target rows of each class."""
    y = y.copy()
    for c in np.unique(truth):
        at = rng.permutation(np.flatnonzero((domain < 0) & (truth == c)))[:shots]
        y[at] = truth[at]
    return y


def test_is_the_weighted_fit():
    made = made_shift("affine", n=100)
    y = told(made.y, made.truth, made.sample_domain, 2, np.random.default_rng(0))
    fitted = FewShot(weights=(0.1,)).fit(made.X, y, made.sample_domain)
    at = y >= 0
    w = np.where(made.sample_domain[at] > 0, 0.1, 1.0)
    plain = LogisticRegression(max_iter=1000).fit(
        made.X[at], y[at], sample_weight=w * at.sum() / w.sum()
    )
    assert_allclose(fitted.predict_proba(made.X), plain.predict_proba(made.X), atol=1e-4)
    assert fitted.losses_.shape == (1, 6)


def test_losses_are_those_of_leaving_rows_out():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(40, 2)), np.r_[np.full(34, 1), np.full(6, -2)]
    y = X @ [1.0, 2.0] + np.where(domain < 0, 3.0, 0.0)
    fitted = FewShot(Ridge(), weights=(1.0, 0.01)).fit(X, y, domain)
    by_hand = []
    for lam in (1.0, 0.01):
        for i in range(34, 40):
            kept = np.arange(40) != i
            w = np.where(domain[kept] > 0, lam, 1.0)
            line = Ridge().fit(X[kept], y[kept], sample_weight=w * 39 / w.sum())
            by_hand.append((line.predict(X[i : i + 1])[0] - y[i]) ** 2)
    assert_allclose(np.sort(fitted.losses_.ravel()), np.sort(by_hand), rtol=1e-8)
    assert fitted.source_weight_ == 0.01


def turned(angle, seed, n=400):
    """Return digits, and other digits turned by an angle."""
    rows, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(rows))[: 2 * n]
    X, truth = rows[order] / 16, truth[order]
    images = X[n:].reshape(-1, 8, 8)
    X[n:] = rotate(images, angle, axes=(1, 2), reshape=False, order=1).reshape(n, 64)
    return X, truth, np.repeat([1, -2], n)


def gains(angle, shots, draws):
    out = []
    X, truth, domain = turned(angle, 0)
    plain = SourceOnly().fit(X, truth, domain)
    for draw in range(draws):
        y = told(np.where(domain > 0, truth, -1), truth, domain, shots, np.random.default_rng(draw))
        fitted = FewShot(folds=5).fit(X, y, domain)
        rest = y < 0
        out.append(fitted.score(X[rest], truth[rest]) - plain.score(X[rest], truth[rest]))
    return np.array(out)


def test_three_labels_a_class_help_on_turned_digits():
    gain = gains(30, 3, 5)
    assert gain.mean() >= 0.08
    assert gain.std(ddof=1) < 0.04


def test_one_label_a_class_is_worth_less():
    one, three = gains(30, 1, 5), gains(30, 3, 2)
    assert one.mean() < 0.7 * three.mean()


def test_no_shift_no_gain():
    assert abs(gains(0, 3, 3).mean()) < 0.01


def test_follows_swapped_labels():
    made = made_shift("concept", n=200, size=1.0)
    y = told(made.y, made.truth, made.sample_domain, 5, np.random.default_rng(0))
    rest = (made.sample_domain < 0) & (y < 0)
    ours = FewShot().fit(made.X, y, made.sample_domain)
    plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
    gain = ours.score(made.X[rest], made.truth[rest]) - plain.score(made.X[rest], made.truth[rest])
    assert gain >= 0.2
    assert ours.source_weight_ < 0.1


def test_unlabelled_target_rows_are_not_used():
    made = made_shift("affine", n=80)
    y = told(made.y, made.truth, made.sample_domain, 2, np.random.default_rng(0))
    kept = y >= 0
    one = FewShot().fit(made.X, y, made.sample_domain)
    two = FewShot().fit(made.X[kept], y[kept], made.sample_domain[kept])
    assert_array_equal(one.predict(made.X), two.predict(made.X))


def test_other_estimators_and_bad_input():
    made = made_shift("affine", n=60)
    y = told(made.y, made.truth, made.sample_domain, 2, np.random.default_rng(0))
    margin = FewShot(LinearSVC()).fit(made.X, y, made.sample_domain)
    assert set(np.unique(margin.losses_)) <= {0.0, 1.0}
    with pytest.raises(BadInput, match="takes no sample_weight"):
        FewShot(KNeighborsClassifier()).fit(made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match="no target row has a label") as error:
        FewShot().fit(made.X, made.y, made.sample_domain)
    assert "SelfTraining" in error.value.cure
    with pytest.raises(BadInput, match="weights are"):
        FewShot(weights=(0.0,)).fit(made.X, y, made.sample_domain)
