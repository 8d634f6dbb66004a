"""Fetch a pinned package with its registry's own client, and read files inside it.

Nothing is installed and nothing is unpacked to disk: the wanted members are read straight from the
archive. A download is complete when its record, written last, exists.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import zstandard

from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.files import write_json

Progress = Callable[[str], object]
_CLIENT = {"pypi": "pip", "npm": "npm", "debian": "apt-get"}


@dataclass(frozen=True)
class Package:
    """One file of a package registry.

    Attributes
    ----------
    registry : {"pypi", "npm", "debian"}
        Who has it; fetched with ``pip download``, ``npm pack`` or ``apt-get download``.
    name, version : str
        Exact; the version of a Debian package is "" because it moves with the distribution.
    sha256 : str
        Checksum of the file; "" for Debian, where apt checks its own signatures.
    size : float
        MB to download.
    source : bool
        On PyPI: take the source distribution instead of the wheel.
    """

    registry: Literal["pypi", "npm", "debian"]
    name: str
    version: str = ""
    sha256: str = ""
    size: float = 0.0
    source: bool = False

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"{self.name}{version} from {_CLIENT[self.registry]}"


def cache_folder(cache: Path | str | None = None) -> Path:
    """Return where downloads are kept: `cache`, ``$ECOTONE_CACHE`` or the user's cache folder."""
    if cache is not None:
        return Path(cache).expanduser()
    if given := os.environ.get("ECOTONE_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ecotone"
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.environ["LOCALAPPDATA"]) / "ecotone" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecotone"


def fetch(package: Package, cache: Path, progress: Progress | None = None) -> Path:
    """Return the archive of a package in the cache; download it when it is not there.

    Raises
    ------
    EcotoneError
        The client is missing, the registry cannot be reached or does not have the package, or
        the file's checksum differs from the pinned one.
    """
    folder = cache / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / f"{re.sub(r'[^A-Za-z0-9.]+', '-', f'{package.name}-{package.version}')}.json"
    if record.exists():
        file = folder / json.loads(record.read_text())["file"]
        if file.exists():
            return file
    if progress:
        progress(f"fetching {package}, {package.size:g} MB")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
        _run_client(package, Path(part), folder)
        found = [f for f in Path(part).iterdir() if f.suffix in (".whl", ".gz", ".tgz", ".deb")]
        if len(found) != 1:
            raise EcotoneError(f"{package}: the client left no file.", cure="try again")
        _check_sum(package, found[0])
        file = found[0].replace(folder / found[0].name)
    size = file.stat().st_size
    write_json(record, {"file": file.name, "bytes": size, "sha256": sha256_of(file)})
    return file


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def version_of(package: Package, archive: Path) -> str:
    """Return the version that was fetched; for Debian it stands in the file name."""
    if package.registry != "debian":
        return package.version
    return archive.name.split("_")[1].replace("%3a", ":")


def _check_sum(package: Package, file: Path) -> None:
    got = sha256_of(file)
    if package.sha256 and got != package.sha256:
        raise EcotoneError(
            f"{package}: the file's SHA-256 is {got}, not {package.sha256}.",
            why="it is not the file this version of ecotone was tested with.",
            cure="look for a mirror or proxy that changes files, then try again",
        )


def _run_client(package: Package, part: Path, folder: Path) -> None:
    """Run the client in an empty folder until one of its command lines succeeds."""
    client = _CLIENT[package.registry]
    if client == "pip" and importlib.util.find_spec("pip") is None:
        raise EcotoneError(
            f"{package} cannot be fetched: this Python has no pip.",
            cure=f"{sys.executable} -m ensurepip",
        )
    if client != "pip" and shutil.which(client) is None:
        raise EcotoneError(
            f"{package} cannot be fetched: the command {client} is not installed.",
            why="this preset reads Debian and npm packages.",
            cure='install it, or use the preset "demo", which needs pip only',
        )
    for command in _commands(package, part):
        done = subprocess.run(
            command, cwd=part, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode == 0:
            return
    raise EcotoneError(
        f"{package} could not be fetched: {_last_error(done.stderr)}",
        cure=f"check the network connection and try again; what is fetched is kept in {folder}",
    )


def _commands(package: Package, part: Path) -> Iterator[list[str]]:
    if package.registry == "npm":
        yield ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    elif package.registry == "debian":
        yield ["apt-get", "download", package.name]
    else:
        wanted = part / "wanted.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
        pip = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
        pip += ["download", "--no-deps", "--ignore-requires-python", "--require-hashes"]
        pip += ["--requirement", str(wanted), "--dest", str(part)]
        if not package.source:
            yield [*pip, "--only-binary", ":all:"]
            return
        pip += ["--no-binary", package.name]
        # pip asks a source distribution for its metadata, with the setuptools at hand if it can
        if importlib.util.find_spec("setuptools") is not None:
            yield [*pip, "--no-build-isolation"]
        yield pip


def _last_error(stderr: str) -> str:
    found = [line for line in stderr.splitlines() if re.match(r"(ERROR|E:|npm err)", line, re.I)]
    return (found or stderr.strip().splitlines() or ["no message"])[0].strip()


def members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Read the members of an archive whose whole name matches a regular expression.

    Parameters
    ----------
    archive : Path
        ``.whl``, ``.zip``, ``.tar.gz``, ``.tgz`` or ``.deb``.
    pattern : str
        Matched against names like ``usr/share/doc/x``, without a leading ``./``.

    Yields
    ------
    name : str
    contents : bytes
        In the order of the archive.
    """
    want = re.compile(pattern)
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as pack:
                for name in pack.namelist():
                    if want.fullmatch(name):
                        yield name, pack.read(name)
        elif archive.suffix == ".deb":
            with archive.open("rb") as file:
                yield from _from_tar(*_data_of_deb(file), want)
        else:
            with archive.open("rb") as file:
                yield from _from_tar(file, "r|gz", want)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise BadInput(
            f"{archive}: the archive is damaged ({error}).",
            cure=f"remove it and try again: rm {archive}",
        ) from None


def _from_tar(
    file: IO[bytes], mode: Literal["r|gz", "r|xz", "r|"], want: re.Pattern[str]
) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=file, mode=mode) as pack:
        for entry in pack:
            name = entry.name.removeprefix("./")
            if entry.isfile() and want.fullmatch(name):
                inner = pack.extractfile(entry)
                if inner is not None:
                    yield name, inner.read()


def _data_of_deb(file: IO[bytes]) -> tuple[IO[bytes], Literal["r|gz", "r|xz", "r|"]]:
    """Place a Debian package at its data: it is an ``ar`` archive with 60-byte headers."""
    if file.read(8) != b"!<arch>\n":
        raise tarfile.ReadError("not a Debian package")
    while header := file.read(60):
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        if name == "data.tar.xz":
            return file, "r|xz"
        if name == "data.tar.gz":
            return file, "r|gz"
        if name == "data.tar.zst":
            return zstandard.ZstdDecompressor().stream_reader(file), "r|"
        file.seek(size + size % 2, os.SEEK_CUR)
    raise tarfile.ReadError("a Debian package without data")
