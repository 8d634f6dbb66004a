from __future__ import annotations

import pytest

from ecotone.core.errors import BadInput, Infeasible
from ecotone.mix.hand import hand


def test_shares_are_taken_as_they_are(mix):
    mixture = mix(hand, tokens=40, shares={"law": 0.25, "web": 0.75})
    assert mixture.weights == {"law": 0.25, "code": 0.0, "news": 0.0, "web": 0.75}
    assert mixture.made_by == "hand"


def test_a_cap_that_holds_is_kept_in_the_mixture(mix):
    mixture = mix(hand, tokens=100, caps={"law": 3}, shares={"law": 0.25, "web": 0.75})
    assert mixture.caps == {"law": 3.0}
    assert mixture.weights["law"] == 0.25


def test_does_not_help_itself_beyond_a_cap(mix):
    # must not help: another rule would move the share, this one refuses and says what would do
    with pytest.raises(Infeasible, match="law") as error:
        mix(hand, tokens=100, caps=2, shares={"law": 0.25, "web": 0.75})
    assert error.value.cure == "--caps 3, or at most law=0.2"
    assert mix(hand, tokens=100, caps=3, shares={"law": 0.25, "web": 0.75})
    assert mix(hand, tokens=100, caps=2, shares={"law": 0.2, "web": 0.8})


@pytest.mark.parametrize(
    ("shares", "match"),
    [
        (None, "no shares"),
        ({}, "no shares"),
        ({"nowhere": 1.0}, "nowhere"),
        ({"law": 0.5, "web": 0.6}, "sum to 1.1"),
        ({"law": -0.5, "web": 1.5}, "law"),
    ],
)
def test_mistakes_are_named_with_a_cure(mix, shares, match):
    with pytest.raises(BadInput, match=match) as error:
        mix(hand, tokens=40, shares=shares)
    assert error.value.cure
