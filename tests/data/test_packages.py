"""Fetching runs the real pip against a local folder, and stand-ins for the other clients."""

import hashlib
import io
import json
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

from ecotone.core.errors import BadInput, EcotoneError
from ecotone.data import packages
from ecotone.data.packages import Package, cache_folder, fetch, members, sha256_of

NOISE = np.random.default_rng(0).bytes(30_000)
FILES = {"a/one.txt": b"1", "a/two.txt": b"22", "b/three.md": b"333"}


def make_tar(mode="w", prefix="", **more):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as pack:
        for name, data in {**FILES, **more}.items():
            entry = tarfile.TarInfo(prefix + name)
            entry.size = len(data)
            pack.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo(prefix + "a/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        pack.addfile(link)
    return out.getvalue()


def make_deb(data_name, data):
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", data_name: data}
    out = b"!<arch>\n"
    for name, part in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode() + part
        out += b"\n" * (len(part) % 2)
    return out


ARCHIVES = {
    "x.deb": make_deb("data.tar.xz", make_tar("w:xz", "./")),
    "y.deb": make_deb("data.tar.gz", make_tar("w:gz", "./")),
    "z.deb": make_deb("data.tar.zst", zstandard.compress(make_tar(prefix="./"))),
    "x.tgz": make_tar("w:gz"),
    "x.tar.gz": make_tar("w:gz"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_of_tar_and_deb(tmp_path, name):
    (tmp_path / name).write_bytes(ARCHIVES[name])
    got = dict(members(tmp_path / name, r"a/.*\.txt"))
    assert got == {"a/one.txt": b"1", "a/two.txt": b"22"}  # and no link to a file outside


def test_members_of_a_wheel(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as pack:
        for name, data in FILES.items():
            pack.writestr(name, data)
    assert list(members(tmp_path / "x.whl", "b/.*")) == [("b/three.md", b"333")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.whl", b"PK no"),
        ("x.tgz", b"no gzip"),
        ("x.tgz", make_tar("w:gz", big=NOISE)[:9000]),
        ("x.deb", b"no ar"),
        ("x.deb", make_deb("other.tar", b"")),
        ("x.deb", make_deb("data.tar.xz", make_tar("w:xz", big=NOISE)[:9000])),
    ],
)
def test_damaged_archives(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match="the archive is damaged") as caught:
        list(members(tmp_path / name, ".*"))
    assert f"rm {tmp_path / name}" in caught.value.cure


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Offer pip one tiny wheel in a local folder and nothing else."""
    offer = tmp_path / "offer"
    offer.mkdir()
    file = offer / "tiny_words-1.2-py3-none-any.whl"
    info = "tiny_words-1.2.dist-info"
    with zipfile.ZipFile(file, "w") as pack:
        pack.writestr("tiny_words/data.txt", "words")
        pack.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-words\nVersion: 1.2\n")
        pack.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        pack.writestr(f"{info}/RECORD", "")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(offer))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return Package("pypi", "tiny-words", "1.2", sha256_of(file), 0.1)


def test_pip_fetches_once_and_checks_the_hash(tmp_path, wheel, monkeypatch):
    said = []
    file = fetch(wheel, tmp_path / "cache", said.append)
    assert said == ["fetching tiny-words 1.2 from pip, 0.1 MB"]
    assert dict(members(file, "tiny_words/.*")) == {"tiny_words/data.txt": b"words"}
    record = json.loads((file.parent / "tiny-words-1.2.json").read_text())
    assert record == {"file": file.name, "bytes": file.stat().st_size, "sha256": wheel.sha256}
    monkeypatch.setattr(packages, "_run_client", None)  # would fail if called again
    assert fetch(wheel, tmp_path / "cache", said.append) == file
    assert len(said) == 1
    assert not list(file.parent.glob(".part-*"))


def test_pip_refuses_another_file(tmp_path, wheel):
    other = Package("pypi", "tiny-words", "1.2", hashlib.sha256(b"other").hexdigest())
    with pytest.raises(EcotoneError, match="could not be fetched: ERROR: THESE PACKAGES DO NOT"):
        fetch(other, tmp_path / "cache")
    missing = Package("pypi", "tiny-words", "9.9", wheel.sha256)
    with pytest.raises(EcotoneError, match=r"tiny-words 9\.9 from pip could not.*satisf") as caught:
        fetch(missing, tmp_path / "cache")
    assert "network" in caught.value.cure
    assert not list((tmp_path / "cache" / "downloads").iterdir())


def test_a_python_without_pip(tmp_path, wheel, monkeypatch):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EcotoneError, match="this Python has no pip") as caught:
        fetch(wheel, tmp_path)
    assert caught.value.cure == f"{sys.executable} -m ensurepip"


def stand_in(tmp_path, monkeypatch, name, script):
    """Put a program of that name, and no other, on the path."""
    place = tmp_path / "bin"
    place.mkdir(exist_ok=True)
    program = place / name
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
def test_npm_and_apt_are_called_in_an_empty_folder(tmp_path, monkeypatch):
    (tmp_path / "x.tgz").write_bytes(make_tar("w:gz"))
    copy = f'test -z "$(ls)" && cp {tmp_path}/x.tgz "$(echo $* | tr -dc a-z).tgz"'
    stand_in(tmp_path, monkeypatch, "npm", copy)
    package = Package("npm", "words", "3.0", sha256_of(tmp_path / "x.tgz"))
    assert fetch(package, tmp_path / "cache").name == "packsilentwords.tgz"
    wrong = Package("npm", "words", "3.1", "0" * 64)
    with pytest.raises(EcotoneError, match=f"SHA-256 is {package.sha256}, not 0000"):
        fetch(wrong, tmp_path / "cache")

    (tmp_path / "x.deb").write_bytes(make_deb("data.tar.gz", make_tar("w:gz")))
    stand_in(
        tmp_path, monkeypatch, "apt-get", f'cp {tmp_path}/x.deb "$2_1%3a6.1-2_all.deb" && test $1'
    )
    file = fetch(Package("debian", "docs"), tmp_path / "cache")
    assert packages.version_of(Package("debian", "docs"), file) == "1:6.1-2"
    assert dict(members(file, "b/.*")) == {"b/three.md": b"333"}


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
def test_a_client_that_fails_or_is_missing(tmp_path, monkeypatch):
    stand_in(
        tmp_path, monkeypatch, "apt-get", "echo 'W: old list' >&2; echo 'E: No such' >&2; exit 9"
    )
    with pytest.raises(EcotoneError, match="docs from apt-get could not be fetched: E: No such"):
        fetch(Package("debian", "docs"), tmp_path / "cache")
    stand_in(tmp_path, monkeypatch, "apt-get", "exit 0")
    with pytest.raises(EcotoneError, match="left no file"):
        fetch(Package("debian", "docs"), tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(EcotoneError, match="the command npm is not installed") as caught:
        fetch(Package("npm", "words", "1"), tmp_path / "cache")
    assert '"demo"' in caught.value.cure


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ECOTONE_CACHE", raising=False)
    monkeypatch.setattr(packages.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ecotone"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "ecotone"
    monkeypatch.setenv("ECOTONE_CACHE", "~/x")
    assert cache_folder() == Path.home() / "x"
    assert cache_folder("y") == Path("y")
    monkeypatch.delenv("ECOTONE_CACHE")
    monkeypatch.setattr(packages.sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library/Caches/ecotone"
    monkeypatch.setattr(packages.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/L")
    assert cache_folder() == Path("/L/ecotone/Cache")
