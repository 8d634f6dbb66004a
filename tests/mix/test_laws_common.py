"""What the laws named here are held to, whatever their formula."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import find
from ecotone.core.trials import Trials
from ecotone.mix._law import Law
from ecotone.mix.auto import Auto
from ecotone.mix.bimix import BiMix
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.calibrate import Calibrated
from ecotone.mix.effective_data import EffectiveData
from ecotone.mix.exponential_law import ExponentialLaw
from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear
from ecotone.mix.prior import WithPrior

LAWS: dict[str, Law] = {
    "linear_law": LinearLaw(),
    "log_linear": LogLinear(),
    "boosted_trees": BoostedTrees(),
    "exponential_law": ExponentialLaw(),
    "bimix": BiMix(),
    "gaussian_process": GaussianProcess(),
}
SMOOTH = sorted(set(LAWS) - {"boosted_trees"})


def made_runs(n: int = 40, k: int = 4, noise: float = 0.01, seed: int = 0):
    """Runs whose losses fall with the shares like a power; two targets."""
    rng = np.random.default_rng(seed)
    W = rng.dirichlet(np.full(k, 0.7), n)
    useful = np.linspace(0.1, 1.0, k)
    L = np.column_stack([3 + (0.05 + W @ useful) ** -0.5, 2 + (0.02 + W[:, 1]) ** -0.3])
    return W, L * np.exp(noise * rng.standard_normal(L.shape))


class Halves:
    """A prior that knows nothing much."""

    def predict(self, W):
        return np.tile(3 - W[:, :1], 2)


def every_law() -> dict[str, Law]:
    """All that is a law, with the ones that are made of others."""
    large = Trials(*made_runs(3, seed=1), tuple("abcd"), ("s", "t"))
    two = {"linear_law": LinearLaw(), "log_linear": LogLinear()}
    return {
        **LAWS,
        "effective_data": EffectiveData(starts=2),
        "auto": Auto(two),
        "prior": WithPrior(LinearLaw(), Halves()),
        "prior alone": WithPrior(None, Halves()),
        "calibrated": Calibrated(LogLinear(), large),
    }


@pytest.fixture(params=sorted(LAWS))
def law(request):
    return clone(LAWS[request.param])


@pytest.mark.parametrize("name", sorted(LAWS))
def test_is_the_method_of_that_name(name):
    method = find(name, "mix")
    assert method.load() is type(LAWS[name])
    assert "proxies" in method.needs


def test_reordering_domains_changes_nothing(law):
    W, L = made_runs()
    order = np.array([2, 0, 3, 1])
    new = made_runs(9, seed=5)[0]
    one = clone(law).fit(W, L).predict(new)
    other = clone(law).fit(W[:, order], L).predict(new[:, order])
    assert_allclose(other, one, rtol=1e-7)


def test_reordering_targets_reorders_answers(law):
    W, L = made_runs()
    one = clone(law).fit(W, L).predict(W)
    other = clone(law).fit(W, L[:, ::-1]).predict(W)
    # the Gaussian process learns its scales from a sum over the targets: equal up to rounding
    assert_allclose(other[:, ::-1], one, rtol=1e-5)


def test_one_target_has_one_column_less(law):
    W, L = made_runs()
    if isinstance(law, GaussianProcess):
        L[:, 1] = L[:, 0]  # its lengths are shared by all targets
    both = clone(law).fit(W, L).predict(W)
    alone = clone(law).fit(W, L[:, 0]).predict(W)
    assert alone.shape == (40,)
    assert_allclose(alone, both[:, 0], rtol=1e-6)


def test_a_domain_no_run_has_used_changes_nothing(law):
    W, L = made_runs()
    wide = np.insert(W, 2, 0.0, axis=1)
    assert_allclose(
        clone(law).fit(wide, L).predict(wide), clone(law).fit(W, L).predict(W), rtol=1e-4
    )


def test_inputs_are_left_alone(law):
    W, L = made_runs()
    W.flags.writeable = L.flags.writeable = False
    law.fit(W, L).predict(W)


def test_same_bits_in_a_fresh_process():
    W, L = made_runs()
    lines = [
        "import json, sys, numpy as np",
        "W, L = map(np.array, json.load(sys.stdin))",
        "out = []",
    ]
    for law in LAWS.values():
        module, name = type(law).__module__, type(law).__name__
        lines.append(f"from {module} import {name}")
        lines.append(f"out.append({name}().fit(W, L).predict(W).tolist())")
    there = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, "print(json.dumps(out))"])],
        input=json.dumps([W.tolist(), L.tolist()]),
        capture_output=True,
        text=True,
        check=True,
    )
    for law, other in zip(LAWS.values(), json.loads(there.stdout), strict=True):
        assert_array_equal(np.array(other), clone(law).fit(W, L).predict(W))


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_equals_finite_differences(name):
    W, L = made_runs()
    law = clone(LAWS[name]).fit(W, L)
    at = np.random.default_rng(1).dirichlet(np.full(4, 3.0), 5)
    step = 1e-6
    rows = np.eye(4) * step
    numeric = np.stack(
        [(law.predict(at + d) - law.predict(at - d)) / (2 * step) for d in rows], axis=2
    )
    assert law.smooth
    assert law.gradient(at).shape == (5, 2, 4)
    assert_allclose(law.gradient(at), numeric, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_declared_convexity_holds(name):
    W, L = made_runs(noise=0.0)
    law = clone(LAWS[name]).fit(W, L)
    t = L.shape[1]
    plain = np.broadcast_to(getattr(law, "convex_targets_", law.convex_), t)
    logs = np.broadcast_to(getattr(law, "log_convex_targets_", False), t)
    rng = np.random.default_rng(2)
    a, b = rng.dirichlet(np.full(4, 0.4), (2, 500))
    ends, middle = law.predict(a), law.predict((a + b) / 2)
    other = law.predict(b)
    assert (middle <= (ends + other) / 2 + 1e-9)[:, plain].all()
    assert (np.log(middle) <= (np.log(ends) + np.log(other)) / 2 + 1e-9)[:, logs].all()
    if name in ("linear_law", "exponential_law", "bimix"):
        assert law.convex_
    if name == "gaussian_process":
        assert not law.convex_


def test_trees_say_that_they_are_not_smooth():
    W, L = made_runs()
    law = BoostedTrees().fit(W, L)
    assert not law.smooth
    assert not law.convex_
    with pytest.raises(BadInput, match="not smooth"):
        law.gradient(W)


def test_too_few_rows_are_refused_with_a_cure(law):
    W, L = made_runs()
    need = law.rows_needed(4)
    clone(law).fit(W[:need], L[:need])
    with pytest.raises(TooFewRows) as error:
        clone(law).fit(W[: need - 1], L[: need - 1])
    assert error.value.cure


def test_losses_are_positive(law):
    W, L = made_runs()
    with pytest.raises(BadInput, match="0 or negative"):
        law.fit(W, L - 10)


def changed(array, row, value):
    out = array.copy()
    out[row] = value
    return out


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame], ids=["arrays", "tables"])
@pytest.mark.parametrize(
    ("says", "make"),
    [
        ("no rows", lambda W, L: (W[:0], L[:0])),
        ("row 3 of the shares holds NaN", lambda W, L: (changed(W, 3, np.nan), L)),
        ("row 4 of the shares holds NaN", lambda W, L: (changed(W, 4, np.inf), L)),
        ("row 5 of the losses holds NaN", lambda W, L: (W, changed(L, 5, np.nan))),
        ("40 rows of shares and 39 of losses", lambda W, L: (W, L[1:])),
        ("row 2 has a share of -0.2", lambda W, L: (changed(W, 2, [-0.2, 0.2, 0.5, 0.5]), L)),
        ("row 7 sum to 0.9", lambda W, L: (changed(W, 7, [0.2, 0.2, 0.2, 0.3]), L)),
        ("row 0 sum to", lambda W, L: (100 * W, L)),
        ("0 or negative", lambda W, L: (W, L - 10)),
        ("Expected 2D array", lambda W, L: (W[:, 0], L)),
        ("complex", lambda W, L: (W * 1j, L)),
        ("could not convert", lambda W, L: (np.full(W.shape, "much"), L)),
    ],
)
@pytest.mark.parametrize("name", sorted(every_law()))
def test_what_cannot_be_fitted_is_said_with_a_cure(name, says, make, kind):
    W, L = map(kind, make(*made_runs()))
    if kind is pd.DataFrame and says == "Expected 2D array":
        pytest.skip("a table has two dimensions")
    law = every_law()[name]
    with pytest.raises((BadInput, TooFewRows), match=f"(?i){re.escape(says)}") as error:
        law.fit(W, L)
    assert error.value.what.startswith(type(law).__name__)
    assert error.value.cure


@pytest.mark.parametrize(
    ("says", "make"),
    [
        ("no rows", lambda W: W[:0]),
        ("row 3 of the shares holds NaN", lambda W: changed(W, 3, np.nan)),
        ("3 features, but", lambda W: W[:, 1:]),
        ("row 2 has a share of -0.2", lambda W: changed(W, 2, [-0.2, 0.2, 0.5, 0.5])),
        ("row 7 sum to 0.9", lambda W: changed(W, 7, [0.2, 0.2, 0.2, 0.3])),
        ("Expected 2D array", lambda W: W[0]),
    ],
)
@pytest.mark.parametrize("name", sorted(every_law()))
def test_what_cannot_be_predicted_is_said_with_a_cure(name, says, make):
    W, L = made_runs()
    law = every_law()[name].fit(W, L)
    with pytest.raises(BadInput, match=says) as error:
        law.predict(make(W))
    assert error.value.what.startswith(type(law).__name__)
    assert error.value.cure


def test_the_cure_for_a_run_that_diverged_works():
    W, L = made_runs()
    bad = changed(L, 5, np.nan)
    with pytest.raises(BadInput) as error:
        LinearLaw().fit(W, bad)
    rows, losses = eval(
        error.value.cure.partition(": ")[2], {"np": np, "W": W, "y": bad}
    )  # the cure is meant to be pasted
    LinearLaw().fit(rows, losses)


@pytest.mark.parametrize("name", sorted(every_law()))
def test_rounded_tables_and_rounding_below_zero_are_taken(name):
    W, L = made_runs()
    law = every_law()[name].fit(W.round(3), L)
    edge = np.array([[0.5, 0.5, 0.0, 0.0]])
    found = law.predict(edge - [[0, 0, 1e-12, 0]])
    assert_allclose(found, law.predict(edge), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "far"),
    # a prior is believed as much as one trial, also where the others say that it is wrong
    [("effective_data", 1e-5), ("auto", 1e-9), ("prior", 1e-3), ("prior alone", 0.01)],
)
def test_equal_losses_are_predicted_by_laws_made_of_others(name, far):
    W, _ = made_runs()
    L = np.full((40, 2), [3.0, 4.0])
    assert_allclose(every_law()[name].fit(W, L).predict(made_runs(seed=3)[0]), L, rtol=far)


def test_equal_losses_are_predicted_everywhere(law):
    W, _ = made_runs()
    L = np.full((40, 2), [3.0, 4.0])
    assert_allclose(law.fit(W, L).predict(made_runs(seed=3)[0]), L, rtol=1e-6)


def test_shuffled_losses_are_not_predicted(law):
    # must not help: without a link between shares and losses there is nothing to rank by
    W, L = made_runs(120)
    rng = np.random.default_rng(4)
    y = rng.permutation(L[:, 0])
    law.fit(W[:80], y[:80])
    inside = np.abs(np.corrcoef(law.predict(W[80:]), y[80:])[0, 1])
    assert np.isnan(inside) or inside < 0.4
