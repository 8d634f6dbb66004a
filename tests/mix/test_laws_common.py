"""What the laws named here are held to, whatever their formula."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import find
from ecotone.mix._law import Law
from ecotone.mix.bimix import BiMix
from ecotone.mix.boosted_trees import BoostedTrees
from ecotone.mix.exponential_law import ExponentialLaw
from ecotone.mix.gaussian_process import GaussianProcess
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear

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
