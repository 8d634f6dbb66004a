"""Adapt a classifier or regressor to an unlabelled target, or keep it: from rows to a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor

from ecotone.align._aligner import Aligner
from ecotone.align.source_only import SourceOnly
from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.method import find
from ecotone.core.verdict import Finding, Verdict
from ecotone.data.domains import check_domains, mask_targets
from ecotone.shift._diagnosis import Diagnosis, diagnose
from ecotone.validate.harm import Margin, guard

Array = NDArray[np.float64]
# what is tried unless methods are named: each takes a hundred thousand rows in seconds
PORTFOLIO = ("per_domain_scaler", "coral", "linear_ot", "subspace_alignment", "mlls")


@dataclass(frozen=True, eq=False)
class Tried:
    """One candidate.

    Attributes
    ----------
    name : str
        Method.
    verdict : Verdict or None
        Of the guard; None where the method could not run.
    note : str
        Why it was not asked further.
    seconds : float
        CPU seconds.
    """

    name: str
    verdict: Verdict | None
    note: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Adapted:
    """What the job ends with.

    Attributes
    ----------
    verdict : Verdict
        With `pick`, the fitted estimator to use.
    method : str
        Name of what was picked.
    diagnosis : Diagnosis
    tried : tuple of Tried
        The portfolio, `source_only` first.
    """

    verdict: Verdict
    method: str
    diagnosis: Diagnosis
    tried: tuple[Tried, ...]


def adapt(
    X: Any,
    y: Any,
    sample_domain: Any,
    *,
    methods: Sequence[str] = PORTFOLIO,
    estimator: Any = None,
    groups: Any = None,
    few: tuple[Any, Any] | None = None,
    budget: float | None = None,
    margin: Margin | None = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda _: None,
) -> Adapted:
    """Diagnose the shift, try a portfolio, choose without target labels, and do no harm.

    Parameters
    ----------
    X : array, shape (n, d)
        Finite numbers, standardised.
    y : array, shape (n,)
        Labels; those of target rows are masked here.
    sample_domain : array of int, shape (n,)
        Positive for sources, negative for targets.
    methods : sequence of str
        Candidates; those that cannot run here say why in the table.
    estimator : estimator, optional
        What every method is put around; LogisticRegression by default.
    groups : array, shape (n,), optional
        Rows that belong together.
    few : (rows, labels), optional
        Labelled target rows apart from X.
    budget : float, optional
        CPU seconds after which no further candidate is begun.
    margin : Margin, optional
        Of the guard.
    seed : int
        Decides folds and draws.
    note : callable
        Told what is being done.

    Returns
    -------
    Adapted
        The candidate whose gain has the highest lower end among those the guard lets pass, or
        `source_only`.
    """
    domain = check_domains(sample_domain, len(np.asarray(y)))
    blind = mask_targets(y, domain)
    note("which shift is it")
    diagnosis = diagnose(X, blind, domain, seed=seed)
    base = SourceOnly(estimator)
    began = time.process_time()
    tried: list[Tried] = []
    for name in methods:
        if budget is not None and tried and time.process_time() - began > budget:
            tried.append(Tried(name, None, "the budget was spent before its turn", 0.0))
            continue
        note(f"trying {name}")
        tried.append(_try(name, base, X, blind, domain, diagnosis, groups, few, margin, seed))
    passed = [t for t in tried if t.verdict is not None and t.verdict.decision == "adapt"]
    if passed:
        best = max(passed, key=lambda t: t.verdict.interval[0] if t.verdict else -np.inf)
        assert best.verdict is not None
        return Adapted(best.verdict, best.name, diagnosis, tuple(tried))
    verdict = _kept(tried, clone(base).fit(X, blind, sample_domain=domain), diagnosis)
    return Adapted(verdict, "source_only", diagnosis, tuple(tried))


def _try(
    name: str, base: SourceOnly, X: Any, y: Any, domain: Any, diagnosis: Diagnosis, groups: Any,
    few: Any, margin: Margin | None, seed: int,
) -> Tried:  # fmt: skip
    began = time.process_time()
    try:
        made = find(name, "align").load()
        if not issubclass(made, Aligner):
            raise BadInput(
                f"{name} takes no labelled sources and unlabelled target in common columns.",
                cure=f"ecotone card {name}",
            )
        model = made(None if base.estimator is None else clone(base.estimator))
        verdict = guard(
            model, X, y, domain, groups=groups, few=few, margin=margin, diagnosis=diagnosis,
            seed=seed,
        )  # fmt: skip
    except EcotoneError as error:
        return Tried(name, None, error.what, time.process_time() - began)
    except np.linalg.LinAlgError as error:
        return Tried(name, None, f"its equations could not be solved: {error}",
                     time.process_time() - began)  # fmt: skip
    said = {f.code: f.says for f in verdict.findings if f.code.startswith("V")}
    return Tried(name, verdict, "; ".join(said.values()), time.process_time() - began)


def _kept(tried: Sequence[Tried], plain: Any, diagnosis: Diagnosis) -> Verdict:
    """Return the verdict of a portfolio in which nothing passed: the nearest candidate's, kept."""
    asked = [t.verdict for t in tried if t.verdict is not None and np.isfinite(t.verdict.score)]
    unclear = [v for v in asked if v.decision == "cannot tell"]
    if not asked:
        metric = "no candidate was asked"
        return Verdict(
            float("nan"), float("nan"), 0.0, (0.0, 0.0), "keep", used_target_labels=False,
            findings=diagnosis.findings, metric=metric, pick=plain,
        )  # fmt: skip
    best = max(unclear or asked, key=lambda v: v.interval[1])
    advice = Finding(
        "V310",
        "no candidate is clearly better than the source model.",
        "label 1 to 3 target rows of every class and pass them: --few labels.csv",
    )
    return Verdict(
        best.score, best.baseline, best.gain, best.interval, best.decision,
        used_target_labels=best.used_target_labels, findings=(*best.findings, advice),
        metric=best.metric, pick=plain,
    )  # fmt: skip


def metric_of(model: Any) -> str:
    """Return the name of the score in the table."""
    return "R2" if is_regressor(model) else "balanced accuracy"
