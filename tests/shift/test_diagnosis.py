from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.data.shifts import made_shift
from ecotone.shift import diagnose


def kinds(kind, size=1.0, n=300, seeds=5):
    made = [made_shift(kind, n=n, size=size, seed=s) for s in range(seeds)]
    return [diagnose(m.X, m.y, m.sample_domain).kind for m in made]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "none"),
        ("concept", "none"),
        ("label", "label"),
        ("location_scale", "location-scale"),
    ],
)
def test_a_made_shift_is_called_by_its_name(kind, said):
    assert kinds(kind) == [said] * 5


def test_no_shift_is_seen_as_often_as_the_level_says():
    seen = sum(k != "none" for k in kinds("none", n=150, seeds=40))
    assert seen <= 2  # level 1 %


def test_the_proportions_of_a_label_shift_are_found():
    made = made_shift("label", n=2000, size=0.5)
    found = diagnose(made.X, made.y, made.sample_domain)
    true = np.bincount(made.truth[made.sample_domain < 0]) / 2000
    assert_allclose(found.priors, true, atol=0.05)
    assert found.findings[0].code == "S402"
    assert "mlls" in found.findings[0].cure


def test_sides_that_do_not_overlap_are_disjoint():
    made = made_shift("none", n=200)
    X = made.X.copy()
    t = made.sample_domain < 0
    X[t] = 30 + np.sign(X[t]) * 5  # corners of a box: no standardising makes a cloud of them
    found = diagnose(X, made.y, made.sample_domain)
    assert found.kind == "disjoint"
    assert found.findings[0].code == "S405"


def test_target_labels_and_row_order_do_not_matter():
    made = made_shift("affine", n=150)
    one = diagnose(made.X, made.y, made.sample_domain)
    assert one == diagnose(made.X, made.truth, made.sample_domain)


def test_columns_that_moved_are_named():
    made = made_shift("none", n=400)
    X = made.X.copy()
    X[made.sample_domain < 0, 3] += 1.0
    assert diagnose(X, made.y, made.sample_domain).features == (3,)


def test_codes_are_not_standardised_apart():
    rng = np.random.default_rng(0)
    X = (rng.random((400, 6)) < 0.3).astype(float)
    X[200:, 0] = rng.random(200) < 0.45
    found = diagnose(X, np.arange(400) % 2, np.repeat([1, -2], 200))
    assert found.after_scaling < 0.7


def test_regression_has_no_proportions():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(200, 3)), np.repeat([1, -2], 100)
    found = diagnose(X + (domain < 0)[:, None], rng.normal(size=200), domain)
    assert found.kind == "location-scale"
    assert np.isnan(found.after_priors)
    assert found.priors == ()
