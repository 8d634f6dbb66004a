"""Untouched text: every document stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.core.method import method
from ecotone.rewrite._book import Book
from ecotone.rewrite.result import Rewritten


@method(name="untouched_text", paper="", needs=set(), handles=set())
class UntouchedText:
    """Leave every document as it is, the row that all others are compared with.

    Examples
    --------
    >>> UntouchedText().run(["one", "two"], rng=np.random.default_rng(0)).outcomes
    {'rewritten': 0, 'untouched': 2}
    """

    def run(self, docs: Any, ask: Any = None, *, rng: np.random.Generator) -> Rewritten:
        """Return every document untouched; nothing is asked and nothing is drawn."""
        del ask, rng
        book = Book("untouched_text", docs, None)
        for doc in book.docs:
            book.keep(doc)
        return book.close()
