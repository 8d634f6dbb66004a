from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import CORAL, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.data.shifts import made_shift
from ecotone.validate import scorer
from ecotone.validate.deep_embedded import controlled_risk, deep_embedded, density_ratio

SCORE = scorer("deep_embedded")
BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    KNeighborsClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


def test_equal_weights_leave_the_weighted_risk_as_it_is():
    losses = np.random.default_rng(0).random(30)
    assert_allclose(controlled_risk(losses, np.ones(30)), losses.mean())
    assert_allclose(controlled_risk(losses, np.full(30, 0.8)), 0.8 * losses.mean())


def test_a_hand_example():
    # w l = 0, 2, 0, 1: mean .75, and its covariance with w (mean 1.25, variance .1875) is .3125
    w, losses = np.array([1.0, 2.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert_allclose(controlled_risk(losses, w), 0.75 - 0.3125 / 0.1875 * 0.25)


def test_with_exact_weights_it_is_unbiased_and_varies_less():
    # source N(0, 1), target N(.7, 1), loss (x - 1)^2: the target's risk is 1 + .3^2
    rng, plain, ours = np.random.default_rng(0), [], []
    for _ in range(500):
        x = rng.normal(size=2000)
        w, losses = np.exp(0.7 * x - 0.245), (x - 1) ** 2
        plain.append((w * losses).mean())
        ours.append(controlled_risk(losses, w))
    assert abs(np.mean(ours) - 1.09) < 2.5 * np.std(ours) / np.sqrt(500)
    assert np.var(ours) < 0.8 * np.var(plain)


def test_the_ratio_has_the_direction_and_size_of_the_true_one():
    rng, domain = np.random.default_rng(0), np.repeat([1, -2], [4000, 1000])
    X = rng.normal(size=(5000, 1)) + 0.8 * (domain[:, None] < 0)
    model = SourceOnly().fit(X, np.where(domain > 0, X[:, 0] > 0, -1), domain)
    ratio, true = density_ratio(model, X, domain, rng), np.exp(0.8 * X[domain > 0, 0] - 0.32)
    assert np.corrcoef(ratio, true)[0, 1] > 0.99
    assert_allclose(ratio.mean(), 1, atol=0.1)


def judged(models, made, seed=0, **knobs):
    """Return scores and true target accuracies of models fitted on half of the rows."""
    half, out = np.random.default_rng(seed).random(len(made.y)) < 0.5, []
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    at = rest[2] < 0
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        value = deep_embedded(model, *rest, rng=stream(0, "dev"), **knobs)
        out.append((value, model.score(rest[0][at], made.truth[~half][at])))
    return np.array(out).T


def test_ranks_models_under_a_rotation():
    found = []
    for seed in range(4):
        models = [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]
        found.append(judged(models, made_shift("rotation", n=300, seed=seed), seed))
    assert np.mean([spearmanr(*f).statistic for f in found]) > 0.4


class Line(SourceOnly):
    """A straight line through the rows near one point."""

    def __init__(self, centre=0.0):
        super().__init__(LinearRegression())
        self.centre = centre

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, np.exp(-2 * (X[:, 0] - self.centre) ** 2))


def test_ranks_straight_lines_by_where_the_target_lies():
    """The truth is a curve: which line is good depends on where one looks."""
    ours, plain = [], []
    for seed in range(4):
        rng, domain = np.random.default_rng(seed), np.repeat([1, -2], 400)
        x = np.where(domain > 0, rng.normal(0, 1, 800), rng.normal(0.8, 1, 800))
        truth = np.sin(2 * x) + 0.2 * rng.normal(size=800)
        X, y, half = x[:, None], np.where(domain > 0, truth, np.nan), np.arange(800) % 2 == 0
        rows = []
        for centre in np.linspace(-1.5, 1.5, 10):
            model = Line(centre).fit(X[half], y[half], domain[half])
            error = (model.predict(X) - truth) ** 2
            score = SCORE(model, X[~half], y[~half], domain[~half])
            at_source, at_target = ~half & (domain > 0), ~half & (domain < 0)
            rows.append((score, -error[at_source].mean(), -error[at_target].mean()))
        rows = np.array(rows).T
        ours.append(spearmanr(rows[0], rows[2]).statistic)
        plain.append(spearmanr(rows[1], rows[2]).statistic)
    assert np.mean(ours) > 0.8
    assert np.mean(ours) > np.mean(plain) + 0.2


class Scrambled(SourceOnly):
    """Give every target row the features of some source row: both sides look alike."""

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        self.pool_ = X[sample_domain > 0]

    def _features(self, X, source):
        at = np.abs(np.floor(1e6 * X[:, 0])).astype(np.int64) % len(self.pool_)
        return np.where(source[:, None], X, self.pool_[at])


def test_blind_to_features_in_which_classes_were_mixed():
    made = made_shift("affine", n=600, size=0.7)
    score, accuracy = judged([Scrambled(), CORAL()], made)
    assert score[0] > score[1] - 0.02
    assert accuracy[0] < 0.4 < 0.7 < accuracy[1]


class Constant(SourceOnly):
    """Features that are the same for every row."""

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(np.zeros_like(X), y, sample_domain, weight)

    def _features(self, X, source):
        return np.zeros_like(X)


class Loud(CORAL):
    """CORAL with logits times 20."""

    def _proba(self, Z):
        return softmax(20 * np.log(super()._proba(Z)), axis=1)


def test_log_loss_prefers_constant_features_to_a_right_model_that_shouts():
    made = made_shift("affine", n=600, size=0.7)
    score, accuracy = judged([Constant(), Loud()], made, loss="log")
    assert_allclose(score[0], -np.log(3), atol=0.03)
    assert score[0] > score[1] + 0.5
    assert accuracy[0] < 0.4 < 0.7 < accuracy[1]
    score, _ = judged([Constant(), Loud()], made)
    assert score[0] < score[1] - 0.3  # the error rate does not hear the shouting


def test_constant_features_have_equal_weights_and_the_plain_source_error():
    domain, y = np.tile([1, -2], 90), np.repeat([0, 1, 2], 60)
    X, y = np.zeros((180, 2)), np.where(domain > 0, y, -1)
    model = Constant().fit(X, y, domain)
    assert_allclose(SCORE(model, X, y, domain), -2 / 3, atol=1e-6)


@pytest.mark.parametrize("apart", [2.0, 8.0, 50.0])
def test_sides_that_do_not_overlap_give_no_verdict(apart):
    made = made_shift("none", n=200)
    X = made.X + np.where(made.sample_domain[:, None] < 0, apart, 0.0)
    model = SourceOnly().fit(X, made.y, made.sample_domain)
    assert np.isnan(SCORE(model, X, made.y, made.sample_domain))


def test_a_loss_nobody_knows_is_refused():
    made = made_shift("none", n=60)
    with pytest.raises(BadInput, match="log"):
        judged([SourceOnly()], made, loss="hinge")
