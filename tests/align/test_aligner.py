"""The base class: what comes in, what a method may see, how it answers."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from ecotone.align import CORAL, Reweighter, SourceOnly
from ecotone.align._kinds import steady
from ecotone.core.errors import BadInput, NoTarget
from ecotone.core.method import catalogue
from ecotone.data.shifts import made_shift
from ecotone.testing import cases

ALIGNERS = [m for m in catalogue() if m.room == "align" and cases.kind(m) == "aligner"]


@pytest.mark.parametrize("method", ALIGNERS, ids=lambda m: m.name)
def test_scikit_learn_accepts_it(method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the checks it skips
        found = check_estimator(cases.make(method), on_fail=None)
    failed = [f"{c['check_name']}: {c['exception']}" for c in found if c["status"] == "failed"]
    assert not failed


def test_labels_of_any_type_and_frames_come_back():
    made = made_shift("affine", n=60)
    words = np.array(["cat", "dog", "eel"], dtype=object)[made.truth]
    words[made.sample_domain < 0] = None
    frame = pd.DataFrame(made.X, columns=list("abcde"))
    fitted = CORAL().fit(frame, words, made.sample_domain)
    assert set(fitted.predict(frame)) <= {"cat", "dog", "eel"}
    assert_array_equal(fitted.feature_names_in_, list("abcde"))
    numbers = CORAL().fit(made.X, made.y, made.sample_domain).predict(made.X)
    assert_array_equal(fitted.predict(frame) == "dog", numbers == 1)


def test_float_labels_and_regression_targets_may_be_nan():
    made = made_shift("affine", n=60)
    y = np.where(made.sample_domain > 0, made.truth, np.nan)
    assert set(SourceOnly().fit(made.X, y, made.sample_domain).classes_) == {0.0, 1.0, 2.0}
    line = CORAL(Ridge()).fit(made.X, y, made.sample_domain)
    assert line.predict(made.X).dtype == np.float64


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"domain": lambda d: np.abs(d)}, "none of the 120 rows is marked as target"),
        ({"domain": lambda d: d * 0}, "sample_domain is 0 in 120 of 120 rows"),
        ({"domain": lambda d: d + 0.5}, "sample_domain holds float64 values"),
        ({"domain": lambda d: d[:-1]}, r"the shape \(119,\)"),
        ({"y": lambda y: y[:-1]}, r"y has the shape \(119,\)"),
        ({"y": lambda y: y * 0}, "all of one class"),
        ({"y": lambda y: np.where(y == 1, np.nan, y)}, "have no label"),
    ],
)
def test_bad_input_is_one_sentence(change, says):
    made = made_shift("affine", n=60)
    given = {"y": made.y, "domain": made.sample_domain}
    for name, f in change.items():
        given[name] = f(given[name])
    with pytest.raises((BadInput, NoTarget), match=says) as error:
        SourceOnly().fit(made.X, given["y"], given["domain"])
    assert error.value.cure


def test_the_columns_with_holes_are_named():
    made = made_shift("affine", n=60)
    frame = pd.DataFrame(made.X, columns=["age", "pulse", "rr", "na", "k"])
    frame.loc[7, "pulse"] = np.nan
    with pytest.raises(BadInput, match=r"NaN or inf in pulse \(first at row 7"):
        SourceOnly().fit(frame, made.y, made.sample_domain)


class Doubled(Reweighter):
    """Weigh rows by exp of their first feature."""

    def __init__(self, estimator=None):
        self.estimator = estimator

    def _log_weights(self, source, target, y):
        return 2 * source[:, 0]


def test_a_reweighter_hands_weights_to_its_estimator():
    made = made_shift("none", n=100)
    at = made.sample_domain > 0
    fitted = Doubled().fit(made.X, made.y, made.sample_domain)
    assert_array_equal(fitted.weights_[~at], 0)
    plain = LogisticRegression(max_iter=1000).fit(
        made.X[at], made.truth[at], sample_weight=fitted.weights_[at]
    )
    assert_array_equal(fitted.predict_proba(made.X), plain.predict_proba(made.X))
    with pytest.raises(BadInput, match="KNeighborsClassifier takes no sample_weight"):
        Doubled(KNeighborsClassifier()).fit(made.X, made.y, made.sample_domain)


def test_weights_are_capped_and_tempered_until_enough_rows_speak():
    found = steady(np.r_[np.zeros(99), 50.0])
    assert found.effective >= 30
    assert found.temper == 0.0  # one row in a hundred carries all: the plain estimator
    calm = steady(np.linspace(-0.5, 0.5, 100))
    assert calm.temper == 1.0
    np.testing.assert_allclose(calm.weights.mean(), 1.0)
    with pytest.raises(BadInput, match="no source row resembles the target"):
        steady(np.full(10, -np.inf))


def test_fault_13_a_star_import_works():
    code = "from ecotone.align import *; from ecotone import *; print(Aligner, read_table)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
