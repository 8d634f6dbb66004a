"""From a pool and a target to kept documents, a ledger that adds up, and a verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.jobs import select_job, select_parts, select_pool
from ecotone.jobs.select_columns import Columns
from ecotone.jobs.select_pool import select_pool as run_select
from ecotone.report import write as write_report

ZIPF = 1 / np.arange(1, 151)


def words(name, n, rng):
    out = []
    for _ in range(n):
        draw = rng.choice(150, int(rng.integers(20, 80)), p=ZIPF / ZIPF.sum())
        own = rng.random(len(draw)) < 0.5
        out.append(" ".join(f"{name if o else 'the'}{i}" for i, o in zip(draw, own, strict=True)))
    return out


def write(path, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path / "pool" / "law.jsonl", words("law", 200, rng))
    web = words("web", 600, rng)
    write(tmp_path / "pool" / "web.jsonl", [*web, *web[:50]])
    write(tmp_path / "law.jsonl", words("law", 60, rng))
    return tmp_path


def read_kept(run):
    out = []
    for file in sorted((run.artifacts / "kept").glob("*.zst")):
        data = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
        out += [json.loads(line) for line in data.splitlines()]
    return out


def chosen(folder, **given):
    given = {"share": 0.1, "out": folder / "runs", "workers": 1} | given
    return run_select(folder / "pool", folder / "law.jsonl", **given)


def test_the_choice_is_proved_and_the_ledger_adds_up(folder):
    found = chosen(folder)
    assert found.verdict.decision == "adapt"
    assert found.verdict.interval[0] > 0
    assert not found.verdict.used_target_labels
    ledger = pq.read_table(found.run.artifacts / "ledger").to_pylist()
    assert len(ledger) == 850 == len({r["id"] for r in ledger})
    counts = {}
    for row in ledger:
        counts[row["cause"]] = counts.get(row["cause"], 0) + 1
    wanted = {k: v for k, v in found.ledger.items() if v}
    assert counts == wanted
    assert counts["copy of an earlier document"] == 50
    kept = read_kept(found.run)
    assert [k["id"] for k in kept] == [r["id"] for r in ledger if r["weight"] > 0]
    assert np.mean([k["id"].startswith("law") for k in kept]) > 0.9
    lines = [x for f in (folder / "pool").iterdir() for x in f.read_text().splitlines()]
    total = sum(len(json.loads(x)["text"].split()) for x in lines)
    assert sum(len(k["text"].split()) for k in kept) <= 0.1 * total
    best = min(found.table, key=lambda r: r["perplexity, choosing"])
    assert found.rule == best["rule"]
    assert not (found.run.path / "scratch").exists()
    again = chosen(folder)
    assert (again.verdict, again.table, again.ledger) == (found.verdict, found.table, found.ledger)


def test_the_report_shows_what_was_kept(folder):
    found = chosen(folder)
    analysis = json.loads((found.run.artifacts / "analysis.json").read_text())
    domain = analysis["domain"]
    law = domain["rows"].index("law.jsonl")
    assert domain["columns"]["kept"][law] > 0.9 > 0.4 > domain["columns"]["pool"][law]
    for part in ("domain", "length"):
        assert np.allclose([sum(c) for c in analysis[part]["columns"].values()], 1)
    far = analysis["divergence"]
    assert far["kept"] < far["random"] < 1.5 * far["pool"]
    assert {e["id"] for e in analysis["examples"]["kept"]} <= {
        k["id"] for k in read_kept(found.run)
    }
    page = write_report(found.run.path)
    assert f"train on the documents that {found.rule} chose" in page.read_text()
    plain = page.with_suffix(".md").read_text()
    assert "copy of an earlier document" in plain
    assert "Tokens by file or folder" in plain


def test_a_pool_of_near_copies_is_told_of(folder):
    lines = (folder / "pool" / "law.jsonl").read_text().splitlines()
    again = [{"text": json.loads(x)["text"] + f" the{i}"} for i, x in enumerate(lines)]
    write(folder / "pool" / "more.jsonl", [r["text"] for r in again])
    codes = [f.code for f in chosen(folder, rule="classifier_odds").verdict.findings]
    assert codes == ["S106"]


def test_a_target_like_the_pool_keeps_random_documents(folder):
    rng = np.random.default_rng(5)
    mixed = [
        t for pair in zip(words("law", 30, rng), words("web", 97, rng), strict=False) for t in pair
    ]
    write(folder / "law.jsonl", [*mixed, *words("web", 60, rng)])
    found = chosen(folder, share=0.5)
    assert found.verdict.decision in ("keep", "cannot tell")
    assert found.rule == "random"


def shards(run):
    """Return the bytes of everything that was written."""
    folders = (run.artifacts / name for name in ("kept", "ledger"))
    return {f.name: f.read_bytes() for folder in folders for f in sorted(folder.iterdir())}


def test_workers_and_small_parts_give_the_same_bytes(folder, monkeypatch):
    one = chosen(folder)
    for workers in (2, 4):
        again = chosen(folder, out=folder / f"{workers} workers", workers=workers)
        assert shards(one.run) == shards(again.run)
        assert again.verdict == one.verdict
    # parts of a few kilobytes: other batches, the same choice
    parts = select_pool.DocFiles.parts
    monkeypatch.setattr(select_pool.DocFiles, "parts", lambda self: parts(self, size=4_000))
    small = chosen(folder, out=folder / "small")
    assert len(list((small.run.artifacts / "kept").iterdir())) > 10
    assert read_kept(one.run) == read_kept(small.run)


def test_killed_half_way_and_begun_again_gives_the_same(folder):
    whole = read_kept(chosen(folder, out=folder / "whole").run)
    code = ("import sys; from ecotone.jobs.select_pool import select_pool as s; "
            "s(sys.argv[1] + '/pool', sys.argv[1] + '/law.jsonl', share=.1, "
            "out=sys.argv[1] + '/again', workers=1)")  # fmt: skip
    job = subprocess.Popen([sys.executable, "-c", code, str(folder)], stderr=subprocess.DEVNULL)
    scored = "scores-00000.npz"
    for _ in range(600):
        if list((folder / "again").rglob(scored)) or job.poll() is not None:
            break
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL) if job.poll() is None else None
    job.wait()
    assert read_kept(chosen(folder, out=folder / "again").run) == whole


def test_records_keep_their_fields_and_ids(folder):
    lines = (folder / "pool" / "law.jsonl").read_text().splitlines()
    records = [{**json.loads(x), "id": f"own{i}", "tags": [i]} for i, x in enumerate(lines)]
    (folder / "pool" / "law.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    kept = [k for k in read_kept(chosen(folder).run) if "tags" in k]
    assert kept
    for k in kept:
        number = int(k.pop("place").rpartition(":")[2]) - 1
        assert k == records[number]
    table = pq.read_table(chosen(folder, form="parquet").run.artifacts / "kept").to_pylist()
    assert [t["id"] for t in table if t["tags"]] == [k["id"] for k in kept]


def test_lines_that_hold_no_document_are_kept_aside(folder):
    with (folder / "pool" / "law.jsonl").open("a") as file:
        file.write('not json\n{"other": 1}\n\n')
    found = chosen(folder)
    assert found.ledger["no document"] == 2
    assert any(f.code == "S102" and "law.jsonl:201" in f.says for f in found.verdict.findings)
    assert "not json" in (found.run.artifacts / "no-document.jsonl").read_text()
    with pytest.raises(BadInput, match=r"law\.jsonl:201") as caught:
        chosen(folder, strict=True)
    assert "--strict" in caught.value.cure


def test_bad_input_says_what_would_be_right(folder):
    for given, says in [
        ({"rule": "best"}, "no rule is called"),
        ({"share": 0.0}, "share to take"),
    ]:
        with pytest.raises(BadInput, match=says):
            chosen(folder, **given)
    (folder / "empty.jsonl").write_text("\n")
    with pytest.raises(BadInput, match="holds no document"):
        run_select(folder / "pool", folder / "empty.jsonl", out=folder / "runs")
    with pytest.raises(BadInput, match="holds no document"):
        run_select(folder / "empty.jsonl", folder / "law.jsonl", out=folder / "runs", workers=1)
    with pytest.raises(BadInput, match="no such file"):
        run_select(folder / "nowhere", folder / "law.jsonl")


def test_a_tiny_target_is_said_to_be_tiny(folder):
    write(folder / "law.jsonl", ["law1 law2 law3", "law4 law5", "law6 the1"])
    found = chosen(folder)
    assert any(f.code == "S101" for f in found.verdict.findings)


def test_of_a_large_target_a_sample_is_looked_at(folder, monkeypatch):
    monkeypatch.setattr(select_pool, "TARGET", 5_000)
    found = chosen(folder, rule="classifier_odds")
    assert [f.code for f in found.verdict.findings] == ["S103"]
    assert found.verdict.decision == "adapt"
    lines = (folder / "law.jsonl").read_text().splitlines(keepends=True)
    (folder / "law.jsonl").write_text("".join(lines[::-1]))  # its order does not matter
    again = chosen(folder, rule="classifier_odds", out=folder / "turned")
    assert again.table == found.table


def test_greedy_matching_in_blocks_is_as_good(folder, monkeypatch):
    cuts = []
    blocks = Columns.blocks
    monkeypatch.setattr(Columns, "blocks", lambda *given: cuts.append(blocks(*given)) or cuts[-1])
    whole = chosen(folder, rule="greedy_within_odds")
    monkeypatch.setattr(select_job, "BLOCK", 3_000)
    cut = chosen(folder, rule="greedy_within_odds", out=folder / "cut")
    assert len(cuts[0]) == 1 < len(cuts[1]) < 10
    far = [f.table[-1]["perplexity, proof"] for f in (whole, cut)]
    assert far[1] < 1.1 * far[0]
    tokens = [f.table[-1]["tokens"] for f in (whole, cut)]
    assert 0.9 * tokens[0] < tokens[1] <= 0.1 * 850 * 80


def test_places_of_the_pool_are_gathered_in_order(folder):
    parts = [p.__dict__ for p in select_pool.DocFiles(folder / "pool").parts(size=3_000)]
    sizes = [sum(len(d) for d, _ in select_parts.read(select_parts.Part(**p))) for p in parts]
    starts = np.cumsum([0, *sizes])
    rows = np.array([700, 3, 849, 200])
    got = select_parts.gather(parts, starts, rows, "text")
    assert got.ids == ["law.jsonl:4", "web.jsonl:1", "web.jsonl:501", "web.jsonl:650"]
    assert isinstance(got, Docs)
    assert Path(parts[0]["path"]).name == "law.jsonl"


def test_a_pool_without_a_word_is_refused(folder):
    for file in (folder / "pool").iterdir():
        file.write_text('{"text": "\\u2003\\u2003"}\n' * 3)
    with pytest.raises(BadInput, match="pool"):
        chosen(folder)


def test_tiny_neural_models_give_a_second_opinion(folder, monkeypatch):
    pytest.importorskip("torch")
    from ecotone.jobs import select_neural

    monkeypatch.setattr(select_neural, "TOKENS", 20_000)
    found = chosen(folder, rule="classifier_odds", neural=True)
    losses = {r["rule"]: r["neural loss"] for r in found.table}
    assert losses["classifier_odds"] < losses["random"] - 0.05
    page = write_report(found.run.path)
    assert "neural loss" in page.read_text()
    # where the models see a difference the verdict stands, where they see none it does not
    adapt = replace(found.verdict, decision="adapt", findings=())
    wobble = 0.01 * np.arange(27.0).reshape(3, 9)
    clear = {"random": 3.0 + wobble, "classifier_odds": 2.5 + wobble**2}
    assert select_neural.second_opinion(adapt, clear, "classifier_odds")[0].decision == "adapt"
    same = dict.fromkeys(losses, np.ones((3, 9)))
    verdict, own = select_neural.second_opinion(adapt, same, "classifier_odds")
    assert own.decision == verdict.decision != "adapt"
    assert [f.code for f in verdict.findings] == ["S111"]
