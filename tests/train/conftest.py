"""A small token store for the tests of the trainer."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from ecotone.core.seeds import stream
from ecotone.data.tokens import TokenOptions, prepare
from ecotone.testing.fixtures import babble, text_corpus


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    texts = {
        "high": babble("one two three four five", 300, stream(0, "high")),
        "low": babble("red green blue white black", 120, stream(0, "low")),
        "target": babble("red one green two", 60, stream(0, "target")),
    }
    folder = tmp_path_factory.mktemp("tokens")
    return prepare(text_corpus(texts, "target"), folder, TokenOptions(vocab=300))
