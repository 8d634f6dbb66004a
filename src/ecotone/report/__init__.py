"""One self-contained HTML page for a run, the same in Markdown, pictures, and text tables.

A report is made from one dictionary, the ``artifacts/analysis.json`` of a run folder, and from
nothing else; `ecotone.report.schema` describes it part by part. Only ``title`` and ``domains`` must
be there. The same dictionary gives the same bytes.

========================  =====================================================================
`render`                  analysis -> (HTML, Markdown)
`write`                   run folder -> ``report.html`` and ``report.md`` in it
`picture`                 analysis, name of a figure -> a whole SVG file
`tables.text_table`       columns, rows -> aligned plain text for terminals
========================  =====================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecotone.core.errors import BadInput
from ecotone.core.files import write_text
from ecotone.report import alignment, background, choice, choosing, html, markdown, opening, proof
from ecotone.report.blocks import Document
from ecotone.report.door import checked
from ecotone.report.figures import FIGURES, picture
from ecotone.report.schema import Analysis
from ecotone.report.tables import text_table

__all__ = ["FIGURES", "picture", "render", "text_table", "write"]

_PARTS = (
    choice.mixture,
    choice.confirmation,
    proof.trade_off,
    proof.evidence,
    background.shift,
    background.data,
    background.cost,
    background.repeat,
)


def render(analysis: Mapping[str, Any]) -> tuple[str, str]:
    """Return the report of a run as HTML and as Markdown.

    Parameters
    ----------
    analysis : Mapping
        See `ecotone.report.schema`; a missing part leaves its section out.

    Returns
    -------
    (str, str)
        A page that loads nothing from anywhere, and the same content as Markdown.

    Raises
    ------
    BadInput
        ``title`` or ``domains`` is missing, or a share is not a number.
    """
    kinds = {"align": alignment.document, "select": choosing.document}
    kind = analysis.get("kind", "")
    document = kinds[kind](analysis) if kind in kinds else _document(checked(analysis))
    return html.page(document), markdown.text(document)


def write(run_path: Path | str) -> Path:
    """Write ``report.html`` and ``report.md`` into a run folder, each whole or not at all.

    Parameters
    ----------
    run_path : Path
        A folder that holds ``artifacts/analysis.json``.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    BadInput
        The folder holds no analysis, or one that is not JSON.
    """
    folder = Path(run_path)
    page, plain = render(_read(folder))
    write_text(folder / "report.md", plain)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def _read(folder: Path) -> dict[str, Any]:
    file = folder / "artifacts" / "analysis.json"
    if not file.is_file():
        raise BadInput(
            f"{folder}: nothing to report on (no artifacts/analysis.json).",
            why="a run writes it when it has finished.",
            cure=f"finish the run: ecotone run {folder / 'manifest.json'}",
        )
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput.at(file, error.lineno, f"not JSON ({error.msg}).") from None
    if not isinstance(value, dict):
        raise BadInput(f"{file}: holds a {type(value).__name__}, not an analysis.")
    return value


def _document(analysis: Analysis) -> Document:
    found = (part(analysis) for part in _PARTS)
    return Document(
        analysis["title"],
        _about(analysis),
        opening.headline(analysis),
        tuple(section for section in found if section is not None),
    )


def _about(analysis: Analysis) -> tuple[str, ...]:
    version, made = analysis.get("version"), analysis.get("made", "")
    facts = [
        f"ecotone {version}" if version else "ecotone",
        made.replace("T", " ").replace("Z", " UTC"),
        f"target {analysis['target']}" if analysis.get("target") else "",
    ]
    return tuple(fact for fact in facts if fact)
