"""Counting oracle: mixture losses predicted from n-gram counts, with no training run at all."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.base import BaseEstimator

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.tokens import TokenStore
from ecotone.mix._counts import ORDERS, Text, count

Array = NDArray[np.float64]


@method(name="counting_oracle", paper="mackay1995hierarchical", needs=set(), handles=set())
class CountingOracle(BaseEstimator):
    r"""Loss of an interpolated n-gram model trained on a mixture, for every mixture, by counting.

    A training of N tokens in the shares w sees the n-gram g about
    :math:`C(g) = \sum_k N_k q_k(g)` times, with :math:`q_k` its rate in domain k and :math:`N_k`
    the effective tokens of that domain. The model interpolates the orders [1]_:

    .. math:: p_0 = 1/V, \quad p_n(i) = \frac{C_n(i) + a_n\,p_{n-1}(i)}{H_n(i) + a_n},
              \quad L(w) = -\mathrm{mean}_i \log p_4(i)

    with :math:`H_n` the count of the context (:math:`H_1 = \sum_k N_k`). Repeated text counts
    less [2]_: with :math:`U_k` different tokens and :math:`e = N w_k / U_k > 1` epochs,
    :math:`N_k = U_k + U_k R (1 - e^{-(e-1)/R})`.

    Parameters
    ----------
    texts : tuple of Text, optional
        Counts, one text per target; made by `of`.
    tokens : int
        Training tokens N.
    unique : ndarray of float, shape (k,), optional
        Different training tokens at hand in each domain.
    vocab : int
        Number of token ids V.
    strengths : tuple of float or None
        :math:`a_1..a_4`; None fits them in `fit`: each held-out text is predicted from the domains
        other than the one that says most of its 4-grams, in equal shares. Fitted with that domain
        in the mixture, the high orders win by remembering text, which a small network cannot do.
        No neural loss is looked at.
    repeat : float
        R, the number of repetitions after which a repeat is worth 1/e of new text.

    Attributes
    ----------
    strengths_ : ndarray, shape (4,)
        The strengths in use.

    References
    ----------
    .. [1] MacKay and Peto, A hierarchical Dirichlet language model, 1995.
    .. [2] Muennighoff et al., Scaling data-constrained language models, NeurIPS 2023.
    """

    def __init__(
        self,
        texts: tuple[Text, ...] = (),
        *,
        tokens: int = 1_000_000,
        unique: Array | None = None,
        vocab: int = 1024,
        strengths: tuple[float, ...] | None = None,
        repeat: float = 15.0,
    ) -> None:
        self.texts = texts
        self.tokens = tokens
        self.unique = unique
        self.vocab = vocab
        self.strengths = strengths
        self.repeat = repeat

    @classmethod
    def of(
        cls,
        store: TokenStore,
        *,
        tokens: int,
        targets: tuple[str, ...] | None = None,
        split: str = "dev",
        most: int = 4_096,
        horizon: int | None = None,
        **params: Any,
    ) -> CountingOracle:
        """Count the domains of a store at the held-out text of the targets, and fit.

        Parameters
        ----------
        store : TokenStore
            Tokenised corpus; all its domains are mixed, in its order.
        tokens : int
            Tokens of the training that is predicted.
        targets : tuple of str, optional
            Domains whose held-out loss is predicted; default all.
        most : int
            Held-out tokens per target that are looked at.
        horizon : int, optional
            Tokens of the training that `tokens` stands for: the pools shrink by tokens / horizon.
        """
        share = min(1.0, tokens / horizon) if horizon else 1.0
        domains = [store.tokens(n) for n in store.names]
        texts = tuple(
            count(_spread(store.tokens(t, split), most), domains, store.vocab)
            for t in targets or store.names
        )
        unique = np.array([max(1.0, store.full_count(n) * share) for n in store.names])
        return cls(texts, tokens=tokens, unique=unique, vocab=store.vocab, **params).fit()

    def fit(self, W: Any = None, L: Any = None) -> Self:  # noqa: ARG002  the protocol of laws
        """Fix the strengths; `W` and `L`, the trained mixtures, are not looked at."""
        if not self.texts:
            raise BadInput(
                "a counting oracle has nothing to count.",
                cure="make it with CountingOracle.of(store)",
            )
        if self.strengths is not None:
            self.strengths_ = np.asarray(self.strengths, dtype=np.float64)
            return self
        others = [_others(t) for t in self.texts]

        def loss(log_a: Array) -> float:
            a = np.exp(log_a)
            parts = [self._loss(t, w, a)[0] for t, w in zip(self.texts, others, strict=True)]
            return float(np.mean(parts))

        start = np.log([1000.0, 300.0, 100.0, 50.0])
        found = minimize(
            loss, start, method="L-BFGS-B", bounds=[(-2.0, 14.0)] * ORDERS, options={"maxiter": 40}
        )
        self.strengths_ = np.exp(found.x)
        return self

    def only(self, *targets: int) -> CountingOracle:
        """Return the oracle of these targets (numbers of texts), with the strengths of all."""
        texts = tuple(self.texts[t] for t in targets)
        params = {**self.get_params(deep=False), "strengths": tuple(self.strengths_)}
        return CountingOracle(**{**params, "texts": texts}).fit()

    def predict(self, W: Any) -> Array:
        """Return the predicted loss of each mixture on each target, (n, t), nats per token."""
        W = np.atleast_2d(np.asarray(W, dtype=np.float64))
        return np.array([[self._loss(t, w, self.strengths_)[0] for t in self.texts] for w in W])

    def gradient(self, W: Any) -> Array:
        """Return the derivative of each predicted loss by each share, (n, t, k)."""
        W = np.atleast_2d(np.asarray(W, dtype=np.float64))
        return np.array([[self._slope(t, w) for t in self.texts] for w in W])

    def _effective(self, w: Array) -> tuple[Array, Array]:
        """Return effective tokens per domain and their derivative by the share."""
        seen = self.tokens * w
        unique = np.inf if self.unique is None else self.unique
        more = np.maximum(seen / unique - 1, 0.0)
        fade = np.exp(-more / self.repeat)
        worth = np.where(more > 0, unique * (1 + self.repeat * (1 - fade)), seen)
        return worth, self.tokens * fade

    def _loss(self, text: Text, w: Array, a: Array) -> tuple[float, list[Array], list[Array]]:
        """Return the loss, and per order the probabilities and the denominators."""
        worth, _ = self._effective(w)
        p: Any = 1.0 / self.vocab
        steps, floors = [], []
        counts: Array | None = None
        for n in range(ORDERS):
            context = worth.sum() if counts is None else counts[text.before[n - 1]]
            counts = worth @ text.rates[n]
            floor = context + a[n]
            p = (counts[text.which[n]] + a[n] * p) / floor
            steps.append(p)
            floors.append(floor)
        # the n-grams of a text that begins a document may lack their context by one count
        return float(-(text.weight @ np.log(np.maximum(p, 1e-300)))), steps, floors

    def _slope(self, text: Text, w: Array) -> Array:
        """Differentiate `_loss` by the shares, from the last order back to the first."""
        _, steps, floors = self._loss(text, w, self.strengths_)
        _, slope = self._effective(w)
        pull = -text.weight / np.maximum(steps[-1], 1e-300)
        out = np.zeros(len(w))
        for n in reversed(range(ORDERS)):
            part = pull / floors[n]
            rates = text.rates[n]
            out += rates @ np.bincount(text.which[n], part, minlength=rates.shape[1])
            lost = part * steps[n]
            if n:
                rates = text.rates[n - 1]
                out -= rates @ np.bincount(text.before[n - 1], lost, minlength=rates.shape[1])
            else:
                out -= lost.sum()
            pull = part * self.strengths_[n]
        return out * slope

    def __sklearn_clone__(self) -> CountingOracle:
        # the counts are large and never change: a clone shares them
        return CountingOracle(**self.get_params(deep=False))


def _others(text: Text) -> Array:
    """Return equal shares of all domains but the one nearest to the text (all, if only one)."""
    said = text.rates[-1][:, text.which[-1]] @ text.weight
    shares = np.ones(len(said))
    if len(said) > 1:
        shares[int(np.argmax(said))] = 0.0
    return shares / shares.sum()


def _spread(tokens: NDArray[Any], most: int, pieces: int = 32) -> NDArray[Any]:
    """Take at most `most` tokens, in pieces spread evenly over the text."""
    if len(tokens) <= most:
        return np.asarray(tokens)
    size = most // pieces
    starts = np.linspace(0, len(tokens) - size, pieces).astype(np.int64)
    return np.concatenate([tokens[s : s + size] for s in starts])
