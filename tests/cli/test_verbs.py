"""The verbs, run in this process on small corpora."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecotone.bench import verify as verifying
from ecotone.cli.main import command, main
from ecotone.core.errors import EcotoneError
from ecotone.core.method import read_methods
from ecotone.core.run import Run, list_runs
from ecotone.core.seeds import stream
from ecotone.data import made
from ecotone.jobs.again import rerun
from ecotone.testing.fixtures import babble, text_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder whose `twin` is written like `law`."""
    low = "red green blue white black"
    texts = {
        "law": babble(low, 50, stream(0, "law")),
        "twin": babble(low, 50, stream(0, "twin")),
        "web": babble("one two three four five", 50, stream(0, "web")),
    }
    return made.write(text_corpus(texts), tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def cli(monkeypatch):
    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["ecotone", *map(str, words)])
        found = CliRunner().invoke(command, [str(w) for w in words], catch_exceptions=False,
                                   standalone_mode=False)  # fmt: skip
        assert (found.return_value or 0) == code
        return found

    return run


@pytest.fixture
def shifted(cli, corpus, tmp_path):
    out = tmp_path / "runs"
    return json.loads(
        cli("shift", corpus, "--target", "law", "-p", "draws=19", "--out", out, "--json").stdout
    )


def test_shift_prints_the_table_and_marks_chance(cli, corpus, tmp_path):
    out = tmp_path / "runs"
    text = cli("shift", corpus, "--target", "law", "-p", "draws=19", "--out", out).stdout
    lines = text.splitlines()
    assert lines[0].split() == ["NGRAMS", "LAW", "TWIN", "WEB"]
    near, far = (next(x for x in lines[5:] if x.startswith(n)) for n in ("twin", "web"))
    assert "~" in near
    assert "~" not in far
    assert far.split()[-1] == "0.05"
    page = Path(lines[-1].split(maxsplit=1)[1])
    assert page.read_text().count("<svg") >= 2
    assert (page.parent / "report.md").exists()
    manifest = Run(page.parent).manifest
    assert manifest.status == "done"
    assert manifest.command.startswith("ecotone shift")


def test_shift_as_json_holds_what_the_report_reads(shifted):
    assert shifted["target"] == "law"
    assert shifted["shift"]["names"] == ["law", "twin", "web"]
    assert shifted["shift"]["measure"] == "ngrams"
    assert shifted["domains"][0] == {"name": "law", "role": "target"}


def test_shift_with_another_measure_and_its_parameters(cli, corpus, tmp_path):
    found = cli("shift", corpus, "--measure", "mmd", "-p", "bandwidth=0.5", "-p", "draws=3",
                "-p", "rows=20", "--out", tmp_path, "--json")  # fmt: skip
    analysis = json.loads(found.stdout)
    assert analysis["shift"]["measure"] == "mmd"
    assert "target" not in analysis
    (row,) = list_runs(tmp_path)
    assert row["params"]["params"] == {"bandwidth": 0.5, "draws": 3, "rows": 20}


def test_report_is_written_again_by_path_or_name(cli, shifted, tmp_path):
    page = Path(shifted["report"])
    before = page.read_bytes()
    page.unlink()
    assert cli("report", page.parent).stdout.strip() == str(page)
    assert page.read_bytes() == before
    told = cli("report", page.parent.name, "--out", tmp_path / "runs", "--json").stdout
    assert json.loads(told)["html"] == str(page)


def test_runs_are_listed(cli, shifted, tmp_path):
    out = tmp_path / "runs"
    name = Path(shifted["report"]).parent.name
    assert name in cli("runs", "--out", out).stdout
    assert [r["run"] for r in json.loads(cli("runs", "--out", out, "--json").stdout)] == [name]
    assert "0 runs" in cli("runs", "--out", tmp_path / "none").stdout


def test_run_does_again_what_a_manifest_says(cli, shifted, tmp_path):
    page = Path(shifted["report"])
    found = cli("run", page.parent / "manifest.json", "--out", tmp_path / "again", "--json")
    told = json.loads(found.stdout)
    assert Path(told["run"]).name == page.parent.name
    again = json.loads((Path(told["run"]) / "artifacts" / "analysis.json").read_text())
    assert again["shift"] == shifted["shift"]


def call(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([str(w) for w in words])
    return end.value.code, capsys.readouterr()


def test_a_mixture_is_chosen_and_chosen_again(cli, corpus, tmp_path):
    words = ["mix", corpus, "--target", "law", "--method", "natural", "--tokens", "5k", "--json"]
    one = json.loads(cli(*words, "--out", tmp_path / "runs").stdout)
    assert sum(one["mixture"].values()) == pytest.approx(1)
    assert one["mixture"] == one["natural"]
    run = Path(one["report"]).parent
    told = json.loads(cli("run", run, "--out", tmp_path / "again", "--json").stdout)
    assert Path(told["run"]).name == run.name
    two = json.loads((Path(told["run"]) / "artifacts" / "analysis.json").read_text())
    assert two["mixture"] == one["mixture"]
    # the tokens are a part of the run: they are not done by themselves
    (tokens,) = (tmp_path / "runs").glob("tokens-*")
    with pytest.raises(EcotoneError, match="not a job") as error:
        rerun(tokens)
    assert "part of another run" in error.value.why


def test_run_notices_that_the_text_has_changed(corpus, tmp_path, capsys):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for file in corpus.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    code, _ = call(capsys, "shift", folder, "-p", "draws=2", "--out", tmp_path / "runs")
    assert code == 0
    (folder / "law.jsonl").write_text('{"text": "other"}\n' * 9)
    (run,) = (tmp_path / "runs").glob("shift-*")
    code, said = call(capsys, "run", run)
    assert code == 2
    assert "has changed" in said.err


def test_errors_are_sentences_with_a_code(corpus, tmp_path, capsys):
    code, said = call(capsys, "shift", corpus, "--target", "lore", "--out", tmp_path)
    assert code == 2
    assert said.err.startswith("NoTarget")
    assert "cure" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    for words in (["shift", corpus, "--measure", "mdm"], ["report", tmp_path], ["card", "natrual"]):
        code, said = call(capsys, *words)
        assert code == 2
        assert "cure" in said.err
    code, said = call(capsys, "shift")
    assert code == 2
    assert "CORPUS" in said.err


def test_a_full_disk_is_said_and_nothing_is_lost(corpus, tmp_path, capsys, monkeypatch):
    import errno

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    code, said = call(capsys, "shift", corpus, "-p", "draws=2", "--out", tmp_path)
    assert code == 2
    assert "No space left on device" in said.err
    assert "free space" in said.err
    assert not list(tmp_path.glob("*/manifest.json"))


def test_stopping_says_how_to_go_on(capsys, monkeypatch):
    from ecotone.core import method

    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(method, "catalogue", stopped)
    code, said = call(capsys, "methods")
    assert code == 130
    assert "goes on where this one ended" in said.err


def test_methods_and_cards(cli):
    text = cli("methods", "--room", "shift").stdout
    assert "4 of " in text.splitlines()[-1]
    rows = json.loads(cli("methods", "--room", "mix", "--without", "proxies", "--json").stdout)
    assert "natural" in {r["name"] for r in rows}
    assert not any("proxies" in r["needs"] for r in rows)
    card = cli("card", "mmd").stdout
    assert "-p bandwidth=None" in card
    assert "fails    when" in card
    assert json.loads(cli("card", "mmd", "--json").stdout)["fails"]


CARD = """```toml
method = "toy"
[[claim]]
id = "good"
says = "it is so"
check = { test = "test_toy.py::test_good" }
[[claim]]
id = "bad"
says = "it is not so"
check = { test = "test_toy.py::test_bad" }
holds = true
measured = "long ago"
[[claim]]
id = "gone"
says = "nobody knows"
check = { test = "test_toy.py::test_gone" }
[[claim]]
id = "skipped"
says = "not here"
check = { test = "test_toy.py::test_skipped" }
[[claim]]
id = "elsewhere"
says = "in another suite"
check = { suite = "nowhere" }
[[fails]]
when = "a shift is large"
check = { suite = "two-samples", shift = 1.0, seeds = 3, most = 0.5 }
```

Prose stays.
"""
TOY = '''from ecotone.core.method import method


@method(name="toy", paper="", needs=set(), handles=set())
def toy(A, B, *, rng):
    """Difference of the means."""
    return float(abs(A.mean(axis=0) - B.mean(axis=0)).sum())
'''
TESTS = """import pytest
def test_good(): pass
def test_bad(): assert 0
def test_skipped(): pytest.skip("needs a thing")
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack") / "toyroom"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    (folder / "toy.md").write_text(CARD)
    (folder / "test_toy.py").write_text(TESTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        (method,) = read_methods(folder, "shift", "toyroom")
        yield method


@pytest.fixture(scope="module")
def outcomes(toy):
    return verifying.verify(toy, root=toy.path.parent)


def test_verify_runs_the_checks_of_a_card(outcomes):
    found = {o.id: o for o in outcomes if o.kind == "claim"}
    assert {k: o.state for k, o in found.items()} == {
        "good": "held",
        "bad": "not reproduced",
        "gone": "cannot run here",
        "skipped": "cannot run here",
        "elsewhere": "cannot run here",
    }
    assert found["good"].measured.startswith("1 passed")
    assert "no suite is called nowhere" in found["elsewhere"].measured


def test_verify_writes_what_was_measured_and_keeps_the_rest(toy, outcomes):
    verifying.write_outcomes(toy, outcomes)
    card = toy.card()
    by_id = {c["id"]: c for c in card.claims}
    assert by_id["good"]["holds"] is True
    assert by_id["bad"]["holds"] is False
    assert "1 failed" in by_id["bad"]["measured"]
    assert "holds" not in by_id["gone"]
    # the toy sees the shift, so the failure the card speaks of is not there
    assert card.fails[0]["holds"] is False
    assert "3 of 3 pairs" in card.fails[0]["measured"]
    assert card.prose == "Prose stays."
    once = toy.card_path.read_text()
    verifying.write_outcomes(toy, outcomes)
    assert toy.card_path.read_text() == once


def test_verify_without_the_repository_says_so(toy, monkeypatch):
    monkeypatch.setattr(verifying, "repository", lambda: None)
    by_id = {o.id: o for o in verifying.verify(toy) if o.kind == "claim"}
    assert by_id["good"].state == "cannot run here"
    assert "in the repository" in by_id["good"].measured


def test_verify_prints_and_ends_with_a_code(cli, monkeypatch):
    def outcomes(state):
        row = [verifying.Outcome("claim", "a", "it is so", state, "7 of 9")]
        return lambda methods: {m.name: row for m in methods}

    monkeypatch.setattr(verifying, "verify_all", outcomes("held"))
    assert "7 of 9" in cli("verify", "mmd").stdout
    monkeypatch.setattr(verifying, "verify_all", outcomes("not reproduced"))
    shown = cli("verify", "shift", code=1).stdout
    assert "all" in shown
    assert "mmd, claim a: not reproduced: 7 of 9" in shown
    (row,) = json.loads(cli("verify", "mmd", "--json", code=1).stdout)
    assert row["state"] == "not reproduced"


def test_a_preset_is_opened_by_name_and_its_licences_are_shown(cli, corpus, tmp_path, monkeypatch):
    from ecotone.data import real

    asked = []

    def folder(preset, *, target, progress):
        asked.append((preset, target))
        return corpus

    card = {"domain": "law", "bytes": 1234, "licence": "CC0-1.0", "origin": "somewhere"}
    monkeypatch.setattr(real, "folder", folder)
    monkeypatch.setattr(real, "licences", lambda folder: [card])
    found = cli("shift", "demo", "--target", "law", "-p", "draws=2", "--out", tmp_path, "--json")
    assert asked == [("demo", "law")]
    assert "law: 1,234 bytes, CC0-1.0, somewhere" in found.stderr
    assert json.loads(found.stdout)["target"] == "law"
