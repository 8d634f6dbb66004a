"""Which way imports point, read from the import statements; and what costs nothing to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "ecotone"
ROOMS = ("shift", "mix", "select", "rewrite", "align", "tune", "merge", "testtime")
# each package may import what stands on a lower step; names on one step do not import each other
STEPS = (
    ("_version",),
    ("core",),
    ("data",),
    (*ROOMS, "train", "engine"),
    ("validate",),
    ("jobs",),
    ("testing",),
    ("bench",),
    ("report",),
    ("cli",),
)
STEP = {name: i for i, names in enumerate(STEPS) for name in names}


def imported(source: str) -> set[str]:
    """Names ecotone.X that a file imports, at the top or inside functions."""
    out = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names = [f"{node.module}.{a.name}" for a in node.names]
        else:
            continue
        out |= {n.split(".")[1] for n in names if n.startswith("ecotone.")}
    return out


def wrong(package: str, source: str) -> list[str]:
    return [
        f"{package} -> {other}"
        for other in sorted(imported(source) - {package})
        if other in STEP and STEP[other] >= STEP[package]
    ]


FILES = sorted(p for p in SRC.rglob("*.py") if p.parent != SRC)


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(SRC)) for p in FILES])
def test_imports_point_one_way(path):
    package = path.relative_to(SRC).parts[0]
    assert package in STEP, f"{package} has no step: add it to STEPS where it belongs"
    assert wrong(package, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("core", "from ecotone.data.read import read_corpus"),
        ("mix", "from ecotone.shift.mmd import mmd"),
        ("train", "import ecotone.engine.pool"),
        ("jobs", "def f():\n    from ecotone.report import write"),
        ("bench", "from ecotone import cli"),
    ],
)
def test_a_wrong_arrow_is_seen(package, line):
    assert wrong(package, line)


def test_a_right_arrow_is_allowed():
    assert not wrong("cli", "from ecotone.jobs.choose import choose\nimport numpy as np")
    assert not wrong("mix", "from ecotone.mix._law import Law")


def test_no_file_has_a_name_that_says_nothing():
    names = {p.stem for p in SRC.rglob("*.py")}
    assert not names & {"utils", "util", "common", "misc", "helpers"}


@pytest.mark.parametrize(
    "code",
    [
        "import ecotone; ecotone.Mixture; ecotone.Corpus; ecotone.Run",
        "from ecotone.core.method import catalogue; catalogue()",
        "import ecotone.align",
        "from ecotone.cli.main import main; main(['methods'])",
        "from ecotone.cli.main import main; main(['--help'])",
        "from ecotone.cli.main import main; main(['mix', '--help'])",
    ],
)
def test_looking_around_imports_nothing_heavy(code):
    heavy = ("torch", "sklearn", "lightgbm", "transformers", "pandas", "pyarrow", "tokenizers")
    text = (
        "import sys\ntry:\n    " + code.replace("; ", "\n    ") + "\nexcept SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"print('HEAVY', sorted(set(sys.modules) & set({heavy!r})))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_importing_the_room_align_leaves_scikit_learn_as_it_was():
    code = (
        "import sklearn; before = sklearn.get_config(); import ecotone.align as a; a.CORAL; "
        "a.Aligner; assert sklearn.get_config() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
