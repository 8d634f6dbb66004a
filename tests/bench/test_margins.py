from __future__ import annotations

import numpy as np

from ecotone.bench.margins import HARMED, WORST, choice, judged, learn
from ecotone.validate.harm import Margin


def task(family, circular, gain, kind="location-scale", apart=0.0, **more):
    row = {
        "method": "coral", "handles": [], "circular": [circular - 0.01, circular, circular + 0.01],
        "source": 0.0, "variety": 1.0, "apart": apart, "rows": 1_000, "gain": gain,
        "accuracy": gain, **more,
    }  # fmt: skip
    return {"family": family, "task": family, "kind": kind, "rows": [row]}


GOOD = [task("good", 0.2, 0.1) for _ in range(5)]
BAD = [task("bad", 0.07, -0.1) for _ in range(5)]
STRICT = Margin(0.1, 1.0, 0.1, 0.5, 0.08, "")


def test_a_margin_lets_pass_what_is_clear_of_it():
    assert choice(GOOD[0], STRICT)["method"] == "coral"
    assert choice(BAD[0], STRICT) is None
    np.testing.assert_allclose(judged([*GOOD[:1], *BAD[:1]], STRICT), [0.1, 0.0])


def test_signs_that_say_no_are_heard_whatever_the_gain():
    for more in ({"kind": "none"}, {"kind": "label"}, {"apart": 0.3}, {"source": -0.2},
                 {"variety": 0.2}):  # fmt: skip
        assert choice(task("x", 0.5, 0.1, **more), STRICT) is None
    label = task("x", 0.5, 0.1, kind="label", handles=["label"])
    assert choice(label, STRICT) is not None


def test_the_learnt_margin_separates_good_from_bad_and_harms_few():
    found = learn([*GOOD, *BAD], "here")
    gain = judged([*GOOD, *BAD], found)
    assert gain.mean() == 0.05
    assert (gain < -0.01).mean() <= HARMED
    assert gain.min() >= WORST


def test_where_nothing_is_safe_it_harms_least():
    lying = [task("bad", 0.5, -0.1), task("good", 0.3, 0.1)]
    found = learn(lying, "here")
    # no margin of the grid tells the two apart: it says so by what it does to them
    assert judged(lying, found).min() == -0.1
