"""Language: documents in other languages than those wanted, as the package py3langid sees them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.method import method
from ecotone.data.docs import Docs, as_docs
from ecotone.select._marks import Marks, stacked

CAUSES = ("not in the wanted languages",)
NO_LANGUAGE = "zxx"  # what the package calls numbers, tables of signs and the like
LOOKS, LOOK, LEAST = 3, 400, 100  # how often a document is looked at; most and least bytes


@method(
    name="language", paper="cavnar1994ngram", needs={"source_rows"}, handles=set(), extra="lang",
)  # fmt: skip
class Language:
    r"""Drop documents that are surely in another language, by their character n-grams [1]_.

    The package py3langid names the likeliest language of a text and its probability. A document is
    looked at in three places, its beginning, middle and end, 400 bytes each or thirds of it.
    It is dropped where

    .. math:: l(x) \notin \mathit{keep}, \quad p(x) \ge \mathit{floor}, \quad
              l(x_1), l(x_2), l(x_3) \notin \mathit{keep}

    with l and p the likeliest language and its probability, x the three places together and
    :math:`x_i` one of them (in a document of fewer than 300 bytes only x is asked). So a document
    stays when it is too short to be sure of, when a part of it is in a wanted language, and when
    it is in no language at all, as the package says of tables and numbers.

    Parameters
    ----------
    keep : sequence of str, default ("en",)
        Wanted languages, by their codes of ISO 639.
    floor : float, default 0.7
        Probability from which a document is dropped.

    References
    ----------
    .. [1] Cavnar, Trenkle, N-gram-based text categorization, SDAIR 1994.

    Examples
    --------
    >>> texts = ["The sun rises in the east and sets in the west, as everybody knows.",
    ...          "Die Sonne geht im Osten auf und im Westen unter, wie jeder weiß.", "Osten"]
    >>> marks = Language().mark(texts)
    >>> marks.dropped.tolist(), marks.values["language"][:2].tolist()
    ([False, True, False], ['en', 'de'])
    """  # fmt: skip

    def __init__(self, *, keep: Sequence[str] = ("en",), floor: float = 0.7) -> None:
        self.keep = keep
        self.floor = floor

    def mark(self, docs: Any) -> Marks:
        """Mark documents; the values are the likeliest language of each and its probability.

        Raises
        ------
        BadInput
            A language is not known, or floor is no probability.
        MissingExtra
            py3langid is not installed.
        """
        self._check()
        return stacked([self._marked(batch) for batch in [Docs.of([]), *as_docs(docs)]])

    def _marked(self, docs: Docs) -> Marks:
        fired = np.zeros((len(docs), 1), dtype=bool)
        names = np.zeros(len(docs), dtype="U3")
        sure = np.zeros(len(docs))
        keep = {*self.keep, NO_LANGUAGE}
        ask = _identifier().classify
        for i in range(len(docs)):
            places = _places(docs.data[docs.starts[i] : docs.starts[i + 1]].tobytes())
            names[i], sure[i] = ask(b"".join(places))
            if names[i] not in keep and sure[i] >= self.floor:
                fired[i] = len(places) == 1 or all(ask(p)[0] not in keep for p in places)
        return Marks(CAUSES, fired, values={"language": names, "probability": sure})

    def _check(self) -> None:
        known = set(_identifier().labels)
        unknown = [name for name in self.keep if name not in known]
        if isinstance(self.keep, str) or unknown or not self.keep:
            raise BadInput(
                f"Language: keep is {self.keep!r}.", why=f"known are: {', '.join(sorted(known))}.",
                cure='keep=("en",)',
            )  # fmt: skip
        if not 0 < self.floor <= 1:
            raise BadInput(f"Language: floor is {self.floor}.", cure="floor=0.7")


def _places(text: bytes) -> list[bytes]:
    """Return the beginning, the middle and the end of a text, or all of a short one."""
    if len(text) < LOOKS * LEAST:
        return [text]
    size = min(LOOK, len(text) // LOOKS)
    cuts = [k * (len(text) - size) // (LOOKS - 1) for k in range(LOOKS)]
    return [text[_character(text, i) : _character(text, i + size)] for i in cuts]


def _character(text: bytes, at: int) -> int:
    """Return the first place from `at` on where a character begins."""
    while at < len(text) and text[at] & 0xC0 == 0x80:
        at += 1
    return at


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Load the model that the package carries: half a second, once a process."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError as error:
        raise MissingExtra.of("lang", error.name or "py3langid", "Language") from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
