"""What a method is run on when it is held to the laws: one small input for each protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.method import Method
from ecotone.core.mixture import Mixture
from ecotone.core.seeds import stream
from ecotone.data.shifts import Shifted, made_shift
from ecotone.testing.fixtures import babble, counted_corpus, law_trials, text_corpus

Array = NDArray[np.float64]
Kind = Literal[
    "measure", "rule", "law", "mixer", "oracle", "aligner", "clusterer", "transfer", "score",
    "selector", "filter", "other",
]  # fmt: skip
NOT_TEXT = {"target_labels", "gradients", "activations", "reference_model", "text_model", "proxies"}
SIZES = {"books": 400_000, "code": 90_000, "law": 30_000, "web": 2_000_000}


def _two_laws() -> dict[str, Any]:
    """Return laws that are fitted at once: those that take longer are held to the laws alone."""
    from ecotone.mix.linear_law import LinearLaw
    from ecotone.mix.log_linear import LogLinear

    return {"linear_law": LinearLaw(), "log_linear": LogLinear()}


# parameters of methods whose defaults cannot run, or run for minutes; a function makes its value
EXAMPLES: dict[str, dict[str, Any]] = {
    "auto": {"laws": _two_laws},
    "hand": {"shares": {"books": 0.2, "code": 0.3, "law": 0.1, "web": 0.4}},
    "regmix": {"proxies": 8, "candidates": 2_000, "top": 32},
}


def kind(method: Method) -> Kind:
    """Return which protocol of its room a method follows."""
    if method.room == "shift":
        return "measure"
    if method.room == "validate":
        return "score"
    if method.room in ("select", "rewrite"):
        # what takes arrays, a model or a generator has no input in common: its own tests hold it
        if method.room != "select" or method.needs & NOT_TEXT:
            return "other"
        thing = method.load()
        return "filter" if hasattr(thing, "mark") else "selector"
    thing = method.load()
    if method.room == "align":
        return _kind_of_estimator(thing)
    if not isinstance(thing, type):
        return "rule"
    if hasattr(thing, "propose"):
        return "mixer"
    return "oracle" if hasattr(thing, "of") else "law"


def _kind_of_estimator(thing: Any) -> Kind:
    """Tell estimators that are no `Aligner` by what they are to scikit-learn."""
    from sklearn.base import ClusterMixin

    from ecotone.align import Aligner

    if issubclass(thing, Aligner):
        return "aligner"
    return "clusterer" if issubclass(thing, ClusterMixin) else "transfer"


def rate_samples(
    rng: np.random.Generator, *, rows: int = 40, features: int = 20, shift: float = 0.0
) -> tuple[Array, Array]:
    """Return two samples of counts whose rates differ by factors exp(+-shift / 2) a side.

    Counts serve every measure: those of n-grams and those of rows of numbers.
    """
    rates = np.linspace(1.0, 5.0, features)
    sign = np.where(np.arange(features) % 2, 0.5, -0.5)
    A = rng.poisson(rates * np.exp(shift * sign), (rows, features))
    B = rng.poisson(rates * np.exp(-shift * sign), (rows, features))
    return A.astype(np.float64), B.astype(np.float64)


def null_p(
    measure: Callable[..., float],
    A: Array,
    B: Array,
    *,
    draws: int,
    rng: np.random.Generator,
    **params: Any,
) -> float:
    """Return the share of shuffles of both samples with a distance as large, both counts plus 1."""
    value, both, n = measure(A, B, rng=rng, **params), np.vstack([A, B]), len(A)
    farther = 0
    for _ in range(draws):
        order = rng.permutation(len(both))
        farther += measure(both[order[:n]], both[order[n:]], rng=rng, **params) >= value
    return (1 + farther) / (draws + 1)


def rule_mixture(
    method: Method, corpus: Corpus, *, tokens: int = 500_000, caps: Any = None
) -> Mixture:
    """Let a rule choose for a counted corpus."""
    rule = method.load()
    target = corpus.target.name if corpus.has_target else None
    given = EXAMPLES.get(method.name, {})
    mixture: Mixture = rule(
        corpus, target, tokens=tokens, caps=caps, rng=stream(0, method.name), **given
    )
    return mixture


def sized(order: tuple[str, ...] = tuple(SIZES)) -> Corpus:
    """Return the counted corpus of the rules, its domains in this order."""
    return counted_corpus({n: SIZES[n] for n in order}, "law")


def law_data(noise: float = 0.01) -> tuple[Array, Array, Array]:
    """Return mixtures (24, 4), losses (24, 4) and new mixtures (6, 4)."""
    found = law_trials(24, 4, noise=noise, rng=stream(0, "laws"))
    return found.weights, found.scores, stream(0, "laws", "new").dirichlet(np.ones(4), 6)


def make(method: Method) -> Any:
    """Return an instance of a class, with parameters under which it runs in seconds."""
    given = EXAMPLES.get(method.name, {})
    return method.load()(**{k: v() if callable(v) else v for k, v in given.items()})


def answer(method: Method) -> Any:
    """Run a method on the input of its protocol; return its answer as nested lists and dicts."""
    return _ANSWERS[kind(method)](method)


def _measure(method: Method) -> Any:
    A, B = rate_samples(stream(0, "rows"), shift=0.3)
    return method.load()(A, B, rng=stream(0, "measure"))


def _rule(method: Method) -> Any:
    return rule_mixture(method, sized()).weights


def _law(method: Method) -> Any:
    W, L, new = law_data()
    return make(method).fit(W, L).predict(new).tolist()


def _mixer(method: Method) -> Any:
    mixer, trials = make(method), law_trials(24, 4, noise=0.01, rng=stream(0, "laws"))
    prior = np.array([0.1, 0.2, 0.3, 0.4])
    proposed = mixer.propose(trials, trials.targets[0], prior=prior)
    return [mixer.design(prior).tolist(), proposed.weights]


def _oracle(method: Method) -> Any:
    from ecotone.data.tokens import TokenOptions, prepare

    texts = {
        "a": babble("red green blue white", 40, stream(0, "a")),
        "b": babble("one two three four", 40, stream(0, "b")),
        "t": babble("red one green two", 40, stream(0, "t")),
    }
    with tempfile.TemporaryDirectory() as folder:
        store = prepare(text_corpus(texts, "t"), Path(folder), TokenOptions(vocab=300))
        made = method.load().of(store, tokens=5_000)
        return made.predict(stream(0, "laws", "new").dirichlet(np.ones(3), 6)).tolist()


def shifted(method: Method, *, n: int = 60, size: float = 1.0, seed: int = 0) -> Shifted:
    """Return rows for a method: two sources if it wants them, a few target labels if it does."""
    made = made_shift("location_scale", n=n, size=size, seed=seed)
    domain, y = made.sample_domain.copy(), made.y.copy()
    if "multi_source" in method.handles:
        domain[np.flatnonzero(domain > 0)[::2]] = 3
    if "target_labels" in method.needs:
        for c in np.unique(made.truth).tolist():
            at = np.flatnonzero((domain < 0) & (made.truth == c))[:3]
            y[at] = c
    return Shifted(made.X, y, domain, made.truth)


def _aligner(method: Method) -> Any:
    made = shifted(method)
    fitted = make(method).fit(made.X, made.y, made.sample_domain)
    out = [fitted.predict(made.target[0]).tolist()]
    if hasattr(fitted, "predict_proba"):
        out.append(fitted.predict_proba(made.target[0]).tolist())
    return out


def scored(method: Method, *, kind: str = "affine", seed: int = 0, poison: bool = False) -> float:
    """Return a score of CORAL, fitted on one half of made-up rows, on the other half."""
    from ecotone.align.coral import CORAL

    made = made_shift(kind, n=120, seed=seed)
    half = np.arange(len(made.y)) % 2 == 0
    model = CORAL().fit(made.X[half], made.y[half], made.sample_domain[half])
    y = np.where(made.sample_domain < 0, (made.truth + 1) % 3, made.y) if poison else made.y
    from ecotone.validate.scoring import scorer

    return scorer(method.name)(model, made.X[~half], y[~half], made.sample_domain[~half])


def _unpaired(method: Method) -> Any:
    from ecotone.testing import unpaired

    return unpaired.answer(method)


def _selector(method: Method) -> Any:
    from ecotone.testing import selection

    return selection.scored(method).tolist()


def _filter(method: Method) -> Any:
    from ecotone.testing import selection

    return selection.marked(method).fired.tolist()


_ANSWERS: dict[Kind, Callable[[Method], Any]] = {
    "measure": _measure,
    "rule": _rule,
    "law": _law,
    "mixer": _mixer,
    "oracle": _oracle,
    "aligner": _aligner,
    "clusterer": _unpaired,
    "transfer": _unpaired,
    "score": scored,
    "selector": _selector,
    "filter": _filter,
}
