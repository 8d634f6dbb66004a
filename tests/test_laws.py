"""Every law over every method; exceptions stand here by name, with a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecotone.core.method import catalogue, find
from ecotone.testing import laws

REFERENCES = Path(__file__).parents[1] / "references.bib"
EXCEPTIONS = {
    ("regmix", "no_favourite_name"): "its candidates are drawn column by column",
    ("greedy_matching", "copies_score_alike"): "a copy of what was taken is worth less: its point",
}
CASES = [(m, law) for m in catalogue() for law in laws.of(m)]


@pytest.mark.parametrize(("method", "law"), CASES, ids=[f"{m.name}-{f.__name__}" for m, f in CASES])
def test_law(method, law):
    if (method.name, law.__name__) in EXCEPTIONS:
        with pytest.raises(laws.Broken):  # strict: a law that is kept again leaves the list
            law(method)
    else:
        law(method)


def test_exceptions_name_cases_and_say_why():
    assert set(EXCEPTIONS) <= {(m.name, f.__name__) for m, f in CASES}
    assert all(len(why) > 20 for why in EXCEPTIONS.values())


def test_every_paper_stands_once():
    keys = re.findall(r"^@\w+\{([^,]+),", REFERENCES.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(keys) > 50
    assert sorted(keys) == sorted(set(keys))


def test_same_seed_same_answer():
    laws.same_seed_same_answer(catalogue())


def test_a_paper_that_nobody_wrote_is_found(tmp_path):
    bib = tmp_path / "references.bib"
    bib.write_text("@article{other2020,\n title = {x}\n}\n")
    with pytest.raises(laws.Broken, match=r"not in references\.bib"):
        laws.says_what_it_is(find("mmd"), bib)
    laws.says_what_it_is(find("mmd"), REFERENCES)
