from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge

from ecotone.align import SourceOnly
from ecotone.data.shifts import made_shift
from ecotone.validate import scorer

SCORE = scorer("importance_weighted")


def halves(made, seed=0):
    half = np.random.default_rng(seed).random(len(made.y)) < 0.5
    model = SourceOnly().fit(made.X[half], made.y[half], made.sample_domain[half])
    rest = (made.X[~half], made.y[~half], made.sample_domain[~half])
    at = rest[2] > 0
    plain = float((model.predict(rest[0][at]) == made.truth[~half][at]).mean())
    truth = model.score(rest[0][~at], made.truth[~half][~at])
    return SCORE(model, *rest), plain, truth


def test_at_home_it_is_the_plain_accuracy():
    weighted, plain, _ = halves(made_shift("none", n=1000))
    assert abs(weighted - plain) < 0.01


def test_nearer_to_the_target_than_plain_accuracy():
    found = np.array([halves(made_shift("covariate", n=4000, size=1.5, seed=s)) for s in range(4)])
    weighted, plain = (np.abs(found[:, i] - found[:, 2]).mean() for i in (0, 1))
    assert weighted < 0.7 * plain


def test_blind_to_a_changed_concept():
    weighted, plain, truth = halves(made_shift("concept", n=600))
    assert truth < 0.45
    assert abs(weighted - plain) < 0.03


def test_sides_that_do_not_overlap_give_no_verdict():
    made = made_shift("none", n=200)
    X = made.X + np.where(made.sample_domain[:, None] < 0, 50.0, 0.0)
    model = SourceOnly().fit(X, made.y, made.sample_domain)
    assert np.isnan(SCORE(model, X, made.y, made.sample_domain))


def test_regression_is_scored_by_its_squared_error():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(200, 3)), np.repeat([1, -2], 100)
    y = np.where(domain > 0, X @ [1.0, 2.0, 3.0] + rng.normal(size=200), np.nan)
    model = SourceOnly(Ridge()).fit(X, y, domain)
    assert -1.5 < SCORE(model, X, y, domain) < -0.5
