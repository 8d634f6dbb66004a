r"""Terms: runs of words that one domain has and the others lack, and where they stand in a text.

Words are whole words of an alphabetic script, or single characters of Chinese, Japanese and Korean;
a term is one to four of them in a row, with nothing but blanks or hyphens between.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scipy.stats import chi2

from ecotone.core.errors import BadInput

MASK = "[MASK]"
PRIOR = 0.2  # strength of the prior: this share of the pooled counts, see `log_odds`
FUNCTION_WORDS = frozenset((
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be",
    "by", "on", "not", "he", "this", "are", "or", "his", "from", "at", "which", "but", "have",
    "an", "had", "they", "you", "were", "their", "one", "all", "we", "can", "has", "there", "been",
    "if", "more", "when", "will", "would", "who", "so", "no", "its", "into", "than", "them", "only",
    "some", "could", "these", "two", "may", "then", "do",
))  # fmt: skip


_WORD = re.compile(
    rf"{re.escape(MASK)}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
    r"|(?:(?![\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])[^\W_])+"
)
_GAP = re.compile(r"[ \t-]*\n?[ \t-]*")
_MASKS = re.compile(rf"{re.escape(MASK)}(?:[ \t-]*{re.escape(MASK)})+")


class Word(NamedTuple):
    """A word in lower case, and where it stands."""

    text: str
    start: int
    end: int


def clauses(text: str) -> list[list[Word]]:
    """Cut a text into runs of words with nothing but blanks and hyphens between them.

    A mask is no word and ends a run.

    Examples
    --------
    >>> [[w.text for w in run] for run in clauses("Heart-beat, 心 [MASK] Art")]
    [['heart', 'beat'], ['心'], ['art']]
    """
    out: list[list[Word]] = [[]]
    end = 0
    for found in _WORD.finditer(text):
        if found.group() == MASK or not _GAP.fullmatch(text, end, found.start()):
            out.append([])
        if found.group() != MASK:
            out[-1].append(Word(found.group().lower(), found.start(), found.end()))
        end = found.end()
    return [run for run in out if run]


def plain_term(term: str) -> str:
    """Return a term in the form in which terms are compared.

    Examples
    --------
    >>> plain_term("Heart-beat  Rate")
    'heart beat rate'
    """
    return " ".join(w.text for run in clauses(term) for w in run)


def log_odds(here: int, there: int, n_here: int, n_there: int) -> float:
    r"""Return the z-score of the log-odds of a term here against there.

    .. math:: z = \frac{\delta}{\sqrt{\frac{1}{y_a + \alpha} + \frac{1}{y_b + \alpha}}},\quad
        \delta = \log \frac{y_a + \alpha}{n_a + \alpha_0 - y_a - \alpha}
        - \log \frac{y_b + \alpha}{n_b + \alpha_0 - y_b - \alpha}

    with y counts of the term and n of all terms of its length; the Dirichlet prior is `PRIOR`
    times the pooled counts, :math:`\alpha = 0.2\,(y_a + y_b)`, :math:`\alpha_0 = 0.2\,(n_a + n_b)`.

    References
    ----------
    Monroe, Colaresi, Quinn, "Fightin' Words", Political Analysis 16, 2008.
    """
    prior, whole = PRIOR * (here + there), PRIOR * (n_here + n_there)
    if not here + there:
        return 0.0
    a, b = here + prior, there + prior
    delta = math.log(a / (n_here + whole - a)) - math.log(b / (n_there + whole - b))
    return delta / math.sqrt(1 / a + 1 / b)


class _Level(NamedTuple):
    """Counts of the runs of n words, by domain: of all that are frequent in one of them."""

    runs: list[tuple[str, ...]]
    times: dict[str, Counter[tuple[str, ...]]]
    docs: dict[str, Counter[tuple[str, ...]]]
    total: dict[str, int]


def _levels(
    texts: Mapping[str, Sequence[str]], most_words: int, least_docs: int
) -> Iterator[_Level]:
    """Yield the counts of one word, of two, and so on.

    A run is counted only where the runs without its first and without its last word are frequent,
    which loses no frequent run and bounds the memory.
    """
    cut = {
        d: [[[w.text for w in run] for run in clauses(t)] for t in ts] for d, ts in texts.items()
    }
    parts: set[tuple[str, ...]] = set()
    for n in range(1, most_words + 1):
        times, docs = ({d: Counter[tuple[str, ...]]() for d in cut} for _ in range(2))
        total = dict.fromkeys(cut, 0)
        for domain, whole in cut.items():
            for doc in whole:
                grams = (tuple(run[i : i + n]) for run in doc for i in range(len(run) - n + 1))
                mine = Counter(g for g in grams if n == 1 or (g[1:] in parts and g[:-1] in parts))
                times[domain].update(mine)
                docs[domain].update(mine.keys())
            total[domain] = sum(max(len(run) - n + 1, 0) for doc in whole for run in doc)
        parts = {g for count in docs.values() for g, d in count.items() if d >= least_docs}
        yield _Level(sorted(parts), times, docs, total)


def mine_terms(
    texts: Mapping[str, Sequence[str]],
    *,
    most_words: int = 4,
    least_z: float = 3.0,
    least_docs: int = 3,
) -> dict[str, dict[str, float]]:
    """Return the terms of each domain against all others, with their z-scores, highest first.

    Parameters
    ----------
    texts : mapping from str to sequence of str
        Documents by domain; two domains at least.
    most_words : int
        Longest term.
    least_z : float
        A term has a higher z-score; see `log_odds`.
    least_docs : int
        Documents of the domain that hold a term, at least.

    Examples
    --------
    >>> found = mine_terms({"a": ["big cat"] * 40, "b": ["big dog"] * 40})
    >>> {d: list(t) for d, t in found.items()}
    {'a': ['big cat', 'cat'], 'b': ['big dog', 'dog']}
    """
    if len(texts) < 2:
        raise BadInput(
            f"terms of {len(texts)} domain cannot be told from the words of others.",
            cure="pass documents of two domains or more, or a list of terms",
        )
    out: dict[str, dict[str, float]] = {d: {} for d in texts}
    for level in _levels(texts, most_words, least_docs):
        whole = sum(level.total.values())
        for run in level.runs:
            if run[0] in FUNCTION_WORDS or run[-1] in FUNCTION_WORDS:
                continue
            pooled = sum(count[run] for count in level.times.values())
            for domain, n in level.total.items():
                here = level.times[domain][run]
                if level.docs[domain][run] >= least_docs:
                    z = log_odds(here, pooled - here, n, whole - n)
                    if z > least_z:
                        out[domain][" ".join(run)] = z
    return {d: dict(sorted(t.items(), key=lambda p: (-p[1], p[0]))) for d, t in out.items()}


class Dictionary:
    """Terms that are looked for in texts, the longest first.

    Examples
    --------
    >>> Dictionary(["heart", "heart rate"]).masked("Heart rate, hearty, heart-heart.")[0]
    '[MASK], hearty, [MASK].'
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self._by_first: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for term in sorted({plain_term(t) for t in terms} - {""}):
            words = tuple(term.split())
            self._by_first[words[0]].append(words)

    def hits(self, run: Sequence[Word]) -> list[tuple[int, int]]:
        """Return (first, end) of the terms in a run of words; no two of them overlap."""
        plain = tuple(w.text for w in run)
        found = [
            (i, i + len(term))
            for i, word in enumerate(plain)
            for term in self._by_first.get(word, ())
            if plain[i : i + len(term)] == term
        ]
        taken: set[int] = set()
        out = []
        for i, end in sorted(found, key=lambda p: (p[0] - p[1], p[0])):
            if not taken & set(range(i, end)):
                taken.update(range(i, end))
                out.append((i, end))
        return sorted(out)

    def terms(self, text: str) -> list[str]:
        """Return the terms in a text, in the order in which they stand."""
        runs = clauses(text)
        return [" ".join(w.text for w in run[i:j]) for run in runs for i, j in self.hits(run)]

    def masked(self, text: str) -> tuple[str, int, int]:
        """Return the text with one mask for each term, words masked, and words in all.

        Masks with nothing but blanks or hyphens between them become one.
        """
        parts, at, masked, words = [], 0, 0, 0
        for run in clauses(text):
            words += len(run)
            for i, j in self.hits(run):
                parts += [text[at : run[i].start], MASK]
                at = run[j - 1].end
                masked += j - i
        whole = "".join([*parts, text[at:]])
        return (_MASKS.sub(MASK, whole) if masked else text), masked, words


def label_bound(
    rows: Sequence[tuple[str, str, str]], terms: Iterable[str], p: float = 1e-3
) -> set[str]:
    r"""Return the words and terms that say something of the label, whatever the domain.

    Every domain is weighed so that its labels have the proportions of all rows; then a term is
    bound to the label if the mutual information I of its presence and the label is not chance,

    .. math:: 2 N I > \chi^2_{L - 1}(1 - p)

    with N rows and L labels.

    Parameters
    ----------
    rows : sequence of (domain, label, text)
        Labelled documents.
    terms : iterable of str
        Terms; the words they are made of are looked at, too.
    p : float
        Chance that a term without such a bond counts as bound.
    """
    labels = sorted({label for _, label, _ in rows})
    if len(labels) < 2:
        return set()
    cells = Counter((d, y) for d, y, _ in rows)
    domains, of_label = Counter(d for d, *_ in rows), Counter(y for _, y, _ in rows)
    share = {y: of_label[y] / len(rows) for y in labels}
    weight = {(d, y): domains[d] * share[y] / n for (d, y), n in cells.items()}
    wanted = {t for term in map(plain_term, terms) for t in (term, *term.split())} - {""}
    there: dict[str, dict[str, float]] = {t: dict.fromkeys(labels, 0.0) for t in wanted}
    whole = dict.fromkeys(labels, 0.0)
    most = max((len(t.split()) for t in wanted), default=0)
    for domain, label, text in rows:
        w = weight[domain, label]
        whole[label] += w
        for t in _all_runs(text, most) & wanted:
            there[t][label] += w
    limit = float(chi2.isf(p, len(labels) - 1))
    return {t for t in wanted if _deviance(there[t], whole) > limit}


def _all_runs(text: str, most: int) -> set[str]:
    runs = [[w.text for w in run] for run in clauses(text)]
    return {
        " ".join(run[i : i + n])
        for run in runs
        for n in range(1, most + 1)
        for i in range(len(run) - n + 1)
    }


def _deviance(there: Mapping[str, float], whole: Mapping[str, float]) -> float:
    """Return 2 N I of presence and label, from weighted counts by label."""
    n = sum(whole.values())
    present = sum(there.values()) / n
    total = 0.0
    for y, size in whole.items():
        for seen, rate in ((there[y], present), (size - there[y], 1 - present)):
            if seen > 1e-12:
                total += 2 * seen * math.log(seen / (size * rate))
    return total
