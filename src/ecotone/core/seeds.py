"""One seed in, independent named streams out.

No code in ecotone draws from a global random state. A stream's name, not the order in which
streams are asked for, decides its numbers: adding a stream never moves another one.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *names: object) -> int:
    """Return a 63-bit seed that depends on `seed` and every name, and on nothing else.

    Parameters
    ----------
    seed : int
        The one seed the user gave.
    *names : object
        What the stream is for, such as ``"proxy", 3``; compared by ``str``.

    Examples
    --------
    >>> derive(0, "proxy", 1) == derive(0, "proxy", 1) != derive(0, "proxy", 2)
    True
    """
    text = "\x1f".join([str(int(seed)), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stream(seed: int, *names: object) -> np.random.Generator:
    """Return a numpy generator of its own for these names.

    Examples
    --------
    >>> a, b = stream(7, "split"), stream(7, "split")
    >>> bool(a.random() == b.random())
    True
    """
    return np.random.default_rng(derive(seed, *names))
