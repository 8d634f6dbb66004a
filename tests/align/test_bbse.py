from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ecotone.align import BBSE, SourceOnly
from ecotone.data.shifts import made_shift


def test_errors_cover_the_truth():
    inside = []
    for seed in range(30):
        made = made_shift("label", n=300, size=0.6, seed=seed)
        fitted = BBSE().fit(made.X, made.y, made.sample_domain)
        # the shares the rows were drawn with, not those drawn
        inside.append(np.abs(fitted.priors_ - [2.2 / 3, 0.4 / 3, 0.4 / 3]) < 2 * fitted.priors_se_)
    assert 0.85 <= np.mean(inside) <= 1.0


def test_noise_rules_no_class_out():
    rng = np.random.default_rng(0)
    for seed in range(10):
        made = made_shift("label", n=80, size=0.9, seed=seed)
        X = made.X + rng.normal(size=made.X.shape)
        fitted = BBSE(level=0.0).fit(X, made.y, made.sample_domain)
        assert (fitted.priors_ > 0.1 * fitted.priors_se_).all()


def test_hurts_under_a_covariate_shift_without_its_test():
    gain, rejected = [], []
    for seed in range(5):
        made = made_shift("location_scale", n=300, size=1.0, seed=seed)
        bold = BBSE(level=0.0).fit(made.X, made.y, made.sample_domain)
        plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
        gain.append(bold.score(*made.target) - plain.score(*made.target))
        rejected.append(bold.assumption_p_ < 0.01)
    assert np.mean(gain) <= 0.0
    assert all(rejected)


def test_weights_hurt_a_model_that_underfits():
    X, y = load_digits(return_X_y=True)
    X, order = X / 16, np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    domain = np.where(np.arange(len(y)) < 700, 1, -2)
    # four classes make up most of the target
    keep = (domain > 0) | (y < 4) | (np.arange(len(y)) % 10 == 0)
    X, y, domain = X[keep], y[keep], domain[keep]
    base, target = LogisticRegression(C=0.01, max_iter=1000), domain < 0
    plain, corrected, weighted = (
        m.fit(X, y, domain).score(X[target], y[target])
        for m in (SourceOnly(base), BBSE(base), BBSE(base, use="weights"))
    )
    assert weighted < plain < corrected


def test_a_class_without_source_rows_is_not_seen():
    made = made_shift("none", n=300)
    keep = (made.sample_domain < 0) | (made.truth != 2)
    fitted = BBSE(level=0.0).fit(made.X[keep], made.y[keep], made.sample_domain[keep])
    assert len(fitted.priors_) == 2
    assert fitted.assumption_p_ < 0.01
