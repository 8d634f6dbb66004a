from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
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
from ecotone.validate.information_max import information_max

SCORE = scorer("information_max")
BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    KNeighborsClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


class Says(ClassifierMixin, BaseEstimator):
    """A fitted model that answers what it is told, on six rows of which three are target rows."""

    def __init__(self, p):
        self.p = np.asarray(p)
        self.classes_ = np.arange(self.p.shape[1])

    def predict_proba(self, X, sample_domain=None):
        return self.p


def says(p, **knobs):
    y, domain = np.array([0, 1, 2, -1, -1, -1]), np.repeat([1, -2], 3)
    rng = np.random.default_rng(0)
    return information_max(Says(p), np.zeros((6, 1)), y, domain, rng=rng, **knobs)


def test_one_for_sure_and_even_answers_and_zero_for_those_that_ignore_the_row():
    assert_allclose(says(np.tile(np.eye(3), (2, 1)), calibration="none"), 1)
    assert_allclose(says(np.tile([1.0, 0, 0], (6, 1)), calibration="none"), 0, atol=1e-12)
    assert_allclose(says(np.tile([1.0, 0, 0], (6, 1))), 0, atol=1e-12)
    assert_allclose(says(np.full((6, 3), 1 / 3)), 0, atol=1e-12)
    assert_allclose(says(np.tile([0.7, 0.2, 0.1], (6, 1))), 0, atol=1e-12)


def test_a_hand_example():
    # target rows (1/2, 1/2) once and (1, 0) twice: H(5/6, 1/6) less a third of a bit
    p = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0.5, 0.5], [1, 0]])
    mean = np.array([5, 1]) / 6
    want = -(mean * np.log2(mean)).sum() - 1 / 3
    assert_allclose(says(p, calibration="none"), want)


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


@pytest.mark.parametrize("kind", ["location_scale", "rotation"])
def test_ranks_models_where_classes_are_even(kind):
    assert rank_correlation(many, kind) > 0.5


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


def test_ranks_partial_alignments_that_prediction_entropy_ranks_upside_down():
    assert rank_correlation(parts, "location_scale") > 0.9


def test_upside_down_where_the_target_is_mostly_of_one_class():
    assert rank_correlation(parts, "label", 0.6) < -0.5


class Collapsed(SourceOnly):
    """Right on the source; every target row is pressed into the first class, for sure."""

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        self.point_ = 50 * self.estimator_.coef_[:1]

    def _features(self, X, source):
        return np.where(source[:, None], X, self.point_)


class Swapped(CORAL):
    """CORAL with its first two classes swapped in the target."""

    def predict_proba(self, X, sample_domain=None):
        p = super().predict_proba(X, sample_domain)
        target = np.asarray(sample_domain) < 0 if sample_domain is not None else slice(None)
        p[target] = p[target][:, [1, 0, 2]]
        return p

    def _answer(self, Z):
        return np.array([1, 0, 2])[super()._answer(Z)]


def test_finds_a_collapse_and_is_blind_to_swapped_classes():
    made = made_shift("affine", n=300, size=0.7)
    score, accuracy = judged([Collapsed(), CORAL(), Swapped()], made)
    assert abs(score[0]) < 1e-9 < score[1]
    assert_allclose(score[2], score[1])
    assert accuracy[2] < 0.4 < 0.7 < accuracy[1]


def test_regressors_are_refused():
    made = made_shift("none", n=60)
    y = made.truth.astype(float) + 0.5
    model = SourceOnly(Ridge()).fit(made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match="importance_weighted"):
        SCORE(model, made.X, y, made.sample_domain)
