"""Write the table of methods into README.md, between its two marks.

python scripts/methods_table.py
"""

from __future__ import annotations

import re
from pathlib import Path

from ecotone.core.files import write_text
from ecotone.core.method import catalogue

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- methods: begin -->\n", "<!-- methods: end -->\n"


def table() -> str:
    """Return one row per method, by room and name."""
    rows = ["| room | method | what it does | needs | extra |", "|---|---|---|---|---|"]
    for m in catalogue():
        # a plain cell cannot hold a bar
        says = m.summary.replace("|", "\\|").rstrip(".")
        needs = ", ".join(sorted(m.needs)) or "—"
        rows.append(f"| {m.room} | `{m.name}` | {says} | {needs} | {m.extra or '—'} |")
    return "\n".join(rows) + "\n"


def refreshed(text: str) -> str:
    """Return the text with a current table."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: BEGIN + table() + END, text, flags=re.DOTALL)


if __name__ == "__main__":
    write_text(README, refreshed(README.read_text(encoding="utf-8")))
