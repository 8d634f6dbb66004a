"""The pool: same bits, nothing twice, no orphans, and words about what went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ecotone.core.errors import BadInput
from ecotone.core.run import Manifest, Run
from ecotone.engine import pool

HERE = str(Path(__file__).parent)
TASKS = "tasks"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(HERE)  # workers are given the parent's path
    return new_run(tmp_path / "runs")


def new_run(out):
    return Run.open(out, Manifest("test", "pool", {}, {}, 0))


def wait_for(what, seconds=60.0):
    """Poll; the limit only ends a hopeless wait."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def test_workers_change_no_bit_and_order_is_that_of_the_inputs(run, tmp_path):
    inputs = [{"n": n, "seed": s} for n, s in ((60, 1), (5, 2), (120, 3), (5, 2))]
    one = pool.map(f"{TASKS}:numbers", inputs, run, workers=1, quiet=True)
    two = pool.map(f"{TASKS}:numbers", inputs, new_run(tmp_path / "b"), workers=2, quiet=True)
    assert one == two
    assert one[1] == one[3]
    assert {r["threads"] for r in one} == {"1"}


def test_finished_tasks_are_not_done_again(run, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    inputs = [{"n": 3, "seed": s, "_folder": str(marks)} for s in range(3)]
    pool.map(f"{TASKS}:numbers", inputs[:2] * 2, run, workers=1, quiet=True)
    assert len(list(marks.iterdir())) == 2  # equal inputs once
    pool.map(f"{TASKS}:numbers", inputs, run, workers=1, quiet=True)
    assert len(list(marks.iterdir())) == 3
    # how to run is not what to run: another folder, the same task
    other = [{**g, "_folder": "/nowhere"} for g in inputs]
    pool.map(f"{TASKS}:numbers", other, run, workers=1, quiet=True)


def test_nothing_to_do_starts_nothing(run):
    assert pool.map("no.such:task", [], run) == []


def test_the_users_error_arrives_as_it_was(run):
    with pytest.raises(BadInput, match="your file") as error:
        pool.map(f"{TASKS}:bad", [{"kind": "user"}], run, workers=1, quiet=True)
    assert error.value.cure == "mend it"


def test_a_fault_says_where(run):
    with pytest.raises(pool.TaskFailed, match="ZeroDivisionError") as error:
        pool.map(f"{TASKS}:bad", [{"kind": "bug"}], run, workers=1, quiet=True)
    assert "tasks.py:" in error.value.why


def test_what_finished_before_an_error_is_kept(run):
    given = [{"kind": "fine"}, {"kind": "bug"}]
    with pytest.raises(pool.TaskFailed):
        pool.map(f"{TASKS}:bad", given, run, workers=1, quiet=True)
    assert run.done(pool.task_name(f"{TASKS}:bad", given[0]))
    assert not run.done(pool.task_name(f"{TASKS}:bad", given[1]))


def test_a_killed_worker_is_said(run):
    with pytest.raises(pool.TaskFailed, match="was killed") as error:
        pool.map(f"{TASKS}:bad", [{"kind": "killed"}], run, workers=1, quiet=True)
    assert "--workers 1" in error.value.cure


def test_fewer_than_one_worker_is_refused(run):
    with pytest.raises(BadInput, match="0 workers"):
        pool.map(f"{TASKS}:numbers", [{"n": 1, "seed": 0}], run, workers=0)


def test_the_environment_is_as_it_was(run, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    (found,) = pool.map(f"{TASKS}:numbers", [{"n": 1, "seed": 0}], run, workers=1, quiet=True)
    assert found["threads"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_work_inside_a_long_task_is_seen(run, tmp_path, monkeypatch):
    seen = []

    class Watch:
        """Stands for the progress line; lets the waiting task go on when its part is seen."""

        def __init__(self, title, total, **_):
            self.at, self.total = 0.0, total

        def begin(self, done):
            self.at = done

        def update(self, done):
            seen.append(done)
            if done == 5.0 + 3.0 * 3 / 4:
                (tmp_path / "go").touch()

        def close(self):
            seen.append("closed")

    monkeypatch.setattr(pool, "Progress", Watch)
    given = [{"steps": n, "_folder": str(tmp_path)} for n in (2, 4)]
    (tmp_path / "go").touch()
    pool.map(f"{TASKS}:ticking", given[:1], run, workers=1, work=[5.0])
    (tmp_path / "go").unlink()
    seen.clear()
    # one task is done, of the other three steps of four: then it waits for this to be seen
    pool.map(f"{TASKS}:ticking", given, run, workers=1, work=[5.0, 3.0])
    assert 7.25 in seen
    assert seen[-2:] == [8.0, "closed"]
    numbers = seen[:-1]
    assert numbers == sorted(numbers)


SCRIPT = """
    import sys
    from ecotone.core.run import Manifest, Run
    from ecotone.engine import pool
    sys.path.insert(0, {here!r})
    run = Run.open({out!r}, Manifest("test", "pool", {{}}, {{}}, 0))
    given = [{{"i": i, "_folder": {folder!r}}} for i in range(3)]
    print(pool.map("tasks:slow", given, run, workers=2, quiet=True))
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_killed_parent_leaves_no_orphans_and_the_same_call_goes_on(tmp_path):
    # a script without the usual guard: workers must not run it again
    text = SCRIPT.format(here=HERE, out=str(tmp_path / "runs"), folder=str(tmp_path))
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(text))
    job = subprocess.Popen([sys.executable, str(script)])
    pids = wait_for(lambda: (p := list(tmp_path.glob("pid-*"))) and len(p) == 2 and p)
    tasks = tmp_path / "runs"
    wait_for(lambda: len(list(tasks.glob("*/tasks/*.json"))) == 1)  # i = 0 does not wait
    job.send_signal(signal.SIGKILL)
    job.wait()
    workers = [int(p.name[4:]) for p in pids]
    wait_for(lambda: not any(map(alive, workers)))
    (tmp_path / "go").touch()
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([{"i": 0}, {"i": 1}, {"i": 2}])
    assert done.stderr == ""


def test_kept_workers_serve_every_map_inside(run, tmp_path):
    def pids(folder):
        return {p.name.split("-")[2] for p in folder.iterdir()}

    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    given = [{"n": 3, "seed": s} for s in range(6)]
    with pool.kept(1):
        for name, some in (("a", given[:2]), ("b", given[2:4])):
            here = [{**g, "_folder": str(tmp_path / name)} for g in some]
            pool.map(f"{TASKS}:numbers", here, run, quiet=True)
    alone = [{**g, "_folder": str(tmp_path / "c")} for g in given[4:]]
    pool.map(f"{TASKS}:numbers", alone, run, workers=1, quiet=True)
    assert len(pids(tmp_path / "a")) == 1
    assert pids(tmp_path / "a") == pids(tmp_path / "b") != pids(tmp_path / "c")


def test_an_error_ends_kept_workers(run):
    with pytest.raises(pool.TaskFailed, match="ZeroDivisionError"), pool.kept(2):
        pool.map(f"{TASKS}:bad", [{"kind": "bug"}], run, quiet=True)
    assert pool.map(f"{TASKS}:bad", [{"kind": ""}], run, workers=1, quiet=True) == [{"x": 1}]
