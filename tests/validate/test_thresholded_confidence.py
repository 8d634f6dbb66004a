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
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import CORAL, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift
from ecotone.validate import scorer
from ecotone.validate.thresholded_confidence import share_above, thresholded_confidence

SCORE = scorer("thresholded_confidence")
BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    KNeighborsClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


class Says(ClassifierMixin, BaseEstimator):
    """A fitted model of two classes: with which probability the second one."""

    def __init__(self, p):
        self.p = np.asarray(p)
        self.classes_ = np.array(["no", "yes"])

    def predict_proba(self, X, sample_domain=None):
        return np.column_stack([1 - self.p, self.p])


def says(p, y, n_target, **knobs):
    domain, rng = np.repeat([1, -2], [len(p) - n_target, n_target]), np.random.default_rng(0)
    return thresholded_confidence(Says(p), np.zeros((len(p), 1)), y, domain, rng=rng, **knobs)


@pytest.mark.parametrize("confidence", ["entropy", "largest"])
def test_a_hand_example(confidence):
    # source: confidences .9 .8 .7 .6, three of four right, so that the threshold is .7
    y = np.array(["yes", "no", "yes", "no", None, None, None, None, None], dtype=object)
    p = np.array([0.9, 0.2, 0.7, 0.6, 0.95, 0.71, 0.69, 0.5, 0.28])
    # target: .95, .71 and 1 - .28 lie above
    assert_allclose(says(p, y, 5, confidence=confidence), 3 / 5)


def test_on_the_source_itself_it_is_the_source_accuracy():
    rng = np.random.default_rng(0)
    for sure in (rng.random(50), rng.integers(3, size=50) / 2, np.ones(50)):
        right = rng.random(50) < 0.7
        assert_allclose(share_above(sure, right, sure), right.mean())


def test_nothing_right_and_all_right():
    sure, far = np.array([0.6, 0.7, 0.8]), np.array([0.5, 0.65])
    assert share_above(sure, np.zeros(3, dtype=bool), far) == 0
    assert share_above(sure, np.ones(3, dtype=bool), far) == 0.5


def judged(models, made, seed=0):
    """Return scores and true target accuracies of models fitted on half of the rows."""
    half, out = np.random.default_rng(seed).random(len(made.y)) < 0.5, []
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    at = rest[2] < 0
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        out.append((SCORE(model, *rest), model.score(rest[0][at], made.truth[~half][at])))
    return np.array(out).T


def rank_correlation(models, kind, size=1.0):
    found = [
        judged(models(), made_shift(kind, n=300, size=size, seed=seed), seed) for seed in range(4)
    ]
    return np.mean([spearmanr(*f).statistic for f in found])


def many():
    return [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]


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


def parts():
    return [Part(share) for share in np.linspace(-0.5, 1, 8)]


def test_ranks_models_under_a_rotation_and_strengths_of_one_elsewhere():
    assert rank_correlation(many, "rotation") > 0.5
    assert rank_correlation(parts, "subspace") > 0.5
    assert rank_correlation(parts, "label", 0.6) > 0.8


def test_upside_down_where_rows_moved_far_from_the_border():
    assert rank_correlation(parts, "location_scale") < -0.5


def test_estimates_the_accuracy_where_confidence_means_the_same():
    """Target rows nearer to the border, with the same p(y|x): harder, and it says how much."""
    errors, plain = [], []
    for seed in range(4):
        rng, domain = np.random.default_rng(seed), np.repeat([1, -2], 2000)
        X = rng.normal(size=(4000, 2)) * np.where(domain > 0, 2.0, 0.7)[:, None]
        truth = (rng.random(4000) < softmax([0 * X[:, 0], 2 * X[:, 0]], axis=0)[1]).astype(int)
        y, half = np.where(domain > 0, truth, -1), np.arange(4000) % 2 == 0
        model = SourceOnly().fit(X[half], y[half], domain[half])
        right, there = model.predict(X) == truth, domain < 0
        accuracy = right[there & ~half].mean()
        errors.append(abs(SCORE(model, X[~half], y[~half], domain[~half]) - accuracy))
        plain.append(abs(right[~there & ~half].mean() - accuracy))
    assert np.mean(errors) < 0.5 * np.mean(plain)


class Collapsed(SourceOnly):
    """Right on the source; every target row is pressed into the first class, for sure."""

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        self.point_ = 50 * self.estimator_.coef_[:1]

    def _features(self, X, source):
        return np.where(source[:, None], X, self.point_)


def test_takes_a_collapse_for_a_perfect_model():
    made = made_shift("affine", n=300, size=0.7)
    score, accuracy = judged([Collapsed(), CORAL()], made)
    assert score[0] == 1 > score[1]
    assert accuracy[0] < 0.4 < 0.7 < accuracy[1]


def test_blind_to_a_changed_concept():
    score, accuracy = judged([SourceOnly()], made_shift("concept", n=600))
    assert score[0] > 0.75 > 0.45 > accuracy[0]


def test_what_makes_no_sense_is_refused():
    made = made_shift("none", n=60)
    y = made.truth.astype(float) + 0.5
    model = SourceOnly(Ridge()).fit(made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match="importance_weighted"):
        SCORE(model, made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match="largest"):
        says([0.5, 0.5], np.array(["yes", None], dtype=object), 1, confidence="margin")
