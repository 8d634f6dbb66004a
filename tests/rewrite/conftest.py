"""What tests of the room share: a clock that only counts, real prose, a bigram model."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest


class CountingClock:
    """Time passes only while somebody sleeps."""

    def __init__(self):
        self.time, self.naps = 0.0, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.time += seconds


@pytest.fixture
def clock():
    return CountingClock()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def prose():
    """Real paragraphs of prose: the manual that Python carries in its own library."""
    from pydoc_data.topics import topics

    out = []
    for name in sorted(topics):
        for part in topics[name].split("\n\n"):
            words = " ".join(part.split())
            if words and words[0].isupper() and words.endswith(".") and len(words) > 120:
                out.append(words)
    return out


def tokens(text):
    return re.findall(r"\w+|[^\w\s]", text.lower())


@pytest.fixture(scope="session")
def bigram_loss():
    """Mean nats per token of an interpolated bigram model: (training texts, held-out texts)."""

    def loss(train, held):
        ones, twos, total = Counter(), Counter(), 0
        for text in train:
            t = tokens(text)
            ones.update(t)
            twos.update(pairwise(t))
            total += len(t)
        kinds = len(ones) + 1
        nats = count = 0
        for text in held:
            t = tokens(text)
            for a, b in pairwise(t):
                p1 = (ones[b] + 0.5) / (total + 0.5 * kinds)
                p2 = twos[a, b] / ones[a] if ones[a] else 0.0
                nats -= math.log(0.5 * p2 + 0.5 * p1)
                count += 1
        return nats / count

    return loss
