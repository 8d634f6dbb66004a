"""A folder of text in named domains, read lazily: `read_corpus`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ecotone.core.corpus import Corpus, Doc, Domain
from ecotone.core.errors import BadInput, NoTarget
from ecotone.core.files import fingerprint, fingerprint_file
from ecotone.data.formats import SUFFIXES, records, suffix_of

# beside the domains, files of these kinds are taken for notes about them, not for data
_NOTES = frozenset(
    {"", ".md", ".rst", ".json", ".yaml", ".yml", ".toml", ".html", ".pdf", ".bib", ".cff", ".sh"}
)


def read_corpus(path: Path | str, *, target: str | None = None, text_field: str = "text") -> Corpus:
    """Open a folder with one file or one sub-folder for each domain.

    The name of a domain is the name of its file without the suffix, or of its folder. A folder
    is read with everything below it, in the order of the file names. These are read:

    * ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``: one JSON object a line; its other plain values
      (strings, numbers) become ``Doc.meta``. Several frames in one file are read as one.
    * ``.parquet``: one row a document; only the text column is read.
    * ``.txt``: one file a document (cut above 4 million characters). A ``.txt`` that is the only
      file of its domain is cut at blank lines into documents of 2,000 to 20,000 characters, so
      that it can be split by document; where no blank line comes, at a line end or a space.

    Hidden files, and beside the domains notes such as ``README.md`` or ``SOURCES.json``, are
    passed over. Nulls and texts of white space only are left out. Nothing is kept in memory but the
    document at hand; opening reads every file once to take its fingerprint (about one second
    per gigabyte) and the first document of every domain.

    Parameters
    ----------
    path : path
        The folder.
    target : str, optional
        Name of the domain where the model will be used; the others are sources.
    text_field : str, default "text"
        Field (JSON lines) or column (parquet) that holds the text.

    Returns
    -------
    Corpus
        Domains sorted by name, ``size`` -1 and ``tokens`` None (not counted yet). Fingerprints
        depend on file names, bytes and `text_field`, not on where the folder stands or its times.

    Raises
    ------
    BadInput
        A missing folder, a domain without text, damaged or truncated files, invalid JSON, a
        missing text field, text that is not UTF-8; with file and line or byte.
    NoTarget
        `target` is no domain of the folder.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "law.jsonl").write_text('{"text": "The court finds."}')
    >>> _ = (folder / "web.jsonl").write_text('{"text": "Click here.", "year": 2020}')
    >>> corpus = read_corpus(folder, target="law")
    >>> corpus
    Corpus(2 domains: law, web, target law)
    >>> next(corpus.docs("web"))
    Doc(id='web.jsonl:1', text='Click here.', domain='web', meta={'year': 2020})
    """
    root = Path(path).expanduser()
    files = _find(root)
    _check_target(root, target, tuple(files))
    domains = tuple(
        Domain(
            name,
            "target" if name == target else "source",
            -1,
            None,
            _fingerprint(root, name, files[name], text_field),
        )
        for name in files
    )

    def opener(name: str) -> Iterator[Doc]:
        return _docs(root, name, files[name], text_field)

    for name in files:
        if next(opener(name), None) is None:
            raise BadInput(
                f"{root}: the domain {name} holds no text.",
                cure=f"give it a document, or remove {_entry(root, name, files[name])}",
            )
    origin = {
        "opener": "ecotone.data.read:read_corpus",
        "path": str(root.resolve()),
        "target": target,
        "text_field": text_field,
    }
    return Corpus(domains, None, origin, opener)


def _docs(root: Path, name: str, files: list[Path], text_field: str) -> Iterator[Doc]:
    only = len(files) == 1
    for file in files:
        shown = file.relative_to(root).as_posix()
        for record in records(file, text_field=text_field, cut_text=only):
            yield Doc(f"{shown}:{record.place}", record.text, name, record.meta)


def _find(root: Path) -> Mapping[str, list[Path]]:
    """Return the readable files of every domain, both sorted by name."""
    if not root.is_dir():
        raise BadInput(
            f"{root}: {'is a file, not a folder' if root.exists() else 'no such folder'}.",
            cure="pass a folder that holds one file or one sub-folder for each domain",
        )
    found: dict[str, list[Path]] = {}
    for entry in _entries(root):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            name, files = entry.name, _below(entry)
        elif suffix := suffix_of(entry.name):
            name, files = entry.name[: -len(suffix)], [entry]
        elif entry.suffix.lower() in _NOTES:
            continue
        else:
            raise _unreadable(entry)
        if name in found:
            raise BadInput(
                f"{root}: two entries give the domain {name}: "
                f"{_entry(root, name, found[name]).name} and {entry.name}.",
                cure=f"rename one, or put both into one folder {name}/",
            )
        found[name] = files
    if not found:
        raise BadInput(
            f"{root}: no domain found.",
            why=f"a domain is a sub-folder or a file that ends in {', '.join(SUFFIXES)}.",
            cure="pass the folder that holds one file or one sub-folder for each domain",
        )
    return dict(sorted(found.items()))


def _entries(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError as error:
        raise BadInput(
            f"{root}: cannot be listed ({error.strerror}).", cure=f'ls -ld "{root}"'
        ) from None


def _below(folder: Path) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".", "__"))]
        files += [Path(place, n) for n in names if not n.startswith(".") and suffix_of(n)]
    if not files:
        raise _unreadable(folder)
    return sorted(files, key=lambda f: f.relative_to(folder).as_posix())


def _unreadable(entry: Path) -> BadInput:
    what = "no file in this folder can be read" if entry.is_dir() else "this kind is not read"
    return BadInput(
        f"{entry}: {what} as a domain.",
        why=f"a domain is made of files that end in {', '.join(SUFFIXES)}.",
        cure=f"convert it, or move it out of {entry.parent}",
    )


def _entry(root: Path, name: str, files: list[Path]) -> Path:
    """Return the file or the folder that the domain came from."""
    return files[0] if files[0].parent == root else root / name


def _check_target(root: Path, target: str | None, names: tuple[str, ...]) -> None:
    if target is None or target in names:
        return
    near = difflib.get_close_matches(target, names, n=1, cutoff=0.5)
    raise NoTarget(
        f"{root}: no domain is called {target!r}"
        + (f"; did you mean {near[0]!r}?" if near else "."),
        why=f"the domains are: {', '.join(names)}.",
        cure=f"pass target={(near or names)[0]!r} (--target {(near or names)[0]})",
    )


def _fingerprint(root: Path, name: str, files: list[Path], text_field: str) -> str:
    base = _entry(root, name, files).parent
    try:
        parts = [[f.relative_to(base).as_posix(), fingerprint_file(f)] for f in files]
    except OSError as error:
        raise BadInput(
            f"{error.filename}: cannot be read ({error.strerror}).",
            cure=f'ls -l "{error.filename}"',
        ) from None
    return fingerprint([text_field, parts])
