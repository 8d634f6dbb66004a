"""`Run` and `Manifest`: one folder, one job.

The folder's name is the identity of the job: the same command finds the same folder, skips the
tasks that are done and goes on.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ecotone._version import __version__
from ecotone.core.errors import BadInput, OtherVersion
from ecotone.core.files import fingerprint, fingerprint_file, plain, write_json

FORMAT = 1  # raised when an older run folder can no longer be continued


@dataclass(frozen=True)
class Manifest:
    """The recipe of a run, and where it stands.

    Attributes
    ----------
    verb, method : str
        What was asked: ``mix``, ``effective_data``.
    params : dict
        Everything that changes the result, as JSON.
    inputs : dict of str to str
        Fingerprints of what went in.
    seed : int
        The one seed.
    command : str
        What to type to do it again.
    status : str
        ``running``, ``done`` or ``failed``.
    """

    verb: str
    method: str
    params: dict[str, Any]
    inputs: dict[str, str]
    seed: int
    command: str = ""
    status: str = "running"
    format: int = FORMAT
    version: str = __version__
    started: str = ""
    finished: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Hash of what decides the result; eight hexadecimal digits."""
        parts = [self.verb, self.method, self.params, self.inputs, self.seed, self.format]
        return fingerprint(parts)[:8]

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return f"{self.verb}-{self.method}-{self.identity}"


class Run:
    """One job in one folder.

    Parameters
    ----------
    path : Path
        The folder, which holds a manifest. Use `Run.open` to make or find one.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        file = self.path / "manifest.json"
        if not file.exists():
            raise BadInput(
                f"{self.path}: not a run folder (no manifest.json).",
                cure=f"ecotone runs --out {self.path.parent}",
            )
        record = json.loads(file.read_text())
        if record.get("format") != FORMAT:
            raise OtherVersion(
                f"{self.path} was made by ecotone {record.get('version', '?')} with run format "
                f"{record.get('format')}; this version writes format {FORMAT}.",
                why="its finished tasks may mean something else now.",
                cure=f"keep it and start anew with --out elsewhere, or: rm -r {self.path}",
            )
        self.manifest = Manifest(**record)

    def __repr__(self) -> str:
        done = len(self.task_names())
        return f"Run({self.path.name}, {self.manifest.status}, {done} tasks done)"

    @classmethod
    def open(cls, out: Path | str, manifest: Manifest) -> Run:
        """Find the folder of this job under `out`, or make it."""
        path = Path(out) / manifest.name
        if not (path / "manifest.json").exists():
            (path / "tasks").mkdir(parents=True, exist_ok=True)
            machine = {
                "python": platform.python_version(),
                "system": platform.platform(),
                "cores": os.cpu_count(),
            }
            started = replace(manifest, started=_now(), machine=machine)
            write_json(path / "manifest.json", asdict(started))
        return cls(path)

    @property
    def artifacts(self) -> Path:
        """Folder of what the job made."""
        folder = self.path / "artifacts"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def fingerprint(self) -> str:
        """The identity of the job."""
        return self.manifest.identity

    def task_path(self, task: str) -> Path:
        """Return where the result of a task is kept."""
        return self.path / "tasks" / f"{task}.json"

    def task_names(self) -> list[str]:
        """Return the names of the finished tasks, sorted."""
        return sorted(p.stem for p in (self.path / "tasks").glob("[!.]*.json"))

    def done(self, task: str) -> bool:
        """Whether the task has finished."""
        return self.task_path(task).exists()

    def result(self, task: str) -> dict[str, Any]:
        """Return what a finished task returned."""
        return json.loads(self.task_path(task).read_text())

    def finish_task(self, task: str, result: Mapping[str, Any]) -> None:
        """Keep the result of a task: written whole, then renamed."""
        write_json(self.task_path(task), dict(result))

    def results(self) -> dict[str, list[Any]]:
        """Return one row per (task, metric): columns ``task``, ``metric``, ``value``."""
        table: dict[str, list[Any]] = {"task": [], "metric": [], "value": []}
        for task in self.task_names():
            for metric, value in _flat(self.result(task)):
                table["task"].append(task)
                table["metric"].append(metric)
                table["value"].append(value)
        return table

    def event(self, kind: str, **facts: Any) -> None:
        """Append one line to ``events.jsonl``."""
        line = json.dumps(plain({"time": _now(), "kind": kind, **facts}))
        with (self.path / "events.jsonl").open("a") as file:
            file.write(line + "\n")

    def close(self, status: str = "done") -> None:
        """Write the status, the time and the checksums of the artifacts into the manifest."""
        folder = self.path / "artifacts"
        files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.exists() else []
        sums = {str(p.relative_to(folder)): fingerprint_file(p) for p in files}
        self.manifest = replace(self.manifest, status=status, finished=_now(), checksums=sums)
        write_json(self.path / "manifest.json", asdict(self.manifest))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)


def list_runs(out: Path | str) -> list[dict[str, Any]]:
    """Return one row per run folder under `out`, newest first, through ``index.sqlite``.

    The index only saves reading every manifest; it is rebuilt from them when it is missing,
    damaged or older than a manifest.
    """
    out = Path(out)
    manifests = sorted(out.glob("*/manifest.json"))
    if not manifests:
        return []
    try:
        return _from_index(out, manifests)
    except sqlite3.DatabaseError:
        (out / "index.sqlite").unlink(missing_ok=True)
        return _from_index(out, manifests)


def _from_index(out: Path, manifests: list[Path]) -> list[dict[str, Any]]:
    base = sqlite3.connect(out / "index.sqlite")
    try:
        with base:
            base.execute(
                "CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, mtime REAL, m TEXT)"
            )
            known = dict(base.execute("SELECT name, mtime FROM run"))
            for path in manifests:
                mtime = path.stat().st_mtime
                if known.pop(path.parent.name, None) != mtime:
                    row = (path.parent.name, mtime, path.read_text())
                    base.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", row)
            base.executemany("DELETE FROM run WHERE name = ?", [(n,) for n in known])
            rows = base.execute("SELECT name, m FROM run").fetchall()
    finally:
        base.close()
    records = [{"run": name, **json.loads(text)} for name, text in rows]
    return sorted(records, key=lambda r: (r["started"], r["run"]), reverse=True)
