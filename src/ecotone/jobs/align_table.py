"""The job of ``ecotone align``: from a table of rows to a fitted, saved pipeline and a verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ecotone._version import __version__
from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.files import fingerprint, plain, replacing, write_json
from ecotone.core.run import Manifest, Run
from ecotone.core.seeds import stream
from ecotone.data.packages import sha256_of
from ecotone.data.table import encoder, load_frame, plain_words, read_table
from ecotone.jobs.adapt import PORTFOLIO, Adapted, adapt

if TYPE_CHECKING:
    import pandas as pd

DOTS = 300  # rows of a side in the picture


@dataclass(frozen=True, eq=False)
class Aligned:
    """What the job ends with.

    Attributes
    ----------
    adapted : Adapted
        Verdict, diagnosis and the portfolio.
    pipeline : Pipeline
        From a raw table to predictions, fitted.
    analysis : dict
        What the report is made from.
    run : Run
        Where everything is.
    """

    adapted: Adapted
    pipeline: Pipeline
    analysis: dict[str, Any]
    run: Run


def align_table(
    path: Path | str,
    *,
    label: str,
    domain: str,
    target: str | Sequence[str],
    methods: Sequence[str] = PORTFOLIO,
    few: Path | str | None = None,
    groups: str | None = None,
    drop: Sequence[str] = (),
    budget: float | None = None,
    seed: int = 0,
    out: Path | str = "runs",
    command: str = "",
    note: Callable[[str], None] = lambda _: None,
) -> Aligned:
    """Read a table, adapt to the target if that helps, and save what should be used.

    Parameters
    ----------
    path : Path
        See `ecotone.data.table.read_table`.
    label, domain, target
        Columns of label and domain; which domain is the target.
    methods : sequence of str
        Candidates.
    few : Path, optional
        Labelled target rows in a table of the same columns.
    groups : str, optional
        Column of what belongs together; not a feature.
    drop : sequence of str
        Columns that are no features.
    budget : float, optional
        CPU seconds.
    seed, out, command, note
        As everywhere.
    """
    began = time.process_time()
    X, y, sample_domain = read_table(path, label, domain, target)
    together = None if groups is None else _column(X, groups, path).astype(str).to_numpy()
    X = _features(X, [*drop, *([groups] if groups else [])], path)
    manifest = Manifest(
        "align", "portfolio",
        {"label": label, "domain": domain, "target": target, "methods": list(methods),
         "few": None if few is None else sha256_of(Path(few)), "groups": groups,
         "drop": list(drop), "budget": budget},
        {"table": sha256_of(Path(path))}, seed, command,
    )  # fmt: skip
    run = Run.open(out, manifest)
    encode = encoder(X).fit(plain_words(X))
    Z = encode.transform(plain_words(X))
    labelled = None if few is None else _few(few, X, label, encode)
    adapted = adapt(
        Z, y, sample_domain, methods=methods, groups=together, few=labelled, budget=budget,
        seed=seed, note=note,
    )  # fmt: skip
    pipeline = Pipeline([("encode", encode), ("model", adapted.verdict.pick)])
    trusted = save_pipeline(pipeline, run.artifacts / "pipeline.skops")
    adapted.verdict.save(run.artifacts / "verdict.json")
    analysis = _analysis(adapted, path, label, domain, target, sample_domain, command, run)
    analysis["map"] = picture_points(adapted, Z, sample_domain, seed)
    analysis["columns"] = list(map(str, X.columns))
    analysis["trusted"] = trusted
    analysis["seconds"] = time.process_time() - began
    analysis = plain(analysis)
    write_json(run.artifacts / "analysis.json", analysis)
    run.close()
    return Aligned(adapted, pipeline, analysis, run)


def _column(X: pd.DataFrame, name: str, path: Path | str) -> Any:
    if name not in X.columns:
        raise BadInput(
            f"{path}: there is no column {name!r}.",
            cure=f"one of: {', '.join(map(str, X.columns[:30]))}",
        )
    return X[name]


def _features(X: pd.DataFrame, drop: Sequence[str], path: Path | str) -> pd.DataFrame:
    for name in drop:
        _column(X, name, path)
    X = X.drop(columns=list(drop))
    constant = [c for c in X.columns if X[c].nunique(dropna=False) <= 1]
    X = X.drop(columns=constant)  # they tell nothing, and no side from another
    if X.shape[1] == 0:
        raise BadInput(
            f"{path}: no column is left that varies.", cure="add features, or --drop fewer"
        )
    return X


def _few(path: Path | str, X: pd.DataFrame, label: str, encode: Any) -> tuple[Any, NDArray[Any]]:
    frame = load_frame(path)
    for name in (label, *X.columns):
        _column(frame, name, path)
    return encode.transform(plain_words(frame[list(X.columns)])), frame[label].to_numpy()


def save_pipeline(pipeline: Pipeline, path: Path) -> list[str]:
    """Write a fitted pipeline without pickle; return the types a reader has to trust."""
    try:
        from skops import io
    except ModuleNotFoundError:
        raise MissingExtra.of("tables", "skops", "saving a pipeline") from None
    data = io.dumps(pipeline)
    with replacing(path) as part:
        part.write_bytes(data)
    trusted = sorted(io.get_untrusted_types(data=data))
    write_json(path.with_suffix(".trusted.json"), {"types": trusted})
    return trusted


def load_pipeline(run: Path) -> Pipeline:
    """Read the pipeline of a run; only types of ecotone, numpy and scikit-learn are let in."""
    try:
        from skops import io
    except ModuleNotFoundError:
        raise MissingExtra.of("tables", "skops", "reading a pipeline") from None
    path = run / "artifacts" / "pipeline.skops"
    if not path.is_file():
        raise BadInput(f"{run}: holds no pipeline.", cure="name a run of ecotone align")
    data = path.read_bytes()
    asked = io.get_untrusted_types(data=data)
    strange = [t for t in asked if not t.startswith(("ecotone.", "numpy.", "sklearn."))]
    if strange:
        raise BadInput(
            f"{path}: holds objects of unknown types: {', '.join(strange[:5])}.",
            why="reading them could run code that somebody else wrote.",
            cure="make the pipeline again: ecotone align ...",
        )
    loaded: Pipeline = io.loads(data, trusted=asked)
    return loaded


def predict_rows(run: Path, path: Path | str) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Apply a saved pipeline to the rows of a table, taken as target rows."""
    pipeline = load_pipeline(run)
    columns = json.loads((run / "artifacts" / "analysis.json").read_text())["columns"]
    frame = load_frame(path)
    for name in columns:
        _column(frame, name, path)
    return frame, pipeline.predict(plain_words(frame[columns]))


def picture_points(
    adapted: Adapted, Z: Any, sample_domain: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    """Return rows of every domain on the two main axes, before the adaptation and after."""
    rng, at = stream(seed, "picture"), []
    for number in np.unique(sample_domain).tolist():
        rows = np.flatnonzero(sample_domain == number)
        at.append(rows if len(rows) <= DOTS else np.sort(rng.choice(rows, DOTS, replace=False)))
    rows = np.concatenate(at)
    sides = sample_domain[rows]
    after = adapted.verdict.pick.features(Z[rows], sample_domain=sides)
    return {
        "sides": sides.tolist(), "before": _flat(Z[rows], sides), "after": _flat(after, sides)
    }  # fmt: skip


def _flat(Z: NDArray[Any], sides: NDArray[np.int64]) -> list[list[float]]:
    """Project on the two main axes of the target's rows and the sources', each weighing half."""
    centred = Z - Z.mean(axis=0)
    weight = np.where(sides > 0, 1 / (sides > 0).sum(), 1 / (sides < 0).sum())
    _, axes = np.linalg.eigh((centred * weight[:, None]).T @ centred)
    two = centred @ axes[:, ::-1][:, :2]
    if two.shape[1] < 2:
        two = np.column_stack([two, np.zeros(len(two))])
    return np.round(two, 4).tolist()


def _analysis(
    adapted: Adapted, path: Path | str, label: str, domain: str, target: Any,
    sample_domain: NDArray[np.int64], command: str, run: Run,
) -> dict[str, Any]:  # fmt: skip
    verdict, diagnosis = adapted.verdict, adapted.diagnosis
    return {
        "kind": "align", "title": f"{label} in {target}", "version": __version__,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "command": command,
        "table": str(path), "label": label, "domain": domain, "target": str(target),
        "rows": {"source": int((sample_domain > 0).sum()), "target": int((sample_domain < 0).sum()),
                 "domains": len(np.unique(sample_domain))},
        "method": adapted.method, "verdict": verdict.facts(),
        "diagnosis": {k: v for k, v in diagnosis.__dict__.items() if k != "findings"},
        "tried": [_row(t) for t in adapted.tried],
        "findings": [f.__dict__ for f in verdict.findings],
        "pipeline": str(run.artifacts / "pipeline.skops"),
        "fingerprint": fingerprint([label, domain, str(target)]),
        "repeat": [command] if command else [],
    }  # fmt: skip


def _row(tried: Any) -> dict[str, Any]:
    verdict = tried.verdict
    return {
        "method": tried.name, "note": tried.note, "seconds": tried.seconds,
        "decision": None if verdict is None else verdict.decision,
        "score": None if verdict is None else verdict.score,
        "baseline": None if verdict is None else verdict.baseline,
        "gain": None if verdict is None else verdict.gain,
        "interval": None if verdict is None else list(verdict.interval),
    }  # fmt: skip
