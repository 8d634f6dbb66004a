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
from ecotone.validate.mano import mano, normalised

SCORE = scorer("mano")
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


def says(p, **knobs):
    n = len(p)
    X, y, domain = np.zeros((n, 1)), np.full(n, -1), np.full(n, -2)
    return mano(Says(p), X, y, domain, rng=np.random.default_rng(0), **knobs)


def test_uniform_is_worst_and_one_hot_best():
    assert_allclose(says(np.full((5, 3), 1 / 3)), 1 / 3)
    assert_allclose(says(np.full((5, 3), 1 / 3), threshold=0), 1 / 3)
    assert_allclose(says(np.eye(3)), 3 ** (-1 / 4))
    assert_allclose(says(np.eye(3), power=2), 3 ** (-1 / 2))
    between = [says(softmax(s * np.eye(3), axis=1), threshold=0) for s in (0, 1, 2, 4, 8)]
    assert between == sorted(between)


def test_the_expansion_by_hand():
    # logits 1, -1, 0: 1 + z + z^2 / 2 is 2.5, .5 and 1, together 4
    z = np.array([[1.0, -1.0, 0.0]])
    assert_allclose(normalised(z), [[0.625, 0.125, 0.25]])
    assert_allclose(normalised(z + 7), [[0.625, 0.125, 0.25]])
    assert_allclose(normalised(z, threshold=0), softmax(z, axis=1))
    want = ((0.625**4 + 0.125**4 + 0.25**4) / 3) ** 0.25
    assert_allclose(says(softmax(z, axis=1)), want)


def test_the_threshold_decides_which():
    z = np.array([[12.0, -12.0]])  # minus the mean log of its softmax is 12
    assert_allclose(normalised(z), softmax(z, axis=1))
    assert normalised(z, threshold=np.inf)[0, 0] < 0.6


def judged(models, made, seed=0, **knobs):
    """Return scores and true target accuracies of models fitted on half of the rows."""
    half, out = np.random.default_rng(seed).random(len(made.y)) < 0.5, []
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    at, rng = rest[2] < 0, np.random.default_rng(0)
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        value = mano(model, *rest, rng=rng, **knobs)
        out.append((value, model.score(rest[0][at], made.truth[~half][at])))
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
    assert rank_correlation(parts, "subspace") > 0.6
    assert rank_correlation(parts, "label", 0.6) > 0.8


def test_upside_down_where_models_differ_in_how_loud_they_are():
    assert rank_correlation(many, "affine", 0.7) < -0.3


class Collapsed(SourceOnly):
    """Right on the source; every target row is pressed into the first class, for sure."""

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        self.point_ = 50 * self.estimator_.coef_[:1]

    def _features(self, X, source):
        return np.where(source[:, None], X, self.point_)


def test_rewards_collapse_with_the_highest_score_there_is():
    made = made_shift("affine", n=300, size=0.7)
    score, accuracy = judged([Collapsed(), CORAL(), SourceOnly()], made)
    assert_allclose(score[0], 3 ** (-1 / 4), rtol=1e-6)
    assert score[0] > score[1:].max() + 0.1
    assert accuracy[0] < 0.4 < 0.7 < accuracy[1]


def test_below_the_threshold_a_surer_model_may_score_less():
    calm, sure = (np.array([[s, -s], [-s, s]]) for s in (1.0, 4.0))
    assert says(softmax(sure, axis=1)) < says(softmax(calm, axis=1)) - 0.05
    assert says(softmax(sure, axis=1), threshold=0) > says(softmax(calm, axis=1), threshold=0)


def test_what_makes_no_sense_is_refused():
    made = made_shift("none", n=60)
    y = made.truth.astype(float) + 0.5
    model = SourceOnly(Ridge()).fit(made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match="importance_weighted"):
        SCORE(model, made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match=r"power=4\.0"):
        says(np.eye(2), power=1.0)
