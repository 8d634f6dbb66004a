"""Answers on disk: one SQLite file, one transaction a batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecotone.core.errors import BadInput, OtherVersion

VERSION = 1
AT_ONCE = 500  # SQLite takes at least 999 values in one statement


class AnswerCache:
    """A dictionary that outlives the process; without a path it holds nothing.

    A batch is in the file whole or not at all, also when the process is killed while it writes:
    SQLite rolls a half-written transaction back when the file is next opened. Several processes
    may share one file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._open() as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version not in (0, VERSION):
                    raise OtherVersion(
                        f"{path}: answers of format {version}, not {VERSION}.",
                        cure="name another file: cache=PATH",
                    )
                db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT)")
                db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise BadInput(
                f"{path}: this is no cache of answers ({error}).", cure="name another file"
            ) from None

    def get(self, keys: Sequence[str]) -> dict[str, str | None]:
        """Return those of the keys that are known; None stands for an answer that was nothing."""
        if self.path is None:
            return {}
        wanted = list(dict.fromkeys(keys))
        out: dict[str, str | None] = {}
        with self._open() as db:
            for start in range(0, len(wanted), AT_ONCE):
                part = wanted[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = db.execute(f"SELECT key, text FROM answers WHERE key IN ({marks})", part)
                out |= dict(rows.fetchall())
        return out

    def put(self, answers: Mapping[str, str | None]) -> None:
        """Keep answers; the first answer to a key stays."""
        if self.path is None or not answers:
            return
        with self._open() as db:
            db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", answers.items())

    def _open(self) -> _Session:
        return _Session(self.path)


class _Session:
    """A connection that commits and closes at the end of its block (sqlite3's own only commits)."""

    def __init__(self, path: Path | None) -> None:
        self.db = sqlite3.connect(str(path), timeout=60)

    def __enter__(self) -> sqlite3.Connection:
        return self.db

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.db.commit()
            else:
                self.db.rollback()
        finally:
            self.db.close()
