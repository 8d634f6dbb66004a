"""Fenced blocks of the written pages, and a shell that runs `ecotone` lines in this process."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from ecotone.cli.main import main

ROOT = Path(__file__).parents[2]
# a fence may hold shorter fences, as in CONTRIBUTING.md
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1\n", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """One fenced block: its first word, the words behind it, its text and its line."""

    kind: str
    words: str
    text: str
    line: int


def blocks_of(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        kind, _, words = match[2].strip().partition(" ")
        found.append(Block(kind, words, match[3], text.count("\n", 0, match.start()) + 2))
    return found


class Page:
    """The blocks of one page, run from top to bottom in one name space and one folder."""

    def __init__(self, capsys):
        self.capsys = capsys
        self.names = {"__name__": "page"}

    def run(self, path: Path) -> int:
        done = 0
        for block in blocks_of(path.read_text(encoding="utf-8")):
            where = f"{path.name}:{block.line}"
            if block.kind == "python" and not block.words:
                exec(compile("\n" * (block.line - 1) + block.text, where, "exec"), self.names)
            elif block.kind == "pycon":
                self._session(block, where)
            elif block.kind == "console":
                self._shell(block, where)
            else:
                continue
            done += 1
        return done

    def _session(self, block: Block, where: str) -> None:
        test = doctest.DocTestParser().get_doctest(block.text, self.names, where, where, 0)
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        result = runner.run(test, out=said.append, clear_globs=False)
        self.names.update(test.globs)
        assert result.attempted, f"{where}: no prompt"
        assert not result.failed, "".join(said)

    def _shell(self, block: Block, where: str) -> None:
        parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
        assert parts, f"{where}: no prompt"
        for part in parts:
            command, _, wanted = part.partition("\n")
            code, got = self.command(command)
            assert code == 0, f"{where}: {command}: exit code {code}"
            same = doctest.OutputChecker().check_output(wanted, got, FLAGS)
            assert same, f"{where}: {command}\nwanted:\n{wanted}\ngot:\n{got}"

    def command(self, line: str) -> tuple[int, str]:
        name, *words = shlex.split(line)
        assert name == "ecotone", line
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        return int(ended.value.code or 0), self.capsys.readouterr().out


@pytest.fixture
def page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return Page(capsys)
