"""Lines that hold no document: kept in a file of their own, counted and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecotone.core.files import replacing
from ecotone.core.verdict import Finding
from ecotone.data.doc_read import Bad

SHOWN = 3  # of a part, in the message
FILE = "no-document.jsonl"


def put_aside(path: Path, bad: list[Bad]) -> list[str]:
    """Write the lines, if there are any; return how some of them are shown."""
    if bad:
        with replacing(path) as part:
            part.write_text("".join(json.dumps(b.told()) + "\n" for b in bad))
    return [f"{b.place}: {b.why}" for b in bad[:SHOWN]]


def passed_over(count: int, shown: list[str], artifacts: Path) -> Finding:
    """Say how many lines were passed over."""
    says = f"{count:,} lines held no document, passed over: {'; '.join(shown)[:300]}"
    return Finding("S102", says, f"look at {artifacts / FILE}, or --strict")


def by_parts(found: list[dict[str, Any]], scratch: Path, artifacts: Path) -> list[Finding]:
    """Put into one file what workers put aside, and say so.

    Their results have ``bad``, how many lines, and ``shown``.
    """
    count = sum(r["bad"] for r in found)
    if not count:
        return []
    with replacing(artifacts / FILE) as path, path.open("wb") as out:
        for file in sorted(scratch.glob("no-document-*")):
            out.write(file.read_bytes())
    return [passed_over(count, [s for r in found for s in r["shown"]], artifacts)]
