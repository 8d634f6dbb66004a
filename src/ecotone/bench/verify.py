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
from collections.abc import Mapping
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
    card = method.card()
    root = root or repository()
    rows: list[tuple[Literal["claim", "fails"], str, str, Any]] = [
        ("claim", str(c.get("id", n)), str(c["says"]), c.get("check"))
        for n, c in enumerate(card.claims, start=1)
    ]
    rows += [
        ("fails", str(f.get("id", n)), str(f["when"]), f.get("check"))
        for n, f in enumerate(card.fails, start=1)
    ]
    return [Outcome(kind, key, says, *_run(method, check, root)) for kind, key, says, check in rows]


def _run(method: Method, check: Any, root: Path | None) -> tuple[State, str]:
    if not isinstance(check, Mapping) or not {"test", "suite"} & set(check):
        return "cannot run here", "the card names neither a test nor a suite"
    if "suite" in check:
        return _suite(method, dict(check))
    if root is None:
        return "cannot run here", "the tests are in the repository, not in the package"
    return _test(str(check["test"]), root)


def _test(name: str, root: Path) -> tuple[State, str]:
    """Run one test by pytest; 0 is all passed, 1 is a failure, anything else did not run."""
    if not (root / name.split("::")[0]).is_file():
        return "cannot run here", f"there is no {name.split('::')[0]}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout.strip().splitlines() or [done.stderr.strip() or "pytest said nothing"])[-1]
    said = re.sub(r"\x1b\[[0-9;]*m|^=+ | =+$| in [\d.]+s.*$", "", said)
    if done.returncode == 0 and " passed" in said:
        return "held", said
    if done.returncode == 1:
        return "not reproduced", said
    return "cannot run here", said


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
