"""The laws: functions over a `Method` that return nothing or raise `Broken` with a sentence.

`of` says which laws a method is held to; `says_what_it_is` and `same_seed_same_answer` are for all.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.core.errors import EcotoneError
from ecotone.core.files import plain
from ecotone.core.method import Method, find
from ecotone.core.seeds import stream
from ecotone.testing import alignment, cases, selection, unpaired
from ecotone.testing.declared import says_what_it_is
from ecotone.testing.fixtures import counted_corpus, law_trials
from ecotone.testing.says import Broken, demand

Law = Callable[[Method], None]
__all__ = [
    "Broken",
    "Law",
    "errors_carry_a_cure",
    "hands_off",
    "more_shift_larger_distance",
    "no_favourite_name",
    "of",
    "same_seed_same_answer",
    "says_what_it_is",
    "stays_on_the_simplex",
    "zero_at_home",
]


def of(method: Method) -> list[Law]:
    """Return the laws that a method's protocol calls for (`says_what_it_is` needs no input)."""
    if cases.kind(method) == "other":
        return [says_what_it_is]
    laws: list[Law] = [says_what_it_is, hands_off, no_favourite_name, errors_carry_a_cure]
    if method.room == "shift":
        return [*laws, zero_at_home, more_shift_larger_distance]
    if method.room == "align":
        whole = cases.kind(method) == "aligner"
        return [*laws, *(alignment.LAWS if whole else unpaired.LAWS)]
    if method.room == "select":
        own = selection.MARKS if cases.kind(method) == "filter" else selection.LAWS
        return [says_what_it_is, hands_off, errors_carry_a_cure, *own]
    if method.room == "validate":
        return [says_what_it_is, hands_off, *alignment.SCORE_LAWS]
    if cases.kind(method) == "oracle":
        return [says_what_it_is, hands_off]
    return [*laws, stays_on_the_simplex]


def same_seed_same_answer(methods: Sequence[Method]) -> None:
    """Two fresh processes give the same bits, and leave every global random state as it was.

    All methods share the two processes: starting one costs more than most methods do.
    """
    names = [m.name for m in methods if cases.kind(m) != "other"]
    one, two = (_fresh(names, hash_seed) for hash_seed in ("1", "2"))
    for name in names:
        demand(one[name] == two[name], f"{name}: two fresh processes give different bits")


def _fresh(names: Sequence[str], hash_seed: str) -> dict[str, Any]:
    code = "from ecotone.testing.laws import tell_answers; tell_answers()"
    # another order of sets and dictionaries in each process: an answer must not hang on it
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(names),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    demand(done.returncode == 0, f"a fresh process failed: {done.stderr[-2000:]}")
    out: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return out


def tell_answers() -> None:
    """Read names from standard input, write the methods' answers to standard output as JSON."""
    out = {}
    for name in json.load(sys.stdin):
        method = find(name)
        method.load()  # imports may seed what they like; running may not
        before = _states()
        out[name] = plain(cases.answer(method))
        # a package that is imported meanwhile brings a state of its own, at the end
        same = before == _states()[: len(before)]
        demand(same, f"{name}: a global random state was moved")
    sys.stdout.write(json.dumps(out) + "\n")


def _states() -> tuple[str, ...]:
    """Return the global random states of Python, numpy and, if it is loaded, torch."""
    states = [repr(random.getstate()), repr(np.random.get_state())]  # noqa: NPY002  looked at only
    if "torch" in sys.modules:
        import torch

        states.append(repr(torch.random.get_rng_state().tolist()))
    return tuple(states)


def hands_off(method: Method) -> None:
    """Read-only inputs are accepted and unchanged; nothing is written to the working folder."""
    kind = cases.kind(method)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        if kind == "measure":
            A, B = _locked(*cases.rate_samples(stream(0, "rows"), shift=0.3))
            method.load()(A, B, rng=stream(0, "measure"))
        elif kind == "law":
            W, L, new = _locked(*cases.law_data())
            cases.make(method).fit(W, L).predict(new)
        elif kind == "mixer":
            prior, limits = _locked(np.array([0.1, 0.2, 0.3, 0.4]), np.full(4, 0.6))
            trials = law_trials(24, 4, noise=0.01, rng=stream(0, "laws"))  # locked by its type
            mixer = cases.make(method)
            mixer.design(prior, limits=limits)
            mixer.propose(trials, "d0", prior=prior, limits=limits)
        elif kind == "aligner":
            alignment.reads_only(method)
        elif kind in ("clusterer", "transfer"):
            unpaired.reads_only(method)
        elif kind == "rule":
            corpus, caps = cases.sized(), {"law": 3.0}
            before = (repr(corpus), corpus.fingerprint)
            cases.rule_mixture(method, corpus, tokens=200_000, caps=caps)
            same = (repr(corpus), corpus.fingerprint) == before and caps == {"law": 3.0}
            demand(same, f"{method.name} changed its corpus or its caps")
        else:
            cases.answer(method)
        left = [p.name for p in Path().iterdir()]
    demand(not left, f"{method.name} wrote {', '.join(left)} to the working folder")


def _locked(*arrays: Any) -> tuple[Any, ...]:
    for array in arrays:
        array.flags.writeable = False
    return arrays


def no_favourite_name(method: Method) -> None:
    """Reordering domains permutes the answer; swapping the sides of a distance changes nothing."""
    kind = cases.kind(method)
    if kind == "aligner":
        alignment.no_favourite_number(method)
    if kind in ("clusterer", "transfer"):
        unpaired.no_favourite_number(method)
    if kind == "measure":
        A, B = cases.rate_samples(stream(0, "rows"), shift=0.3)
        one, two = (method.load()(*pair, rng=stream(0, "measure")) for pair in ((A, B), (B, A)))
        demand(np.isclose(one, two, rtol=1e-9), f"{method.name}: d(A, B) = {one}, d(B, A) = {two}")
    elif kind == "rule":
        names = tuple(cases.SIZES)
        for caps in (None, 3.0):
            one = cases.rule_mixture(method, cases.sized(names), tokens=300_000, caps=caps).weights
            two = cases.rule_mixture(method, cases.sized(names[::-1]), tokens=300_000, caps=caps)
            _same_shares(method, one, two.weights)
    elif kind == "law":
        W, L, new = cases.law_data()
        order = np.array([2, 0, 3, 1])
        one = cases.make(method).fit(W, L).predict(new)
        two = cases.make(method).fit(W[:, order], L).predict(new[:, order])
        worst = float(np.abs(two / one - 1).max())
        demand(worst < 1e-5, f"{method.name}: reordering domains moves a loss by {worst:.1e}")
    elif kind == "mixer":
        from ecotone.core.trials import Trials

        t = law_trials(24, 4, noise=0.01, rng=stream(0, "laws"))
        turned = Trials(t.weights[:, ::-1], t.scores, t.domains[::-1], t.targets)
        one = cases.make(method).propose(t, "d0").weights
        _same_shares(method, one, cases.make(method).propose(turned, "d0").weights)


def _same_shares(method: Method, one: dict[str, float], two: dict[str, float]) -> None:
    demand(set(one) == set(two), f"{method.name}: reordering changed the names")
    worst = max(abs(one[n] - two[n]) for n in one)
    demand(worst < 1e-9, f"{method.name}: reordering domains moves a share by {worst:.1e}")


def errors_carry_a_cure(method: Method) -> None:
    """Empty, not-a-number and wrongly sized inputs give an `EcotoneError` that names a cure."""
    for what, attempt in _wrong(method):
        try:
            attempt()
        except EcotoneError as error:
            demand(bool(error.cure), f"{method.name}, {what}: no cure in {error.what!r}")
        except Exception as error:
            raise Broken(f"{method.name}, {what}: {type(error).__name__}: {error}") from error
        else:
            raise Broken(f"{method.name}, {what}: no error")


def _wrong(method: Method) -> list[tuple[str, Callable[[], Any]]]:
    kind = cases.kind(method)
    if kind == "measure":
        f = partial(method.load(), rng=stream(0, "measure"))
        A, B = cases.rate_samples(stream(0, "rows"))
        hole = np.where(np.arange(A.size).reshape(A.shape) == 3, np.nan, A)
        return [
            ("no rows", lambda: f(A[:0], B)),
            ("NaN", lambda: f(hole, B)),
            ("widths differ", lambda: f(A[:, 1:], B)),
        ]
    if kind == "selector":
        return selection.wrong(method)
    if kind == "filter":
        return selection.wrong_marks(method)
    if kind == "aligner":
        return alignment.wrong(method)
    if kind in ("clusterer", "transfer"):
        return unpaired.wrong(method)
    if kind == "rule":
        given = partial(cases.rule_mixture, method)
        return [
            ("tokens not counted", lambda: given(_uncounted(), caps=4.0)),
            ("no text", lambda: given(counted_corpus({"law": 0, "web": 0}, "law"))),
            ("caps too tight", lambda: given(cases.sized(), tokens=10**9, caps=1.0)),
            ("NaN cap", lambda: given(cases.sized(), caps=float("nan"))),
        ]
    if kind == "law":
        W, L, _ = cases.law_data()
        hole = np.where(np.arange(W.size).reshape(W.shape) == 3, np.nan, W)
        return [
            ("no rows", lambda: cases.make(method).fit(W[:0], L[:0])),
            ("one row", lambda: cases.make(method).fit(W[:1], L[:1])),
            ("NaN share", lambda: cases.make(method).fit(hole, L)),
            ("lengths differ", lambda: cases.make(method).fit(W, L[1:])),
            ("loss below 0", lambda: cases.make(method).fit(W, -L)),
        ]
    trials = law_trials(24, 4, rng=stream(0, "laws"))
    return [
        ("too few trials", lambda: cases.make(method).propose(trials.rows([0, 1]), "d0")),
        ("unknown target", lambda: cases.make(method).propose(trials, "nowhere")),
    ]


def _uncounted() -> Any:
    from ecotone.testing.fixtures import text_corpus

    return text_corpus({n: ["x"] for n in cases.SIZES}, "law")


def stays_on_the_simplex(method: Method) -> None:
    """Weights are shares, within bounds and caps; see `ecotone.testing.simplex` for the rest."""
    from ecotone.testing import simplex

    simplex.CHECKS[cases.kind(method)](method)


def zero_at_home(method: Method) -> None:
    """Two samples of one law: the distance lies inside its own null interval, most of the time."""
    measure, outside = method.load(), 0
    for s in range(10):
        rng = stream(s, "home")
        A, B = cases.rate_samples(rng)
        outside += cases.null_p(measure, A, B, draws=39, rng=rng) <= 0.05
    # a right test is outside in 10 of 10 x 0.05; three or more: 1.2 % by chance, with fixed seeds
    demand(outside <= 2, f"{method.name} sees a shift in {outside} of 10 pairs without one")


def more_shift_larger_distance(method: Method) -> None:
    """Demand that the mean distance over five pairs grows with the size of the shift."""
    means = [
        float(
            np.mean(
                [
                    method.load()(*cases.rate_samples(stream(s, "rows"), shift=size), rng=stream(s))
                    for s in range(5)
                ]
            )
        )
        for size in (0.0, 0.2, 0.5, 1.0)
    ]
    rising = all(a < b for a, b in pairwise(means))
    demand(rising, f"{method.name}: distances at growing shifts are {np.round(means, 4).tolist()}")
