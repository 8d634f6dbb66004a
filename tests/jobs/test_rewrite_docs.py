"""From files to rewritten files: every document and every answer is counted."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from ecotone.cli.main import command
from ecotone.core.errors import BadInput
from ecotone.jobs.rewrite_docs import rewrite_docs
from ecotone.rewrite.generators import scripted

PAGE = (
    "The court heard the appeal on the first day of the month. It found that the order had been "
    "made without notice, and it sent the case back.\n\nCookie policy | Accept | Home | Login\n"
)


@pytest.fixture
def folder(tmp_path):
    rows = [{"text": f"{PAGE}Page {i}.", "id": f"own{i}", "n": i} for i in range(6)]
    (tmp_path / "docs").mkdir()
    text = "".join(json.dumps(r) + "\n" for r in rows)
    (tmp_path / "docs" / "law.jsonl").write_text(text + "no json\n")
    return tmp_path


def read(path):
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    return [json.loads(line) for line in data.splitlines()]


def test_rules_rewrite_and_every_document_is_in_the_ledger(folder):
    out = ["--out", str(folder / "runs")]
    docs = str(folder / "docs")
    done = CliRunner().invoke(command, ["rewrite", docs, "--rules", "--json", *out])
    told = json.loads(done.stdout)
    assert sum(told["outcomes"].values()) == 6
    assert told["no document"] == 1
    assert told["answers"]["asked"] > 0
    assert [f["code"] for f in told["findings"]][-1] == "S102"
    run = next((folder / "runs").glob("rewrite-prox-*"))
    ledger = pq.read_table(run / "artifacts" / "ledger.parquet").to_pylist()
    assert [r["id"] for r in ledger] == [f"law.jsonl:{i}" for i in range(1, 7)]
    texts = read(run / "artifacts" / "texts.jsonl.zst")
    assert len(texts) == sum(r["outcome"] in ("rewritten", "untouched") for r in ledger)
    assert all(t["id"] == f"own{t['n']}" for t in texts)
    assert not any("Cookie" in t["text"] for t in texts)
    shown = CliRunner().invoke(command, ["rewrite", docs, "--rules", *out]).stdout
    assert f"{told['outcomes']['rewritten']}  rewritten" in shown


def test_nothing_is_asked_twice(folder):
    from ecotone.rewrite.generators import rule_refiner

    one, two = rule_refiner(), rule_refiner()
    first = rewrite_docs(folder / "docs", "prox", generator=one, out=folder / "runs")
    again = rewrite_docs(folder / "docs", "prox", generator=two, out=folder / "runs", seed=1)
    assert one.calls > 0
    assert two.calls == 0
    assert again.run.path != first.run.path
    assert again.result.fingerprint == first.result.fingerprint


def test_other_fields_are_what_a_method_may_need(folder):
    questions = [{"text": f"{i} + {i}", "answer": 2 * i} for i in range(4)]
    path = folder / "sums.jsonl"
    path.write_text("".join(json.dumps(q) + "\n" for q in questions))

    def answer(prompt):
        i = int(prompt.split(" + ")[1].split()[0])
        return f"\\boxed{{{2 * i}}}"

    made = rewrite_docs(
        path, "dart_math", generator=scripted(answer), params={"rule": "uniform", "wanted": 1},
        out=folder / "runs",
    )  # fmt: skip
    examples = read(made.run.artifacts / "examples.jsonl.zst")
    assert [e["source"] for e in examples] == [f"sums.jsonl:{i}" for i in range(1, 5)]


def test_bad_input_says_what_would_be_right(folder):
    for args, says in [
        (["--endpoint", "http://localhost:1/v1"], "--model NAME"),
        (["--model", "m", "--endpoint", "http://localhost:1/v1", "-g", "heat=3"], "-g temperature"),
        (["--method", "dart_math", "-p", "x=1"], "has no parameter"),
        (["--method", "prox"], "Ask"),
        (["--rules", "--strict"], r"law.jsonl:7"),
    ]:
        done = CliRunner().invoke(
            command, ["rewrite", str(folder / "docs"), "--out", str(folder / "runs"), *args]
        )
        assert says in str(done.exception) + done.output
    (folder / "empty.jsonl").write_text("")
    with pytest.raises(BadInput, match="no document"):
        rewrite_docs(folder / "empty.jsonl", "untouched_text", out=folder / "runs")
