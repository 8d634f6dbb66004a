"""Cross-entropy difference: keep what a model of the target finds easier than one of the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import Docs, as_docs
from ecotone.select._lm import Bigrams
from ecotone.select._text import check_documents, check_fitted
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
Model = Callable[[Sequence[str]], Any]


@method(
    name="cross_entropy_difference",
    paper="moore2010intelligent",
    needs={"source_rows", "target_rows"},
    handles={"covariate"},
)
class CrossEntropyDifference:
    r"""Score by :math:`\frac{1}{|x|}\left[\log P_{target}(x) - \log P_{pool}(x)\right]` [1]_.

    The models are bigram models with Witten-Bell smoothing on hashed tokens, or any two functions
    that return the log probability of each text.

    Parameters
    ----------
    pool_tokens : int, default 2000000
        Tokens of the pool, about, that its model is counted on: documents drawn by their text.
    models : (callable, callable), optional
        ``f(texts) -> log probabilities``, of the target and of the pool, nats: for instance two
        fine-tuned language models. Nothing is counted then.

    References
    ----------
    .. [1] Moore and Lewis, Intelligent selection of language model training data, ACL 2010.

    Examples
    --------
    >>> pool = ["the ball was kicked", "a patient with fever", "the goal was scored"] * 20
    >>> target = ["fever and cough", "the patient was given a dose"] * 20
    >>> CrossEntropyDifference().fit(target, pool).score(pool[:3]).argmax()
    np.int64(1)
    """

    def __init__(
        self, *, pool_tokens: int = 2_000_000, models: tuple[Model, Model] | None = None
    ) -> None:
        self.pool_tokens = pool_tokens
        self.models = models

    def fit(self, target: Any, pool: Any) -> Self:
        """Count bigrams of the target and of a part of the pool."""
        if self.pool_tokens < 1:
            raise BadInput(
                f"CrossEntropyDifference: pool_tokens is {self.pool_tokens}.",
                cure="pool_tokens=2_000_000",
            )
        wanted, here = as_docs(target, "target"), as_docs(pool, "pool")
        check_documents(target=wanted, pool=here)
        self.target_ = self.pool_ = None
        if self.models is None:
            self.target_ = Bigrams.fit(wanted)
            self.pool_ = Bigrams.fit(_some(here, self.pool_tokens))
        self.fitted_ = True
        return self

    def score(self, docs: Any) -> Array:
        """Return the difference of every document, nats a token, shape (n,)."""
        check_fitted(self, "fitted_")
        parts = [np.zeros(0)]
        for batch in as_docs(docs):
            found = tokens(batch)
            if self.models is not None:
                texts = batch.texts()
                one, two = (np.asarray(f(texts), dtype=np.float64) for f in self.models)
            else:
                assert self.target_ is not None
                assert self.pool_ is not None
                one, two = (m.log_likelihood(found) for m in (self.target_, self.pool_))
            parts.append((one - two) / np.maximum(found.lengths, 1))
        return np.concatenate(parts)


def _some(batches: Iterable[Docs], wanted: int) -> list[Docs]:
    """Return about so many tokens: the same share of the documents of every batch.

    Which share is known after one walk that only counts bytes.
    """
    total = sum(len(b.data) for b in batches) / 4.5  # bytes a token, about
    share = min(1.0, wanted / max(total, 1.0))
    out = []
    for batch in batches:
        # by the text itself, so that neither order nor batches decide
        at = np.flatnonzero(batch.fingerprints() % np.uint64(1 << 20) < share * (1 << 20))
        out.append(batch if share == 1.0 else batch.take(at))
    if not any(len(b) for b in out):
        out = [b.take(np.arange(1)) for b in batches if len(b)][:1]
    return out
