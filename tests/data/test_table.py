from __future__ import annotations

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from ecotone.core.errors import BadInput, NoTarget  # noqa: E402  pandas is an extra
from ecotone.data.table import encoder, plain_words, read_table  # noqa: E402

LINES = """age,ward,site,outcome
40,a,A,1
50,b,B,0
,a,C,
61,,C,1
"""


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(LINES)
    return path


def test_columns_become_features_labels_and_domains(csv):
    X, y, domain = read_table(csv, "outcome", "site", "C")
    assert list(X.columns) == ["age", "ward"]
    assert y.tolist() == [1, 0, -1, -1]  # masked, though the file has one of them
    assert domain.tolist() == [1, 2, -3, -3]


def test_the_formats_agree(csv, tmp_path):
    frame = pd.read_csv(csv)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_csv(tmp_path / "rows.csv.gz", index=False)
    one = read_table(csv, "outcome", "site", "C")
    for name in ("rows.parquet", "rows.csv.gz"):
        two = read_table(tmp_path / name, "outcome", "site", "C")
        assert (one[1] == two[1]).all()
        assert (one[2] == two[2]).all()
        assert plain_words(one[0]).equals(plain_words(two[0]))


def test_arrays_of_an_npz_file(tmp_path):
    np.savez(
        tmp_path / "rows.npz", X=np.eye(3), y=np.array(["a", "b", "a"]), d=np.array(["s", "s", "t"])
    )
    X, y, domain = read_table(tmp_path / "rows.npz", "y", "d", "t")
    assert X.shape == (3, 3)
    assert y.tolist() == ["a", "b", None]
    assert domain.tolist() == [1, 1, -2]


@pytest.mark.parametrize(
    ("change", "given", "says"),
    [
        (lambda t: t, ("result", "site", "C"), "there is no column 'result'"),
        (
            lambda t: t.replace("50,b,B,0", "50,b,B,0,7"),
            ("outcome", "site", "C"),
            r"rows.csv:3: 5 c",
        ),
        (
            lambda t: t.replace("40,a,A,1", "40,a,A,"),
            ("outcome", "site", "C"),
            "rows.csv:2: a source",
        ),
    ],
)
def test_bad_tables_are_one_sentence(csv, change, given, says):
    csv.write_text(change(LINES))
    with pytest.raises(BadInput, match=says) as error:
        read_table(csv, *given)
    assert error.value.cure


def test_a_target_nobody_belongs_to(csv):
    with pytest.raises(NoTarget, match="no row is of the domain 'D'"):
        read_table(csv, "outcome", "site", "D")
    (csv.parent / "rows.xls").write_text("")
    with pytest.raises(BadInput, match="not a table"):
        read_table(csv.parent / "rows.xls", "outcome", "site", "C")


def test_words_and_holes_become_finite_numbers():
    X = plain_words(
        pd.DataFrame({"age": [1.0, np.nan, 3, 4] * 5, "ward": ["a", "b", None, "a"] * 5})
    )
    encode = encoder(X).fit(X)
    Z = encode.transform(X)
    assert np.isfinite(Z).all()
    new = plain_words(pd.DataFrame({"age": [2.0], "ward": ["never seen"]}))
    assert np.isfinite(encode.transform(new)).all()


def test_an_identifier_is_refused_by_name():
    X = pd.DataFrame({"id": [f"p{i}" for i in range(200)], "x": range(200)})
    with pytest.raises(BadInput, match="the column id holds 200 different words") as error:
        encoder(X)
    assert "--drop id" in error.value.cure
