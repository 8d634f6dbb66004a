from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.rewrite._terms import (
    FUNCTION_WORDS,
    MASK,
    Dictionary,
    clauses,
    label_bound,
    log_odds,
    mine_terms,
)
from ecotone.rewrite.amd2g import Amd2g

DOMAINS = ("film", "food", "phone", "trip")
FILLER = sorted(FUNCTION_WORDS)[:40]
SYLLABLES = ("ba", "ko", "mi", "ru", "te", "zo", "la", "fi", "nu", "pe", "sha", "dro")


def made_words(n, r):
    words = dict.fromkeys("".join(r.choice(SYLLABLES, 3)) for _ in range(4 * n))
    return [w for w in words if w not in FUNCTION_WORDS][:n]


class World:
    """Reviews of four domains, written from words whose meaning is known.

    Opinion words say good or bad in every domain. Names belong to one domain and lean a little to
    one label there. Some names of the other domains are known in the last one, where they lean
    otherwise: what a model learns about them elsewhere is wrong there.
    """

    def __init__(self, seed=0, lean=0.2):
        r = np.random.default_rng(seed)
        words = made_words(360, r)
        self.good, self.bad, words = words[:20], words[20:40], words[40:]
        self.names = {d: [words.pop() for _ in range(60)] for d in DOMAINS}
        self.own = {d: [words.pop() for _ in range(2)] for d in DOMAINS}  # good or bad here alone
        names = [n for mine in self.names.values() for n in mine]
        self.lean = {(d, n): 0.5 + lean * r.choice([-1, 1]) for d in DOMAINS for n in names}
        self.known = [n for d in DOMAINS[:3] for n in self.names[d]]

    def review(self, domain, label, r):
        words = []
        for _ in range(3):
            side = self.good if (r.random() < 0.72) == label else self.bad
            words.append(side[int(r.integers(20))])
        if r.random() < 0.15:
            words.append(self.own[domain][int(label if r.random() < 0.9 else not label)])
        while len(words) < 8:
            foreign = domain == DOMAINS[-1] and r.random() < 0.5
            pool = self.known if foreign else self.names[domain]
            name = pool[int(r.integers(len(pool)))]
            p = self.lean[domain, name]
            if r.random() < (p if label else 1 - p):
                words.append(name)
        words += [FILLER[i] for i in r.integers(0, 40, 8)]
        return " ".join(words[i] for i in r.permutation(len(words)))

    def docs(self, domain, n, seed):
        r = np.random.default_rng([seed, DOMAINS.index(domain)])
        labels = [int(x) for x in r.integers(0, 2, n)]
        return [
            Doc(f"{domain}{seed}-{i}", self.review(domain, y, r), domain, {"label": y})
            for i, y in enumerate(labels)
        ]


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def sources(world):
    return [d for domain in DOMAINS[:3] for d in world.docs(domain, 600, 1)]


def texts(docs, done=None):
    kept = [d for d in docs if done is None or d.id not in done.dropped]
    return [d.text if done is None else done.docs.get(d.id, d.text) for d in kept]


# --- terms


def test_log_odds_is_the_formula():
    # 30 of 1000 here, 5 of 2000 there; prior: a fifth of the pooled counts
    a, b, whole = 30 + 7, 5 + 7, 600
    delta = math.log(a / (1000 + whole - a)) - math.log(b / (2000 + whole - b))
    assert log_odds(30, 5, 1000, 2000) == pytest.approx(delta / math.sqrt(1 / a + 1 / b))
    assert log_odds(10, 20, 1000, 2000) == pytest.approx(0.0, abs=1e-12)
    assert log_odds(0, 0, 10, 10) == 0.0
    assert log_odds(5, 30, 2000, 1000) == pytest.approx(-log_odds(30, 5, 1000, 2000))


def test_terms_of_noise_are_as_rare_as_chance_allows(rng):
    words = made_words(300, rng)
    docs = {d: [" ".join(rng.choice(words, 20)) for _ in range(300)] for d in "ab"}
    found = mine_terms(docs, most_words=1)
    assert sum(map(len, found.values())) <= 3  # 600 questions, one side of a normal above 3: 0.8


def test_mining_finds_names_and_nothing_else(world, sources):
    found = mine_terms({d: [x.text for x in sources if x.domain == d] for d in DOMAINS[:3]})
    for domain, terms in found.items():
        names = {*world.names[domain], *world.own[domain]}
        hit = {t for t in terms if t in names}
        assert len(hit) > 0.95 * len(names)
        assert not set(terms) & {*world.good, *world.bad, *FUNCTION_WORDS}
        assert list(terms.values()) == sorted(terms.values(), reverse=True)
        assert min(terms.values()) > 3


def test_counts_of_long_terms_are_exact():
    docs = {
        "a": ["state of the art", "the state of the art of war", "state of the art, art"] * 4,
        "b": ["the state of things", "an art", "of the state"] * 4,
    }
    found = mine_terms(docs, least_z=-9.0)
    counted = Counter(t for x in docs["a"] for t in [x.count("state of the art")])
    assert counted.total() == 12
    n = sum(max(len(c) - 3, 0) for x in docs["a"] for c in clauses(x))
    assert found["a"]["state of the art"] == pytest.approx(log_odds(12, 0, n, 4))
    assert "of the art" not in found["a"]


def test_mutual_information_is_the_usual_one(rng):
    # one domain: no weights; the limit of the test lies where its chance says
    y = rng.integers(0, 3, 400)
    there = rng.random(400) < np.array([0.2, 0.5, 0.4])[y]
    rows = [("d", str(k), "word" if t else "other") for k, t in zip(y, there, strict=True)]
    from scipy.stats import chi2

    p = chi2.sf(2 * 400 * mutual_info_score(y, there), 2)
    assert label_bound(rows, ["word"], p * 1.001) == {"word"}
    assert label_bound(rows, ["word"], p * 0.999) == set()


def test_what_only_a_domain_has_is_not_bound_to_its_label_share():
    # "film" stands in films alone, which are mostly good; it says nothing within its domain
    rows = [("film", y, "film") for y in "1" * 80 + "0" * 20]
    rows += [("food", y, "food") for y in "1" * 20 + "0" * 80]
    rows += [("film", "0", "film boring")] * 20 + [("film", "1", "film fine")] * 20
    assert label_bound(rows, ["film", "food", "boring"], 0.001) == {"boring"}


# --- masking


def masked(text, *terms):
    return Dictionary(terms).masked(text)[0]


@pytest.mark.parametrize(
    ("text", "terms", "out"),
    [
        ("Heart rate and heart.", ["heart", "heart rate"], "[MASK] and [MASK]."),
        ("a party of art", ["art"], "a party of [MASK]"),
        ("state-of-the-art work", ["State of the art"], "[MASK] work"),
        ("one two three four", ["one two", "two three four"], "one [MASK]"),
        ("cat cat, cat", ["cat"], "[MASK], [MASK]"),
        ("heart. rate", ["heart rate"], "heart. rate"),
        ("a mask [MASK] on", ["mask"], "a [MASK] on"),
        ("heart\n\nrate", ["heart rate"], "heart\n\nrate"),
        ("我去看电影了", ["电影", "看电影"], "我去[MASK]了"),
        ("ÉTÉ été", ["été"], "[MASK]"),
        ("nothing here", [], "nothing here"),
    ],
)
def test_masks(text, terms, out):
    assert masked(text, *terms) == out


TEXT = st.lists(st.sampled_from(["a", "b", "C", "-", ". ", " ", "\n", "[MASK]", "心", "mask"]),
                max_size=30).map("".join)  # fmt: skip
TERMS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "心", "mask"]), min_size=1, max_size=3)
                 .map(" ".join), max_size=5)  # fmt: skip


@given(TEXT, TERMS)
def test_masking_again_changes_nothing_and_no_term_is_left(text, terms):
    book = Dictionary(terms)
    once = book.masked(text)[0]
    assert book.terms(once) == []
    assert book.masked(once)[:2] == (once, 0)
    # what is no term stays, letter for letter
    assert "".join(c for c in once.replace(MASK, "") if c in ".\n") == "".join(
        c for c in text.replace(MASK, "") if c in ".\n"
    )


def test_a_run_again_with_its_own_terms_changes_nothing(sources, rng):
    first = Amd2g().run(sources, rng=rng)
    again = [d._replace(text=first.docs.get(d.id, d.text)) for d in sources]
    second = Amd2g(terms={d: list(t) for d, t in first.notes["terms"].items()})
    assert second.run(again, rng=rng).docs == {}


# --- what it does to a learner


def accuracy(train, y, test, z, grams=(1, 2)):
    """Of logistic regression on counts of words and pairs of words."""
    count = CountVectorizer(ngram_range=grams, token_pattern=r"\[MASK\]|\w+", min_df=2)
    model = LogisticRegression(max_iter=1000, C=0.3).fit(count.fit_transform(train), y)
    return model.score(count.transform(test), z)


def test_the_domain_goes_and_the_label_stays():
    world = World(lean=0.0)  # names say nothing of the label
    train = [d for k in DOMAINS for d in world.docs(k, 600, 1)]
    test = [d for k in DOMAINS for d in world.docs(k, 300, 2)]
    done = Amd2g().run(train, rng=np.random.default_rng(0))
    # "boring" of a film: a term of its domain, and what its label is about
    assert {w for own in world.own.values() for w in own} <= set(done.notes["spared"])
    assert len(done.notes["spared"]) < 12
    book = Dictionary(t for found in done.notes["terms"].values() for t in found)
    held = [book.masked(d.text)[0] for d in test]
    domain, label = (
        [
            accuracy(x, [f(d) for d in train], z, [f(d) for d in test])
            for x, z in ((texts(train), texts(test)), (texts(train, done), held))
        ]
        for f in (lambda d: d.domain, lambda d: d.meta["label"])
    )
    assert domain[0] > 0.9
    assert domain[1] < 0.25 + 0.15
    assert label[1] > label[0] - 0.03


def fitted(X, y, start, strength=1.0):
    """Return logistic weights, drawn to where they start: a second stage of training."""
    sign = 2 * np.asarray(y) - 1

    def loss(w):
        margin, away = sign * (X @ w), w - start
        slope = X.T @ (-sign / (1 + np.exp(margin)))
        return np.logaddexp(0, -margin).sum() + strength / 2 * away @ away, slope + strength * away

    return minimize(loss, start.copy(), jac=True, method="L-BFGS-B").x


def on_target(world, sources, few, seeds=5):
    """Return mean accuracy on the target: target alone, pooled, two stages raw, and masked."""
    out = []
    for seed in range(seeds):
        target = world.docs("trip", few, 10 + seed)
        done = Amd2g(target="trip").run([*sources, *target], rng=np.random.default_rng(0))
        test = world.docs("trip", 1000, 99)
        count = CountVectorizer(token_pattern=r"\[MASK\]|\w+")
        count.fit([*texts(sources), *texts(target), MASK])
        raw, masks, own, held = (
            sparse.csr_matrix(count.transform(t))
            for t in (texts(sources), texts(sources, done), texts(target), texts(test))
        )
        y, z, truth = ([d.meta["label"] for d in x] for x in (sources, target, test))
        none = np.zeros(own.shape[1])
        weights = (
            fitted(own, z, none),
            fitted(sparse.vstack([raw, own]), y + z, none),
            fitted(own, z, fitted(raw, y, none)),
            fitted(own, z, fitted(masks, y, none)),
        )
        out.append([float(((held @ w > 0) == truth).mean()) for w in weights])
    return np.mean(out, axis=0)


def test_helps_a_target_with_fifty_examples(world, sources):
    alone, pooled, raw, two = on_target(world, sources, 50)
    assert two > pooled + 0.01
    assert two > alone + 0.03
    assert two > raw + 0.01  # the masks, not the two stages


def test_does_not_help_where_the_target_is_large(world, sources):
    alone, _, raw, two = on_target(world, sources, 4000, seeds=1)
    assert abs(two - raw) < 0.01
    assert two < alone + 0.02


def test_does_not_help_where_domains_share_their_words(world, rng):
    docs = [d._replace(domain=f"half {i % 2}") for i, d in enumerate(world.docs("film", 600, 1))]
    done = Amd2g().run(docs, rng=rng)
    assert [f.code for f in done.findings] == ["W504"]
    assert max(done.notes["masked"].values()) < 0.01
    assert len(done.untouched) > 0.95 * len(docs)


def test_real_manuals_lose_their_names(prose, rng):
    docs = [
        Doc(f"{name}{i}", " ".join(lines), name, {})
        for name, words in (("loops", ("for", "while")), ("classes", ("class", "method")))
        for i, lines in enumerate(
            [p] for p in prose if sum(p.lower().split().count(w) for w in words) > 1
        )
    ]
    done = Amd2g().run(docs, rng=rng)
    assert "class" in done.notes["terms"]["classes"]
    assert all("class" not in t.lower().split() for t in done.docs.values())
    assert done.findings == ()


def test_outcomes(rng):
    docs = [
        Doc("a", "The film of the year.", "film", {}),
        Doc("b", "Film, film, film!", "film", {}),
        Doc("c", "The film was ours.", "trip", {}),
        Doc("d", "Nothing.", "food", {}),
    ]
    method = Amd2g(target="trip", terms={"film": ["Film"]})
    done = method.run(docs, rng=rng)
    assert dict(done.docs) == {"a": "The [MASK] of the year."}
    assert dict(done.dropped) == {"b": "little but terms"}
    assert done.untouched == {"c", "d"}
    assert done.notes["masked"] == {"film": 4 / 8, "food": 0.0}
    assert done.ledger.asked == 0


def test_no_label_is_looked_at_when_none_is_spared(sources, rng):
    plain = [d._replace(meta={}) for d in sources]
    one, two = Amd2g(label_p=0.0).run(sources, rng=rng), Amd2g().run(plain, rng=rng)
    assert one.fingerprint == two.fingerprint
    assert one.notes["spared"] == []
    some = Amd2g().run(sources, rng=rng)
    assert some.notes["spared"]
    turned = Amd2g().run(sources[::-1], rng=rng)
    assert dict(turned.docs) == dict(some.docs)


def test_what_makes_no_sense_is_refused(rng):
    with pytest.raises(BadInput, match="make no sense"):
        Amd2g(most_masked=0.0)
    with pytest.raises(BadInput, match="cannot be told"):
        Amd2g().run(["one", "two"], rng=rng)
    with pytest.raises(BadInput, match="no document is of the target"):
        Amd2g(target="sea", terms={}).run(["one"], rng=rng)
