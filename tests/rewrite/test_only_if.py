from __future__ import annotations

import importlib
import inspect
import math
from collections import Counter
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.rewrite._diversity import (
    clusters,
    cover,
    coverage,
    effective_number,
    text_vectors,
    vendi_score,
)
from ecotone.rewrite.only_if import OnlyIf


class Case(NamedTuple):
    """Replace the first `old` in `given` by `new`."""

    old: str
    new: str
    given: str
    answer: str


class RewriteTask:
    """One step of a Markov algorithm: instructions are rules, and how many there are is known.

    A share `noop` of the inputs does not hold what the rule replaces: the answer is the input.
    """

    def __init__(self, letters="abcdefghij", old=2, new=2, length=8, noop=0.2):
        self.letters, self.old, self.new = letters, old, new
        self.length, self.noop = length, noop

    def word(self, length, rng):
        return "".join(self.letters[i] for i in rng.integers(len(self.letters), size=length))

    def rules(self, many, rng):
        found = {}
        while len(found) < many:
            rule = self.word(self.old, rng), self.word(self.new, rng)
            if rule[0] != rule[1]:
                found[rule] = None
        return list(found)

    @staticmethod
    def solve(old, new, given):
        head, there, tail = given.partition(old)
        return head + new + tail if there else given

    def case(self, rule, noop, rng):
        old, new = rule
        given = self.word(self.length, rng)
        if noop:
            while old in given:
                given = self.word(self.length, rng)
        else:
            at = int(rng.integers(self.length - self.old + 1))
            given = given[:at] + old + given[at + self.old :]
        return Case(old, new, given, self.solve(old, new, given))

    def cases(self, rules, many, rng):
        """Return cases, as many of every rule; exactly the share asked for has nothing to do."""
        idle = rng.permutation(many) < round(self.noop * many)
        return [self.case(rules[i % len(rules)], idle[i], rng) for i in range(many)]


def test_the_oracle_says_what_a_search_letter_by_letter_says():
    r = np.random.default_rng(0)
    for i in range(10_000):
        task = RewriteTask("ab" if i % 2 else "abc", old=1 + i % 3, new=i % 4, length=6)
        old, new, given = (task.word(k, r) for k in (task.old, task.new, 6))
        places = [j for j in range(len(given)) if given[j : j + len(old)] == old]
        want = given if not places else given[: places[0]] + new + given[places[0] + len(old) :]
        assert task.solve(old, new, given) == want


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_share_without_anything_to_do_is_as_set(share):
    r = np.random.default_rng(0)
    task = RewriteTask(noop=share)
    rules = task.rules(50, r)
    made = task.cases(rules, 1000, r)
    assert np.mean([c.old not in c.given for c in made]) == share
    assert set(Counter((c.old, c.new) for c in made).values()) == {20}
    assert len(set(rules)) == 50


# how many in effect


def test_effective_numbers_in_closed_form():
    for k in (1, 3, 40):
        assert effective_number(list(range(k)) * 5) == pytest.approx(k)
        assert vendi_score(np.repeat(np.eye(k), 5, axis=0)) == pytest.approx(k)
    halves = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert effective_number("aaab") == pytest.approx(halves)
    assert vendi_score(np.eye(2)[[0, 0, 0, 1]]) == pytest.approx(halves)
    copies = text_vectors(["Sort the list."] * 7)
    assert vendi_score(copies) == pytest.approx(1.0)
    assert effective_number(clusters(copies, 5, 0)) == 1.0
    assert effective_number([]) == vendi_score(np.zeros((0, 3))) == 0.0


@pytest.mark.parametrize("shape", [(5, 12), (30, 4), (12, 12)])
def test_vendi_score_is_that_of_the_whole_kernel(shape):
    X = np.random.default_rng(0).standard_normal(shape)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(X @ X.T / len(X))
    values = values[values > 1e-12]
    assert vendi_score(X) == pytest.approx(math.exp(-(values * np.log(values)).sum()))


# the cover


def points(seed, n=12, d=3):
    own = stream(0, "points", seed)
    X = own.standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True), own.random(n) + 0.1, own


def best_value(X, w, k, allowed=lambda s: True):
    return max(coverage(X, X, w, s) for s in combinations(range(len(X)), k) if allowed(s))


@pytest.mark.parametrize("seed", range(12))
def test_the_greedy_cover_keeps_its_guarantee(seed):
    X, w, own = points(seed)
    assert coverage(X, X, w, cover(X, X, w, 4)) >= (1 - 1 / math.e) * best_value(X, w, 4)
    rare = own.random(12) < 0.6
    if (~rare).sum() >= 3:
        chosen = cover(X, X, w, 4, rare=rare, most=1)
        assert rare[chosen].sum() <= 1
        best = best_value(X, w, 4, lambda s: rare[list(s)].sum() <= 1)
        assert coverage(X, X, w, chosen) >= best / 2


def test_looking_again_only_where_needed_chooses_what_looking_at_all_does():
    X, w, _ = points(0, n=150, d=5)
    D, w = X[:70], w[:70]
    chosen, left = [], set(range(150))
    for _ in range(40):
        gains = {i: round(coverage(X, D, w, [*chosen, i]), 9) for i in left}
        chosen.append(min(i for i in left if gains[i] >= max(gains.values()) - 1e-9))
        left.discard(chosen[-1])
    # beyond that all gains are 0 up to rounding, and any row is as good
    assert cover(X, D, w, 40) == chosen
    value = [coverage(X, D, w, chosen[:k]) for k in range(41)]
    assert np.all(np.diff(value, 2) <= 1e-9)


def test_the_cover_says_when_there_are_too_few_rows():
    with pytest.raises(BadInput, match="5 rows of 4") as caught:
        cover(np.eye(4), np.eye(4), np.ones(4), 5)
    assert caught.value.cure == "size=4"
    with pytest.raises(BadInput, match="3 rows of 2"):
        cover(np.eye(4), np.eye(4), np.ones(4), 3, rare=np.array([1, 1, 1, 0]), most=1)


# the choice


def kinds(many, total, seed=0, skew=1.2):
    """Instructions of planted kinds, of very different frequency; a kind has words of its own."""
    often = np.arange(1, many + 1.0) ** -skew
    out = []
    for i in range(total):
        own = stream(seed, "kind", i)
        k = i if i < many else int(own.choice(many, p=often / often.sum()))
        words = [f"w{k}x{j}" for j in own.integers(8, size=5)]
        shared = [f"s{j}" for j in own.integers(15, size=4)]
        mixed = own.permutation(words + shared).tolist()
        out.append(Doc(f"d{i:05}", " ".join(mixed), "core" if k == 0 else "rest", {"kind": k}))
    return out


def chosen_by(docs, seed=0, **options):
    done = OnlyIf(**options).run(docs, rng=np.random.default_rng(seed))
    return [d for d in docs if d.id in done.untouched], done


def random_ones(docs, size, seed):
    return [docs[i] for i in stream(seed, "random").permutation(len(docs))[:size].tolist()]


def test_helps_to_hit_kinds_over_random_at_equal_size():
    docs = kinds(60, 1500)
    for seed in range(3):
        mine, done = chosen_by(docs, seed, size=60)
        hit = len({d.meta["kind"] for d in mine})
        by_chance = np.mean(
            [len({d.meta["kind"] for d in random_ones(docs, 60, s)}) for s in range(20)]
        )
        assert len(mine) == 60
        assert hit > 1.2 * by_chance
        assert done.findings == ()
        assert done.notes["vendi"]["choice"] > done.notes["vendi"]["random"]


LIBRARIES = (
    "numpy", "numpy.linalg", "numpy.fft", "numpy.polynomial.chebyshev",
    "numpy.polynomial.hermite", "numpy.polynomial.legendre", "numpy.ma", "numpy.char",
    "scipy.special", "scipy.stats", "scipy.signal", "scipy.ndimage", "scipy.linalg",
    "scipy.sparse.linalg", "scipy.optimize", "scipy.integrate", "scipy.interpolate",
    "scipy.spatial.distance", "scipy.cluster.hierarchy", "scipy.fft", "sklearn.metrics",
    "sklearn.cluster", "sklearn.datasets", "sklearn.decomposition", "sklearn.linear_model",
    "sklearn.preprocessing", "sklearn.feature_selection", "sklearn.covariance",
)  # fmt: skip


@pytest.fixture(scope="module")
def functions():
    """What functions of three libraries do, in one sentence, as unequal in number as they are."""
    out = {}
    for name in LIBRARIES:
        module = importlib.import_module(name)
        for function in sorted(module.__all__):
            value = getattr(module, function, None)
            said = (inspect.getdoc(value) or "") if callable(value) else ""
            if isinstance(value, np.ufunc):
                said = said.partition("\n\n")[2]  # its signature stands first
            said = " ".join(said.partition("\n\n")[0].split())
            if len(said.split()) >= 5:
                out.setdefault(said, Doc(f"{name}.{function}", said, name, {}))
    return list(out.values())


def classifier_score(part, held):
    """Balanced accuracy: which module does a function belong to?"""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=30))
    model.fit([d.text for d in part], [d.domain for d in part])
    said = model.predict([d.text for d in held])
    right = {}
    for d, guess in zip(held, said, strict=True):
        right.setdefault(d.domain, []).append(d.domain == guess)
    return np.mean([np.mean(r) for r in right.values()])


def test_helps_on_all_modules_of_real_libraries_over_random(functions, bigram_loss):
    """60 of half of the functions; judged by the other half, every module alike.

    The choice knows nothing of modules. Bigram models read equal numbers of words.
    """
    hits, accuracy, nats = [], [], []
    for seed in range(3):
        order = stream(seed, "half").permutation(len(functions)).tolist()
        half = len(order) // 2
        pool, held = ([functions[i] for i in part] for part in (order[:half], order[half:]))
        by_module = {}
        for d in held:
            by_module.setdefault(d.domain, []).append(d.text)
        mine, _ = chosen_by(pool, seed, size=60)
        drawn = [random_ones(pool, 60, s) for s in range(5)]
        most = min(sum(len(d.text.split()) for d in part) for part in (mine, *drawn))

        def loss(part, most=most, by_module=by_module):
            read = " ".join(" ".join(d.text for d in part).split()[:most])
            return np.mean([bigram_loss([read], texts) for texts in by_module.values()])

        hit = [len({d.domain for d in part}) for part in (mine, *drawn)]
        score = [classifier_score(part, held) for part in (mine, *drawn)]
        lost = [loss(part) for part in (mine, *drawn)]
        hits.append(hit[0] / np.mean(hit[1:]))
        accuracy.append(score[0] - np.mean(score[1:]))
        nats.append(np.mean(lost[1:]) - lost[0])
    assert np.mean(hits) > 1.1
    assert np.mean(accuracy) > 0.05
    assert np.mean(nats) > 0.05


def test_does_not_help_where_every_text_is_a_kind_of_its_own():
    docs = [Doc(f"d{i}", " ".join(f"w{i}x{j}" for j in range(8)), "", {}) for i in range(64)]
    mine, done = chosen_by(docs, size=20)
    assert len(mine) == 20
    assert [f.code for f in done.findings] == ["W506"]
    copies = [Doc(f"d{i}", "Sort the list.", "", {}) for i in range(30)]
    _, done = chosen_by(copies, size=10)
    assert [f.code for f in done.findings] == ["W506"]
    assert done.notes["effective"]["pool"] == 1.0
    whole, done = chosen_by(copies, size=99)
    assert (len(whole), done.findings) == (30, ())


def test_does_not_help_where_one_domain_is_broader_than_all_others(functions, prose):
    """Paragraphs of a manual have as many matters as 28 modules: its outliers are taken."""
    shares = []
    for seed in range(3):
        own, by_module = stream(seed, "broad"), {}
        for i in own.permutation(len(functions)).tolist():
            by_module.setdefault(functions[i].domain, []).append(functions[i])
        docs = [d for some in by_module.values() for d in some[:3]]
        docs += [Doc(f"p{i:03}", p, "manual", {}) for i, p in enumerate(prose[:400])]
        mine, _ = chosen_by(docs, seed, size=80)
        drawn = [len({d.domain for d in random_ones(docs, 80, s)}) for s in range(30)]
        shares.append(len({d.domain for d in mine}) / np.mean(drawn))
    assert 0.7 < np.mean(shares) < 1.1


def test_a_copy_adds_nothing():
    docs = kinds(10, 40)
    twice = docs + [d._replace(id=f"{d.id}again") for d in docs]
    mine, _ = chosen_by(twice, size=40)
    assert len({d.text for d in mine}) == 40


@pytest.mark.parametrize("floor", [0.0, 0.5, 0.9, 1.0])
def test_the_core_domain_keeps_its_floor(floor):
    docs = kinds(30, 600)
    mine, done = chosen_by(docs, size=41, core="core", floor=floor)
    share = np.mean([d.domain == "core" for d in mine])
    assert len(mine) == 41
    assert done.notes["core"] == share
    assert share >= floor
    if floor:  # the rest is worth more: not one more of the core than need be
        assert share < floor + 1 / 41


def test_same_seed_same_choice_whatever_the_order():
    docs = kinds(20, 300)
    ids = [{d.id for d in chosen_by(x, 3, size=25)[0]} for x in (docs, docs[::-1])]
    assert ids[0] == ids[1] != {d.id for d in chosen_by(docs, 4, size=25)[0]}


def test_every_document_has_its_outcome():
    docs = [*kinds(5, 20), Doc("e", " \n", "", {}), Doc("n", "?!", "", {})]
    done = OnlyIf(size=7).run(docs, rng=np.random.default_rng(0))
    assert done.outcomes == {
        "rewritten": 0, "untouched": 7, "dropped: empty": 1, "dropped: not chosen": 14,
    }  # fmt: skip
    assert done.ledger.asked == 0
    assert OnlyIf().run([" "], rng=np.random.default_rng(0)).dropped == {"0": "empty"}


def test_options_and_domains_are_checked(rng):
    with pytest.raises(BadInput, match="size=0"):
        OnlyIf(size=0)
    docs = kinds(30, 100)
    many = sum(d.domain == "core" for d in docs)
    with pytest.raises(BadInput, match="of the domain 'code'") as caught:
        OnlyIf(size=50, core="code").run(docs, rng=rng)
    assert caught.value.cure == "-p core="
    with pytest.raises(BadInput, match=f"{many} documents are of the domain 'core'") as caught:
        OnlyIf(size=90, core="core", floor=1.0).run(docs, rng=rng)
    cure = float(caught.value.cure.partition("floor=")[2])
    OnlyIf(size=90, core="core", floor=cure).run(docs, rng=rng)


# the controlled experiment


def tiny_transformer(task, rules, total, steps, seed):
    """Train on `total` cases of some rules; return accuracy on new inputs, by set of rules."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    given, wide = task.old + task.new + task.length, 64

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.letter = nn.Embedding(len(task.letters), wide)
            self.place = nn.Parameter(0.3 * torch.randn(given, wide))
            layer = nn.TransformerEncoderLayer(wide, 4, 128, 0.0, batch_first=True, norm_first=True)
            self.body = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
            self.head = nn.Linear(wide, len(task.letters))

        def forward(self, x):
            return self.head(self.body(self.letter(x) + self.place)[:, -task.length :])

    def tensors(cases):
        x = [[task.letters.index(c) for c in p.old + p.new + p.given] for p in cases]
        y = [[task.letters.index(c) for c in p.answer] for p in cases]
        return torch.tensor(x), torch.tensor(y)

    rng = stream(seed, "cases", len(rules["seen"]))
    x, y = tensors(task.cases(rules["seen"], total, rng))
    net = Net()
    best = torch.optim.AdamW(net.parameters(), 3e-3)
    pace = torch.optim.lr_scheduler.OneCycleLR(best, 3e-3, steps)
    for _ in range(steps):
        part = torch.randint(0, total, (128,))
        loss = nn.functional.cross_entropy(net(x[part]).flatten(0, 1), y[part].flatten())
        best.zero_grad()
        loss.backward()
        best.step()
        pace.step()
    out = {}
    busy = RewriteTask(task.letters, task.old, task.new, task.length, noop=0.0)
    with torch.no_grad():
        for name, some in rules.items():
            x, y = tensors(busy.cases(some, 1000, rng))
            out[name] = float((net(x).argmax(-1) == y).all(1).float().mean())
    return out


@pytest.fixture(scope="module")
def sweep():
    """The same number of examples and steps, spread over 10, 100 and 1,000 rules."""
    pytest.importorskip("torch")
    task = RewriteTask()
    rules = task.rules(1200, stream(0, "rules"))
    parts = {n: {"seen": rules[:n], "unseen": rules[1000:]} for n in (10, 100, 1000)}
    return {n: tiny_transformer(task, some, 8000, 1500, 0) for n, some in parts.items()}


@pytest.mark.slow
def test_rules_and_not_examples_carry_to_unseen_rules(sweep):
    unseen = [sweep[n]["unseen"] for n in (10, 100, 1000)]
    assert unseen == sorted(unseen)
    assert unseen[-1] > unseen[0] + 0.3


@pytest.mark.slow
def test_does_not_help_with_rules_that_were_seen(sweep):
    assert sweep[1000]["seen"] <= sweep[10]["seen"]
    assert sweep[10]["seen"] > 0.9
