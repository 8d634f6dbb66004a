from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm, spearmanr
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import CORAL, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.seeds import stream
from ecotone.data.shifts import made_shift
from ecotone.validate.agreement_line import agreement_line, on_the_line

BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


def test_agreements_on_a_line_take_the_accuracy_along_it():
    here = np.array([0.6, 0.7, 0.85, 0.95])
    there = norm.cdf(0.5 * norm.ppf(here) - 0.3)
    assert_allclose(on_the_line(here, there, 0.8), norm.cdf(0.5 * norm.ppf(0.8) - 0.3))
    assert_allclose(on_the_line(here, here, 0.8), 0.8)


def test_full_agreement_is_kept_half_a_row_from_certain():
    here = np.array([0.7, 0.8, 0.9])
    assert_allclose(on_the_line(here, np.ones(3), 0.8, rows=50), 0.99)


def test_agreements_that_are_all_equal_give_no_verdict():
    assert np.isnan(on_the_line(np.full(3, 0.8), np.array([0.5, 0.6, 0.7]), 0.8))


def judged(models, made, seed=0, **knobs):
    """Return scores, true target accuracies and source accuracies of models fitted on half."""
    half, out = np.random.default_rng(seed).random(len(made.y)) < 0.5, []
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        value = agreement_line(model, *rest, rng=stream(0, "line"), **knobs)
        right = model.predict(rest[0], sample_domain=rest[2]) == made.truth[~half]
        out.append((value, right[rest[2] < 0].mean(), right[rest[2] > 0].mean()))
    return np.array(out).T


def test_at_home_it_is_near_the_plain_accuracy():
    score, _, here = judged([SourceOnly(), CORAL()], made_shift("none", n=1500))
    assert np.abs(score - here).max() < 0.03


@pytest.mark.parametrize(("kind", "size"), [("location_scale", 1.0), ("label", 0.6)])
def test_ranks_models_better_than_their_source_accuracy(kind, size):
    ours, plain = [], []
    for seed in range(2):
        models = [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]
        score, there, here = judged(models, made_shift(kind, n=800, size=size, seed=seed), seed)
        ours.append(spearmanr(score, there).statistic)
        plain.append(spearmanr(here, there).statistic)
    assert np.mean(ours) > 0.45
    assert np.mean(ours) > np.mean(plain) + 0.1


class Collapsed(SourceOnly):
    """Right on the source; every target row is pressed into one class, and in each refit."""

    def _features(self, X, source):
        return np.where(source[:, None], X, [[50.0, 0, 0, 0, 0]])


def test_takes_a_collapse_that_every_refit_shares_for_a_perfect_model():
    score, there, _ = judged([Collapsed(), CORAL()], made_shift("affine", n=600, size=0.7))
    assert score[0] > 0.99 > score[1]
    assert there[0] < 0.4 < 0.7 < there[1]


def test_blind_to_a_changed_concept():
    score, there, here = judged([SourceOnly()], made_shift("concept", n=600))
    assert there[0] < 0.45
    assert abs(score[0] - here[0]) < 0.08


def test_a_model_that_always_says_the_same_gets_no_verdict():
    made = made_shift("none", n=120)
    score, _, _ = judged([SourceOnly(DummyClassifier(strategy="constant", constant=0))], made)
    assert np.isnan(score[0])


def test_what_makes_no_sense_is_refused():
    made = made_shift("none", n=60)
    y, domain = made.truth.astype(float) + 0.5, made.sample_domain
    with pytest.raises(BadInput, match="importance_weighted"):
        agreement_line(SourceOnly(Ridge()).fit(made.X, y, domain), made.X, y, domain, rng=stream(0))
    with pytest.raises(BadInput, match="refits=6"):
        judged([SourceOnly()], made, refits=1)
    model = SourceOnly().fit(made.X, made.y, domain)
    few = np.r_[np.flatnonzero(domain > 0), np.flatnonzero(domain < 0)[:3]]
    with pytest.raises(TooFewRows, match="4 rows or more"):
        agreement_line(model, made.X[few], made.y[few], domain[few], rng=stream(0))
