r"""A small rater: it learns from ratings that somebody gave, and rates the rest of a corpus.

Hashed words and pairs of words, each text scaled to length 1, stand beside a dozen statistics of
the text. None of them is the length of the text: a rater that learns length rates length.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import Ridge, RidgeClassifier

from ecotone.rewrite._mining import sentences
from ecotone.rewrite._terms import FUNCTION_WORDS

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
BUCKETS, FOLDS = 2**15, 5
TO_LEARN = 50  # ratings that a small rater learns from, at least
TO_TRUST = 0.4  # held-out kappa from which its ratings are used


class Statistics(NamedTuple):
    """What can be counted in a text; shares lie in [0, 1].

    Attributes
    ----------
    function_words : float
        Share of words that are common English function words.
    marks : float
        Full stops, question and exclamation marks a word.
    commas : float
        Commas, semicolons and colons a word.
    capitals : float
        Share of sentences that begin with a capital letter or a digit.
    repeated_lines, repeated_runs : float
        Share of lines, and of three words in a row, that stood there before.
    word_length : float
        Mean letters a word.
    symbols, digits, upper, foreign : float
        Shares of characters: neither letter, digit, blank nor common mark; digits; upper case;
        letters beyond ASCII.
    ties : float
        Mean share of the longer words of a sentence that stand in the sentence before.
    """

    function_words: float
    marks: float
    commas: float
    capitals: float
    repeated_lines: float
    repeated_runs: float
    word_length: float
    symbols: float
    digits: float
    upper: float
    foreign: float
    ties: float


def statistics(text: str) -> Statistics:
    """Return the statistics of a text; an empty one has zeros. O(len(text)).

    Examples
    --------
    >>> found = statistics("It rains. It rains.")
    >>> round(found.marks, 2), found.capitals, round(found.word_length, 1)
    (0.5, 1.0, 3.5)
    """
    words = re.findall(r"[^\W\d_]+", text)
    n, size = max(len(words), 1), max(len(text), 1)
    lower = [w.lower() for w in words]
    whole = sentences(text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    runs = list(zip(lower, lower[1:], lower[2:], strict=False))
    kinds = Counter[str]()
    for c, count in Counter(text).items():
        kinds[_kind(c)] += count
    return Statistics(
        sum(w in FUNCTION_WORDS for w in lower) / n,
        len(re.findall(r"[.!?](?=\s|$)", text)) / n,
        len(re.findall(r"[,;:](?=\s|$)", text)) / n,
        sum(s[0].isupper() or s[0].isdigit() for s in whole) / max(len(whole), 1),
        1 - len(set(lines)) / len(lines) if lines else 0.0,
        1 - len(set(runs)) / len(runs) if runs else 0.0,
        sum(map(len, words)) / n,
        kinds["symbol"] / size,
        kinds["digit"] / size,
        kinds["upper"] / size,
        kinds["foreign"] / size,
        _ties(whole),
    )


def _kind(c: str) -> str:
    if c.isspace() or c in ".,;:!?'\"()-":
        return ""
    if c.isalpha():
        return "foreign" if c > "\x7f" else "upper" if c.isupper() else ""
    return "digit" if c.isdigit() else "symbol"


def _ties(whole: Sequence[str]) -> float:
    bags = [{w for w in re.findall(r"\w+", s.lower()) if len(w) > 3} for s in whole]
    pairs = [len(a & b) / len(b) for a, b in pairwise(bags) if b]
    return sum(pairs) / len(pairs) if pairs else 0.0


def surface_rating(text: str) -> int:
    """Rate a text from 1 to 5 by rules about its surface: 5, less 1 for each that it breaks.

    The rules know English prose; they cannot tell whether a text is true or worth reading.

    Examples
    --------
    >>> surface_rating("The heart pumps blood. It does so by day and by night.")
    5
    >>> surface_rating("<<|>> <<|>> ##")
    1
    """
    s = statistics(text)
    broken = (
        s.function_words < 0.2,
        not 1 / 60 <= s.marks <= 1 / 3,
        s.capitals < 0.5,
        max(s.repeated_lines, s.repeated_runs) > 0.2,
        s.symbols + s.digits > 0.15 or s.upper > 0.25,
        not 3 <= s.word_length <= 8,
        s.foreign > 0.05,
    )
    return max(5 - sum(broken), 1)


def quadratic_kappa(a: Any, b: Any) -> float:
    r"""Return the agreement of two raters over the scores 1 to 5, at most 1; 0 is chance.

    .. math:: 1 - \frac{\sum_{ij} (i - j)^2 O_{ij}}{\sum_{ij} (i - j)^2 E_{ij}}

    with O the joint shares and E the product of the margins; 0 where neither rater ever differs
    from one score, as nothing is then shown.

    Examples
    --------
    >>> quadratic_kappa([1, 2, 3], [1, 2, 3]), quadratic_kappa([1, 5], [5, 1])
    (1.0, -1.0)
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    # the mean square over all pairs: what two raters with these margins would differ by chance
    chance = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    return float(1 - ((a - b) ** 2).mean() / chance) if chance > 0 else 0.0


class Agreement(NamedTuple):
    """How a small rater agrees with ratings it did not learn from.

    Attributes
    ----------
    kappa : float
        See `quadratic_kappa`.
    calibration : dict
        Rating by the small rater -> (mean rating given, number of documents).
    """

    kappa: float
    calibration: dict[int, tuple[float, int]]


class Rater:
    """Ridge regression of ratings on a text, cut into whole ratings.

    The cuts are the quantiles at which held-out predictions have the class shares of the ratings
    given: a regression shrinks toward the mean and would hardly ever say 1 or 5.

    Parameters
    ----------
    strength : float
        Ridge penalty.
    """

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def fit(self, texts: Sequence[str], ratings: Any, *, rng: np.random.Generator) -> Rater:
        """Learn from texts and their ratings, shape (n,); `rng` draws the folds."""
        y = np.asarray(ratings, dtype=np.float64)
        X = self._features(texts, fit=True)
        fold = rng.permutation(len(y)) % FOLDS
        held = np.zeros(len(y))
        for f in range(FOLDS):
            held[fold == f] = self._ridge(X[fold != f], y[fold != f]).predict(X[fold == f])
        said = np.zeros(len(y), dtype=np.int64)
        for f in range(FOLDS):  # the cuts, too, come from the other folds
            said[fold == f] = _cut(held[fold == f], _cuts(held[fold != f], y[fold != f]))
        at = {int(k): said == k for k in np.unique(said)}
        calibration = {k: (float(y[where].mean()), int(where.sum())) for k, where in at.items()}
        self.agreement_ = Agreement(quadratic_kappa(said, y), calibration)
        self.model_, self.cuts_ = self._ridge(X, y), _cuts(held, y)
        return self

    def rate(self, texts: Sequence[str]) -> tuple[Array, Whole]:
        """Return expected ratings in [1, 5] and whole ratings, both of shape (n,)."""
        expected = self.model_.predict(self._features(texts))
        return np.clip(expected, 1, 5), _cut(expected, self.cuts_)

    def _ridge(self, X: Any, y: Array) -> Ridge:
        return Ridge(self.strength, solver="sparse_cg", tol=1e-6).fit(X, y)

    def _features(self, texts: Sequence[str], *, fit: bool = False) -> Any:
        hashed = HashingVectorizer(ngram_range=(1, 2), n_features=BUCKETS, alternate_sign=False)
        counts = np.array([statistics(t) for t in texts], dtype=np.float64)
        if fit:
            self.mean_, self.scale_ = counts.mean(axis=0), counts.std(axis=0) + 1e-9
        # a share that no rated text showed would else move a rating without bound
        plain = np.clip((counts - self.mean_) / self.scale_, -5, 5)
        # so that all statistics together weigh as much as all words
        plain /= math.sqrt(counts.shape[1])
        return sparse.hstack([hashed.transform(texts), sparse.csr_matrix(plain)], format="csr")


class Passed(NamedTuple):
    """What a small rater says of new texts; no `scores`, but a `cause`, where it is no use."""

    scores: Array  # (n,), expected
    ratings: Whole  # (n,)
    agreement: Agreement | None
    cause: str


def pass_on(
    texts: Sequence[str], ratings: Sequence[int], new: Sequence[str], *, rng: np.random.Generator
) -> Passed:
    """Rate new texts as some texts were rated, if held-out ratings say that this can be done."""
    none = np.zeros(0), np.zeros(0, dtype=np.int64)
    if len(texts) < TO_LEARN:
        return Passed(*none, None, f"fewer than {TO_LEARN} ratings to learn from")
    if len(set(ratings)) == 1:  # nothing to learn: the rest is no better and no worse
        whole = np.full(len(new), ratings[0], dtype=np.int64)
        return Passed(whole.astype(np.float64), whole, None, "")
    rater = Rater().fit(texts, ratings, rng=rng)
    if rater.agreement_.kappa < TO_TRUST:
        return Passed(*none, rater.agreement_, "the small rater agrees too little")
    return Passed(*rater.rate(new), rater.agreement_, "")


def pass_on_labels(texts: Sequence[str], labels: Sequence[str], new: Sequence[str]) -> list[str]:
    """Label new texts as some texts were labelled, by ridge regression on hashed words."""
    if len(set(labels)) == 1:
        return [labels[0]] * len(new)
    hashed = HashingVectorizer(ngram_range=(1, 2), n_features=BUCKETS, alternate_sign=False)
    model = RidgeClassifier(solver="sparse_cg").fit(hashed.transform(texts), list(labels))
    return [str(x) for x in model.predict(hashed.transform(new))]


def _cuts(predicted: Array, y: Array) -> Array:
    below = [float((y <= k).mean()) for k in (1, 2, 3, 4)]
    return np.quantile(predicted, below)


def _cut(predicted: Array, cuts: Array) -> Whole:
    return 1 + np.searchsorted(cuts, predicted, side="left").astype(np.int64)
