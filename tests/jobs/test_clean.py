"""From a messy pool to a clean one: every document has one cause, and nothing good is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from ecotone.cli.main import command
from ecotone.core.errors import BadInput
from ecotone.data.doc_files import DocFiles
from ecotone.jobs import clean_near
from ecotone.jobs.again import rerun
from ecotone.jobs.clean_pool import clean_pool
from ecotone.select.contamination import Contamination
from ecotone.select.near_duplicates import NearDuplicates

ITEM = (
    "A ferry leaves the northern harbour with forty wagons, unloads a quarter of them at the first "
    "island and half of what remains at the second. How many wagons reach the lighthouse?"
)


def essay(rng, n=120):
    return " ".join(f"w{i}" for i in rng.integers(0, 4000, n))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    texts = [essay(rng) for _ in range(200)]
    near = [t.replace(t.split()[60], "changed", 1) for t in texts[:30]]
    texts += [*texts[:20], *near, f"{essay(rng)}\n{ITEM.upper()}\n{essay(rng)}"]
    (tmp_path / "pool").mkdir()
    for k in range(3):
        rows = [{"text": t} for t in texts[k::3]]
        write(tmp_path / "pool" / f"{k}.jsonl", rows)
    write(tmp_path / "items.jsonl", [{"text": ITEM}, {"text": essay(rng, 30)}])
    write(tmp_path / "old.jsonl", [{"text": texts[100]}, {"text": f"{texts[101]} more"}])
    return tmp_path


def write(path, rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))


def read_kept(run):
    out = []
    for file in sorted((run.artifacts / "kept").glob("*.zst")):
        data = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
        out += [json.loads(line) for line in data.splitlines()]
    return out


def cleaned(folder, **given):
    return clean_pool(folder / "pool", **{"out": folder / "runs", "workers": 1} | given)


def test_the_ledger_adds_up_and_the_parts_say_what_the_whole_says(folder):
    found = cleaned(folder)
    ledger = pq.read_table(found.run.artifacts / "ledger").to_pylist()
    assert len(ledger) == 251 == sum(found.ledger.values())
    assert found.ledger["copy of an earlier document"] == 20
    assert found.ledger["near copy of an earlier document"] == 30
    # the same filter on the whole pool at once
    files = DocFiles(folder / "pool")
    marks = NearDuplicates().mark(files)
    assert [bool(r["cause"] != "kept") for r in ledger] == marks.dropped.tolist()
    ids = [i for batch in files for i in batch.ids]
    assert [r["id"] for r in ledger] == ids
    near = {r["id"]: r["match"] for r in ledger if r["cause"].startswith("near")}
    assert near == {ids[i]: m for i, m in marks.match.items() if ids[i] in near}
    assert [k["id"] for k in read_kept(found.run)] == [r["id"] for r in ledger if r["weight"]]
    assert not (found.run.path / "scratch").exists()
    again = cleaned(folder)
    assert again.ledger == found.ledger


def test_too_many_possible_copies_are_judged_by_signatures(folder, monkeypatch):
    monkeypatch.setattr(clean_near, "VERIFIED", 1_000)
    found = cleaned(folder)
    assert [f.code for f in found.findings] == ["S123"]
    marks = NearDuplicates(verify="signatures").mark(DocFiles(folder / "pool"))
    ledger = pq.read_table(found.run.artifacts / "ledger").to_pylist()
    assert [bool(r["cause"] != "kept") for r in ledger] == marks.dropped.tolist()


def test_a_pool_without_copies_stays_as_it_is(tmp_path):
    rng = np.random.default_rng(4)
    write(tmp_path / "pool.jsonl", [{"text": essay(rng)} for _ in range(20)])
    for given in ({}, {"existing": tmp_path / "pool2.jsonl"}):
        write(tmp_path / "pool2.jsonl", [{"text": essay(rng)}])
        found = clean_pool(tmp_path / "pool.jsonl", out=tmp_path / "runs", workers=1, **given)
        assert found.ledger["kept"] == 20 == sum(found.ledger.values())


def test_existing_texts_are_not_wanted_again(folder):
    found = cleaned(folder, existing=folder / "old.jsonl")
    assert found.ledger["copy of an existing document"] == 1
    assert found.ledger["near copy of an existing document"] == 1
    ledger = pq.read_table(found.run.artifacts / "ledger").to_pylist()
    matches = {r["match"] for r in ledger if "existing" in r["cause"]}
    assert matches == {f"{folder}/old.jsonl:1", f"{folder}/old.jsonl:2"}


def test_a_benchmark_is_found_and_dropped(folder):
    found = cleaned(folder, benchmark=folder / "items.jsonl")
    assert found.ledger["contamination: passage of an item"] == 1
    assert found.items == {"items.jsonl:1": 1}
    assert not any("LIGHTHOUSE" in k["text"] for k in read_kept(found.run))
    files = DocFiles(folder / "pool")
    whole = Contamination().fit(DocFiles(folder / "items.jsonl")).mark(files)
    ids = [i for batch in files for i in batch.ids]
    (row,) = [json.loads(x) for x in (found.run.artifacts / "found.jsonl").read_text().splitlines()]
    assert whole.spans[ids.index(row["id"])] == tuple(tuple(s) for s in row["spans"])
    assert row["excerpt"].startswith("A FERRY LEAVES")


def test_what_another_filter_drops_is_no_reason_to_drop_its_copies(folder):
    """A page that is dropped for its language does not take a good page with it."""
    text = essay(np.random.default_rng(9))
    rows = [{"text": f"{text}\n{ITEM}"}, {"text": text}]
    write(folder / "pool" / "0.jsonl", rows)
    found = cleaned(folder, benchmark=folder / "items.jsonl",
                    params={"near_duplicates": {"threshold": 0.5}})  # fmt: skip
    ledger = pq.read_table(found.run.artifacts / "ledger").to_pylist()
    assert [r["cause"] for r in ledger[:2]] == ["contamination: passage of an item", "kept"]


def test_workers_parts_and_a_kill_move_no_byte(folder, monkeypatch):
    whole = cleaned(folder, benchmark=folder / "items.jsonl")
    for workers in (2, 4):
        out = folder / f"{workers} workers"
        two = cleaned(folder, benchmark=folder / "items.jsonl", workers=workers, out=out)
        for name in ("kept", "ledger"):
            same = [sorted((r.artifacts / name).iterdir()) for r in (whole.run, two.run)]
            assert [f.read_bytes() for f in same[0]] == [f.read_bytes() for f in same[1]]
    code = (
        "import sys; from ecotone.jobs.clean_pool import clean_pool as c; f = sys.argv[1]; "
        "c(f + '/pool', benchmark=f + '/items.jsonl', out=f + '/again', workers=1)"
    )
    job = subprocess.Popen([sys.executable, "-c", code, str(folder)], stderr=subprocess.DEVNULL)
    for _ in range(600):
        if list((folder / "again").rglob("counts.npz")) or job.poll() is not None:
            break
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL) if job.poll() is None else None
    job.wait()
    again = cleaned(folder, benchmark=folder / "items.jsonl", out=folder / "again")
    assert read_kept(again.run) == read_kept(whole.run)
    parts = DocFiles.parts
    monkeypatch.setattr(DocFiles, "parts", lambda self: parts(self, size=4_000))
    small = cleaned(folder, benchmark=folder / "items.jsonl", out=folder / "small")
    assert len(list((small.run.artifacts / "kept").iterdir())) > 10
    assert read_kept(small.run) == read_kept(whole.run)
    assert small.ledger == whole.ledger


def test_the_verbs_say_what_they_found(folder):
    out = ["--out", str(folder / "runs"), "--workers", "1"]
    items = ["--benchmark", str(folder / "items.jsonl")]
    pool = str(folder / "pool")
    with (folder / "pool" / "0.jsonl").open("a") as file:
        file.write("no json\n")
    shown = CliRunner().invoke(command, ["clean", pool, *out, *items])
    assert "near copy of an earlier document" in shown.stdout
    assert "S102" in shown.stdout
    told = json.loads(CliRunner().invoke(command, ["clean", pool, "--json", *out]).stdout)
    assert sum(told["ledger"].values()) == 252
    shown = CliRunner().invoke(command, ["contaminated", pool, *out, *items], standalone_mode=False)
    assert shown.return_value == 3
    assert "1 of 251 documents hold passages of 1 items" in shown.stdout
    assert "A FERRY LEAVES" in shown.stdout
    (folder / "other.jsonl").write_text(json.dumps({"text": " ".join(reversed(ITEM.split()))}))
    items[1] = str(folder / "other.jsonl")
    clear = CliRunner().invoke(
        command, ["contaminated", f"{pool}/1.jsonl", "--json", *out, *items], standalone_mode=False
    )
    assert (clear.return_value, json.loads(clear.stdout)["items"]) == (0, {})


def test_bad_input_says_what_would_be_right(folder):
    for given, says in [
        ({"filters": ("soap",)}, "no filter is called 'soap'"),
        ({"filters": ("contamination",)}, "contamination of what"),
        ({"filters": ("quality",), "existing": folder / "old.jsonl"}, "filters of copies"),
    ]:
        with pytest.raises(BadInput, match=says) as caught:
            cleaned(folder, **given)
        assert caught.value.cure
    (folder / "pool" / "0.jsonl").write_text("no json\n")
    with pytest.raises(BadInput, match=r"0\.jsonl:1"):
        cleaned(folder, strict=True)
    done = CliRunner().invoke(command, ["clean", str(folder / "pool"), "-p", "threshold=1"])
    assert "near_duplicates.threshold" in str(done.exception)


def test_a_run_that_cannot_be_repeated_says_how_it_was_made(folder):
    found = cleaned(folder, filters=("exact_duplicates",), command="ecotone clean pool")
    with pytest.raises(BadInput, match="names the place") as caught:
        rerun(found.run.path)
    assert caught.value.cure == "ecotone clean pool"
