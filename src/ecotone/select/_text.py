"""What methods on text share: checked counts, and budgets of tokens."""

from __future__ import annotations

from typing import Any

from ecotone.core.errors import BadInput
from ecotone.data.docs import as_docs, empty
from ecotone.select._grams import Counted, count


def counted(texts: Any, m: int, what: str) -> Counted:
    """Count the grams of texts in any form; refuse texts without a document."""
    found = count(as_docs(texts, what), m)
    if found.docs == 0:
        raise empty(what)
    if found.tokens == 0:
        raise BadInput(f"{what} holds no token.", cure=f"pass texts with words: {what}=[...]")
    return found


def check_fitted(model: Any, name: str) -> None:
    """Refuse to score before `fit`."""
    if not hasattr(model, name):
        who = type(model).__name__
        raise BadInput(f"{who} is not fitted.", cure=f"{who}().fit(target, pool)")
