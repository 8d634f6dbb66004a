from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from ecotone.align import CORAL
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.shifts import made_shift
from ecotone.validate import DomainSplit, LeaveOneDomainOut, final_score, scorer


def test_every_fold_holds_every_domain_and_class_in_proportion():
    made = made_shift("label", n=100)
    seen = []
    for train, test in DomainSplit(5).split(made.X, made.y, sample_domain=made.sample_domain):
        assert not set(train) & set(test)
        assert (made.sample_domain[test] > 0).sum() == 20 == (made.sample_domain[test] < 0).sum()
        counts = np.bincount(made.y[test][made.sample_domain[test] > 0], minlength=3)
        whole = np.bincount(made.y[made.sample_domain > 0], minlength=3) / 5
        assert np.abs(counts - whole).max() <= 1
        seen += test.tolist()
    assert sorted(seen) == list(range(200))


def test_target_labels_move_no_row():
    made = made_shift("label", n=100)
    folds = [
        [
            test.tolist()
            for _, test in DomainSplit(4).split(None, y, sample_domain=made.sample_domain)
        ]
        for y in (made.y, made.truth)
    ]
    assert folds[0] == folds[1]


def test_groups_stay_together_across_domains():
    rng = np.random.default_rng(0)
    day, domain = rng.integers(30, size=600), np.where(rng.random(600) < 0.5, 1, -2)
    y = np.where(domain > 0, rng.integers(2, size=600), -1)
    for train, test in DomainSplit(5).split(None, y, day, sample_domain=domain):
        assert not set(day[train]) & set(day[test])


def test_each_source_is_left_out_once():
    domain = np.repeat([1, 2, 3, -4], 5)
    y = np.zeros(20)
    held = [test for _, test in LeaveOneDomainOut().split(None, y, sample_domain=domain)]
    assert [set(domain[t].tolist()) for t in held] == [{1}, {2}, {3}]
    for train, _ in LeaveOneDomainOut().split(None, y, sample_domain=domain):
        assert (domain[train] > 0).all()
    with pytest.raises(BadInput, match="two source domains"):
        next(LeaveOneDomainOut().split(None, y[:10], sample_domain=np.repeat([1, -2], 5)))


def test_too_few_rows_are_said():
    with pytest.raises(TooFewRows, match="domain -2 has 3 rows for 5 folds"):
        next(DomainSplit(5).split(None, np.zeros(23), sample_domain=np.repeat([1, -2], [20, 3])))
    with pytest.raises(BadInput, match="which rows are the target is not known"):
        next(DomainSplit(5).split(None, np.arange(20) % 2))


def test_a_grid_search_needs_no_global_setting():
    made = made_shift("affine", n=60)
    search = GridSearchCV(
        CORAL(), {"shrinkage": [1e-3, 100.0]}, scoring=scorer("circular"), cv=DomainSplit(3)
    )
    search.fit(made.X, made.y, sample_domain=made.sample_domain)
    assert search.best_params_ == {"shrinkage": 1e-3}
    assert final_score(search.best_estimator_, made.X, made.truth, made.sample_domain) > 0.7
