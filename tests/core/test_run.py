"""One folder, one job: resume, versions, the index."""

from __future__ import annotations

import json
import os
import sqlite3

import pytest

from ecotone.core.errors import BadInput, OtherVersion
from ecotone.core.run import Manifest, Run, list_runs


def manifest(**other):
    facts = {"verb": "mix", "method": "auto", "params": {"a": 1}, "inputs": {"x": "1"}, "seed": 0}
    return Manifest(**{**facts, **other})


def test_the_same_job_finds_the_same_folder_and_its_tasks(tmp_path):
    run = Run.open(tmp_path, manifest())
    run.finish_task("one", {"loss": 1.5})
    again = Run.open(tmp_path, manifest(command="typed differently"))
    assert again.path == run.path
    assert again.done("one")
    assert not again.done("two")
    assert again.result("one") == {"loss": 1.5}
    assert again.task_names() == ["one"]
    assert repr(again) == f"Run({run.path.name}, running, 1 tasks done)"
    assert again.fingerprint == run.manifest.identity


@pytest.mark.parametrize(
    "change",
    [{"verb": "shift"}, {"method": "x"}, {"params": {}}, {"inputs": {}}, {"seed": 1}],
)
def test_another_job_has_another_folder(change):
    assert manifest(**change).name != manifest().name


def test_what_does_not_decide_the_result_does_not_count():
    assert manifest(command="x", status="done", machine={"cores": 9}).name == manifest().name


def test_half_written_tasks_do_not_count(tmp_path):
    run = Run.open(tmp_path, manifest())
    (run.path / "tasks" / ".one.json.abc").write_text("{")
    assert run.task_names() == []


def test_another_format_is_refused_with_a_cure(tmp_path):
    run = Run.open(tmp_path, manifest())
    file = run.path / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99, "version": "9.0"}))
    with pytest.raises(OtherVersion, match=r"ecotone 9\.0 with run format 99") as error:
        Run(run.path)
    assert "--out" in error.value.cure


def test_a_folder_without_manifest_is_no_run(tmp_path):
    with pytest.raises(BadInput, match="not a run folder"):
        Run(tmp_path)


def test_results_are_tidy(tmp_path):
    run = Run.open(tmp_path, manifest())
    run.finish_task("t", {"loss": {"a": 1, "b": 2.5}, "name": "x", "ok": True})
    assert run.results() == {"task": ["t", "t"], "metric": ["loss.a", "loss.b"], "value": [1, 2.5]}


def test_close_keeps_checksums_and_events_are_lines(tmp_path):
    run = Run.open(tmp_path, manifest())
    (run.artifacts / "a.txt").write_text("x")
    run.event("warning", text="y")
    run.event("warning", text="z")
    run.close()
    again = Run(run.path)
    assert again.manifest.status == "done"
    assert set(again.manifest.checksums) == {"a.txt"}
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert [json.loads(s)["text"] for s in lines] == ["y", "z"]


def test_runs_are_listed_and_the_index_follows(tmp_path):
    assert list_runs(tmp_path) == []
    one, two = (Run.open(tmp_path, manifest(seed=s)) for s in (1, 2))
    assert {r["run"] for r in list_runs(tmp_path)} == {one.path.name, two.path.name}
    one.close("failed")
    os.utime(one.path / "manifest.json", (1, 1))  # any other time, not only a later one
    by_name = {r["run"]: r["status"] for r in list_runs(tmp_path)}
    assert by_name[one.path.name] == "failed"
    (two.path / "manifest.json").unlink()
    assert [r["run"] for r in list_runs(tmp_path)] == [one.path.name]


@pytest.mark.parametrize("damage", ["text", "cut", "other table", "gone"])
def test_a_damaged_index_is_rebuilt(tmp_path, damage):
    run = Run.open(tmp_path, manifest())
    list_runs(tmp_path)
    index = tmp_path / "index.sqlite"
    if damage == "text":
        index.write_text("not a database, and longer than a header " * 50)
    elif damage == "cut":
        index.write_bytes(index.read_bytes()[:1000])
    elif damage == "gone":
        index.unlink()
    else:
        index.unlink()
        with sqlite3.connect(index) as base:
            base.execute("CREATE TABLE run (other TEXT)")
        base.close()
    assert [r["run"] for r in list_runs(tmp_path)] == [run.path.name]
    assert [r["run"] for r in list_runs(tmp_path)] == [run.path.name]
