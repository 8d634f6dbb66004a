from __future__ import annotations

from ecotone.rewrite.untouched_text import UntouchedText


def test_changes_nothing(rng):
    done = UntouchedText().run(["one", "two"], rng=rng)
    assert done.outcomes == {"rewritten": 0, "untouched": 2}
    assert done.ledger.asked == 0
    chosen = done.selection()
    assert chosen.weights.tolist() == [1.0, 1.0]
    assert chosen.text == {}


def test_leaves_the_noise_where_it_is(rng):
    done = UntouchedText().run(["Accept all cookies\nThe heart has four chambers."], rng=rng)
    assert done.untouched == {"0"}
