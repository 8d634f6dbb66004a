from __future__ import annotations

import numpy as np
from scipy.stats import kstest

from ecotone.select import Random


def test_scores_are_uniform():
    texts = [f"text {i}" for i in range(3000)]
    one, two = (Random(seed=s).score(texts) for s in (0, 1))
    assert kstest(one, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.06
    assert abs(np.corrcoef(one, np.arange(3000))[0, 1]) < 0.06
