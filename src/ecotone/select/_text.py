"""What methods on text share: checked counts, and budgets of tokens."""

from __future__ import annotations

from typing import Any

from ecotone.core.errors import BadInput
from ecotone.data.docs import as_docs, empty
from ecotone.select._grams import Counted, count
from ecotone.select._tokens import tokens


def counted(texts: Any, m: int, what: str) -> Counted:
    """Count the grams of texts in any form; refuse texts without a document."""
    found = count(as_docs(texts, what), m)
    if found.docs == 0:
        raise empty(what)
    if found.tokens == 0:
        raise no_token(what)
    return found


def check_documents(**texts: Any) -> None:
    """Refuse texts without a document; only the first batches are looked at."""
    for what, given in texts.items():
        if not any(len(batch) for batch in as_docs(given, what)):
            raise empty(what)


def check_tokens(texts: Any, what: str) -> None:
    """Refuse texts without a token; no more is read than it takes to find one."""
    if not any(len(tokens(batch).hashes) for batch in as_docs(texts, what)):
        check_documents(**{what: texts})
        raise no_token(what)


def no_token(what: str) -> BadInput:
    """Return the error for documents without a single token."""
    return BadInput(f"{what} holds no token.", cure=f"pass texts with words: {what}=[...]")


def check_fitted(model: Any, name: str) -> None:
    """Refuse to score before `fit`."""
    if not hasattr(model, name):
        who = type(model).__name__
        raise BadInput(f"{who} is not fitted.", cure=f"{who}().fit(target, pool)")
