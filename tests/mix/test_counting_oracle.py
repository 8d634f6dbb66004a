from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from sklearn.base import clone

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream
from ecotone.data.tokens import SPLITS, TokenStore
from ecotone.mix import _counts, counting_oracle
from ecotone.mix.auto import Auto
from ecotone.mix.counting_oracle import CountingOracle, _others
from ecotone.mix.linear_law import LinearLaw
from ecotone.mix.log_linear import LogLinear

VOCAB = 30
STRENGTHS = (20.0, 10.0, 5.0, 2.0)


def chain(seed, n, sharp=0.15):
    """Tokens of a Markov chain of its own."""
    rng = stream(seed, "chain")
    table = rng.dirichlet(np.full(VOCAB, sharp), VOCAB).cumsum(axis=1)
    out, draws = np.empty(n, np.uint16), rng.random(n)
    last = 0
    for i in range(n):
        last = min(int(np.searchsorted(table[last], draws[i])), VOCAB - 1)
        out[i] = last
    return out


def write_store(folder, texts, target):
    """Write token files as `prepare` does; texts maps a name to (train, dev, test)."""
    folder.mkdir(parents=True, exist_ok=True)
    domains = {}
    for name, parts in texts.items():
        splits = {}
        for split, part in zip(SPLITS, parts, strict=True):
            part.astype(np.uint16).tofile(folder / f"{name}.{split}.bin")
            splits[split] = {"tokens": len(part), "bytes": 3 * len(part)}
        domains[name] = {"splits": splits, "train_tokens": len(parts[0]), "documents": 1}
    meta = {
        "fingerprint": "made", "vocab": VOCAB, "dtype": "uint16", "tokenizer": "none",
        "target": target, "domains": domains, "findings": [],
    }  # fmt: skip
    (folder / "tokens.json").write_text(json.dumps(meta))
    return TokenStore(folder)


def cut(tokens):
    n = len(tokens)
    return tokens[: n // 2], tokens[n // 2 : 3 * n // 4], tokens[3 * n // 4 :]


@pytest.fixture(scope="module")
def texts():
    made = {name: cut(chain(i, 6_000)) for i, name in enumerate(["ash", "bay", "cob"])}
    # the target speaks half like ash, half like bay, a hundred tokens at a time
    half = []
    for split in (1, 2):
        ash, bay = (made[n][split].reshape(-1, 100) for n in ("ash", "bay"))
        half.append(np.stack([ash, bay], axis=1).ravel())
    made["top"] = (half[1][:400], half[0][:1400], half[1][400:1800])
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory, texts):
    return write_store(tmp_path_factory.mktemp("store"), texts, "top")


@pytest.fixture(scope="module")
def oracle(store):
    return CountingOracle.of(store, tokens=4_000, strengths=STRENGTHS)


def plain_model(train, text, strengths, tokens):
    """Interpolated n-gram model, written with dictionaries; returns nats per token."""
    grams = [Counter(zip(*(train[i:] for i in range(n)), strict=False)) for n in range(1, 5)]
    scale = tokens / len(train)
    total = 0.0
    for i in range(3, len(text)):
        p = 1 / VOCAB
        for n in range(1, 5):
            seen = scale * grams[n - 1][tuple(text[i - n + 1 : i + 1])]
            context = tokens if n == 1 else scale * grams[n - 2][tuple(text[i - n + 1 : i])]
            p = (seen + strengths[n - 1] * p) / (context + strengths[n - 1])
        total -= np.log(p)
    return total / (len(text) - 3)


def test_one_domain_is_a_plain_interpolated_model(store, texts):
    for at, name in enumerate(("ash", "bay", "cob")):
        alone = np.eye(4)[at]
        train, held = (x.tolist() for x in (texts[name][0], texts["top"][1]))
        # 2000 tokens of 3000: nothing is repeated, nothing discounted
        few = CountingOracle.of(store, tokens=2_000, strengths=STRENGTHS)
        want = plain_model(train, held, STRENGTHS, 2_000)
        assert_allclose(few.predict(alone)[0, 3], want, rtol=1e-12)


def test_expected_counts_are_those_of_a_mixed_corpus(texts):
    text = texts["top"][1]
    parts = [texts[n][0] for n in ("ash", "bay", "cob")]
    rates = _counts.count(text, parts, VOCAB).rates
    # put together as 3 : 1 : 2; pieces are set apart by a token the text has not
    copies = (3, 1, 2)
    wall = np.full(3, VOCAB - 1)
    clean = [np.where(p == VOCAB - 1, 0, p) for p in [*parts, text]]
    mixed = np.concatenate([x for p, c in zip(clean, copies, strict=False) for _ in range(c)
                            for x in (p, wall)])  # fmt: skip
    alone = _counts.count(clean[3], clean[:3], VOCAB).rates
    joined = _counts.count(clean[3], [mixed], VOCAB).rates
    for n in range(4):
        want = (np.array(copies) * [len(p) for p in clean[:3]]) @ alone[n]
        inside = joined[n][0] * len(mixed)
        assert_allclose(inside, want, atol=1e-9)
        assert rates[n].shape[0] == 3


def test_counting_in_small_pieces_changes_nothing(texts, monkeypatch):
    whole = _counts.count(texts["top"][1], [texts["ash"][0], texts["bay"][0]], VOCAB)
    longest = []
    search = np.searchsorted

    def spy(table, keys):
        longest.append(len(keys))
        return search(table, keys)

    monkeypatch.setattr(_counts, "PIECE", 101)
    monkeypatch.setattr(_counts.np, "searchsorted", spy)
    pieces = _counts.count(texts["top"][1], [texts["ash"][0], texts["bay"][0]], VOCAB)
    assert max(longest) <= 101 + 3  # memory goes with the piece, not with the domain
    for a, b in zip(whole.rates, pieces.rates, strict=True):
        assert (a == b).all()


def test_gradient_is_the_slope_of_the_prediction(oracle):
    # at 0.8 of 4000 tokens a domain of 3000 is repeated: the discount's slope counts too
    for w in ([0.8, 0.1, 0.05, 0.05], [0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]):
        found = oracle.gradient(w)[0]
        for t in range(4):
            slope = approx_fprime(w, lambda x, t=t: oracle.predict(x)[0, t], 1e-7)
            assert_allclose(found[t], slope, rtol=2e-5, atol=1e-5)


def test_repeated_text_counts_less():
    oracle = CountingOracle(tokens=1_000, unique=np.array([100.0, 1e6]), repeat=15.0)
    worth, slope = oracle._effective(np.array([0.4, 0.6]))
    assert_allclose(worth, [100 + 1500 * (1 - np.exp(-3 / 15)), 600])
    assert_allclose(slope, [1_000 * np.exp(-3 / 15), 1_000])


def test_a_duplicated_domain_is_worth_its_single_copy(tmp_path, texts):
    twice = {**texts, "ash": (np.tile(texts["ash"][0], 2), *texts["ash"][1:])}
    one, two = (
        CountingOracle.of(write_store(tmp_path / n, t, "top"), tokens=2_000, strengths=STRENGTHS)
        for n, t in (("one", texts), ("two", twice))
    )
    # rates are per token: doubling a domain changes them by what crosses the seam only
    W = np.random.default_rng(0).dirichlet(np.ones(4), 10)
    assert_allclose(two.predict(W), one.predict(W), rtol=2e-3)


def test_equal_positions_are_weighed_not_counted_twice(texts):
    text = texts["top"][1]
    found = _counts.count(text, [texts["ash"][0]], VOCAB)
    assert_allclose(found.weight.sum(), 1.0)
    assert len(found.weight) == len({tuple(text[i : i + 4]) for i in range(len(text) - 3)})


def test_reordering_the_domains_reorders_the_answer(tmp_path, texts, store):
    names = ["cob", "top", "ash", "bay"]
    moved = write_store(tmp_path, {n: texts[n] for n in names}, "top")
    W = np.random.default_rng(1).dirichlet(np.ones(4), 6)
    order = [store.names.index(n) for n in names]
    a = CountingOracle.of(store, tokens=4_000)
    b = CountingOracle.of(moved, tokens=4_000)
    assert_allclose(b.strengths_, a.strengths_, rtol=1e-2)
    b = b.set_params(strengths=tuple(a.strengths_)).fit()
    assert_allclose(b.predict(W[:, order]), a.predict(W)[:, order], rtol=1e-12)


def test_strengths_are_fitted_without_looking_at_losses(store):
    oracle = CountingOracle.of(store, tokens=4_000)
    other = clone(oracle).fit(np.eye(4), np.full((4, 4), 99.0))
    assert (oracle.strengths_ == other.strengths_).all()


def test_with_its_own_domain_in_the_mixture_the_high_orders_would_win(store, monkeypatch):
    near = CountingOracle.of(store, tokens=4_000, targets=("ash", "bay", "cob"))
    assert [_others(t).argmin() for t in near.texts] == [0, 1, 2]
    monkeypatch.setattr(counting_oracle, "_others", lambda _: np.full(4, 0.25))
    own = clone(near).fit()
    # a small strength trusts the counts of its order more
    assert own.strengths_[1] < 0.2 * near.strengths_[1]


def test_knows_what_serves_the_target_with_no_run(store):
    oracle = CountingOracle.of(store, tokens=3_000, targets=("top",))
    apart = oracle.predict(np.eye(4)[:3])[:, 0]
    both = oracle.predict([[0.5, 0.5, 0, 0]])[0, 0]
    assert both < apart.min()  # half ash and half bay, as the target was written
    assert apart[2] == apart.max()


def test_one_target_of_many_keeps_the_strengths(store):
    oracle = CountingOracle.of(store, tokens=3_000)
    W = np.random.default_rng(0).dirichlet(np.ones(4), 3)
    assert (oracle.only(3, 1).predict(W) == oracle.predict(W)[:, [3, 1]]).all()


def test_horizon_shrinks_the_pools(store):
    oracle = CountingOracle.of(store, tokens=1_000, horizon=10_000, strengths=STRENGTHS)
    assert_allclose(oracle.unique, [300, 300, 300, 40])


def made_losses(oracle, W, seed=0, noise=0.003):
    rng = np.random.default_rng(seed)
    return np.exp(0.3 + 0.5 * np.log(oracle.predict(W)) + noise * rng.standard_normal((len(W), 1)))


def test_prior_is_used_where_it_is_right(store):
    oracle = CountingOracle.of(store, tokens=3_000, targets=("top",))
    W = np.random.default_rng(3).dirichlet(np.ones(4), 12)
    auto = Auto({"log": LogLinear(), "line": LinearLaw()}, prior=oracle)
    auto.fit(W, made_losses(oracle, W))
    used = [c for c in auto.compared_ if c.weight.any() and c.name != "auto"]
    assert all("prior" in c.name for c in used)


def lists(seed, n, copied):
    """Random tokens; when copied, every list of 200 stands there twice."""
    rows = stream(seed, "lists").integers(0, VOCAB, (n // 200, 200)).astype(np.uint16)
    return np.repeat(rows[: len(rows) // 2], 2, axis=0).ravel() if copied else rows.ravel()


def test_prior_is_dropped_where_the_target_copies_from_far(tmp_path, texts):
    made = {
        "copied": cut(lists(0, 8_000, copied=True)),
        "fresh": cut(lists(1, 8_000, copied=False)),
        "ash": texts["ash"],
    }
    oracle = CountingOracle.of(write_store(tmp_path, made, "copied"), tokens=3_000)
    # the half of the lists that is a copy can be learned from domain 0 only; to n-grams of order
    # four the domains 0 and 1 are the same
    oracle.texts = oracle.texts[:1]
    assert_allclose(*oracle.predict([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]]), rtol=0.02)
    rng = np.random.default_rng(5)
    W = rng.dirichlet(np.ones(3), 24)
    L = 1.2 * (W[:, 0] + 0.01) ** -0.3 * np.exp(0.003 * rng.standard_normal(24))
    auto = Auto({"log": LogLinear()}, prior=oracle).fit(W, L)
    weight = {c.name: float(c.weight[0]) for c in auto.compared_}
    assert weight["prior"] == 0.0
    assert weight["log"] >= 0.5
    alone = Auto({"log": LogLinear()}).fit(W, L)
    assert auto.compared_[-1].rmse[0] <= 1.2 * alone.compared_[-1].rmse[0]


def test_nothing_to_count_is_an_error_with_a_cure():
    with pytest.raises(BadInput, match="nothing to count") as error:
        CountingOracle().fit()
    assert "CountingOracle.of" in error.value.cure


def test_a_long_text_is_looked_at_in_pieces(store):
    oracle = CountingOracle.of(store, tokens=3_000, targets=("ash",), most=320, strengths=STRENGTHS)
    assert len(oracle.texts[0].weight) <= 320
    assert np.isfinite(oracle.predict(np.eye(4))).all()
