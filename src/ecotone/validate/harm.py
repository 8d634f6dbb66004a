"""Do no harm: adapt only where several label-free signs agree that it helps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor

from ecotone.align.source_only import SourceOnly
from ecotone.core.verdict import Decision, Finding, Verdict
from ecotone.data.domains import check_domains, mask_targets
from ecotone.shift._diagnosis import Diagnosis, diagnose
from ecotone.validate.labelled import labelled_gain
from ecotone.validate.signs import Signs, signs_of
from ecotone.validate.splits import rows_at

Array = NDArray[np.float64]
MARGINS = Path(__file__).with_name("margin.json")


@dataclass(frozen=True)
class Margin:
    """How much better a candidate must look before it is believed.

    Attributes
    ----------
    least : float
        Gain of the circular score, lower end of its interval, from which on *adapt* is said.
    errors : float
        Half the width of that interval, in standard errors over the folds.
    source_loss : float
        Largest loss of accuracy on held-out source rows (of R2 for regression).
    variety : float
        Least share of the source's classes that the target's predictions must hold.
    proportions : float
        Largest difference (total variation) of class proportions between the predictions on the
        target and on the sources, for methods that do not handle a label shift.
    learnt_on : str
        Where it comes from.
    """

    least: float
    errors: float
    source_loss: float
    variety: float
    proportions: float
    learnt_on: str


@lru_cache(maxsize=1)
def default_margin() -> Margin:
    """Return the margin that ships, learnt by ``ecotone bench align --suite margin``."""
    return Margin(**json.loads(MARGINS.read_text(encoding="utf-8")))


def guard(
    model: Any,
    X: Any,
    y: Any,
    sample_domain: Any,
    *,
    groups: Any = None,
    few: tuple[Any, Any] | None = None,
    folds: int = 5,
    margin: Margin | None = None,
    diagnosis: Diagnosis | None = None,
    seed: int = 0,
) -> Verdict:
    """Decide between an adapted model and doing nothing, without target labels.

    Three questions, and each can say no. *Is there a shift this method is for?* Where the features
    do not differ, or class proportions explain the difference and the method does not handle
    them, the answer is *keep*. *Does the model still stand?* It must predict the sources'
    held-out rows about as well as before and use most classes on the target. *Does it look
    better?* The circular score's gain over `source_only`, fold by fold, must lie above a margin
    that was learnt on made-up shifts and on real tasks other than this one.

    Parameters
    ----------
    model : Aligner
        Fitted or not; it is cloned and fitted again.
    X : array, shape (n, d)
        Rows.
    y : array, shape (n,)
        Labels; those of target rows are masked here.
    sample_domain : array of int, shape (n,)
        Positive for sources, negative for targets.
    groups : array, shape (n,), optional
        Rows of one group stay on one side of every split.
    few : (rows, labels), optional
        Labelled target rows, apart from X. They overrule the other signs when they are clear.
    folds : int
        Folds.
    margin : Margin, optional
        `default_margin` by default.
    diagnosis : Diagnosis, optional
        Of the same rows, when it is known already.
    seed : int
        Decides folds and draws.

    Returns
    -------
    Verdict
        ``score``, ``baseline``, ``gain`` and ``interval`` are of the circular score (balanced
        accuracy, or R2), so not the target's accuracy; ``pick`` is the fitted model to use.
    """
    domain = check_domains(sample_domain, len(np.asarray(y)))
    blind = mask_targets(y, domain)
    margin = margin or default_margin()
    diagnosis = diagnosis or diagnose(X, blind, domain, seed=seed)
    base = SourceOnly(getattr(model, "estimator", None))
    plain = clone(base).fit(X, blind, sample_domain=domain)
    notes = list(diagnosis.findings)
    no = _not_its_shift(model, diagnosis)
    if no is not None and few is None:
        return Verdict(
            float("nan"), float("nan"), 0.0, (0.0, 0.0), "keep", used_target_labels=False,
            findings=(*notes, no), metric="circular score: not asked", pick=plain,
        )  # fmt: skip
    adapted = clone(model).fit(X, blind, sample_domain=domain)
    signs = signs_of(model, base, X, blind, domain, groups=groups, folds=folds, seed=seed)
    no = no or _other_proportions(adapted, X, domain, margin)
    decision, said = _decide(signs, margin) if no is None else ("keep", [no])
    notes += said
    gain, interval = float(signs.circular.mean()), signs.interval(margin.errors)
    score, baseline, metric = *signs.level, "circular score of the target"
    if few is not None:
        found = labelled_gain(adapted, plain, *few, seed=seed)
        notes.append(found.finding)
        if found.decision != "cannot tell":
            decision, gain, interval = found.decision, found.gain, found.interval
            score, baseline, metric = found.score, found.baseline, found.metric
    return Verdict(
        score, baseline, gain, interval, decision, used_target_labels=few is not None,
        findings=tuple(notes), metric=metric, pick=adapted if decision == "adapt" else plain,
    )  # fmt: skip


def _not_its_shift(model: Any, diagnosis: Diagnosis) -> Finding | None:
    """Return why this method is not for this shift, if it is not."""
    name = type(model).__name__
    if diagnosis.kind == "none":
        return Finding("V304", f"without a shift there is nothing for {name} to mend.", "")
    if diagnosis.kind == "label" and "label" not in _handles(model):
        return Finding(
            "V305",
            f"labels shifted, and {name} does not handle that: it would move classes apart.",
            "ecotone methods --room align --handles label",
        )  # fmt: skip
    return None


def _handles(model: Any) -> frozenset[str]:
    handles: frozenset[str] = getattr(type(model), "__ecotone__", {}).get("handles", frozenset())
    return handles


def proportions_apart(model: Any, X: Any, domain: NDArray[np.int64]) -> float:
    """Return by how much (total variation) the class proportions of the predictions differ.

    0 for regression, and for methods that handle a label shift: theirs may.
    """
    if is_regressor(model) or "label" in _handles(model):
        return 0.0
    at = domain > 0
    here = model.predict(rows_at(X, at), sample_domain=domain[at])
    there = model.predict(rows_at(X, ~at))
    shares = [np.array([np.mean(p == c) for c in model.classes_]) for p in (here, there)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def most_apart(rows: int, margin: Margin) -> float:
    """Return the largest difference of proportions that is let pass with so many rows a side."""
    # two samples of one law differ by about one over the root of their size
    return max(margin.proportions, 1 / float(np.sqrt(rows)))


def passes(row: Mapping[str, Any], kind: str, margin: Margin) -> bool:
    """Say whether a candidate's signs but the last, the gain, let it pass.

    Parameters
    ----------
    row : mapping
        ``handles``, ``source``, ``variety``, ``apart`` and ``rows`` of a candidate.
    kind : str
        Of the diagnosis.
    """
    if kind == "none" or (kind == "label" and "label" not in row["handles"]):
        return False
    stands = row["source"] >= -margin.source_loss and row["variety"] >= margin.variety
    return bool(stands and row["apart"] <= most_apart(row["rows"], margin))


def _other_proportions(
    model: Any, X: Any, domain: NDArray[np.int64], margin: Margin
) -> Finding | None:
    """Return a finding where the predictions have other class proportions in the target.

    Alignment matches the sides as wholes, which is right only if they hold the classes in equal
    shares. Where the aligned model itself says that they do not, it has matched one class to
    another.
    """
    apart = proportions_apart(model, X, domain)
    if apart <= most_apart(int(min((domain > 0).sum(), (domain < 0).sum())), margin):
        return None
    return Finding(
        "V311",
        f"the class proportions of its predictions differ by {apart:.0%} between sources and "
        "target, and alignment rests on their being equal.",
        "ecotone methods --room align --handles label",
    )


def _decide(signs: Signs, margin: Margin) -> tuple[Decision, list[Finding]]:
    low, high = signs.interval(margin.errors)
    if signs.source.mean() < -margin.source_loss:
        return "keep", [
            Finding(
                "V306",
                f"the candidate loses {-signs.source.mean():.1%} on held-out source rows: its "
                "features say less than before.",
                "a milder setting, or another method",
            )
        ]
    if signs.variety < margin.variety:
        return "keep", [
            Finding(
                "V307",
                f"on the target it uses {signs.variety:.0%} of the classes: it may have collapsed.",
                "another method; scores such as entropy would have chosen it",
            )
        ]
    if low > margin.least:
        return "adapt", []
    if high > margin.least:
        return "cannot tell", [
            Finding(
                "V308",
                f"the circular gain of {signs.circular.mean():+.3f} is not clear of the margin of "
                f"{margin.least:+.3f}.",
                "more target rows, or 1 to 3 labels a class: --few labels.csv",
            )
        ]
    return "keep", []
