from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from ecotone.align import CORAL, SourceOnly
from ecotone.data.shifts import made_shift
from ecotone.validate import scorer


def fit_and_score(model, made, seed=0):
    half = np.random.default_rng(seed).random(len(made.y)) < 0.5
    model.fit(made.X[half], made.y[half], made.sample_domain[half])
    return scorer("circular")(model, made.X[~half], made.y[~half], made.sample_domain[~half])


def test_at_home_it_is_cross_validation():
    made = made_shift("none", n=1200)
    at = made.sample_domain > 0
    plain = cross_val_score(LogisticRegression(), made.X[at], made.truth[at], cv=5).mean()
    assert abs(fit_and_score(SourceOnly(), made) - plain) < 0.02


def test_an_alignment_that_helps_scores_higher():
    gain = []
    for seed in range(5):
        made = made_shift("location_scale", n=300, seed=seed)
        gain.append(fit_and_score(CORAL(), made) - fit_and_score(SourceOnly(), made))
    assert np.mean(gain) > 0.1
    assert min(gain) > 0


class Swap(SourceOnly):
    """Predict the target with the first two classes swapped: wrong there, right again back here."""

    def _answer(self, Z):
        return np.array([1, 0, 2])[super()._answer(Z)]


def test_blind_to_a_swap_that_undoes_itself():
    made = made_shift("none", n=600)
    swapped = Swap().fit(made.X, made.y, made.sample_domain)
    right = SourceOnly().fit(made.X, made.y, made.sample_domain)
    assert swapped.score(*made.target) < 0.5 < right.score(*made.target)
    assert fit_and_score(Swap(), made) > fit_and_score(SourceOnly(), made) - 0.03


class Constant(SourceOnly):
    def _answer(self, Z):
        return np.zeros(len(Z), dtype=np.int64)


def test_a_constant_scores_as_a_constant():
    made = made_shift("none", n=300)
    assert fit_and_score(Constant(), made) == 1 / 3


def test_data_frames_are_scored_as_arrays_are():
    made = made_shift("affine", n=200)
    frame = pd.DataFrame(made.X, columns=list("abcde"))
    one, two = (
        scorer(name)(CORAL().fit(X, made.y, made.sample_domain), X, made.y, made.sample_domain)
        for X in (made.X, frame)
        for name in ("circular",)
    )
    assert one == two
