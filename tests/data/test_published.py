from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ecotone.data.published as published
from ecotone.core.errors import BadInput
from ecotone.data.published import FIVE, regmix_prior, regmix_runs

FOLDER = Path(published.__file__).parent / "published_runs" / "regmix"


def test_shapes_and_names():
    runs = regmix_runs()
    assert runs.weights.shape == (512, 17)
    assert runs.scores.shape == (512, 13)
    assert set(FIVE) <= set(runs.targets) < set(runs.domains)
    assert runs.about["index"] == list(range(1, 513))
    assert_allclose(runs.weights.sum(axis=1), 1)


def test_holds_the_published_numbers():
    # read again, another way: by column name
    with (FOLDER / "train_pile_loss_1m.csv").open() as file:
        rows = {row["index"]: row for row in csv.DictReader(file)}
    runs = regmix_runs()
    for i in (0, 100, 511):
        row = rows[str(runs.about["index"][i])]
        assert runs.target("pile_cc")[i] == float(row["metric/the_pile_pile_cc_val_loss"])
    with (FOLDER / "train_mixture_1m.csv").open() as file:
        row = list(csv.DictReader(file))[100]
    total = sum(float(v) for k, v in row.items() if k != "index")
    want = float(row["train_the_pile_github"]) / total
    assert runs.weights[100, runs.domains.index("github")] == pytest.approx(want, rel=1e-12)


def test_more_of_a_domain_lowers_its_loss():
    # a wrong join of the two files would not show this
    runs = regmix_runs()
    for name in FIVE:
        share = runs.weights[:, runs.domains.index(name)]
        assert np.corrcoef(np.log(share + 1e-2), runs.target(name))[0, 1] < -0.6


def test_prior_is_a_mixture_of_the_same_domains():
    prior = regmix_prior()
    assert tuple(prior) == regmix_runs().domains
    assert sum(prior.values()) == pytest.approx(1, abs=1e-12)
    assert max(prior, key=prior.get) == "pile_cc"


def test_files_of_different_runs_are_refused(monkeypatch, tmp_path):
    for path in FOLDER.glob("*.csv"):
        lines = path.read_text().splitlines(keepends=True)
        cut = lines[:-1] if "loss" in path.name else lines
        (tmp_path / path.name).write_text("".join(cut))
    monkeypatch.setattr(published, "_REGMIX", tmp_path)
    with pytest.raises(BadInput, match="same runs"):
        regmix_runs()


def test_the_licence_lies_beside_the_files():
    text = (FOLDER / "LICENCE.md").read_text()
    assert "MIT License" in text
    assert "Sea AI Lab" in text
    assert "b004d3a3f39846dcec6b3740da22bcd1ba95a5d0" in text
