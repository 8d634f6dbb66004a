from __future__ import annotations

import json

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("skops")

from ecotone.align import SourceOnly  # noqa: E402  pandas and skops are extras
from ecotone.core.errors import BadInput  # noqa: E402
from ecotone.data.shifts import made_shift  # noqa: E402
from ecotone.jobs.adapt import adapt  # noqa: E402
from ecotone.jobs.align_table import align_table, load_pipeline, predict_rows  # noqa: E402


def table_of(kind, path, **given):
    made = made_shift(kind, n=200, **given)
    frame = pd.DataFrame(made.X, columns=list("abcde")[: made.X.shape[1]])
    frame["site"] = np.where(made.sample_domain < 0, "B", "A")
    frame["y"] = np.array(["low", "mid", "high"])[made.truth]
    frame.to_csv(path, index=False)
    return made, frame


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("align")
    made, frame = table_of("location_scale", folder / "rows.csv")
    found = align_table(
        folder / "rows.csv", label="y", domain="site", target="B", out=folder / "runs",
        command="ecotone align rows.csv",
    )  # fmt: skip
    return found, made, frame, folder


def test_from_a_table_to_a_verdict_and_a_pipeline(aligned):
    found, made, frame, _ = aligned
    assert found.adapted.verdict.decision == "adapt"
    target = frame[frame["site"] == "B"]
    right = (found.pipeline.predict(target[list("abcde")]) == target["y"]).mean()
    plain = SourceOnly().fit(made.X, made.y, made.sample_domain).score(*made.target)
    assert right > plain + 0.1


def test_what_is_saved_predicts_the_same(aligned):
    found, _, frame, folder = aligned
    again = load_pipeline(found.run.path)
    rows = frame[list("abcde")]
    assert (again.predict(rows) == found.pipeline.predict(rows)).all()
    frame.drop(columns=["y", "site"]).to_csv(folder / "new.csv", index=False)
    _, predicted = predict_rows(found.run.path, folder / "new.csv")
    assert (predicted == found.pipeline.predict(rows)).all()
    frame[["a", "b"]].to_csv(folder / "short.csv", index=False)
    with pytest.raises(BadInput, match="there is no column 'c'"):
        predict_rows(found.run.path, folder / "short.csv")


def test_a_pipeline_of_unknown_types_is_not_read(aligned, tmp_path):
    from skops import io

    (tmp_path / "artifacts").mkdir()
    io.dump({"x": json.JSONEncoder}, tmp_path / "artifacts" / "pipeline.skops")
    with pytest.raises(BadInput, match="objects of unknown types"):
        load_pipeline(tmp_path)


def test_the_report_begins_with_the_decision(aligned):
    from ecotone.report import write

    found = aligned[0]
    page = write(found.run.path).read_text()
    plain = (found.run.path / "report.md").read_text()
    assert f"Adapt: use {found.adapted.method}." in page
    assert "source_only (do nothing)" in plain
    assert page.count("<circle") > 400
    assert "location-scale" in plain


def test_target_labels_in_the_file_change_nothing(aligned, tmp_path):
    found, _, frame, _ = aligned
    poisoned = frame.copy()
    poisoned.loc[poisoned["site"] == "B", "y"] = "high"
    poisoned.to_csv(tmp_path / "rows.csv", index=False)
    other = align_table(
        tmp_path / "rows.csv", label="y", domain="site", target="B", out=tmp_path / "runs"
    )
    assert other.adapted.verdict.fingerprint == found.adapted.verdict.fingerprint
    assert (other.pipeline.predict(frame) == found.pipeline.predict(frame)).all()


def test_few_labels_enter_as_evidence(tmp_path):
    _, frame = table_of("location_scale", tmp_path / "rows.csv")
    _, more = table_of("location_scale", tmp_path / "more.csv", seed=7)
    few = more[more["site"] == "B"].head(60)
    few.to_csv(tmp_path / "few.csv", index=False)
    found = align_table(
        tmp_path / "rows.csv", label="y", domain="site", target="B", few=tmp_path / "few.csv",
        methods=["coral"], out=tmp_path / "runs",
    )  # fmt: skip
    verdict = found.adapted.verdict
    assert verdict.used_target_labels
    assert verdict.decision == "adapt"
    assert "V309" in {f.code for f in verdict.findings}
    assert len(frame) == 400


def test_a_method_that_cannot_run_says_so_and_the_others_go_on():
    made = made_shift("location_scale", n=150)
    y = np.where(made.sample_domain > 0, made.truth + 0.5, np.nan)
    from sklearn.linear_model import Ridge

    found = adapt(made.X, y, made.sample_domain, methods=["mlls", "coral"], estimator=Ridge())
    notes = {t.name: t for t in found.tried}
    assert notes["mlls"].verdict is None
    assert "classes" in notes["mlls"].note
    assert notes["coral"].verdict is not None


def test_a_spent_budget_leaves_the_rest_out():
    made = made_shift("location_scale", n=100)
    found = adapt(made.X, made.y, made.sample_domain, methods=["coral", "linear_ot"], budget=0)
    assert found.tried[0].verdict is not None
    assert "budget" in found.tried[1].note


def test_a_method_of_another_protocol_says_so_in_the_table():
    made = made_shift("none", n=60)
    got = adapt(made.X, made.y, made.sample_domain, methods=["latent_label_shift"])
    assert got.method == "source_only"
    assert "takes no labelled sources" in got.tried[0].note
