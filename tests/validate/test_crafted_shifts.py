from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from ecotone.align import CORAL, PerDomainScaler, SourceOnly
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.seeds import stream
from ecotone.data.shifts import made_shift
from ecotone.validate.crafted_shifts import FAMILIES, craft, crafted_shifts
from ecotone.validate.splits import fold_of

BASES = (
    LogisticRegression(C=0.01),
    LogisticRegression(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


def rows(n=500, d=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.integers(3, size=n)


def test_each_family_does_what_its_name_says():
    Z, y = rows()
    made = {f: craft(f, Z, y, stream(0, f)) for f in FAMILIES}
    assert all(np.array_equal(made[f][1], y) for f in set(FAMILIES) - {"prior"})
    assert_allclose(np.ptp(made["scale"][0] / Z, axis=0), 0, atol=1e-9)
    assert_allclose(np.ptp(made["offset"][0] - Z, axis=0), 0, atol=1e-9)
    noise = made["noise"][0] - Z
    assert_allclose(noise.std(axis=0), noise.std(), rtol=0.1)
    assert 0.25 < noise.std() < 1.1
    matrix = np.linalg.lstsq(Z, made["mixing"][0], rcond=None)[0]
    assert_allclose(Z @ matrix, made["mixing"][0], atol=1e-9)
    assert np.abs(matrix - np.eye(4)).max() > 0.1
    gone = made["missing"][0] != Z
    assert 0.08 < gone.mean() < 0.42
    assert (made["missing"][0][gone] == 0).all()


def test_prior_draws_whole_rows_with_other_shares_of_the_classes():
    Z, y = rows()
    new, labels = craft("prior", Z, y, stream(1))
    at = [int(np.flatnonzero((row == Z).all(axis=1))[0]) for row in new]
    assert np.array_equal(y[at], labels)
    assert np.abs(np.bincount(labels) - np.bincount(y)).max() > 50
    _, values = craft("prior", Z, Z[:, 0] + 0.1, stream(1))
    assert abs(values.mean() - Z[:, 0].mean() - 0.1) > 0.5


def test_without_a_distortion_it_is_the_accuracy_of_one_half_on_the_other(monkeypatch):
    monkeypatch.setitem(FAMILIES, "none", lambda Z, y, rng: (Z, y))
    made = made_shift("none", n=200)
    told = (SourceOnly().fit(made.X, made.y, made.sample_domain), made.X, made.y)
    score = crafted_shifts(*told, made.sample_domain, rng=stream(3), draws=1, families=("none",))
    at = made.sample_domain > 0
    X, y = made.X[at], made.y[at]
    first = fold_of(y, 2, int(stream(3).integers(2**31))) == 0
    base = LogisticRegression(max_iter=1000).fit(X[first], y[first])
    assert_allclose(score, base.score(X[~first], y[~first]))


class Spy(SourceOnly):
    """Write down which marks the fitted rows of both sides carry."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_domain=None, sample_weight=None):
        source = np.asarray(sample_domain) > 0
        assert (np.asarray(y)[~source] == -1).all()  # labels of made-up targets are masked
        marks = [set(np.unique(np.rint(X[s, -1]).astype(int))) for s in (source, ~source)]
        Spy.seen.append(marks)
        return super().fit(X, y, sample_domain, sample_weight)


@pytest.mark.parametrize("training", ["plain", "others"])
def test_no_family_is_fitted_and_judged_at_once(monkeypatch, training):
    def marks(k):
        def family(Z, y, rng):
            return np.column_stack([Z[:, :-1], np.full(len(Z), float(k))]), y

        return family

    for k, name in enumerate(FAMILIES):
        monkeypatch.setitem(FAMILIES, name, marks(k + 1))
    made = made_shift("none", n=60)
    X = np.column_stack([made.X, np.zeros(len(made.X))])
    model = SourceOnly().fit(X, made.y, made.sample_domain)
    model.__class__ = Spy
    Spy.seen = []
    crafted_shifts(model, X, made.y, made.sample_domain, rng=stream(0), draws=1, training=training)
    assert [target for _, target in Spy.seen] == [{k + 1} for k in range(6)]
    for k, (source, _) in enumerate(Spy.seen):
        assert source == ({0} if training == "plain" else set(range(7)) - {k + 1})


def judged(models, made, seed=0, **knobs):
    """Return scores, true target accuracies and source accuracies of models fitted on half."""
    half, out = np.random.default_rng(seed).random(len(made.y)) < 0.5, []
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    for model in models:
        model.fit(made.X[half], made.y[half], made.sample_domain[half])
        value = crafted_shifts(model, *rest, rng=stream(0, "craft"), **knobs)
        right = model.predict(rest[0], sample_domain=rest[2]) == made.truth[~half]
        out.append((value, right[rest[2] < 0].mean(), right[rest[2] > 0].mean()))
    return np.array(out).T


def correlations(kind, size=1.0, **knobs):
    found = []
    for seed in range(3):
        models = [A(base) for A in (SourceOnly, PerDomainScaler, CORAL) for base in BASES]
        score, there, here = judged(
            models, made_shift(kind, n=300, size=size, seed=seed), seed, **knobs
        )
        found.append([spearmanr(s, there).statistic for s in (score, here)])
    return np.mean(found, axis=0)


def test_ranks_models_far_better_than_source_validation_where_families_fit():
    ours, plain = correlations("location_scale", families=("scale", "offset"), draws=2)
    assert ours > 0.5
    assert ours > plain + 0.3


def test_all_families_rank_models_under_a_linear_shift():
    ours, plain = correlations("affine", 0.7)
    assert ours > 0.5
    assert ours > plain


def test_no_better_than_source_validation_where_nothing_shifted():
    ours, plain = correlations("none", draws=2)
    assert ours < plain + 0.1


def test_blind_to_the_target():
    made = made_shift("location_scale", n=100)
    model = SourceOnly().fit(made.X, made.y, made.sample_domain)
    strange = np.where(made.sample_domain[:, None] < 0, 1e6, made.X)
    one, two = (
        crafted_shifts(model, X, made.y, made.sample_domain, rng=stream(0), draws=1)
        for X in (made.X, strange)
    )
    assert one == two


class Collapses(CORAL):
    """CORAL; a target that stands as far off as the real one is pressed into one class."""

    def _answer(self, Z):
        return super()._answer(Z) * (np.abs(self.middle_).max() < 20)

    def _fit(self, X, y, sample_domain, weight):
        super()._fit(X, y, sample_domain, weight)
        self.middle_ = X[sample_domain < 0].mean(axis=0)


def test_blind_to_a_model_that_fails_on_this_target_alone():
    made = made_shift("none", n=300)
    made.X[made.sample_domain < 0] += 50
    score, accuracy, _ = judged([Collapses(), CORAL()], made)
    assert score[0] == score[1]
    assert accuracy[0] < 0.45 < 0.7 < accuracy[1]


def test_regressors_are_judged_by_r2_which_counts_from_minus_one():
    rng, domain = np.random.default_rng(0), np.tile([1, -2], 150)
    X = rng.normal(size=(300, 3))
    y = np.where(domain > 0, X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=300), np.nan)
    plain, scaled = (A(Ridge()).fit(X, y, domain) for A in (SourceOnly, PerDomainScaler))
    knobs = {"families": ("scale", "offset"), "draws": 4}
    one, two = (crafted_shifts(m, X, y, domain, rng=stream(0), **knobs) for m in (plain, scaled))
    assert -1 <= one < 0.7 < 0.9 < two <= 1
    far = {"families": ("offset",), "draws": 1}
    assert crafted_shifts(plain, 100 * X, -y * 1e3, domain, rng=stream(2), **far) >= -1


def test_words_for_labels_and_numbers_give_the_same_score():
    made = made_shift("affine", n=80)
    words = np.array([None if v < 0 else "abc"[v] for v in made.y], dtype=object)
    scores = []
    for y in (made.y, words, np.where(made.y < 0, np.nan, made.y)):
        model = SourceOnly().fit(made.X, y, made.sample_domain)
        scores.append(crafted_shifts(model, made.X, y, made.sample_domain, rng=stream(0), draws=1))
    assert scores[0] == scores[1] == scores[2]


def test_what_makes_no_sense_is_refused():
    made = made_shift("none", n=60)
    for knobs in ({"draws": 0}, {"training": "all"}, {"families": ("rain",)}, {"families": ()}):
        with pytest.raises(BadInput, match=next(iter(knobs))):
            judged([SourceOnly()], made, **knobs)
    model = SourceOnly().fit(made.X, made.y, made.sample_domain)
    few = np.r_[np.flatnonzero(made.sample_domain > 0)[:7], np.flatnonzero(made.sample_domain < 0)]
    told = (made.X[few], made.y[few], made.sample_domain[few])
    with pytest.raises(TooFewRows, match="8 source rows"):
        crafted_shifts(model, *told, rng=stream(0))
