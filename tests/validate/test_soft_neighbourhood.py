from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import CORAL, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.seeds import stream
from ecotone.data.shifts import made_shift
from ecotone.validate import scorer
from ecotone.validate.soft_neighbourhood import density, soft_neighbourhood

SCORE = scorer("soft_neighbourhood")
BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    KNeighborsClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


def test_rows_that_are_all_alike_have_log_of_the_others():
    assert_allclose(density(np.tile([0.2, 0.3, 0.5], (40, 1))), np.log(39))


def test_two_tight_groups_have_log_of_the_others_in_a_group():
    assert_allclose(density(np.repeat(np.eye(2), 20, axis=0)), np.log(19), atol=1e-6)


def test_three_rows_by_hand():
    # two alike, one at a right angle: similarities 1/t and 0 for the two, 0 and 0 for the third
    q = np.array([np.exp(2.0), 1.0]) / (np.exp(2.0) + 1)
    want = (2 * -(q * np.log(q)).sum() + np.log(2)) / 3
    assert_allclose(density(np.array([[1.0, 0], [1, 0], [0, 1]]), temperature=0.5), want)


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


def test_ranks_strengths_of_one_method_where_groups_are_torn_apart():
    assert rank_correlation(parts, "label", 0.6) > 0.8


def many():
    return [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]


def test_upside_down_across_methods():
    assert rank_correlation(many, "location_scale") < -0.3
    assert rank_correlation(parts, "location_scale") < -0.8


class Collapsed(SourceOnly):
    """Right on the source; every target row is pressed into the first class."""

    def _features(self, X, source):
        return np.where(source[:, None], X, 5.0)


class Nothing(SourceOnly):
    """Answer that every class is as likely as another."""

    def _proba(self, Z):
        return np.full((len(Z), 3), 1 / 3)


def test_rewards_collapse_with_the_highest_score_there_is():
    made = made_shift("affine", n=300, size=0.7)
    score, accuracy = judged([Collapsed(), Nothing(), CORAL(), SourceOnly()], made)
    n = (made.sample_domain[np.random.default_rng(0).random(len(made.y)) >= 0.5] < 0).sum()
    assert_allclose(score[:2], np.log(n - 1))
    assert score[2:].max() < score[0]
    assert accuracy[0] < 0.4 < 0.7 < accuracy[2]


def test_more_rows_than_wanted_are_drawn_from():
    made = made_shift("none", n=200)
    model = SourceOnly().fit(made.X, made.y, made.sample_domain)
    told = (model, made.X, made.y, made.sample_domain)
    small = soft_neighbourhood(*told, rng=stream(0, "snd"), rows=50)
    assert small == soft_neighbourhood(*told, rng=stream(0, "snd"), rows=50) < np.log(49)
    assert soft_neighbourhood(*told, rng=stream(0, "snd")) > small


def test_what_makes_no_sense_is_refused():
    made = made_shift("none", n=60)
    y, domain = made.truth.astype(float) + 0.5, made.sample_domain
    with pytest.raises(BadInput, match="importance_weighted"):
        SCORE(SourceOnly(Ridge()).fit(made.X, y, domain), made.X, y, domain)
    model, rng = SourceOnly().fit(made.X, made.y, domain), np.random.default_rng(0)
    with pytest.raises(BadInput, match=r"0\.05"):
        soft_neighbourhood(model, made.X, made.y, domain, rng=rng, temperature=0.0)
    few = np.r_[np.flatnonzero(domain > 0), np.flatnonzero(domain < 0)[:2]]
    with pytest.raises(TooFewRows, match="3 target rows"):
        SCORE(model, made.X[few], made.y[few], domain[few])
