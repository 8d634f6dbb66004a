from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ecotone.core.errors import BadInput
from ecotone.core.mixture import Mixture
from ecotone.jobs.trials import natural_shares, tokenised, train_all, try_mixtures

pytest.importorskip("torch")
FAST = {"tokens": 8_192, "recipe": {"depth": 1, "eval_tokens": 2_048}, "quiet": True}


@pytest.fixture(scope="module")
def design():
    """Mostly the first, the second, the third source; none of the target."""
    return np.hstack([0.1 + 0.7 * np.eye(3), np.zeros((3, 1))])


@pytest.fixture(scope="module")
def first(store, design, tmp_path_factory):
    """A folder of finished runs and its trials, made by one worker."""
    out = tmp_path_factory.mktemp("trials")
    return out, try_mixtures(store, design, out=out, workers=1, **FAST)


def tasks(out):
    return {p: p.stat().st_mtime_ns for p in out.rglob("tasks/*.json")}


def test_every_domain_is_a_target_and_text_of_its_own_helps(first, store, design):
    _, trials = first
    assert trials.domains == trials.targets == store.names
    assert_allclose(trials.weights, design)
    assert (trials.scores > 0).all()
    assert (trials.scores < np.log(store.vocab)).all()  # better than equal chances: it has learned
    assert store.names[3] == store.target
    assert trials.scores[:, :3].argmin(axis=0).tolist() == [0, 1, 2]
    assert set(trials.about) == {"seed", "tokens", "parameters", "cpu_seconds", "wall_seconds"}


def test_two_workers_give_the_same_bits(first, store, design, tmp_path):
    two = try_mixtures(store, design, out=tmp_path, workers=2, **FAST)
    assert two.fingerprint == first[1].fingerprint


def test_finished_trials_are_not_trained_again(first, store, design):
    out, trials = first
    before = tasks(out)
    assert len(before) == 3
    again = try_mixtures(store, design, out=out, workers=1, **FAST)
    assert again.fingerprint == trials.fingerprint
    assert tasks(out) == before


def test_what_is_new_is_trained_and_nothing_else(first, store, design):
    out, trials = first
    before = tasks(out)
    natural = natural_shares(store)
    assert_allclose(natural.sum(), 1.0)
    assert_allclose(natural * sum(map(store.full_count, store.names)),
                    [store.full_count(n) for n in store.names])  # fmt: skip
    rows = [*design, natural, natural]
    mixtures = [Mixture(dict(zip(store.names, map(float, r), strict=True))) for r in rows]
    settings = {"tokens": FAST["tokens"], **FAST["recipe"]}
    found = train_all(
        store, mixtures, [0, 0, 0, 0, 1], settings, out=out, split="dev", workers=1, quiet=True
    )
    losses = np.array([[r["losses"][n] for n in store.names] for r in found])
    assert (losses[:3] == trials.scores).all()
    assert (losses[3] != losses[4]).all()  # another seed, another trial
    after = tasks(out)
    assert len(after) == 5
    assert before.items() <= after.items()
    # a function of the natural shares is a design as well, and so is a list of mixtures
    called = try_mixtures(store, lambda p: p[None], out=out, workers=1, **FAST)
    given = try_mixtures(store, mixtures[3:4], out=out, workers=1, **FAST)
    assert (called.scores == losses[3:4]).all()
    assert given.fingerprint == called.fingerprint
    assert tasks(out) == after


def test_tokens_are_made_once(small, options, tmp_path):
    told = []
    one = tokenised(small, tmp_path, options, progress=told.append)
    spoken = len(told)
    two = tokenised(small, tmp_path, options, progress=told.append)
    assert spoken > 0
    assert len(told) == spoken
    assert two.path == one.path


def test_a_wrong_design_or_trainer_is_an_error_with_a_cure(store, tmp_path):
    with pytest.raises(BadInput, match=r"not \(n, 4\)") as error:
        try_mixtures(store, np.ones((2, 3)) / 3, out=tmp_path)
    assert "alder, birch, cedar" in error.value.cure
    with pytest.raises(BadInput, match="no trainer"):
        try_mixtures(store, np.eye(4), trainer="huge-lm", out=tmp_path)
