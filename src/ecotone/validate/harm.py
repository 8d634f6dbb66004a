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
from ecotone.core.seeds import derive, stream
from ecotone.core.verdict import Decision, Finding, Verdict
from ecotone.data.domains import check_domains, mask_targets
from ecotone.shift._diagnosis import Diagnosis, diagnose
from ecotone.validate.labelled import labelled_gain
from ecotone.validate.scoring import scorer
from ecotone.validate.splits import DomainSplit, rows_at

Array = NDArray[np.float64]
MOST = 10_000  # rows of a side that the signs are taken on
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


@dataclass(frozen=True, eq=False)
class Signs:
    """Paired scores of a candidate and of `source_only`, one of each per fold.

    Attributes
    ----------
    circular, weighted, source : ndarray, shape (folds,)
        Gains of the circular score, of the importance-weighted one (NaN: no verdict) and of the
        accuracy on held-out source rows.
    level : tuple of float
        Mean circular score of the candidate and of source_only.
    variety : float
        Share of the source's classes among the target's predictions.
    """

    circular: Array
    weighted: Array
    source: Array
    level: tuple[float, float]
    variety: float

    def interval(self, errors: float) -> tuple[float, float]:
        """Return the mean circular gain plus and minus so many standard errors."""
        mean = float(self.circular.mean())
        half = errors * float(self.circular.std(ddof=1)) / np.sqrt(len(self.circular))
        return mean - half, mean + half


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


def signs_of(
    model: Any, base: Any, X: Any, y: Any, domain: NDArray[np.int64], *,
    groups: Any = None, folds: int = 5, seed: int = 0,
) -> Signs:  # fmt: skip
    """Fit candidate and base on all folds but one, and score both on that one.

    Of more than 10,000 rows a side so many are drawn: the margin is wider than what more rows
    would tell.
    """
    at = _some(domain, seed)
    X, y, domain = rows_at(X, at), np.asarray(y)[at], domain[at]
    groups = None if groups is None else np.asarray(groups)[at]
    names, regression = ("circular", "importance_weighted"), is_regressor(base)
    table: dict[str, list[float]] = {n: [] for n in (*names, "source", "kept", "level")}
    classes = np.unique(np.asarray(y)[domain > 0]) if not regression else np.zeros(1)
    split = DomainSplit(folds, seed=derive(seed, "guard") % (1 << 31))
    for train, test in split.split(X, y, groups, sample_domain=domain):
        pair = [clone(m).fit(rows_at(X, train), y[train], sample_domain=domain[train])
                for m in (model, base)]  # fmt: skip
        rows, labels, sides = rows_at(X, test), y[test], domain[test]
        for name in names:
            ask = scorer(name, seed=seed)
            one, two = (ask(m, rows, labels, sides) for m in pair)
            table[name].append(one - two)
            if name == "circular":
                table["level"] += [one, two]
        one, two = (_at_home(m, rows, labels, sides) for m in pair)
        table["source"].append(one - two)
        guessed = pair[0].predict(rows_at(X, test[sides < 0]))
        table["kept"].append(1.0 if regression else len(np.unique(guessed)) / len(classes))
    level = np.array(table["level"]).reshape(-1, 2).mean(axis=0)
    circular, weighted, source = (np.array(table[n]) for n in (*names, "source"))
    return Signs(circular, weighted, source, (level[0], level[1]), float(np.mean(table["kept"])))


def _some(domain: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the numbers of at most `MOST` rows of each side, in their order."""
    rng, out = stream(seed, "guard rows"), []
    for side in (domain > 0, domain < 0):
        rows = np.flatnonzero(side)
        out.append(rows if len(rows) <= MOST else rng.choice(rows, MOST, replace=False))
    return np.sort(np.concatenate(out))


def _at_home(model: Any, X: Any, y: Any, domain: NDArray[np.int64]) -> float:
    """Return accuracy (R2) on held-out source rows, taken as source rows."""
    at = np.flatnonzero(domain > 0)
    guessed = model.predict(rows_at(X, at), sample_domain=domain[at])
    known = np.asarray(y)[at]
    if is_regressor(model):
        return 1 - float(((known - guessed) ** 2).mean() / max(known.var(), 1e-300))
    return float((known.astype(np.asarray(guessed).dtype) == guessed).mean())


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
