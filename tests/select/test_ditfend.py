"""Uniform models, weights by hand, and domains that share words or labels with the target."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from ecotone.core.errors import BadInput
from ecotone.data.docs import Docs
from ecotone.select import pick
from ecotone.select._lm import Bigrams
from ecotone.select.ditfend import DITFEND


def uniform_model(words):
    return lambda texts: [-len(t.split()) * np.log(words) for t in texts]


def test_a_uniform_model_takes_the_logarithm_of_its_words():
    texts = ["one", "one two three", "a b c d e"]
    method = DITFEND(model=uniform_model(50)).fit(texts, texts)
    assert_allclose(method.score(texts), -np.log2(50), rtol=1e-12)
    assert_allclose(method.weights(texts), 1.0)
    assert_allclose(DITFEND().fit(texts, texts).score([""]), -18.0)  # nothing is known: 2^18 words


@pytest.mark.parametrize("inverse", ["bits", "perplexity"])
def test_weights_are_inverses_of_mean_one(inverse):
    pool = ["the ball", "a patient with fever was seen", "the dose", "", "fever"]
    target = ["fever and cough", "the patient was given a dose"]
    method = DITFEND(inverse=inverse).fit(target, pool)
    model = Bigrams.fit([Docs.of(target)])
    bits = [18.0]
    for text in pool:
        if text:
            log = [model.log_likelihood(_tokens(text))[0]]
            bits.append(-sum(log) / len(text.split()) / np.log(2))
    bits = np.array(bits)[[1, 2, 3, 0, 4]]
    assert_allclose(-method.score(pool), bits, rtol=1e-12)
    raw = 1 / bits if inverse == "bits" else 2.0**-bits
    assert_allclose(method.weights(pool), raw / raw.mean(), rtol=1e-12)
    assert_allclose(method.weights(pool).mean(), 1.0, rtol=1e-12)
    assert_array_equal(method.weights(pool[:2]), method.weights(pool)[:2])  # the pool's scale


def _tokens(text):
    from ecotone.select._tokens import tokens

    return tokens(Docs.of([text]))


def test_prefers_real_text_of_the_targets_kind():
    from pydoc_data.topics import topics

    manual = [" ".join(topics[name].split())[:1500] for name in sorted(topics)][:60]
    folder = Path(sklearn.datasets.__file__).parent / "descr"
    tables = [" ".join(f.read_text().split())[:1500] for f in sorted(folder.glob("*.rst"))]
    pool = manual[30:] + tables
    method = DITFEND().fit(manual[:30], pool)
    kept = pick(method.score(pool), 10).rows
    assert (kept < 30).mean() > 0.9  # of 30 in about 40
    w = method.weights(pool)
    assert w[:30].mean() > 1.1 * w[30:].mean()


# domains with words of their own, words of all, and words that tell the label

COUNTS = HashingVectorizer(n_features=2**14, alternate_sign=False)
ZIPF = 1 / np.arange(1, 201)


def domain(name, near, n, rng, inverted=False):
    """Return texts and labels; `near` is the share of the own words that are the target's."""
    y, out = rng.integers(2, size=n), []
    for label in y:
        k = int(rng.integers(20, 80))
        draw, kind = rng.choice(200, k, p=ZIPF / ZIPF.sum()), rng.random(k)
        own, sure = rng.random(k) < near, rng.random(k) < 0.75
        out.append(" ".join(
            f"{'good' if s == (label ^ inverted) else 'bad'}{d % 20}" if u < 0.15
            else (f"{'news' if o else name}{d}" if u < 0.5 else f"the{d}")
            for d, u, o, s in zip(draw, kind, own, sure, strict=True)
        ))  # fmt: skip
    return out, y


class World:
    """Two domains with the target's rule, one against it; 40 labelled target documents."""

    def __init__(self, seed, same):
        rng = np.random.default_rng(seed)
        parts = [
            domain("sport", 0.5, 300, rng), domain("film", 0.5, 300, rng),
            domain("shop", float(same), 300, rng, inverted=True),
        ]  # fmt: skip
        self.X, self.y = [t for p in parts for t in p[0]], np.concatenate([p[1] for p in parts])
        self.of = np.repeat(["sport", "film", "shop"], 300)
        self.T, self.t = domain("news", 1.0, 40, rng)
        self.E, self.e = domain("news", 1.0, 600, rng)

    def macro_f1(self, weights):
        F, y = COUNTS.transform(self.X + self.T), np.concatenate([self.y, self.t])
        w = np.concatenate([weights, np.ones(len(self.t))])
        model = LogisticRegression(C=10, max_iter=500).fit(F, y, w)
        return f1_score(self.e, model.predict(COUNTS.transform(self.E)), average="macro")


@lru_cache
def worlds(same):
    return [World(seed, same) for seed in range(3)]


def gains(same, inverse="perplexity"):
    """Macro F1 of weighted over joint training, and mean weights of the domains."""
    out, means = [], []
    for world in worlds(same):
        w = DITFEND(inverse=inverse).fit(world.T, world.X).weights(world.X)
        out.append(world.macro_f1(w) - world.macro_f1(np.ones(900)))
        means.append([w[world.of == d].mean() for d in ("sport", "film", "shop")])
    return np.array(out), np.array(means)


def test_helps_where_the_inverted_domain_has_other_words():
    found, means = gains(same=False)
    assert found.mean() > 0.08
    assert found.min() > 0.02
    assert (means.argmin(axis=1) == 2).all()
    weak, means = gains(same=False, inverse="bits")
    assert 0 < weak.mean() < 0.03
    assert (means.argmin(axis=1) == 2).all()


def test_costs_little_where_all_domains_agree():
    for world in worlds(False):
        agreed = copy.copy(world)
        agreed.y = np.where(world.of == "shop", 1 - world.y, world.y)
        w = DITFEND().fit(world.T, world.X).weights(world.X)
        assert -0.02 < agreed.macro_f1(w) - agreed.macro_f1(np.ones(900)) < 0.01


def test_does_not_help_where_the_inverted_domain_has_the_targets_words():
    for inverse in ("bits", "perplexity"):
        found, means = gains(same=True, inverse=inverse)
        assert (means.argmax(axis=1) == 2).all()  # it is trusted most
        assert (found < -0.02).all()


@pytest.mark.parametrize("same", [False, True])
def test_labels_of_the_target_unmask_the_inverted_domain(same):
    for world in worlds(same)[:2]:
        method = DITFEND().fit(world.T, world.X)
        assert not method.safe  # nothing was asked
        assert [f.code for f in method.findings] == ["S108"]
        found = method.check(world.X, world.y, world.T, world.t, domains=world.of)
        assert found.domains.tolist() == ["film", "shop", "sport"]
        assert (found.gain > 0).tolist() == [True, False, True]
        assert found.high[1] < 0
        assert not method.safe
        assert "S109" in [f.code for f in method.findings]
        w = method.weights(world.X) * (world.of != "shop")
        assert world.macro_f1(w / w.mean()) > world.macro_f1(np.ones(900)) + 0.08


def test_safe_only_where_every_domain_is_clear():
    world = worlds(False)[2]
    method = DITFEND().fit(world.T, world.X)
    rows = np.flatnonzero(world.of != "shop")
    X, y = [world.X[i] for i in rows], world.y[rows]
    found = method.check(X, y, world.T, world.t)
    assert found.low[0] > 0
    assert method.safe
    assert method.findings == ()
    few = np.r_[np.flatnonzero(world.t == 0)[:2], np.flatnonzero(world.t == 1)[:2]]
    method.check(X, y, [world.T[i] for i in few], world.t[few])  # four labels say little
    assert not method.safe
    assert [f.code for f in method.findings] == ["S110"]


def test_common_words_are_weighted_above_the_target_itself():
    world = worlds(False)[0]
    method = DITFEND().fit(world.T, world.X)
    common, real = method.score(["the0 the1 the0"]), method.score(world.E)
    assert common[0] > np.quantile(real, 0.99)  # short and generic: the price of perplexity


def test_errors_carry_a_cure():
    X, y, T, t = ["one two", "two three"] * 3, [0, 1] * 3, ["one", "two"] * 2, [0, 1] * 2
    method = DITFEND().fit(T, X)
    for call, says in (
        (lambda: DITFEND(inverse="x").fit(T, X), "inverse"),
        (lambda: DITFEND(model=lambda texts: [1.0] * len(texts)).fit(T, X), "log probability"),
        (lambda: DITFEND(model=lambda texts: [-1.0]).fit(T, X), "log probability"),
        (lambda: DITFEND().fit([""], X), "no token"),
        (lambda: DITFEND().score(X), "not fitted"),
        (lambda: method.check(X, y[:2], T, t), "6 documents and labels"),
        (lambda: method.check(X, y, T, [0] * 4), "the target's labels"),
        (lambda: method.check(X, y, T, [0, 1, 1, 1]), "the target's labels"),
        (lambda: method.check(X, [0, 2] * 3, T, t), "not among"),
        (lambda: method.check(X, y, T, t, domains=["a"]), "domains of the shape"),
        (lambda: method.check([], [], T, t), "no document"),
    ):
        with pytest.raises(BadInput, match=says) as caught:
            call()
        assert caught.value.cure
