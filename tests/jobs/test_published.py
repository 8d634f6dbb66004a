"""Other people's runs in, a mixture out, with the honest word when they say nothing."""

import csv
import json

import numpy as np
import pytest

from ecotone.cli.main import main
from ecotone.core.errors import BadInput, NoTarget, TooFewRows, UnknownMethod
from ecotone.core.mixture import Mixture
from ecotone.core.trials import Trials
from ecotone.data.published import regmix_prior, regmix_runs
from ecotone.data.trials import read_trials, write_trials
from ecotone.jobs.published import choose_from_trials
from ecotone.report import render

FAST = {"method": "effective_data", "params": {"starts": 1, "form": "shared"}}


KEPT = ("pile_cc", "github", "stackexchange", "wikipedia_en", "arxiv")
TARGETS = ("pile_cc", "github", "wikipedia_en")


def grouped(shares, names):
    """Sum the shares of all domains but five."""
    kept = [shares[..., names.index(n)] for n in KEPT]
    return np.stack([*kept, 1 - sum(kept)], axis=-1)


@pytest.fixture(scope="module")
def runs():
    """60 of the published runs on 6 of their domains, 12 being one, and 3 of their losses."""
    trials = regmix_runs().rows(range(60))
    scores = np.column_stack([trials.target(t) for t in TARGETS])
    weights = grouped(trials.weights, trials.domains)
    return Trials(weights, scores, (*KEPT, "other"), TARGETS, trials.about)


@pytest.fixture(scope="module")
def alone(runs):
    """The same with one target: no general loss, no frontier to trace, quick."""
    return Trials(runs.weights, runs.scores[:, :1], runs.domains, ("pile_cc",), runs.about)


def prior():
    full = regmix_prior()
    shares = grouped(np.array(list(full.values())), tuple(full))
    return dict(zip((*KEPT, "other"), map(float, shares), strict=True))


@pytest.fixture(scope="module")
def chosen(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return choose_from_trials(
        runs, "pile_cc", natural=prior(), out=out, command="ecotone mix", **FAST
    )


def test_all_seventeen_domains(tmp_path):
    """The whole table of 80 runs: web text wants web text."""
    trials = regmix_runs().rows(range(80))
    one = Trials(trials.weights, trials.scores[:, [trials.targets.index("pile_cc")]],
                 trials.domains, ("pile_cc",))  # fmt: skip
    chosen = choose_from_trials(one, "pile_cc", natural=regmix_prior(), out=tmp_path, **FAST)
    shares = chosen.mixture.weights
    assert max(shares, key=shares.get) == "pile_cc"
    assert shares["pile_cc"] > 0.4
    assert "frontier" not in chosen.analysis  # one target: there is no general loss
    assert "pile_cc" in render(chosen.analysis)[1]


def test_web_text_wants_web_text(chosen):
    shares = chosen.mixture.weights
    assert max(shares, key=shares.get) == "pile_cc"
    assert shares["pile_cc"] > prior()["pile_cc"] + 0.1
    assert chosen.verdict is None
    assert chosen.analysis["advice"]["decision"] == "adapt"
    assert chosen.mixture.made_by == chosen.run.manifest.name


def test_the_limit_on_the_other_targets_is_kept_and_matters(chosen, runs, tmp_path):
    predicted = chosen.analysis["predicted"]
    assert predicted["mixture"]["general"][1] <= 1.03 * predicted["natural"]["general"][1]
    free = choose_from_trials(
        runs, "pile_cc", natural=prior(), tolerance=None, out=tmp_path, **FAST
    )
    assert free.mixture.weights["pile_cc"] > chosen.mixture.weights["pile_cc"]
    assert free.analysis["predicted"]["mixture"]["target"][1] <= predicted["mixture"]["target"][1]


def test_the_run_holds_everything(chosen, runs):
    folder = chosen.run.artifacts
    assert Mixture.load(folder / "mixture.json").weights == chosen.mixture.weights
    assert read_trials(chosen.run.path).fingerprint == runs.fingerprint
    assert chosen.run.manifest.inputs == {"trials": runs.fingerprint}
    assert chosen.run.manifest.status == "done"
    analysis = json.loads((folder / "analysis.json").read_text())
    page, text = render(analysis)
    assert "pile_cc" in text
    assert "mean loss of the 2 other targets" in page
    assert analysis["cv"]["target"]["n"] == 60
    assert len(analysis["frontier"]) > 2


def test_shuffled_losses_keep_natural(alone, tmp_path):
    order = np.random.default_rng(0).permutation(len(alone))
    noise = Trials(alone.weights, alone.scores[order], alone.domains, alone.targets)
    chosen = choose_from_trials(noise, "pile_cc", natural=prior(), out=tmp_path, **FAST)
    assert chosen.analysis["advice"]["decision"] == "keep"
    assert chosen.mixture.weights == pytest.approx(prior())
    assert chosen.mixture.made_by == "natural"
    assert "M401" in [f["code"] for f in chosen.analysis["findings"]]


def test_unknown_natural_is_said(alone, tmp_path):
    chosen = choose_from_trials(alone, "pile_cc", out=tmp_path, **FAST)
    assert set(chosen.analysis["natural"].values()) == {1 / 6}
    found = next(f for f in chosen.analysis["findings"] if f["code"] == "M402")
    assert found["cure"].startswith("--natural pile_cc=")


def test_floors_and_frozen_groups(alone, tmp_path):
    chosen = choose_from_trials(
        alone, "pile_cc", natural=prior(), floors={"arxiv": 0.2}, tolerance=None,
        frozen=[["github", "stackexchange"]], out=tmp_path, **FAST,
    )  # fmt: skip
    shares = chosen.mixture.weights
    assert shares["arxiv"] >= 0.2 - 1e-6
    ratio = prior()["github"] / prior()["stackexchange"]
    assert shares["github"] == pytest.approx(ratio * shares["stackexchange"], rel=1e-3, abs=1e-5)


def test_mixers_propose_and_are_checked(alone, tmp_path):
    given = {"natural": prior(), "out": tmp_path, "tolerance": None, "method": "regmix"}
    chosen = choose_from_trials(alone, "pile_cc", params={"candidates": 4000}, **given)
    assert chosen.analysis["laws"][0]["name"] == "regmix"
    assert chosen.mixture.weights["pile_cc"] > prior()["pile_cc"]
    with pytest.raises(BadInput, match="floors"):
        choose_from_trials(alone, "pile_cc", floors={"arxiv": 0.1}, **given)


@pytest.mark.parametrize("target", [None, "pile_c", "law"])
def test_targets_are_listed(runs, tmp_path, target):
    with pytest.raises(NoTarget) as info:
        choose_from_trials(runs, target, out=tmp_path)
    assert "pile_cc, github, wikipedia_en" in info.value.why
    assert info.value.cure == "--target pile_cc"


def test_what_cannot_be_done_is_said(runs, tmp_path):
    with pytest.raises(TooFewRows):
        choose_from_trials(runs.rows(range(4)), "pile_cc", out=tmp_path, **FAST)
    for method in ("natural", "counting_oracle"):
        with pytest.raises(BadInput, match="learns nothing"):
            choose_from_trials(runs, "pile_cc", method=method, out=tmp_path)
    with pytest.raises(UnknownMethod):
        choose_from_trials(runs, "pile_cc", method="regmx", out=tmp_path)
    with pytest.raises(BadInput, match="--natural"):
        choose_from_trials(runs, "pile_cc", natural={"zzz": 1.0}, out=tmp_path)
    with pytest.raises(BadInput, match="--floors"):
        choose_from_trials(runs, "pile_cc", floors={"zzz": 1.0}, out=tmp_path)
    with pytest.raises(BadInput, match="--frozen"):
        choose_from_trials(runs, "pile_cc", frozen=[["zzz"]], out=tmp_path)


def test_calibration_speaks_in_losses_of_the_large_scale(runs, tmp_path):
    slopes, levels = np.array([0.9, 0.3, 0.6]), np.array([-0.2, -0.4, -0.3])
    big = np.exp(levels + slopes * np.log(runs.scores))
    large = Trials(runs.weights[:10], big[:10], runs.domains, runs.targets)
    given = {"natural": prior(), "out": tmp_path, **FAST}
    chosen = choose_from_trials(runs, "pile_cc", calibrate=large, **given)
    table = chosen.analysis["calibration"]
    # the domains were grouped, so the law follows the losses only roughly
    assert [table[t]["slope"] for t in runs.targets] == pytest.approx(slopes.tolist(), abs=0.2)
    measured = chosen.analysis["cv"]["target"]["measured"]
    np.testing.assert_allclose(measured, big[:, 0], rtol=0.05)
    assert chosen.run.manifest.inputs["large"] == large.fingerprint
    assert "M403" in [f["code"] for f in chosen.analysis["findings"]]
    one = Trials(large.weights, large.scores[:, :1], runs.domains, runs.targets[:1])
    chosen = choose_from_trials(runs, "pile_cc", calibrate=one, **given)
    assert "M404" in [f["code"] for f in chosen.analysis["findings"]]
    with pytest.raises(NoTarget, match="large runs"):
        choose_from_trials(runs, "wikipedia_en", calibrate=one, **given)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Type a command in a folder; exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def typed(*words):
        with pytest.raises(SystemExit) as end:
            main(list(words))
        return end.value.code, *capsys.readouterr()

    return typed


def test_both_shapes_of_csv_through_the_command_line(alone, tmp_path, command):
    write_trials(alone, tmp_path / "one.csv")
    for name, heads, table in (
        ("w.csv", [f"train_the_pile_{d}" for d in alone.domains], alone.weights),
        ("l.csv", [f"metric/the_pile_{t}_val_loss" for t in alone.targets], alone.scores),
    ):
        with (tmp_path / name).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["index", *heads])
            rows.writerows([i, *map(repr, map(float, row))] for i, row in enumerate(table))
    words = [
        "mix",
        "--target",
        "pile_cc",
        "--method",
        "effective_data",
        "-p",
        "starts=1",
        "-p",
        "form=shared",
        "--json",
    ]
    answers = []
    for trials in (["--trials", "w.csv", "--losses", "l.csv"], ["--trials", "one.csv"]):
        code, out, error = command(*words, *trials, "--export", "json", "--export", "hf:packed")
        assert code == 0, error
        answers.append(json.loads(out))
    assert answers[0]["mixture"] == pytest.approx(answers[1]["mixture"], abs=1e-9)
    assert max(answers[0]["mixture"], key=answers[0]["mixture"].get) == "pile_cc"
    assert [p.rpartition("/")[2] for p in answers[0]["exported"]] == [
        "mixture.export.json", "hf_packed_mixture.py"
    ]  # fmt: skip
    assert (tmp_path / answers[0]["report"]).exists()


def test_errors_through_the_command_line(runs, tmp_path, command):
    write_trials(runs, tmp_path / "one.csv")
    code, _, error = command("mix", "--trials", "one.csv", "--target", "law")
    assert code == 2
    assert "NoTarget" in error
    assert "pile_cc" in error
    code, _, error = command(
        "mix", "--trials", "one.csv", "--target", "pile_cc", "--materialise", "1M"
    )
    assert code == 2
    assert "corpus folder" in error
