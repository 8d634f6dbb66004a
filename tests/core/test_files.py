"""Whole or not at all: atomic writes; hashes; seeds; errors across processes."""

from __future__ import annotations

import errno
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.errors import BadInput, EcotoneError, Infeasible, MissingExtra
from ecotone.core.files import (
    fingerprint,
    fingerprint_file,
    plain,
    replacing,
    write_json,
    write_text,
)
from ecotone.core.seeds import derive, stream


def test_an_exception_keeps_the_old_file_and_leaves_nothing(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def half():
        with replacing(file) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(file, "new")
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folders_are_made_and_the_file_is_readable_by_all(tmp_path):
    file = tmp_path / "x" / "y" / "a.json"
    write_json(file, {"b": np.arange(3), "c": {2, 1}, "d": float("nan"), "e": Path("p")})
    assert json.loads(file.read_text()) == {"b": [0, 1, 2], "c": ["1", "2"], "d": None, "e": "p"}
    assert file.stat().st_mode & 0o777 == 0o644


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=values)
def test_fingerprints_depend_on_contents_not_on_order(value):
    code = fingerprint(value)
    assert len(code) == 16
    assert fingerprint(json.loads(json.dumps(plain(value)))) == code
    if isinstance(value, dict):
        assert fingerprint(dict(reversed(value.items()))) == code
    assert fingerprint([value]) != code


def test_a_file_is_hashed_by_its_bytes(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"x" * 3_000_000)
    two.write_bytes(b"x" * 2_999_999 + b"y")
    assert fingerprint_file(one) != fingerprint_file(two)
    two.write_bytes(one.read_bytes())
    assert fingerprint_file(one) == fingerprint_file(two)


def test_a_stream_is_named_not_counted():
    first = stream(3, "a").random(4)
    stream(3, "b").random(100)
    assert np.array_equal(stream(3, "a").random(4), first)
    assert not np.array_equal(stream(4, "a").random(4), first)
    assert derive(0, "a", "b") != derive(0, "ab")
    assert 0 <= derive(0) < 2**63
    # the same on every machine and in every version: runs of last year must be found again
    assert derive(0, "init") == 4659744837173112029


@pytest.mark.parametrize("kind", [EcotoneError, BadInput, Infeasible, MissingExtra])
def test_errors_cross_processes_whole(kind):
    # what multiprocessing does with an exception of a worker
    error = pickle.loads(pickle.dumps(kind("what", why="why", cure="cure")))
    assert type(error) is kind
    assert (error.what, error.why, error.cure) == ("what", "why", "cure")
    assert str(error) == f"{kind.__name__}: what\n  why   why\n  cure  cure"


def test_errors_say_where():
    assert BadInput.at("a.csv", 3, "no").what == "a.csv:3: no"
    assert isinstance(BadInput("x"), ValueError)
    assert 'pip install "ecotone[lm]"' in str(MissingExtra.of("lm", "torch", "training"))
