from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import CORAL, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift
from ecotone.validate import scorer
from ecotone.validate.prediction_entropy import logits, prediction_entropy, temperature

SCORE = scorer("prediction_entropy")
BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    KNeighborsClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


class Says(ClassifierMixin, BaseEstimator):
    """A fitted model that answers what it is told."""

    def __init__(self, p):
        self.p = np.asarray(p)
        self.classes_ = np.arange(self.p.shape[1])

    def predict_proba(self, X, sample_domain=None):
        return self.p


def says(p, y, domain, **knobs):
    X, rng = np.zeros((len(y), 1)), np.random.default_rng(0)
    return prediction_entropy(Says(p), X, np.asarray(y), np.asarray(domain), rng=rng, **knobs)


def test_uniform_is_worst_and_one_hot_best():
    y, domain = [0, 1, 2, -1, -1, -1], [1, 1, 1, -2, -2, -2]
    assert_allclose(says(np.full((6, 3), 1 / 3), y, domain), -1)
    assert_allclose(says(np.full((6, 3), 1 / 3), y, domain, calibration="none"), -1)
    assert says(np.tile(np.eye(3), (2, 1)), y, domain, calibration="none") == 0


def test_one_hot_answers_are_believed_as_far_as_they_are_right():
    # 8 of 10 source rows are right, and one more row is half right: (8 + 1/2) / 11
    p, domain = np.eye(2)[np.repeat([0, 1], 7)], np.tile(np.repeat([1, -2], [5, 2]), 2)
    y = [0, 0, 0, 0, 1, -1, -1, 1, 1, 1, 1, 0, -1, -1]
    sure = (8 + 0.5) / 11
    want = (sure * np.log(sure) + (1 - sure) * np.log(1 - sure)) / np.log(2)
    assert_allclose(says(p, y, domain), want, atol=1e-7)


def test_the_temperature_that_made_the_labels_is_found_again():
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=(20_000, 3))
    code = (softmax(z / 2.5, axis=1).cumsum(axis=1) < rng.random((len(z), 1))).sum(axis=1)
    assert_allclose(temperature(z, code), 2.5, rtol=0.03)
    assert_allclose(temperature(10 * z, code), 10 * temperature(z, code), rtol=1e-6)


def test_an_exact_zero_counts_as_little():
    assert_allclose(
        logits(np.array([[1.0, 0.0], [1.0, 1e-200]])).min(axis=1), np.log([1e-12, 1e-200])
    )


class Loud(SourceOnly):
    """Logits times 10."""

    def _proba(self, Z):
        return softmax(10 * np.log(super()._proba(Z)), axis=1)


def judged(models, made, seed=0, **knobs):
    """Return scores and true target accuracies of models fitted on half of the rows."""
    half, rng = np.random.default_rng(seed).random(len(made.y)) < 0.5, np.random.default_rng(0)
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    at, out = rest[2] < 0, []
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        value = prediction_entropy(model, *rest, rng=rng, **knobs)
        out.append((value, model.score(rest[0][at], made.truth[~half][at])))
    return np.array(out).T


def test_shouting_moves_a_model_up_only_without_calibration():
    made = made_shift("affine", n=300, size=0.7)
    models = [CORAL(), PerDomainScaler(), SourceOnly(LogisticRegression(C=0.003)), SourceOnly()]
    loud = [*models[:2], Loud(LogisticRegression(C=0.003)), models[3]]
    calm, shouted = judged(models, made)[0], judged(loud, made)[0]
    assert_allclose(shouted, calm, atol=1e-5)
    calm, shouted = (judged(m, made, calibration="none")[0] for m in (models, loud))
    assert calm[2] == calm.min()
    assert shouted[2] > shouted[0]  # above CORAL now


def rank_correlation(kind, size, **knobs):
    found = []
    for seed in range(4):
        models = [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]
        found.append(judged(models, made_shift(kind, n=300, size=size, seed=seed), seed, **knobs))
    return np.mean([spearmanr(*f).statistic for f in found])


def test_ranks_models_under_a_linear_shift_only_when_calibrated():
    assert rank_correlation("affine", 0.7) > 0.3
    assert rank_correlation("affine", 0.7, calibration="none") < 0


def test_ranks_models_under_a_rotation():
    assert rank_correlation("rotation", 1.0) > 0.5


class Collapsed(SourceOnly):
    """Right on the source; every target row is pressed into the first class, for sure."""

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        self.point_ = 50 * self.estimator_.coef_[:1]

    def _features(self, X, source):
        return np.where(source[:, None], X, self.point_)


def test_blind_to_a_collapse_of_the_target():
    made = made_shift("affine", n=300, size=0.7)
    score, accuracy = judged([Collapsed(), CORAL(), SourceOnly()], made)
    assert score[0] == score.max() > -0.001
    assert accuracy[0] < 0.4 < 0.7 < accuracy[1]


def test_a_collapse_of_both_sides_is_found_out():
    y, domain = np.repeat([0, 1, 2, -1], [20, 20, 20, 30]), np.repeat([1, -2], [60, 30])
    p = np.tile([1 - 2e-9, 1e-9, 1e-9], (90, 1))
    assert says(p, y, domain, calibration="none") > -1e-6
    assert says(p, y, domain) < -0.99


class Part(SourceOnly):
    """Move target rows a share of the way to the source's mean and spread."""

    def __init__(self, share=1.0):
        super().__init__()
        self.share = share

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        at = sample_domain > 0
        scale = X[at].std(axis=0) / X[~at].std(axis=0)
        self.line_ = scale, X[at].mean(axis=0) - scale * X[~at].mean(axis=0)

    def _features(self, X, source):
        moved = X + self.share * (X * self.line_[0] + self.line_[1] - X)
        return np.where(source[:, None], X, moved)


def test_blind_to_rows_that_moved_far_away():
    found = []
    for seed in range(4):
        made = made_shift("location_scale", n=300, seed=seed)
        found.append(judged([Part(s) for s in np.linspace(-0.5, 1, 8)], made, seed))
    assert np.mean([spearmanr(*f).statistic for f in found]) < -0.5  # upside down


def test_regressors_and_models_without_probabilities_are_refused():
    made = made_shift("none", n=60)
    y = made.truth.astype(float) + 0.5
    for base, labels, cure in ((Ridge(), y, "importance"), (LinearSVC(), made.y, "Calibrated")):
        model = SourceOnly(base).fit(made.X, labels, made.sample_domain)
        with pytest.raises(BadInput, match=cure):
            SCORE(model, made.X, labels, made.sample_domain)
    model = SourceOnly().fit(made.X, made.y, made.sample_domain)
    with pytest.raises(BadInput, match="temperature"):
        judged([model], made, calibration="isotonic")
