"""Write figures of a run as SVG files.

python scripts/pictures.py RUN [FOLDER] [FIGURE ...]

RUN is a run folder; FOLDER is docs/images and the figures are mixture and frontier when not given.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.files import write_text
from ecotone.report import picture

USED = ("mixture", "frontier")


def write(run: Path, folder: Path, figures: tuple[str, ...] = USED) -> list[Path]:
    """Draw the figures of a run; return the files."""
    source = run / "artifacts" / "analysis.json"
    if not source.is_file():
        raise BadInput(
            f"{run}: no artifacts/analysis.json.", cure="name a finished run; see: ecotone runs"
        )
    analysis = json.loads(source.read_text(encoding="utf-8"))
    drawn = {name: picture(analysis, name) for name in figures}  # all of them, or none
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.svg" for name in drawn]
    for file, text in zip(files, drawn.values(), strict=True):
        write_text(file, text)
    return files


def main(words: list[str]) -> int:
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(words[1]) if len(words) > 1 else Path("docs/images")
    try:
        for file in write(Path(words[0]), folder, tuple(words[2:]) or USED):
            print(file)
    except EcotoneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
