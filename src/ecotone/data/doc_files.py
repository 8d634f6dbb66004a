"""Files of texts, cut into parts that workers can read on their own; `doc_read` reads a part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ecotone.core.errors import BadInput
from ecotone.core.files import fingerprint, fingerprint_file
from ecotone.data.doc_read import Part, read, refused
from ecotone.data.docs import Docs
from ecotone.data.formats import SUFFIXES, suffix_of

PART = 32 << 20  # bytes of a part
_BLOCK = 1 << 20


class DocFiles:
    """A file or a folder of texts, read in batches as often as needed, in bounded memory.

    Parameters
    ----------
    path : path
        A file or a folder of ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``, ``.parquet``, ``.txt``.
    text_field : str, default "text"
        Field or column that holds the text.
    strict : bool, default False
        Stop at the first line that is no document; otherwise such lines are passed over and
        handed out by `read`.
    """

    def __init__(self, path: Path | str, *, text_field: str = "text", strict: bool = False) -> None:
        self.path = Path(path).expanduser()
        self.text_field = text_field
        self.strict = strict
        self.files = _files(self.path)

    def __iter__(self) -> Iterator[Docs]:
        for part in self.parts():
            for docs, bad in read(part, self.text_field):
                if bad and self.strict:
                    raise refused(bad[0], self.text_field)
                yield docs

    def __repr__(self) -> str:
        return f"DocFiles({str(self.path)!r}, {len(self.files)} files)"

    @property
    def fingerprint(self) -> str:
        """Hash of the files' names and contents."""
        return fingerprint([[f.name, fingerprint_file(f)] for f in self.files])

    def parts(self, size: int = PART) -> list[Part]:
        """Cut the files into parts of about `size` bytes, at line ends or row groups."""
        return [part for file in self.files for part in _parts(file, self.path, size)]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if suffix_of(path.name) is None:
            raise BadInput(
                f"{path}: this kind of file is not read.", cure=f"convert to {', '.join(SUFFIXES)}"
            )
        return [path]
    if not path.is_dir():
        raise BadInput(f"{path}: no such file or folder.", cure=f'ls "{path.parent}"')
    found = sorted(
        p for p in path.rglob("*")
        if p.is_file() and suffix_of(p.name)
        and not any(q.startswith(".") for q in p.relative_to(path).parts)
    )  # fmt: skip
    if not found:
        raise BadInput(
            f"{path}: the folder holds no text.",
            why=f"these are read: {', '.join(SUFFIXES)}.",
            cure=f'ls -R "{path}"',
        )
    return found


def _parts(file: Path, root: Path, size: int) -> Iterator[Part]:
    shown = file.name if file == root else file.relative_to(root).as_posix()
    whole = file.stat().st_size
    if suffix_of(file.name) == ".jsonl":
        yield from _line_parts(file, shown, whole, size)
    elif suffix_of(file.name) == ".parquet":
        yield from _group_parts(file, shown, size)
    else:
        yield Part(str(file), shown, -1, -1, 1, whole)


def _line_parts(file: Path, shown: str, whole: int, size: int) -> Iterator[Part]:
    """Cut behind the first line end after every `size` bytes, counting lines on the way."""
    start, first, line, at = 0, 1, 1, 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            counted = 0
            while (cut := block.find(b"\n", max(start + size - at, 0))) >= 0:
                line += block.count(b"\n", counted, cut + 1)
                counted, stop = cut + 1, at + cut + 1
                yield Part(str(file), shown, start, stop, first, stop - start)
                start, first = stop, line
            line, at = line + block.count(b"\n", counted), at + len(block)
    if at > start or not whole:
        yield Part(str(file), shown, start, at, first, at - start)


def _group_parts(file: Path, shown: str, size: int) -> Iterator[Part]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{file}: cannot be read as parquet ({str(error).partition(chr(10))[0]}).",
            cure="write the file again",
        ) from None
    start, row, first, held = 0, 1, 1, 0
    for i in range(about.num_row_groups):
        group = about.row_group(i)
        held, row = held + group.total_byte_size, row + group.num_rows
        if held >= size or i == about.num_row_groups - 1:
            yield Part(str(file), shown, start, i + 1, first, held)
            start, first, held = i + 1, row, 0
