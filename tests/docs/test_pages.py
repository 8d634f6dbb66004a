"""What the pages say is so: blocks run, commands exist, links lead somewhere, lists are whole."""

from __future__ import annotations

import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from ecotone.cli.main import VERBS, command
from ecotone.core import errors
from ecotone.core.method import catalogue
from ecotone.data.export import FORMATS
from ecotone.engine.pool import TaskFailed

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).with_name("conftest.py")  # of several, the one of this folder
_spec = importlib.util.spec_from_file_location("docs_conftest", HERE)
blocks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(blocks)

WRITTEN = [
    ROOT / name
    for name in (
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/index.md", "docs/start.md",
        "docs/data.md", "docs/api.md", "docs/runs.md", "docs/errors.md", "docs/rooms/shift.md",
        "docs/rooms/mix.md", "docs/rooms/select.md", "docs/rooms/select-demo.md",
        "docs/rooms/rewrite.md",
        "docs/rooms/align.md", "docs/design.md",
    )
]  # fmt: skip
NOT_RUN = ("api.md", "select-demo.md", "CONTRIBUTING.md", "CHANGELOG.md", "index.md", "design.md")
RUN = [p for p in WRITTEN if p.name not in NOT_RUN]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RUN, ids=short)
def test_blocks_run_and_say_what_is_written(page, path):
    assert page.run(path) >= 1


@pytest.mark.real
def test_the_page_on_real_text_runs(page):
    assert page.run(ROOT / "docs" / "rooms" / "select-demo.md") >= 5


def test_a_wrong_block_is_found(page, tmp_path):
    bad = tmp_path / "bad.md"
    for text in ("```pycon\n>>> 1 + 1\n3\n```\n", "```console\n$ ecotone methods\nNOT THIS\n```\n",
                 "```console\n$ ecotone card nothing_of_that_name\n```\n"):  # fmt: skip
        bad.write_text(text)
        with pytest.raises(AssertionError):
            page.run(bad)


def _typed(path: Path):
    """Return the `ecotone` command lines of the sh blocks of a page."""
    for block in blocks.blocks_of(path.read_text(encoding="utf-8")):
        if block.kind == "sh":
            for line in block.text.splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield words


LINES = [(p, w) for p in WRITTEN for w in _typed(p)]
NAMES = [f"{p.name}: {' '.join(w)}" for p, w in LINES]


@pytest.mark.parametrize(("path", "words"), LINES, ids=NAMES)
def test_commands_exist(path, words):
    if words[0] == "ecotone":
        verb = command.get_command(click.Context(command), words[1])
        assert verb is not None, f"no verb {words[1]}"
        verb.make_context(words[1], list(words[2:]))  # parses; runs nothing
    elif words[0] == "cd":
        assert (ROOT / words[1]).is_dir()
    elif words[0] in ("sh", "python"):
        assert (ROOT / words[1]).is_file()
    else:
        assert Path(words[0]).name in {"pip", "ruff", "mypy", "pytest"}


@pytest.mark.parametrize("path", WRITTEN, ids=short)
def test_verbs_and_methods_in_running_text_exist(path):
    text = path.read_text(encoding="utf-8")
    for verb in re.findall(r"`ecotone ([a-z-]+)", text):
        assert verb in VERBS, verb
    for verb in VERBS:
        assert command.get_command(click.Context(command), verb).help


@pytest.mark.parametrize("path", WRITTEN, ids=short)
def test_links_lead_somewhere(path):
    text = blocks.FENCE.sub("", path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def _script(name: str):
    return runpy.run_path(str(ROOT / "scripts" / f"{name}.py"))


def test_table_of_methods_is_current():
    refreshed = _script("methods_table")["refreshed"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert refreshed(text) == text, "run: python scripts/methods_table.py"
    assert all(f"`{m.name}`" in text for m in catalogue())


def test_all_findings_and_errors_are_explained():
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.py"))
    codes = set(re.findall(r'"([A-Z][1-9]\d\d)"', source))
    assert codes
    assert codes == set(re.findall(r"^\| ([A-Z]\d\d\d) \|", text, re.MULTILINE))
    kinds = {k.__name__ for k in vars(errors).values()
             if isinstance(k, type) and issubclass(k, errors.EcotoneError)}  # fmt: skip
    kinds = kinds - {"EcotoneError"} | {TaskFailed.__name__}
    assert kinds == set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_formats_and_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    start = (ROOT / "docs/start.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", start, re.MULTILINE))
    assert named == set(project["optional-dependencies"]) - {"docs", "test"}
    assert len(FORMATS) == 8  # README.md and CHANGELOG.md say eight


@pytest.mark.parametrize("path", sorted((ROOT / "docs/examples").glob("*.py")), ids=short)
def test_examples_run(path):
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_pictures_are_drawn_from_a_run(tmp_path):
    from ecotone.core.errors import BadInput
    from ecotone.core.files import write_json

    write = _script("pictures")["write"]
    share = {"law": 0.5, "web": 0.5}
    analysis = {
        "title": "t", "target": "law", "domains": [{"name": n, "role": "source"} for n in share],
        "mixture": share, "natural": share,
    }  # fmt: skip
    write_json(tmp_path / "run" / "artifacts" / "analysis.json", analysis)
    (file,) = write(tmp_path / "run", tmp_path / "images", ("mixture",))
    assert file.read_text().lstrip().startswith(("<?xml", "<svg"))
    with pytest.raises(BadInput, match="frontier"):
        write(tmp_path / "run", tmp_path / "none", ("mixture", "frontier"))
    assert not (tmp_path / "none").exists()
    with pytest.raises(BadInput, match="analysis"):
        write(tmp_path, tmp_path / "none")


def test_readme_shows_pictures_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("mixture", "frontier"):
        assert f"docs/images/{name}.svg" in text
        assert (ROOT / f"docs/images/{name}.svg").read_text().rstrip().endswith("</svg>")


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    words = ["-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ecotone.jobs.choose.choose" in (tmp_path / "api.html").read_text(encoding="utf-8")
