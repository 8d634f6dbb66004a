from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput, UnknownMethod
from ecotone.core.mixture import Mixture
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.core.verdict import Verdict
from ecotone.jobs import steps
from ecotone.jobs.choose import choose
from ecotone.jobs.steps import Settings, limits_of

pytest.importorskip("torch")
SETTINGS = Settings(
    tokens=20_480, proxy_tokens=20_480, proxies=12, caps=8.0, tolerance=0.2, depth=1
)


@pytest.fixture
def untrained(monkeypatch):
    """Replace the training by losses that have nothing to do with the mixtures."""
    asked = []

    def losses(store, shares, **settings):
        asked.append(shares)
        L = 4 + stream(len(shares), "noise").random((len(shares), len(store.names)))
        about = {"cpu_seconds": [1.0] * len(shares), "tokens": [settings["tokens"]] * len(shares)}
        return Trials(shares, L, store.names, store.names, about)

    monkeypatch.setattr(steps, "try_mixtures", losses)
    return asked


@pytest.fixture(scope="module")
def chosen(small, options, tmp_path_factory):
    """The whole job: tokens, oracle, twelve proxies, law, solver, rehearsals, confirmation."""
    return choose(
        small, SETTINGS, method="log_linear", seeds=2, workers=1,
        out=tmp_path_factory.mktemp("choose"), options=options, command="ecotone mix here",
    )  # fmt: skip


def test_corpus_in_mixture_and_verdict_out(chosen, small):
    assert isinstance(chosen.mixture, Mixture)
    assert isinstance(chosen.verdict, Verdict)
    assert set(chosen.mixture.weights) == set(small.names)
    assert chosen.run.manifest.status == "done"
    assert chosen.verdict.exit_code in (0, 3, 4)


def test_everything_is_in_the_run(chosen):
    saved = chosen.run.artifacts
    assert Mixture.load(saved / "mixture.json").fingerprint == chosen.mixture.fingerprint
    assert Verdict.load(saved / "verdict.json").decision == chosen.verdict.decision
    trials = Trials.load(saved / "trials.json")
    assert len(trials) == 12
    # natural comes first: the baseline lies inside the data
    assert_allclose(trials.weights[0], list(chosen.analysis["natural"].values()), atol=1e-6)
    analysis = json.loads((saved / "analysis.json").read_text())
    assert {"title", "command", "mixture", "natural", "predicted", "cv", "laws",
            "advice", "verdict", "cost", "epochs", "saw"} <= set(analysis)  # fmt: skip
    spent = [r["what"] for r in analysis["cost"]["rows"]]
    assert spent[:2] == ["counting n-grams", "12 proxies"]
    assert not any(f["code"] == "M401" for f in analysis["findings"])
    assert "frontier" in analysis
    assert [w.split()[1] for w in spent[2:4]] == ["rehearsals", "confirmation"]
    assert len(analysis["confirm"]) == 3 * 2
    kept = [r for r in analysis["rehearsal"]["rows"] if r["kept"]]
    assert len(kept) == 1
    assert kept[0]["weights"] == pytest.approx(chosen.mixture.weights, abs=1e-5)
    assert max(analysis["epochs"].values()) <= 8.0 + 1e-6


def test_without_evidence_it_stays_natural(small, options, untrained, tmp_path):
    settings = Settings(tokens=20_480, proxies=9, caps=8.0, depth=1)
    found = choose(small, settings, method="effective_data", params={"starts": 2}, out=tmp_path,
                   options=options)  # fmt: skip
    assert found.verdict is None
    assert found.mixture.weights == pytest.approx(found.analysis["natural"])
    assert [f["code"] for f in found.analysis["findings"] if f["code"][0] == "M"] == ["M401"]
    assert found.analysis["advice"]["decision"] == "keep"
    # the first proxies are a spread, the later ones are added to them two by two
    assert [len(a) for a in untrained] == [6, 8, 9]
    assert (untrained[1][:6] == untrained[0]).all()


def test_a_rule_and_the_oracle_need_no_training(small, options, untrained, tmp_path):
    rule = choose(small, SETTINGS, method="uniform", out=tmp_path, options=options)
    assert set(np.round(list(rule.mixture.weights.values()), 6)) == {0.25}
    none = replace(SETTINGS, tolerance=None, proxies=0)
    oracle = choose(small, none, method="auto", out=tmp_path, options=options)
    # the target is written in birch and cedar: the oracle asks for more of them than natural
    gain = [oracle.mixture.weights[n] - oracle.analysis["natural"][n] for n in ("birch", "cedar")]
    assert sum(gain) > 0
    assert oracle.mixture.weights["alder"] < oracle.analysis["natural"]["alder"]
    for found in (rule, oracle):
        assert found.analysis["advice"]["decision"] == "cannot tell"
    assert untrained == []


def test_floors_caps_and_frozen_groups_become_limits(store):
    settings = Settings(
        tokens=store.full_count("cedar") * 10, caps=2.0, floors={"alder": 0.1},
        frozen=(("birch", "cedar"),),
    )  # fmt: skip
    limits, natural = limits_of(store, settings)
    at = store.names.index("cedar")
    assert_allclose(limits.upper[at], 0.2)
    assert limits.lower[store.names.index("alder")] == 0.1
    assert limits.frozen == (("birch", "cedar"),)
    assert natural[at] <= 0.2 + 1e-12
    assert_allclose(natural.sum(), 1.0)


def test_misspelt_domains_and_methods_are_errors_with_a_cure(small, options, store, tmp_path):
    with pytest.raises(BadInput, match="no domain is called 'ceder'") as error:
        limits_of(store, Settings(tokens=1_000, floors={"ceder": 0.1}))
    assert "cedar" in error.value.cure
    with pytest.raises(UnknownMethod):
        choose(small, SETTINGS, method="atuo", out=tmp_path, options=options)


@pytest.mark.slow
def test_auto_from_corpus_to_verdict(small, options, tmp_path):
    found = choose(small, SETTINGS, seeds=2, workers=2, out=tmp_path, options=options)
    names = {law["name"] for law in found.analysis["laws"]}
    assert {"log_linear", "log_linear + prior", "prior", "auto"} <= names
    assert found.verdict.exit_code in (0, 3, 4)
