"""The domain-by-domain table on made text whose distances are known in order."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.shift._features import pieces
from ecotone.shift._table import _measure, interval, table
from ecotone.shift.ngrams import ngrams
from ecotone.testing.fixtures import babble, text_corpus

LOW, HIGH = "red green blue white black", "one two three four five"


@pytest.fixture(scope="module")
def corpus():
    """`twin` is written like `target`; `near` shares half of its words; `far` shares none."""
    texts = {
        "far": babble(HIGH, 60, stream(0, "far")),
        "near": babble(LOW + " six seven eight nine ten", 60, stream(0, "near")),
        "target": babble(LOW, 60, stream(0, "target")),
        "twin": babble(LOW, 60, stream(0, "twin")),
    }
    return text_corpus(texts, "target")


@pytest.mark.parametrize("measure", ["ngrams", "mmd", "wasserstein", "proxy_a"])
def test_far_is_farther_than_near_and_twin_is_chance(corpus, measure):
    found = table(corpus, measure=measure, rows=60, draws=19)
    assert found.names == ("far", "near", "target", "twin")
    far, near, _, twin = found.values[2]
    # a classifier that is always right cannot tell near from far: its scale ends at 2
    assert far >= near > twin if measure == "proxy_a" else far > near > twin
    assert near > found.null[2, 1]
    assert found.p[2, 1] == 0.05
    assert twin <= found.null[2, 3] or found.p[2, 3] > 0.05
    assert np.array_equal(found.values, found.values.T)
    assert (np.diag(found.values) == 0).all()
    assert (found.low <= found.values).all()
    assert (found.values <= found.high).all()
    assert (found.low >= np.minimum(found.values, 0)).all()
    # what is told apart stays so over other texts
    assert found.low[2, 0] > found.null[2, 0]


@pytest.mark.parametrize("measure", ["ngrams", "mmd", "wasserstein", "proxy_a"])
def test_a_domain_under_two_names_is_at_home(measure):
    texts = babble(LOW, 60, stream(0, "same"))
    found = table(text_corpus({"a": texts, "b": texts}), measure=measure, rows=60, draws=19)
    value = found.values[0, 1]
    assert value <= found.null[0, 1]
    assert found.low[0, 1] <= value <= found.high[0, 1]


def two_rates(rng, size, rows=30, features=300):
    """Counts of rare and frequent words whose rates differ by factors exp(+-size)."""
    rates = 60 / np.arange(1, features + 1)
    turn = np.exp(size * np.where(np.arange(features) % 2, 0.5, -0.5))
    return rng.poisson(rates * turn, (rows, features)), rng.poisson(rates / turn, (rows, features))


@pytest.mark.parametrize("size", [0.0, 0.02, 0.3])
def test_the_interval_holds_the_expected_distance_as_often_as_it_says(size):
    tables = [
        _measure(ngrams, *two_rates(stream(s, "rates"), size), 49, stream(s, "draws"), {})
        for s in range(60)
    ]
    value, low, high, null = (
        np.array([t[k] for t in tables]) for k in ("value", "low", "high", "null")
    )
    expected = value.mean()  # of samples of this size
    held = ((low <= expected) & (expected <= high)).mean()
    assert held >= 0.8  # 0.9 expected, less two and a half standard deviations
    assert ((low <= value) & (value <= high)).all()
    if size < 0.1:
        assert (value <= null).mean() >= 0.85
    else:
        # near 0 the spread of resamples is too wide, with a shift it must not be
        assert (low > null).mean() >= 0.9
        assert (high - low).mean() < 1.6 * (np.quantile(value, 0.95) - np.quantile(value, 0.05))


def test_taking_the_bias_off_would_miss_what_was_measured():
    """Why the interval is not the basic bootstrap."""
    A, B = two_rates(stream(0, "rates"), 0.0)
    rng = stream(0, "draws")
    value = ngrams(A, B)
    again = np.array(
        [ngrams(A[rng.integers(0, 30, 30)], B[rng.integers(0, 30, 30)]) for _ in range(49)]
    )
    assert 2 * value - np.quantile(again, 0.05) < value
    low, high = interval(value, again)
    assert low <= value <= high


def test_an_interval_ends_at_zero_unless_the_value_itself_is_lower():
    again = np.array([-0.3, -0.1, 0.0, 0.1, 0.3])
    assert interval(0.1, again)[0] == 0.0
    assert interval(-0.02, again)[0] == -0.02
    assert interval(0.5, again) == pytest.approx((0.24, 0.76))
    assert interval(0.0, np.zeros(5)) == (0.0, 0.0)


def test_the_map_keeps_near_domains_near(corpus):
    found = table(corpus, rows=60, draws=3)
    far, near, target, twin = found.map()
    gap = np.linalg.norm
    assert gap(target - twin) < gap(target - near) < gap(target - far)
    assert found.map().shape == (4, 2)


def test_same_seed_same_table_and_another_seed_another(corpus):
    one, two, other = (table(corpus, rows=20, draws=3, seed=s).values for s in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_reordering_domains_permutes_the_table(corpus):
    from dataclasses import replace

    turned = replace(corpus, domains=corpus.domains[::-1])
    one, two = (table(c, measure="proxy_a", rows=40, draws=3) for c in (corpus, turned))
    assert two.names == one.names[::-1]
    np.testing.assert_allclose(two.values[::-1, ::-1], one.values, atol=1e-9)


def test_kl_is_directed(corpus):
    found = table(corpus, rows=40, draws=3, kind="kl")
    assert found.values[0, 1] != found.values[1, 0]


def test_progress_is_told(corpus):
    told = []
    table(corpus, rows=20, draws=2, tick=lambda done, total: told.append((done, total)))
    assert told == [(i, 6) for i in range(1, 7)]


def test_record_is_what_the_report_reads(corpus):
    record = table(corpus, rows=20, draws=2).record()
    assert {"measure", "names", "matrix", "low", "high", "null_high", "map"} <= set(record)


def test_too_little_text_is_said():
    small = text_corpus({"a": ["x"], "b": babble(LOW, 9, stream(0))})
    with pytest.raises(BadInput, match="the domain a has 1 piece"):
        table(small)


def test_pieces_are_drawn_from_everywhere_and_no_more_than_asked():
    corpus = text_corpus({"a": [f"doc{i} " * 400 for i in range(50)]})
    found = pieces(corpus.docs("a"), 20, stream(0))
    assert len(found) == 20
    # one piece a document while there are more documents than rows
    assert len({p.split()[1] for p in found}) == 20
    many = pieces(corpus.docs("a"), 80, stream(0))
    assert 50 < len(many) <= 80
    assert all(len(p) <= 1000 for p in many)
