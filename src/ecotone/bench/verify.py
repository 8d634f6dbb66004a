"""Claims to evidence: run the checks that stand in a method's card.

A check is ``{ test = "tests/room/test_x.py::test_name" }``, run by pytest where the repository is
at hand, or ``{ suite = "name", ... }``, looked up in `SUITES`: a function ``(method, **words) ->
(held, measured)`` named by module, so that no suite is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ecotone.core.errors import BadInput
from ecotone.core.files import write_text
from ecotone.core.method import Method

State = Literal["held", "not reproduced", "cannot run here"]
SUITES = {
    "two-samples": "ecotone.bench.two_samples:check",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one claim.

    Attributes
    ----------
    kind : {"claim", "fails"}
        Which list of the card it stands in.
    id, says : str
        Of the claim; of a failure its number and when it occurs.
    state : {"held", "not reproduced", "cannot run here"}
        A failure "held" when the method does fail, or does not help, as the card says.
    measured : str
        What was measured, or why nothing was.
    """

    kind: Literal["claim", "fails"]
    id: str
    says: str
    state: State
    measured: str


def repository() -> Path | None:
    """Return the folder of the repository this package runs from; None when it is installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "tests").is_dir() and (root / "pyproject.toml").exists() else None


def verify(method: Method, *, root: Path | None = None) -> list[Outcome]:
    """Run every check of a card.

    Parameters
    ----------
    method : Method
        Its card lies beside its file.
    root : Path, optional
        Folder that the paths of tests start from; default: the repository, when there is one.
    """
    return verify_all([method], root=root)[method.name]


def verify_all(methods: Sequence[Method], *, root: Path | None = None) -> dict[str, list[Outcome]]:
    """Run every check of several cards, all their tests in one go; outcomes by method."""
    root = root or repository()
    rows = {m.name: _claims(m) for m in methods}
    tests = list(dict.fromkeys(
        str(check["test"])
        for claims in rows.values()
        for *_, check in claims
        if isinstance(check, Mapping) and "test" in check and "suite" not in check
    ))  # fmt: skip
    ran = {} if root is None else _tests(tests, root)
    return {
        m.name: [
            Outcome(kind, key, says, *_run(m, check, ran))
            for kind, key, says, check in rows[m.name]
        ]
        for m in methods
    }


def _claims(method: Method) -> list[tuple[Literal["claim", "fails"], str, str, Any]]:
    card = method.card()
    rows: list[tuple[Literal["claim", "fails"], str, str, Any]] = [
        ("claim", str(c.get("id", n)), str(c["says"]), c.get("check"))
        for n, c in enumerate(card.claims, start=1)
    ]
    rows += [
        ("fails", str(f.get("id", n)), str(f["when"]), f.get("check"))
        for n, f in enumerate(card.fails, start=1)
    ]
    return rows


def _run(method: Method, check: Any, ran: Mapping[str, tuple[State, str]]) -> tuple[State, str]:
    if not isinstance(check, Mapping) or not {"test", "suite"} & set(check):
        return "cannot run here", "the card names neither a test nor a suite"
    if "suite" in check:
        return _suite(method, dict(check))
    without = "the tests are in the repository, not in the package"
    return ran.get(str(check["test"]), ("cannot run here", without))


def _tests(names: Sequence[str], root: Path) -> dict[str, tuple[State, str]]:
    """Run tests by pytest; a test with parameters holds when all of them pass."""
    out: dict[str, tuple[State, str]] = {}
    there = []
    for name in names:
        file, _, test = name.partition("::")
        if not (root / file).is_file():
            out[name] = "cannot run here", f"there is no {file}"
        elif not re.search(rf"^ *def {re.escape(test)}\(", (root / file).read_text(), re.MULTILINE):
            out[name] = "cannot run here", f"{file} has no {test}"
        else:
            there.append(name)
    if there:
        found = _pytest(there, root)
        out |= {name: _state(found.get(name, [])) for name in there}
    return out


def _pytest(names: Sequence[str], root: Path) -> dict[str, list[str]]:
    """Return what became of every case of some tests: "passed", "failed" or why it was skipped."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
             f"--junitxml={report}", *names],
            cwd=root, capture_output=True, check=False,
        )  # fmt: skip
        if not report.exists():
            return {}
        cases = ET.parse(report).iter("testcase")
    found: dict[str, list[str]] = {}
    for case in cases:
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = f"{file}::{case.get('name', '').partition('[')[0]}"
        kinds = {child.tag: child.get("message", "") for child in case}
        skipped = kinds.get("skipped")
        fell = "failed" if {"failure", "error"} & set(kinds) else "passed"
        found.setdefault(name, []).append(fell if skipped is None else f"skipped: {skipped}")
    return found


def _state(cases: Sequence[str]) -> tuple[State, str]:
    passed, failed = cases.count("passed"), cases.count("failed")
    if failed:
        return "not reproduced", f"{failed} failed, {passed} passed"
    if passed:
        return "held", f"{passed} passed"
    return "cannot run here", cases[0] if cases else "pytest did not run it"


def _suite(method: Method, words: dict[str, Any]) -> tuple[State, str]:
    name = words.pop("suite")
    if name not in SUITES:
        return "cannot run here", f"no suite is called {name}; there are: {', '.join(SUITES)}"
    module, function = SUITES[name].split(":")
    held, measured = getattr(importlib.import_module(module), function)(method, **words)
    return ("held" if held else "not reproduced"), measured


def write_outcomes(method: Method, outcomes: list[Outcome]) -> Path:
    """Write ``holds`` and ``measured`` under each claim that was run, and return the card.

    A claim that could not be run keeps what stands under it; one that did not hold stays.
    """
    path = method.card_path
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    if not found:
        raise BadInput(f"{path}: no ```toml block.", cure="begin the card with its facts")
    parts = re.split(r"^(?=\[\[)", found.group(1), flags=re.MULTILINE)
    for kind in ("claim", "fails"):
        mine = [i for i, part in enumerate(parts) if part.startswith(f"[[{kind}]]")]
        for i, outcome in zip(mine, (o for o in outcomes if o.kind == kind), strict=True):
            if outcome.state != "cannot run here":
                parts[i] = _with_result(parts[i], outcome)
    write_text(path, text[: found.start(1)] + "".join(parts) + text[found.end(1) :])
    return path


def _with_result(part: str, outcome: Outcome) -> str:
    kept = [s for s in part.splitlines() if not re.match(r"(holds|measured)\s*=", s)]
    while kept and not kept[-1]:
        kept.pop()
    kept += [
        f"holds = {'true' if outcome.state == 'held' else 'false'}",
        f"measured = {json.dumps(outcome.measured, ensure_ascii=False)}",
    ]
    return "\n".join(kept) + "\n"
