from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.corpus import Corpus, Domain
from ecotone.core.errors import BadInput, Infeasible
from ecotone.mix._limits import check_caps, check_fits, domain_tokens, share_limits


def test_share_limits_are_epochs_times_tokens_over_the_training(corpus):
    assert_allclose(share_limits(corpus, 500, 4), [0.08, 0.16, 0.56, 1.0])
    assert_allclose(share_limits(corpus, 500, {"code": 2}), [1, 0.08, 1, 1])
    assert_allclose(share_limits(corpus, 500, None), 1)
    assert_allclose(share_limits(corpus, 500, math.inf), 1)


def test_caps_by_name_and_for_all(corpus):
    assert check_caps(corpus, 3) == dict.fromkeys(corpus.names, 3.0)
    assert check_caps(corpus, {"web": math.inf, "law": 2}) == {"law": 2.0}
    assert check_caps(corpus, None) == {}


@pytest.mark.parametrize("caps", [0, -1, {"law": 0}, {"nowhere": 2}, math.nan])
def test_bad_caps_are_refused(corpus, caps):
    with pytest.raises(BadInput) as error:
        share_limits(corpus, 500, caps)
    assert error.value.cure


def test_a_training_has_tokens(corpus):
    with pytest.raises(BadInput, match="0 tokens"):
        share_limits(corpus, 0, 4)


def test_tokens_must_be_counted(corpus):
    blank = Corpus((*corpus.domains, Domain("new", "source", 3, None, "x")))
    with pytest.raises(BadInput, match="new are not counted"):
        domain_tokens(blank)
    assert_allclose(share_limits(blank, 500, None), 1)  # without caps nothing needs them
    with pytest.raises(BadInput, match="any token"):
        domain_tokens(Corpus((Domain("empty", "source", 0, 0, "x"),)))


def test_check_fits_names_the_domain_and_a_share_that_works(corpus):
    shares = np.array([0.1, 0.1, 0.1, 0.7])
    check_fits(corpus, shares, tokens=100, caps=1)
    with pytest.raises(Infeasible, match=r"law: 0.1 of 500 tokens is 5 epochs") as error:
        check_fits(corpus, shares, tokens=500, caps=4)
    assert error.value.cure == "--caps 5, or at most law=0.08"
