from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from ecotone.core.errors import TooFewRows
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding
from ecotone.validate.paired import paired_gain, paired_verdict


def pairs(gain, *, seeds=3, windows=40, spread=0.02, by_window=0.05, seed=0):
    """Losses of a choice and of doing nothing; the gain varies by seed and by window."""
    rng = stream(seed, "pairs")
    base = rng.normal(3, 0.5, (1, windows)) + rng.normal(0, 0.1, (seeds, 1))
    d = gain + spread * rng.standard_normal((seeds, 1)) + by_window * rng.standard_normal(windows)
    d = d + 0.05 * rng.standard_normal((seeds, windows))
    return base - d, np.broadcast_to(base, d.shape)


def test_interval_is_the_closed_form():
    choice, base = pairs(0.1, seeds=4, windows=9)
    d = base - choice
    gain, half = paired_gain(choice, base)
    by_seed = stats.sem(d.mean(axis=1)) * stats.t.ppf(0.975, 3)
    by_window = stats.sem(d.mean(axis=0)) * stats.norm.ppf(0.975)
    assert_allclose(gain, d.mean())
    assert_allclose(half, np.hypot(by_seed, by_window))


def test_one_window_leaves_the_interval_of_students_test():
    choice, base = np.array([[1.0], [1.2], [1.1]]), np.array([[1.5], [1.6], [1.4]])
    _, half = paired_gain(choice, base)
    low, high = stats.ttest_rel(base[:, 0], choice[:, 0]).confidence_interval(0.95)
    assert_allclose(half, (high - low) / 2)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_holds_the_gain_as_often_as_it_says(seeds):
    held = 0
    for case in range(300):
        gain, half = paired_gain(*pairs(0.05, seeds=seeds, seed=case))
        held += abs(gain - 0.05) <= half
    assert 0.90 * 300 <= held <= 0.99 * 300


def test_what_both_have_in_common_cancels():
    choice, base = pairs(0.1)
    easy = np.random.default_rng(0).normal(0, 5, choice.shape)
    assert_allclose(paired_gain(choice + easy, base + easy), paired_gain(choice, base))


def test_decisions():
    adapt, keep, open_ = (paired_verdict(*pairs(g, spread=0.001)) for g in (0.5, -0.5, 0.0))
    assert (adapt.decision, adapt.exit_code) == ("adapt", 0)
    assert (keep.decision, keep.exit_code) == ("keep", 3)
    assert (open_.decision, open_.exit_code) == ("cannot tell", 4)
    assert [f.code for f in open_.findings] == ["V302"]
    assert adapt.used_target_labels
    assert adapt.interval[0] < adapt.gain < adapt.interval[1]
    assert_allclose(adapt.baseline - adapt.score, adapt.gain)


def test_exactly_the_same_losses_are_no_gain():
    same = np.ones((3, 5))
    assert paired_verdict(same, same).decision == "cannot tell"


def test_two_equal_models_are_seldom_told_apart():
    told = sum(paired_verdict(*pairs(0.0, seed=s)).decision != "cannot tell" for s in range(300))
    assert told <= 0.1 * 300


def test_a_gain_below_the_least_worth_having_is_kept():
    choice, base = pairs(0.05, spread=0.001, by_window=0.001)
    assert paired_verdict(choice, base).decision == "adapt"
    small = paired_verdict(choice, base, least=0.5)
    assert small.decision == "keep"
    assert [f.code for f in small.findings] == ["V303"]
    (finding,) = paired_verdict(*pairs(0.5, spread=0.5), least=0.5).findings
    assert finding.code == "V302"
    assert "holds 0.5, from where on it is worth a change" in finding.says


def test_a_broken_general_limit_means_keep():
    choice, base = pairs(0.5, spread=0.001)
    verdict = paired_verdict(choice, base, general=[0.10, 0.11, 0.10], tolerance=0.03)
    assert verdict.decision == "keep"
    (finding,) = verdict.findings
    assert finding.code == "V301"
    assert "is above the limit" in finding.says
    assert "--tolerance" in finding.cure


def test_a_limit_that_may_be_broken_is_said_and_decides_nothing():
    choice, base = pairs(0.5, spread=0.001)
    verdict = paired_verdict(choice, base, general=[0.00, 0.10, 0.02], tolerance=0.03)
    assert verdict.decision == "adapt"
    assert "may be above" in verdict.findings[0].says


def test_a_kept_limit_is_not_mentioned_and_other_findings_stay():
    choice, base = pairs(0.5, spread=0.001)
    note = Finding("C101", "copies.")
    verdict = paired_verdict(
        choice, base, general=[0.0, 0.01, 0.0], tolerance=0.03, findings=[note]
    )
    assert verdict.findings == (note,)


def test_one_seed_is_an_error_with_a_cure():
    with pytest.raises(TooFewRows, match="2 seeds") as error:
        paired_gain(np.ones((1, 5)), np.ones((1, 5)))
    assert "--seeds" in error.value.cure
