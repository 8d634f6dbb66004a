from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.align import CORAL, SourceOnly
from ecotone.core.errors import TooFewRows
from ecotone.core.verdict import Verdict
from ecotone.data.shifts import made_shift
from ecotone.validate import guard, signs
from ecotone.validate.harm import Margin, default_margin
from ecotone.validate.signs import signs_of


def decide(kind, size=1.0, seed=0, model=None, **given):
    made = made_shift(kind, n=200, size=size, seed=seed)
    return made, guard(model or CORAL(), made.X, made.y, sample_domain=made.sample_domain, **given)


def test_it_adapts_where_that_helps_and_returns_the_model():
    for seed in range(3):
        made, verdict = decide("location_scale", seed=seed)
        assert verdict.decision == "adapt"
        plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
        assert verdict.pick.score(*made.target) > plain.score(*made.target) + 0.1
        assert not verdict.used_target_labels


def test_it_keeps_where_nothing_shifted():
    found = [decide("none", seed=s)[1] for s in range(20)]
    assert sum(v.decision == "keep" for v in found) >= 19
    assert all(type(v.pick) is SourceOnly for v in found)


def test_a_label_shift_is_no_case_for_coral():
    made, verdict = decide("label")
    assert verdict.decision == "keep"
    assert "V305" in {f.code for f in verdict.findings}
    assert verdict.pick.score(*made.target) > 0.8


def test_two_identical_models_are_never_told_apart():
    found = [decide("location_scale", seed=s, model=SourceOnly())[1] for s in range(5)]
    assert all(v.decision != "adapt" for v in found)
    assert all(v.gain == 0 for v in found)


def test_target_labels_change_no_bit():
    made = made_shift("affine", n=120)
    one, two = (
        guard(CORAL(), made.X, y, sample_domain=made.sample_domain) for y in (made.y, made.truth)
    )
    assert one.fingerprint == two.fingerprint


class Collapsed(SourceOnly):
    """Give every target row the first class, with full confidence."""

    def _answer(self, Z):
        return np.zeros(len(Z), dtype=np.int64)


def test_a_collapsed_model_is_refused():
    verdict = decide("location_scale", model=Collapsed())[1]
    assert verdict.decision == "keep"
    assert {"V306", "V307"} & {f.code for f in verdict.findings}


def test_an_alignment_whose_predictions_say_that_labels_shifted_is_refused():
    made = made_shift("location_scale", n=400)
    # take most of one class out of the target: moved, stretched, and other proportions
    out = (made.sample_domain < 0) & (made.truth == 0) & (np.arange(len(made.truth)) % 5 > 0)
    verdict = guard(
        SourceOnlyLike(), made.X[~out], made.y[~out], sample_domain=made.sample_domain[~out]
    )
    assert verdict.decision == "keep"
    assert "V311" in {f.code for f in verdict.findings}


class SourceOnlyLike(SourceOnly):
    """A candidate that is not aligned at all."""


def test_few_labels_overrule():
    made = made_shift("label", n=300)
    X, truth = made_shift("label", n=300, seed=9).target
    hopeful = Margin(-1.0, 0.0, 1.0, 0.0, 1.0, "nothing")
    verdict = guard(
        CORAL(), made.X, made.y, sample_domain=made.sample_domain, few=(X[:60], truth[:60]),
        margin=hopeful,
    )  # fmt: skip
    assert verdict.decision == "keep"
    assert verdict.used_target_labels
    with pytest.raises(TooFewRows, match="2 target labels decide nothing"):
        guard(CORAL(), made.X, made.y, sample_domain=made.sample_domain, few=(X[:2], truth[:2]))


def test_the_verdict_survives_the_road_without_its_pick(tmp_path):
    verdict = decide("location_scale")[1]
    verdict.save(tmp_path / "verdict.json")
    assert "pick" not in json.loads((tmp_path / "verdict.json").read_text())
    again = Verdict.load(tmp_path / "verdict.json")
    assert again == verdict
    assert again.pick is None


def test_signs_are_paired_by_fold():
    made = made_shift("location_scale", n=200)
    signs = signs_of(CORAL(), SourceOnly(), made.X, made.y, made.sample_domain, folds=4)
    assert signs.circular.shape == signs.weighted.shape == signs.source.shape == (4,)
    assert np.isclose(signs.level[0] - signs.level[1], signs.circular.mean())
    low, high = signs.interval(1.0)
    assert low < signs.circular.mean() < high


def test_the_margin_that_ships_says_where_it_comes_from():
    assert "margin" in default_margin().learnt_on
    assert 0 < default_margin().least < 0.3


def test_signs_of_many_rows_are_taken_on_some_of_them(monkeypatch):
    made = made_shift("location_scale", n=300)
    monkeypatch.setattr(signs, "MOST", 100)
    at = signs._some(made.sample_domain, 0)
    assert (made.sample_domain[at] > 0).sum() == 100 == (made.sample_domain[at] < 0).sum()
    assert (np.diff(at) > 0).all()
    one, two = (
        signs_of(CORAL(), SourceOnly(), made.X[rows], made.y[rows], made.sample_domain[rows])
        for rows in (slice(None), at)
    )
    assert (one.circular == two.circular).all()
