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
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.seeds import stream
from ecotone.data.shifts import made_shift
from ecotone.validate.mixval import mixval

BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    KNeighborsClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


class Above(ClassifierMixin, BaseEstimator):
    """A fitted model: is the first feature above a number?"""

    def __init__(self, border):
        self.border = border

    def predict(self, X, sample_domain=None):
        return (np.asarray(X)[:, 0] > self.border).astype(int)


def probe(border, x, **knobs):
    X = np.asarray(x, dtype=float)[:, None]
    y = np.full(len(X), -1)
    return mixval(Above(border), X, y, np.full(len(X), -2), rng=stream(0, "mixval"), **knobs)


def test_a_border_half_way_keeps_every_mixture_and_one_elsewhere_loses_one_side():
    x = np.repeat([0, 1], 10)
    assert probe(0.5, x) == 1
    # .55 of the upper row lies below the border, .55 of the lower one too: half are named wrongly
    assert probe(0.6, x, pairs="inter") == 0.5
    assert probe(0.6, x) == 0.75


def test_rows_left_unmixed_keep_their_class():
    assert probe(0.93, np.linspace(0, 1, 50), share=1.0) == 1


def test_a_constant_ranks_last_except_among_pairs_that_are_alike():
    x = np.linspace(0, 1, 30)
    assert probe(2.0, x, pairs="intra") == 1
    assert probe(2.0, x, pairs="inter") == probe(2.0, x) == 0


def test_no_row_is_its_own_partner():
    # two rows on different sides: every pair is of different classes
    assert probe(0.5, [0, 1], pairs="intra", rounds=20) == 0
    assert probe(0.5, [0, 1], pairs="inter", rounds=20) == 1


def judged(models, made, seed=0):
    """Return scores and true target accuracies of models fitted on half of the rows."""
    half, out = np.random.default_rng(seed).random(len(made.y)) < 0.5, []
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    at = rest[2] < 0
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        value = mixval(model, *rest, rng=stream(0, "mixval"))
        out.append((value, model.score(rest[0][at], made.truth[~half][at])))
    return np.array(out).T


def rank_correlation(kind):
    found = []
    for seed in range(2):
        models = [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]
        found.append(judged(models, made_shift(kind, n=1000, seed=seed), seed))
    return np.mean([spearmanr(*f).statistic for f in found])


@pytest.mark.parametrize("kind", ["location_scale", "subspace"])
def test_ranks_models_whose_classes_are_convex(kind):
    assert rank_correlation(kind) > 0.4


def test_upside_down_where_classes_are_curved():
    assert rank_correlation("rotation") < -0.4


class Swapped(CORAL):
    """CORAL with its first two classes swapped in the target."""

    def _answer(self, Z):
        return np.array([1, 0, 2])[super()._answer(Z)]


class Nearly(CORAL):
    """Nearly collapsed: one class but for the few rows that stick out most."""

    def _answer(self, Z):
        return (Z[:, 4] > 2.5).astype(np.int64)


def test_blind_to_swapped_classes_and_lenient_to_a_near_collapse():
    made = made_shift("affine", n=300, size=0.7)
    score, accuracy = judged([CORAL(), Swapped(), Nearly()], made)
    assert_allclose(score[1], score[0])
    assert score[2] > score[0] - 0.05
    assert accuracy[0] > 0.7 > 0.5 > accuracy[1:].max()


def test_what_makes_no_sense_is_refused():
    made = made_shift("none", n=60)
    y = made.truth.astype(float) + 0.5
    model = SourceOnly(Ridge()).fit(made.X, y, made.sample_domain)
    with pytest.raises(BadInput, match="importance_weighted"):
        mixval(model, made.X, y, made.sample_domain, rng=stream(0))
    for knobs in ({"share": 0.4}, {"pairs": "all"}, {"rounds": 0}):
        with pytest.raises(BadInput, match=next(iter(knobs))):
            probe(0.5, [0, 1], **knobs)
    with pytest.raises(TooFewRows, match="2 target rows"):
        probe(0.5, [0])
