"""Columns of a pool: what fits a budget, blocks of it, and shares for the report."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.core.errors import BadInput
from ecotone.data.doc_files import DocFiles
from ecotone.jobs import select_parts
from ecotone.jobs.select_columns import Columns, by_domain, by_length, drawn
from ecotone.select import pick


def columns(lengths, keys=None, folder=None, cut=3):
    """Write the columns as two parts and read them."""
    lengths = np.asarray(lengths, np.int32)
    keys = np.arange(len(lengths), dtype=np.uint64) if keys is None else np.asarray(keys, np.uint64)
    files = []
    for i, some in enumerate((slice(None, cut), slice(cut, None))):
        files.append(folder / f"counts-{i:05d}.npz")
        select_parts.save(files[-1], lengths=lengths[some], keys=keys[some], grams=np.zeros(3))
    return Columns.read(files)


def test_copies_and_documents_without_a_token_are_not_usable(tmp_path):
    c = columns([2, 3, 0, 2, 5], keys=[7, 1, 9, 7, 4], folder=tmp_path)
    assert c.starts.tolist() == [0, 3, 5]
    assert c.copy.tolist() == [False, False, False, True, False]
    assert c.usable.tolist() == [True, True, False, False, True]
    with pytest.raises(BadInput, match="no document"):
        columns([], folder=tmp_path)
    with pytest.raises(BadInput, match="no token"):
        columns([0, 0], folder=tmp_path)


def test_the_best_are_those_of_a_full_sort(tmp_path):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 50, 6_000)
    c = columns(lengths, folder=tmp_path)
    score = rng.normal(size=6_000)
    for share in (0.01, 0.3, 0.9):
        budget = share * lengths.sum()
        order = np.argsort(-score)
        spent, sure = np.cumsum(lengths[order]), 0
        sure = int(np.searchsorted(spent, budget, side="right"))
        got = c.top(score, budget)
        assert set(order[:sure].tolist()) <= set(got.tolist())
        assert lengths[got].sum() <= budget < lengths[got].sum() + lengths.max()


def test_a_draw_is_of_texts_and_likes_high_scores(tmp_path):
    rng = np.random.default_rng(3)
    lengths, keys = rng.integers(5, 15, 4_000), rng.permutation(4_000)
    c = columns(lengths, keys, folder=tmp_path)
    score = rng.normal(size=4_000) * 100
    budget = 0.1 * lengths.sum()
    got = c.draw(score, budget, 0)
    assert budget - 15 < lengths[got].sum() <= budget
    best = c.top(score, 2 * budget)
    inside = np.isin(got, best).mean()
    assert 0.6 < inside < 1  # twice as many have a fair chance, the others hardly any
    # another seed draws others, a tenth of them the same by chance; `pick` draws as sure ones
    assert 0.15 < np.isin(got, c.draw(score, budget, 1)).mean() < 0.5
    same = pick(score, budget, "gumbel", sizes=lengths).rows
    assert abs(score[got].mean() - score[same].mean()) < 8
    # the order of documents does not matter
    turn = rng.permutation(4_000)
    other = columns(lengths[turn], keys[turn], folder=tmp_path)
    again = other.draw(score[turn], budget, 0)
    assert set(turn[again].tolist()) == set(got.tolist())


def test_some_of_a_choice_do_not_depend_on_order(tmp_path):
    c = columns([10] * 100, keys=np.random.default_rng(1).permutation(100), folder=tmp_path)
    rows = np.arange(0, 100, 2)
    some = c.some(rows, 95)
    assert np.array_equal(some, c.some(rows[::-1], 95))
    assert np.array_equal(some, np.sort(rows[np.argsort(c.keys[rows])][: len(some)]))
    assert len(some) in (9, 10)
    assert len(c.some(rows, 1)) == 1  # one at least


def test_blocks_are_runs_of_about_equal_tokens(tmp_path):
    lengths = np.random.default_rng(2).integers(1, 20, 500)
    c = columns(lengths, folder=tmp_path)
    rows = np.arange(0, 500, 3)
    blocks = c.blocks(rows, 400)
    assert np.array_equal(np.concatenate(blocks), rows)
    sizes = [lengths[b].sum() for b in blocks]
    assert len(blocks) == np.ceil(lengths[rows].sum() / 400)
    assert max(sizes) - min(sizes) < 40
    assert len(c.blocks(rows, 10**9)) == 1


def test_documents_are_collected_from_the_parts_they_stand_in(tmp_path):
    texts = [f"text number {i}" for i in range(300)]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    parts = [p.__dict__ for p in DocFiles(tmp_path / "pool.jsonl").parts(size=2_000)]
    sizes = [sum(len(d) for d, _ in select_parts.read(select_parts.Part(**p))) for p in parts]
    assert len(parts) > 3
    every = np.array([0, 5, 6, 150, 299])  # some parts have none
    select_parts.save(tmp_path / "some-rows.npz", every=every, starts=np.cumsum([0, *sizes]))
    for i, part in enumerate(parts):
        select_parts.collect_part(part, i, "text", "some", str(tmp_path))
    got = select_parts.collected(tmp_path, "some", np.array([299, 5, 0]))
    assert got.texts() == [texts[i] for i in (0, 5, 299)]
    assert list(got.ids) == ["pool.jsonl:1", "pool.jsonl:6", "pool.jsonl:300"]


def test_shares_add_up_and_small_domains_are_joined():
    parts = [{"shown": f"domain{i}/a.jsonl"} for i in range(15)]
    starts, lengths = np.arange(0, 31, 2), np.arange(1, 31, dtype=np.int32)
    kept = np.arange(30) % 2 == 0
    told = by_domain(parts, starts, lengths, kept)
    assert told["rows"][-1] == "3 others"
    assert np.allclose([sum(v) for v in told["columns"].values()], 1)
    assert by_domain(parts[:1], starts[:2], lengths, kept) is None
    length = by_length(np.array([1, 2, 3, 8]), np.array([True, False, False, True]), np.array([4]))
    assert length["rows"] == ["1 to 1", "2 to 3", "4 to 7", "8 to 15"]
    assert length["columns"]["pool"] == [0.25, 0.5, 0, 0.25]
    assert length["columns"]["kept"] == [0.5, 0, 0, 0.5]
    assert drawn(np.arange(9), 20, 0, "x").tolist() == list(range(9))
