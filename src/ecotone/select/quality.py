"""Quality: rules of thumb by which web text is kept or dropped, each named, each with a switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import as_docs
from ecotone.select import _text_facts as f
from ecotone.select._marks import Marks, stacked

Array = NDArray[np.float64]


class Rule(NamedTuple):
    """One rule.

    Attributes
    ----------
    value : str
        The statistic it looks at.
    side : {"below", "above"}
        Where a document is dropped.
    threshold : float or None
        None: the rule is off unless it is given one.
    source : str
        Who published it.
    """

    value: str
    side: str
    threshold: float | None
    source: str


RULES = {
    "few_words": Rule("words", "below", 50, "Gopher"),
    "many_words": Rule("words", "above", 100_000, "Gopher"),
    "short_words": Rule("mean_word_length", "below", 3, "Gopher"),
    "long_words": Rule("mean_word_length", "above", 10, "Gopher"),
    "hash_signs": Rule("hash_signs_a_word", "above", 0.1, "Gopher"),
    "ellipses": Rule("ellipses_a_word", "above", 0.1, "Gopher"),
    "bullet_lines": Rule("bullet_lines", "above", 0.9, "Gopher"),
    "ellipsis_lines": Rule("ellipsis_lines", "above", 0.3, "Gopher"),
    "few_alphabetic_words": Rule("alphabetic_words", "below", 0.8, "Gopher"),
    "few_stop_words": Rule("stop_words", "below", 2, "Gopher"),
    "repeated_lines": Rule("repeated_lines", "above", 0.3, "Gopher"),
    "repeated_line_bytes": Rule("repeated_line_bytes", "above", 0.2, "Gopher"),
    "repeated_paragraphs": Rule("repeated_paragraphs", "above", 0.3, "Gopher"),
    "repeated_paragraph_bytes": Rule("repeated_paragraph_bytes", "above", 0.2, "Gopher"),
    **{f"top_{n}_gram": Rule(f"top_{n}_gram", "above", 0.24 - n / 50, "Gopher") for n in (2, 3, 4)},
    **{
        f"repeated_{n}_grams": Rule(f"repeated_{n}_grams", "above", 0.2 - n / 100, "Gopher")
        for n in range(5, 11)
    },
    "few_sentences": Rule("sentences", "below", 3, "C4"),
    "lorem_ipsum": Rule("lorem_ipsum", "above", 0, "C4"),
    "curly_braces": Rule("curly_braces", "above", None, "C4"),
    "few_ended_lines": Rule("ended_lines", "below", None, "FineWeb"),
    "short_lines": Rule("short_lines", "above", 0.67, "FineWeb"),
}
# off where the pool holds code: each of these drops 5 % or more of good files of a language
CODE: Mapping[str, float | None] = dict.fromkeys(
    ["long_words", "hash_signs", "few_alphabetic_words", "few_stop_words", "repeated_lines",
     "repeated_line_bytes", *(f"repeated_{n}_grams" for n in range(5, 11)), "few_sentences",
     "short_lines"]
)  # fmt: skip


@method(name="quality", paper="rae2021scaling", needs={"source_rows"}, handles=set())
class Quality:
    r"""Drop documents that one of the rules of Gopher [1]_, C4 [2]_ or FineWeb [3]_ speaks against.

    A rule compares one statistic of a document with one threshold, such as
    :math:`\text{mean word length} < 3`. Shares are of lines, of paragraphs, of words, or of the
    bytes of words; what is repeated counts from its second time on. The most frequent run of n
    words has the share :math:`\text{times} \cdot \text{bytes} / \text{bytes of all words}`, runs
    that repeat have the share of the bytes that they cover together.

    The rules were made for English prose of web pages. They drop most code: see the card, which
    says what share each rule drops of what, and pass ``rules=CODE`` where the pool holds code.

    Parameters
    ----------
    rules : mapping of str to float or None, optional
        Changes to `RULES`: a number is the threshold of that rule, None switches it off. Two rules
        are off until they are given one: ``curly_braces`` (C4: 0) and ``few_ended_lines``
        (FineWeb: 0.12; it takes each line for a paragraph, and wrapped prose fails it).

    Notes
    -----
    All thresholds are those of the papers. A word is what stands between white space, its length
    is in characters. `_text_facts` has the definitions. A document over 4 MB is judged by its first
    4 MB.

    References
    ----------
    .. [1] Rae et al., Scaling language models: methods, analysis and insights from training Gopher,
       2021, appendix A.
    .. [2] Raffel et al., Exploring the limits of transfer learning with a unified text-to-text
       transformer, JMLR 2020, section 2.2.
    .. [3] Penedo et al., The FineWeb datasets: decanting the web for the finest text data at scale,
       NeurIPS 2024, section 3.6.

    Examples
    --------
    >>> page = "The rules of the game are old. " * 3 + "\n" + "Click here to win...\n" * 30
    >>> marks = Quality().mark([page])
    >>> [marks.causes[i] for i in marks.cause], round(float(marks.values["ellipses_a_word"][0]), 2)
    (['ellipses'], 0.21)
    >>> Quality(rules={"ellipses": None}).mark([page]).counts()["ellipsis_lines"]
    1
    """

    def __init__(self, *, rules: Mapping[str, float | None] | None = None) -> None:
        self.rules = rules

    def mark(self, docs: Any) -> Marks:
        """Mark documents; the values are the statistics of `RULES`.

        Raises
        ------
        BadInput
            `rules` names a rule that does not exist, or a threshold is no number.
        """
        limits = self._limits()
        causes = tuple(limits)
        empty = Marks(causes, np.zeros((0, len(causes)), dtype=bool), values=_values(_nothing()))
        return stacked([empty, *(_marked(f.facts(b), limits) for b in as_docs(docs))])

    def _limits(self) -> dict[str, float]:
        changes = {} if self.rules is None else self.rules
        if not isinstance(changes, Mapping) or not set(changes) <= set(RULES):
            wrong = sorted(set(changes) - set(RULES)) if isinstance(changes, Mapping) else changes
            raise BadInput(
                f"Quality: rules is or names {wrong!r}.", why=f"the rules are: {', '.join(RULES)}.",
                cure='rules={"few_stop_words": None, "few_words": 20}',
            )  # fmt: skip
        out = {name: changes.get(name, rule.threshold) for name, rule in RULES.items()}
        for name, limit in out.items():
            number = isinstance(limit, int | float) and limit == limit
            if limit is not None and not number:
                raise BadInput(
                    f"Quality: the threshold of {name} is {limit!r}.",
                    cure=f'rules={{"{name}": {RULES[name].threshold or 0}}}, or None for off',
                )
        return {name: float(limit) for name, limit in out.items() if limit is not None}


def _marked(facts: f.Ints, limits: Mapping[str, float]) -> Marks:
    values = _values(facts)
    fired = np.zeros((len(facts), len(limits)), dtype=bool)
    for i, (name, limit) in enumerate(limits.items()):
        found = values[RULES[name].value]
        fired[:, i] = found < limit if RULES[name].side == "below" else found > limit
    return Marks(tuple(limits), fired, values=values)


def _nothing() -> f.Ints:
    return np.zeros((0, f.COLUMNS), dtype=np.int64)


def _values(facts: f.Ints) -> dict[str, Array]:
    """Turn counts into the statistics that rules look at; a share of nothing is 0."""
    c = facts.T.astype(np.float64)
    words, lines, size = (np.maximum(c[i], 1.0) for i in (f.WORDS, f.LINES, f.WORD_BYTES))
    return {
        "words": c[f.WORDS],
        "mean_word_length": c[f.CHARACTERS] / words,
        "hash_signs_a_word": c[f.HASHES] / words,
        "ellipses_a_word": c[f.ELLIPSES] / words,
        "alphabetic_words": c[f.ALPHABETIC] / words,
        "stop_words": c[f.STOPS],
        "bullet_lines": c[f.BULLETS] / lines,
        "ellipsis_lines": c[f.DOTTED] / lines,
        "ended_lines": c[f.ENDED] / lines,
        "short_lines": c[f.SHORTS] / lines,
        "repeated_lines": c[f.SAME_LINES] / lines,
        "repeated_line_bytes": c[f.LINE_BYTES] / size,
        "repeated_paragraphs": c[f.SAME_PARAGRAPHS] / np.maximum(c[f.PARAGRAPHS], 1.0),
        "repeated_paragraph_bytes": c[f.PARAGRAPH_BYTES] / size,
        **{f"top_{n}_gram": c[f.TOP + n - 2] / size for n in (2, 3, 4)},
        **{f"repeated_{n}_grams": c[f.REPEATED + n - 5] / size for n in range(5, 11)},
        "sentences": c[f.SENTENCES],
        "lorem_ipsum": c[f.LOREMS],
        "curly_braces": c[f.BRACES],
    }
