"""DITFEND: weights of source documents by how well a language model of the target knows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding
from ecotone.data.docs import as_docs
from ecotone.select._label_check import DomainGains, domain_gains, labelled
from ecotone.select._lm import WORDS, Bigrams
from ecotone.select._text import check_documents, check_fitted, check_tokens
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
Model = Callable[[Sequence[str]], Any]
LEAST, MOST = 0.1, 1000.0  # bits a token: no weight without bound, no sum of weights of 0
INVERSES = ("perplexity", "bits")


@method(
    name="ditfend",
    paper="nan2022improving",
    needs={"source_rows", "target_rows"},
    handles={"covariate"},
)
class DITFEND:
    r"""Weight source documents by the inverse of their perplexity under a model of the target [1]_.

    .. math:: b(x) = -\frac{1}{|x|} \sum_t \log_2 P_T(x_t \mid x_{<t}), \qquad
              w(x) = \frac{2^{-b(x)}}{\operatorname{mean}_{pool} 2^{-b}}

    for a classifier that is trained on labelled documents of all domains, those of the target with
    weight 1. The model is a bigram model with Witten-Bell smoothing on hashed tokens, or any
    function that returns the log probability of each text.

    The weights see words and no labels. A domain that speaks as the target does and labels the
    other way round gets high weights: `safe` is False until `check` has asked labelled target
    documents about every domain.

    Parameters
    ----------
    inverse : {"perplexity", "bits"}, default "perplexity"
        Of what: of the perplexity :math:`2^b`, or of b itself, which tells documents apart far less
        and asks less of the target's labels.
    model : callable, optional
        ``f(texts) -> log probabilities``, nats: for instance a language model tuned on the target,
        or the sum of masked log probabilities. Nothing is counted then.
    seed : int, default 0
        For the folds of `check`.

    Attributes
    ----------
    scale_ : float
        Mean of the inverses over the pool.
    gains_ : DomainGains or None
        What `check` found.

    References
    ----------
    .. [1] Nan et al., Improving fake news detection of influential domain via domain- and
       instance-level transfer, COLING 2022.

    Examples
    --------
    >>> pool = ["the ball was kicked", "a patient with fever", "the goal was scored"] * 20
    >>> target = ["fever and cough", "the patient was given a dose"] * 20
    >>> method = DITFEND().fit(target, pool)
    >>> method.score(pool[:3]).argmax(), round(float(method.weights(pool).mean()), 6), method.safe
    (np.int64(1), 1.0, False)
    """

    def __init__(
        self, *, inverse: str = "perplexity", model: Model | None = None, seed: int = 0
    ) -> None:
        self.inverse = inverse
        self.model = model
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Count bigrams of the target, and find the mean weight of the pool."""
        if self.inverse not in INVERSES:
            raise BadInput(f"DITFEND: inverse is {self.inverse!r}.", cure='inverse="perplexity"')
        check_tokens(target, "target")
        check_documents(pool=pool)
        self.target_ = None if self.model else Bigrams.fit(as_docs(target, "target"))
        self.gains_: DomainGains | None = None
        self.scale_ = float(self._inverses(pool).mean())
        return self

    def score(self, docs: Any) -> Array:
        """Return -b of every document, (n,): minus bits a token; 18 for one without tokens."""
        check_fitted(self, "target_")
        parts = [np.zeros(0)]
        for batch in as_docs(docs):
            found = tokens(batch)
            if self.target_ is None:
                nats = self._asked(batch.texts())
            else:
                nats = self.target_.log_likelihood(found)
            n = found.lengths
            bits = nats / np.maximum(n, 1) / np.log(2)
            parts.append(np.where(n > 0, bits, -np.log2(WORDS)))
        return np.concatenate(parts)

    def weights(self, docs: Any) -> Array:
        """Return w of every document, (n,), of mean 1 on the pool: a ``sample_weight``."""
        check_fitted(self, "scale_")
        return self._inverses(docs) / self.scale_

    def check(
        self, source: Any, source_labels: Any, target: Any, target_labels: Any, *,
        domains: Any = None,
    ) -> DomainGains:  # fmt: skip
        """Ask labelled target documents whether the labels of each domain hold for them.

        A classifier of word counts is trained on the target alone, and on the target with the
        weighted documents of one domain; both are judged on target documents that they have not
        seen. `safe` and `findings` tell of it afterwards.

        Parameters
        ----------
        source, target : texts
        source_labels, target_labels : array-like, shape (n,) and (m,)
            Of the same classes.
        domains : array-like, shape (n,), optional
            Domain of each source document; one for all by default.

        Raises
        ------
        BadInput
            A label is missing, or the target has fewer than two documents of a class.
        """
        check_fitted(self, "scale_")
        S, T = (
            labelled(*pair)
            for pair in ((source, source_labels, "source"), (target, target_labels, "target"))
        )
        of = np.full(len(S.labels), "source") if domains is None else np.asarray(domains)
        if of.shape != S.labels.shape:
            raise BadInput(
                f"DITFEND: {len(S.labels)} source documents, but domains of the shape {of.shape}.",
                cure="pass the domain of every source document",
            )
        rng = stream(self.seed, "ditfend", "folds")
        self.gains_ = domain_gains(S, self.weights(source), of, T, rng)
        return self.gains_

    @property
    def safe(self) -> bool:
        """Whether every domain was checked, and its labels are clear to help on the target."""
        check_fitted(self, "scale_")
        return self.gains_ is not None and bool((self.gains_.low > 0).all())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Say what the weights cannot see, and what `check` has found."""
        check_fitted(self, "scale_")
        if self.gains_ is None:
            says = "weights come from words alone: whether labels mean the same is not checked."
            return (Finding("S108", says, "check(source, labels, target, target_labels)"),)
        out = []
        for name, gain, low, high in zip(*self.gains_, strict=True):
            told = f"{gain:+.3f} nats on target labels, from {low:+.3f} to {high:+.3f}"
            if high < 0:
                says = f"labels of {name} contradict the target's ({told})."
                out.append(Finding("S109", says, f"leave {name} out"))
            elif not low > 0:
                says = f"whether the labels of {name} help the target is not clear ({told})."
                out.append(Finding("S110", says, "more labelled target documents"))
        return tuple(out)

    def _inverses(self, docs: Any) -> Array:
        bits = np.clip(-self.score(docs), LEAST, MOST)
        return 1 / bits if self.inverse == "bits" else 2.0**-bits

    def _asked(self, texts: Sequence[str]) -> Array:
        assert self.model is not None
        nats = np.asarray(self.model(texts), dtype=np.float64)
        if nats.shape != (len(texts),) or not (nats <= 0).all() or np.isinf(nats).any():
            raise BadInput(
                f"DITFEND: the model's answer to {len(texts)} texts has the shape {nats.shape}, or "
                "holds what is no log probability.",
                cure="return one finite number, at most 0, for each text",
            )
        return nats
