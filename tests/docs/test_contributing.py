"""The method of CONTRIBUTING.md, taken from its text, is a method: card, claims, laws and test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN = re.compile(r"^(`{3,})\w+ file=(\S+)\n(.*?)^\1\n", re.MULTILINE | re.DOTALL)
NAME = "nearest_runs"
# the room is one package: the copy's files are seen because the copy is imported
CHECK = f"""
import pathlib
import ecotone
from ecotone.core.method import find
from ecotone.testing import laws
method = find({NAME!r}, "mix")
assert pathlib.Path(ecotone.__file__).is_relative_to(pathlib.Path.cwd()), ecotone.__file__
assert method.card().claims and method.card().fails
for law in laws.of(method):
    try:
        law(method)
    except laws.Broken as broken:
        if law.__name__ != "errors_carry_a_cure":  # scikit-learn refuses first, as for every law
            raise
print([p.name for p in method.params])
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Copy the package and write the files of CONTRIBUTING.md into the copy."""
    root = tmp_path_factory.mktemp("clone")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", root / "src", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copy(ROOT / "references.bib", root)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for match in WRITTEN.finditer(text):
        file = root / match[2]
        assert not file.exists(), f"{match[2]} is taken"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(match[3], encoding="utf-8")
    return root


def run(root: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_text_holds_file_card_and_test():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [m[2] for m in WRITTEN.finditer(text)] == [
        f"src/ecotone/mix/{NAME}.py",
        f"src/ecotone/mix/{NAME}.md",
        f"tests/mix/test_{NAME}.py",
    ]


def test_method_keeps_the_laws(copy):
    assert run(copy, "-c", CHECK).strip() == "['width']"


def test_its_test_and_doctest_pass(copy):
    files = [f"tests/mix/test_{NAME}.py", "--doctest-modules", f"src/ecotone/mix/{NAME}.py"]
    out = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    assert re.search(r"\b4 passed", out), out


def test_its_files_are_in_our_style(copy):
    files = [f"src/ecotone/mix/{NAME}.py", f"tests/mix/test_{NAME}.py"]
    run(copy, "-m", "ruff", "check", "--no-cache", *files)
    run(copy, "-m", "ruff", "format", "--no-cache", "--check", *files)


MAIN = "from ecotone.cli.main import main; main({})"


def test_it_is_on_the_command_line(copy):
    assert "-p width=0.1" in run(copy, "-c", MAIN.format(["card", NAME]))


@pytest.mark.slow
def test_its_claims_hold(copy):
    out = run(copy, "-c", MAIN.format(["verify", NAME]))
    assert len(re.findall(r"^held", out, re.MULTILINE)) == 3, out
