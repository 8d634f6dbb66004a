"""Do again what a manifest says: the manifest a run writes is the recipe that repeats it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.core.run import Manifest, Run


def rerun(
    path: Path | str,
    *,
    out: Path | str | None = None,
    workers: int | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Run:
    """Do the job of a manifest again.

    Parameters
    ----------
    path : Path
        A run folder, or its ``manifest.json``.
    out : Path, optional
        Where to keep the new run; default: beside the old one, where finished tasks are taken as
        they are. Another folder does everything anew.
    workers : int, optional
        Processes.
    note : callable, optional
        Told what is being done.

    Returns
    -------
    Run
        Of the same name as the old one when nothing that decides the result has changed.

    Raises
    ------
    BadInput
        The manifest is of a job that is not done by itself, or its text has changed.
    """
    path = Path(path)
    old = Run(path.parent if path.name == "manifest.json" else path)
    manifest = old.manifest
    where = old.path.parent if out is None else Path(out)
    if "origin" not in manifest.params or manifest.verb not in ("mix", "shift"):
        raise BadInput(
            f"{old.path.name} is not a job that can be done from its manifest.",
            why=_why(manifest),
            cure=manifest.command or "run the command that made it",
        )
    corpus = _reopened(manifest)
    if manifest.verb == "shift":
        return _look(corpus, manifest, where)
    return _choose(corpus, manifest, where, workers, note)


def _why(manifest: Manifest) -> str:
    if manifest.verb in ("tokens", "trials"):
        return f"{manifest.verb} are a part of another run, which makes them when it needs them."
    if manifest.verb in ("mix", "shift"):
        return "its input was a table of finished runs, which a manifest does not hold."
    return "a manifest holds fingerprints of its input, not the place; its command names the place."


def _reopened(manifest: Manifest) -> Corpus:
    """Open the corpus of a manifest again; what it held then must still be there."""
    origin = dict(manifest.params["origin"])
    if "opener" not in origin:
        raise BadInput(
            "the manifest does not say how to open its corpus.",
            why="the corpus was made in Python, not read from a folder.",
            cure="open it with ecotone.read_corpus, or call ecotone.jobs.choose again",
        )
    module, name = origin.pop("opener").split(":")
    if not module.startswith("ecotone."):
        raise BadInput(
            f"the manifest names {module}:{name} to open its corpus.",
            why="a manifest is data: it may only name readers of ecotone.",
            cure="call ecotone.jobs.choose on your corpus",
        )
    corpus: Corpus = getattr(importlib.import_module(module), name)(**origin)
    if manifest.inputs.get("corpus", corpus.fingerprint) != corpus.fingerprint:
        raise BadInput(
            "the text of this corpus has changed since the run.",
            cure=manifest.command or "start a new run",
        )
    return corpus


def _look(corpus: Corpus, manifest: Manifest, where: Path) -> Run:
    from ecotone.jobs.look import look

    return look(
        corpus,
        measure=manifest.method,
        params=manifest.params["params"],
        seed=manifest.seed,
        out=where,
        command=manifest.command,
    ).run


def _choose(
    corpus: Corpus,
    manifest: Manifest,
    where: Path,
    workers: int | None,
    note: Callable[[str], None],
) -> Run:
    from ecotone.data.tokens import TokenOptions
    from ecotone.jobs.choose import choose
    from ecotone.jobs.steps import Settings

    given = manifest.params
    return choose(
        corpus,
        Settings(**_words(Settings, given)),
        method=manifest.method,
        params=given["params"],
        seeds=given["seeds"],
        seed=manifest.seed,
        workers=workers,
        out=where,
        options=TokenOptions(**_words(TokenOptions, given["options"])),
        command=manifest.command,
        note=note,
    ).run


def _words(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Take the fields of a dataclass from JSON, where tuples have become lists."""
    return {f.name: _tuples(given[f.name]) for f in fields(kind) if f.name in given}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
