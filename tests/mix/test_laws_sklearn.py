"""The laws are scikit-learn regressors: its whole list of checks, over each of them."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ecotone.mix._law import Law
from ecotone.mix.bimix import BiMix
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.exponential_law import ExponentialLaw
from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear

LAWS = [
    LinearLaw(),
    LogLinear(),
    BoostedTrees(),
    ExponentialLaw(),
    BiMix(),
    GaussianProcess(),
]


def excused(law):
    return {
        "check_regressor_multioutput": "makes negative numbers although the tags say that the "
        "values to be predicted, losses, are positive"
    }


@pytest.fixture(autouse=True)
def rows_need_not_be_shares(monkeypatch):
    """The checks make up rows that sum to anything, which a law refuses."""
    monkeypatch.setattr(Law, "on_simplex", False)


@parametrize_with_checks(LAWS, expected_failed_checks=excused, xfail_strict=True)
def test_is_a_sklearn_regressor(estimator, check):
    check(estimator)
