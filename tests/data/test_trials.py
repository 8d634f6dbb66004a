"""Tables of runs in every shape people have them, and every way such a table can be wrong."""

import numpy as np
import pytest

from ecotone.core.errors import BadInput, EcotoneError, TooFewRows
from ecotone.core.seeds import stream
from ecotone.core.trials import Trials
from ecotone.data import published
from ecotone.data.trials import read_trials, write_trials

ONE = """run,law,web,code,loss,seed
a,0.5,0.25,0.25,3.5,0
b,0.2,0.3,0.5,3.25,1
c,1.0,0,0,3.0,2
"""


def file(tmp_path, text, name="runs.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def some_trials(n=12, k=3, t=2, seed=0):
    rng = stream(seed, "test_trials")
    about = {"run": [f"r{i}" for i in range(n)], "seed": list(range(n)), "tokens": [10**9] * n}
    return Trials(
        rng.dirichlet(np.ones(k), size=n),
        2 + rng.random((n, t)),
        tuple(f"web_{i}" for i in range(k)),
        tuple(f"web_{i}_loss" for i in range(t)),
        about,
    )


# --- shapes


def test_one_csv_without_marks(tmp_path):
    trials = read_trials(file(tmp_path, ONE))
    assert (trials.domains, trials.targets) == (("law", "web", "code"), ("loss",))
    np.testing.assert_array_equal(trials.weights, [[0.5, 0.25, 0.25], [0.2, 0.3, 0.5], [1, 0, 0]])
    np.testing.assert_array_equal(trials.scores, [[3.5], [3.25], [3.0]])
    assert trials.about == {"run": ["a", "b", "c"], "seed": [0, 1, 2]}


@pytest.mark.parametrize(
    ("header", "domains", "targets"),
    [
        ("weight:law,weight:web,loss:med,loss:web", ["law", "web"], ["med", "web"]),
        ("w_law,w_web,med_val_loss,web_val_loss", ["law", "web"], ["med", "web"]),
        ("train_law,train_web,train_loss,val_loss", ["law", "web"], ["train", "val"]),
        ("ratio/a b,ratio/c,eval/x/nll,eval/y/nll", ["a b", "c"], ["x/nll", "y/nll"]),
        ("law,web,metric/law_loss,metric/web_loss", ["law", "web"], ["law", "web"]),
        ("law,web,perplexity on x,other", ["law", "web"], ["perplexity on x", "other"]),
    ],
)
def test_marks_in_column_names(tmp_path, header, domains, targets):
    text = f"{header}\n.5,.5,3,4\n.25,.75,2,5\n"
    trials = read_trials(file(tmp_path, text))
    assert [list(trials.domains), list(trials.targets)] == [domains, targets]
    np.testing.assert_array_equal(trials.scores, [[3, 4], [2, 5]])


def test_order_of_columns_does_not_matter_with_marks(tmp_path):
    text = "loss:x,seed,weight:a,note,weight:b\n3,1,.5,hello,.5\n2,2,.1,,.9\n"
    trials = read_trials(file(tmp_path, text))
    assert (trials.domains, trials.targets) == (("a", "b"), ("x",))
    assert trials.about == {"seed": [1, 2], "note": ["hello", ""]}


def test_columns_by_name(tmp_path):
    text = "p,a,b,q,r\n0.5,0.3,0.7,1,2\n0.5,0.6,0.4,3,4\n"
    trials = read_trials(file(tmp_path, text), weights=["b", "a"], scores=["r"])
    assert (trials.domains, trials.targets) == (("b", "a"), ("r",))
    np.testing.assert_array_equal(trials.weights[0], [0.7, 0.3])
    assert trials.about == {"p": [0.5, 0.5], "q": [1, 3]}
    with pytest.raises(BadInput, match="the column 'c' is missing") as caught:
        read_trials(tmp_path / "runs.csv", weights=["a", "c"])
    assert caught.value.why == "the file has: p, a, b, q, r."
    with pytest.raises(BadInput, match="the column 'z' is missing"):
        read_trials(tmp_path / "runs.csv", weights=["a", "b"], scores=["z"])


def test_two_csvs_as_published_runs_come(tmp_path):
    """The files of the published runs, shuffled, against the loader that knows them by heart."""
    folder = published._REGMIX
    want = published.regmix_runs()
    header, *rows = (folder / "train_pile_loss_1m.csv").read_text().splitlines()
    shuffled = [rows[i] for i in stream(0, "shuffle").permutation(len(rows))]
    other = file(tmp_path, "\n".join([header, *shuffled]), "losses.csv")
    got = read_trials(folder / "train_mixture_1m.csv", other)
    assert (got.domains, got.targets) == (want.domains, want.targets)
    assert got.fingerprint == want.fingerprint
    assert got.about["index"] == list(want.about["index"])


def test_two_csvs_joined_by_the_first_id_that_is_unique(tmp_path):
    """Three id columns in both files, names of domains with colons."""
    ratios = file(
        tmp_path,
        "run,name,index,dclm:law,dclm:web,pes2o\ng1,x-0,0,.5,.3,.2\ng1,x-1,1,.1,.2,.7\n",
        "ratios.csv",
    )
    metrics = file(
        tmp_path, "run,name,index,bpb,acc loss\ng1,x-1,1.0,0.9,2\ng1,x-0,00,0.8,3\n", "metrics.csv"
    )
    trials = read_trials(ratios, metrics)
    assert trials.domains == ("dclm:law", "dclm:web", "pes2o")
    assert trials.targets == ("acc",)  # a column marked as loss wins over one that is not
    np.testing.assert_array_equal(trials.scores[:, 0], [3, 2])
    assert trials.about == {
        "run": ["g1", "g1"], "name": ["x-0", "x-1"], "index": [0, 1], "bpb": [0.8, 0.9],
    }  # fmt: skip
    both = read_trials(ratios, metrics, scores=["bpb", "acc loss"])
    assert both.targets == ("bpb", "acc")


def test_a_shared_beginning_stays_unless_losses_share_it(tmp_path):
    one = file(tmp_path, "id,web_law,web_news\n1,.5,.5\n2,.1,.9\n")
    two = file(tmp_path, "id,law_loss\n1,3\n2,4\n", "losses.csv")
    assert read_trials(one, two).domains == ("web_law", "web_news")
    two.write_text("id,web_law_loss\n1,3\n2,4\n")
    trials = read_trials(one, two)
    assert (trials.domains, trials.targets) == (("law", "news"), ("law",))


def test_semicolons_decimal_commas_tabs_quotes_and_bom(tmp_path):
    want = read_trials(file(tmp_path, ONE))
    comma = "\ufeff" + ONE.replace(",", ";").replace("0.", "0,").replace("3.", "3,")
    for text in (
        comma.replace("\n", "\r\n"),
        ONE.replace(",", "\t") + "\n\n",
        ONE.replace("law", '"law"').replace("0.5,0.25", ' 0.5 ,"0.25"'),
    ):
        assert read_trials(file(tmp_path, text)).fingerprint == want.fingerprint


def test_rounded_shares_are_divided_by_their_sum(tmp_path):
    trials = read_trials(file(tmp_path, "a,b,c,loss\n.333,.333,.333,3\n.5,.5,.01,2\n"))
    np.testing.assert_allclose(trials.weights.sum(axis=1), 1, atol=1e-15)
    assert trials.weights[0, 0] == pytest.approx(1 / 3)


# --- our own files


def test_json_and_run_folder(tmp_path):
    trials = some_trials()
    trials.save(tmp_path / "trials.json")
    (tmp_path / "run" / "artifacts").mkdir(parents=True)
    trials.save(tmp_path / "run" / "artifacts" / "trials.json")
    for path in (tmp_path / "trials.json", tmp_path / "run", str(tmp_path)):
        again = read_trials(path)
        assert (again.domains, again.targets) == (trials.domains, trials.targets)
        np.testing.assert_allclose(again.weights, trials.weights, rtol=1e-15)
        np.testing.assert_array_equal(again.scores, trials.scores)
    with pytest.raises(BadInput, match=r"no trials\.json here"):
        read_trials(tmp_path / "run" / "artifacts" / "nothing.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="empty: no trials"):
        read_trials(tmp_path / "empty")


def test_write_and_read_again(tmp_path):
    trials = some_trials()
    write_trials(trials, tmp_path / "t.csv")
    again = read_trials(tmp_path / "t.csv")
    assert (again.domains, again.targets) == (trials.domains, trials.targets)
    np.testing.assert_allclose(again.weights, trials.weights, rtol=1e-15)
    np.testing.assert_array_equal(again.scores, trials.scores)
    assert again.about == trials.about


# --- bad input

BAD = {
    "cell": (ONE.replace("0.3", "x"), r"csv:3: the column web holds 'x'", "weights"),
    "empty": (ONE.replace("3.25", ""), r"csv:3: the column loss is empty", "diverged"),
    "nan": (ONE.replace("3.25", "nan"), r"csv:3: the column loss holds 'nan'", "diverged"),
    "infinite": (ONE.replace("3.25", "inf"), r"csv:3: the column loss holds 'inf'", "diverged"),
    "nan share": (ONE.replace("0.2,", "NaN,"), r"csv:3: the column law holds 'NaN'", "weights"),
    "negative": (ONE.replace("1.0,0,0", "1.1,-0.1,0"), r"csv:4: the share of web is -0\.1",
                 "0 or more"),
    "sum": (ONE.replace("0.2,", "0.3,"), r"csv:3: the shares of law, web, code sum to 1\.1",
            "divide"),
    "no sum": (ONE.replace("0.5,", "5,").replace("0.2,", "2,"), "no columns found", "weight:"),
    "marked sum": ("w_a,w_b,loss\n1,1,3\n1,2,4\n", r"csv:2: the shares of w_a, w_b sum to 2",
                   "divide"),
    "twice": (ONE.replace("c,1", "a,1"), r"csv:4: the run a stands in line 2 already", "one row"),
    "ragged": (ONE.replace("3.25,1", "3.25"), r"csv:3: the row has 5 cells, the header has 6",
               "header"),
    "header": (ONE.replace("code", "law"), r"csv:1: two columns are called 'law'", "rename"),
    "constant": ("a,b,loss,x_loss\n.5,.5,3,1\n.1,.9,3,2\n", "every run has the same loss.* loss",
                 "scores"),
    "no losses": ("a,b,seed\n.5,.5,3\n.1,.9,3\n", "no column of losses", "losses=FILE"),
    "words": ("a,b,loss\nx,y,3\nz,w,2\n", "no columns found", "weight:"),
    "nul": ("a,b,loss\n.5,.5,3\n.1,.9,\x002\n.2,.8,1\n", r"csv:3: the column loss", "diverged"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_tables(tmp_path, kind):
    text, what, cure = BAD[kind]
    with pytest.raises(BadInput, match=what) as caught:
        read_trials(file(tmp_path, text))
    assert cure in caught.value.cure


@pytest.mark.parametrize("text", ["", "a,b,loss\n", "a,b,loss\n.5,.5,3\n"])
def test_too_few_rows(tmp_path, text):
    with pytest.raises(TooFewRows, match="at least 2 are needed"):
        read_trials(file(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInput, match=r"nothing\.csv: cannot be read \(No such file"):
        read_trials(tmp_path / "nothing.csv")
    (tmp_path / "latin.csv").write_bytes(b"a,b\xe9,loss\n")
    with pytest.raises(BadInput, match=r"latin\.csv:byte 3: the table is not UTF-8"):
        read_trials(tmp_path / "latin.csv")


def test_runs_in_one_file_only(tmp_path):
    one = file(tmp_path, "index,a,b\n" + "".join(f"{i},.5,.5\n" for i in range(20)), "w.csv")
    two = file(tmp_path, "index,loss\n" + "".join(f"{i},{i}\n" for i in (0, 1, 99)), "l.csv")
    with pytest.raises(BadInput, match="stand in one file only, by the column index") as caught:
        read_trials(one, two)
    assert f"{one} only: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more; " in caught.value.why
    assert f"{two} only: 99." in caught.value.why


def test_runs_that_cannot_be_joined(tmp_path):
    one = file(tmp_path, "index,a,b\n1,.5,.5\n1.0,.4,.6\n", "w.csv")
    two = file(tmp_path, "index,loss\n1,2\n2,3\n", "l.csv")
    with pytest.raises(BadInput, match=r"w\.csv:3: the run 1 stands in line 2 already"):
        read_trials(one, two)
    two.write_text("job,loss\n1,2\n2,3\n")
    with pytest.raises(EcotoneError, match="no column in common that names the runs"):
        read_trials(one, two)


def test_shares_alone_that_do_not_sum_name_their_line(tmp_path):
    one = file(tmp_path, "index,a,b\n1,50,50\n2,40,60\n", "w.csv")
    two = file(tmp_path, "index,loss\n1,2\n2,3\n", "l.csv")
    with pytest.raises(BadInput, match=r"w\.csv:2: the shares of a, b sum to 100, not to 1"):
        read_trials(one, two)
