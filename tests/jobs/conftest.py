"""A tiny made-up corpus and its tokens, for the tests of the jobs."""

from __future__ import annotations

import pytest

from ecotone.data.made import made_corpus
from ecotone.data.tokens import TokenOptions


@pytest.fixture(scope="session")
def options():
    return TokenOptions(vocab=300)


@pytest.fixture(scope="session")
def small():
    """Four domains; the target is written in the two smallest."""
    return made_corpus(
        seed=0, domains=3, docs=240, target_docs=90, target_mix={"birch": 0.4, "cedar": 0.6}
    )


@pytest.fixture(scope="session")
def store(small, options, tmp_path_factory):
    pytest.importorskip("torch")
    from ecotone.jobs.trials import tokenised

    return tokenised(small, tmp_path_factory.mktemp("runs"), options)
