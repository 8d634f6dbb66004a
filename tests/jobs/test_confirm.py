from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.mixture import Mixture
from ecotone.core.verdict import EXIT_CODES, Finding, Verdict
from ecotone.data.tokens import TokenStore
from ecotone.jobs.confirm import RECOMMENDED, confirm, confirm_runs, rule_mixture
from ecotone.jobs.trials import natural_shares

pytest.importorskip("torch")
FAST = {
    "tokens": 20_480, "seeds": 2, "workers": 1, "quiet": True,
    "recipe": {"depth": 1, "eval_tokens": 4_096},
}  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("confirm")


@pytest.fixture(scope="module")
def best(store):
    return Mixture({"alder": 0.0, "birch": 0.4, "cedar": 0.6, "meadow": 0.0}, made_by="known")


@pytest.fixture(scope="module")
def confirmed(store, out, best):
    note = Finding("C101", "a copy.")
    return confirm_runs(best, store, out=out, findings=[note], **FAST)


def test_the_languages_of_the_target_are_confirmed(confirmed):
    verdict = confirmed.verdict
    assert isinstance(verdict, Verdict)
    assert verdict.gain > 0
    assert verdict.exit_code == EXIT_CODES[verdict.decision]
    assert verdict.interval[0] < verdict.gain < verdict.interval[1]
    assert verdict.findings[0].code == "C101"
    assert verdict.used_target_labels


def test_every_mixture_has_a_row_per_seed(confirmed, store):
    rows = {(r["mixture"], r["seed"]) for r in confirmed.runs}
    assert rows == {(n, s) for n in (RECOMMENDED, "natural", "uniform") for s in (0, 1)}
    for run in confirmed.runs:
        assert_allclose(run["general"], np.mean([run["losses"][n] for n in store.sources]))
        assert run["target"] == run["losses"][store.target]
    gain = [
        next(r["target"] for r in confirmed.runs if r["mixture"] == n and r["seed"] == s)
        for n in ("natural", RECOMMENDED)
        for s in (0, 1)
    ]
    # the verdict weighs windows alike, the losses tokens: the last window is shorter
    assert_allclose(np.mean(gain[:2]) - np.mean(gain[2:]), confirmed.verdict.gain, rtol=0.2)


def test_what_was_asked_for_is_what_was_read(confirmed):
    got = {row["domain"]: row for row in confirmed.asked_got}
    assert set(got) >= {"birch", "cedar"}


def test_confirm_gives_the_verdict_and_trains_nothing_twice(confirmed, store, out, best):
    before = {p: p.stat().st_mtime_ns for p in out.rglob("tasks/*.json")}
    assert len(before) == 6
    verdict = confirm(best, store, out=out, **FAST)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("tasks/*.json")} == before
    assert verdict.gain == confirmed.verdict.gain
    assert verdict.interval == confirmed.verdict.interval


def test_giving_up_the_general_loss_means_keep(store, out, best):
    verdict = confirm(best, store, out=out, tolerance=-0.9, **FAST)
    assert verdict.decision == "keep"
    assert verdict.exit_code == 3
    assert "V301" in [f.code for f in verdict.findings]


def test_nothing_against_itself_is_kept(store, out):
    natural = rule_mixture("natural", store, Mixture({"alder": 1.0}), FAST["tokens"])
    verdict = confirm(natural, store, out=out, also=(), **FAST)
    assert verdict.decision == "keep"
    assert verdict.exit_code == 3
    assert verdict.gain == 0
    assert "V303" in [f.code for f in verdict.findings]


def test_rules_keep_the_caps_of_the_mixture(store):
    like = Mixture({"alder": 1.0}, caps=dict.fromkeys(store.names, 2.0))
    tokens = 3 * store.full_count("cedar")
    for name in ("natural", "uniform", "temperature"):
        shares = rule_mixture(name, store, like, tokens).weights
        for n, w in shares.items():
            assert w * tokens <= 2.0 * store.full_count(n) * (1 + 1e-9)
    free = rule_mixture("natural", store, Mixture({"alder": 1.0}), tokens).weights
    assert_allclose(list(free.values()), natural_shares(store))
    with pytest.raises(BadInput, match="no rule") as error:
        rule_mixture("random", store, like, tokens)
    assert "natural" in error.value.cure


def test_one_seed_is_an_error_before_or_after_training(store, out, best):
    with pytest.raises(TooFewRows, match="2 seeds"):
        confirm(best, store, out=out, **{**FAST, "seeds": 1})


def test_no_target_is_an_error(store, out, best):
    blind = TokenStore(store.path)
    vars(blind)["meta"] = {**store.meta, "target": None}
    with pytest.raises(BadInput, match="target"):
        confirm(best, blind, out=out, **FAST)
