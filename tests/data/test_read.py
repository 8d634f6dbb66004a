"""Every readable format gives the same documents; every kind of bad input says where and why."""

import gzip
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, NoTarget
from ecotone.data import stream
from ecotone.data.formats import records
from ecotone.data.read import read_corpus

TEXTS = ["The court finds.", "Über die Brücke\n\nzwei", "日本語の文", "x" * 40_000]


def jsonl(texts, field="text", **more):
    return "".join(json.dumps({field: t, **more}) + "\n" for t in texts).encode()


def folder(tmp_path, **files):
    """Write files given as name=bytes; a name with __ for / and _DOT_ for a dot."""
    for name, data in files.items():
        file = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path


def parquet(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def texts_of(corpus, name):
    return [doc.text for doc in corpus.docs(name)]


# --- what can be read


def test_all_formats_give_the_same_documents(tmp_path):
    data = jsonl(TEXTS)
    half = len(jsonl(TEXTS[:2]))
    zst = zstandard.ZstdCompressor()
    folder(
        tmp_path,
        plain_DOT_jsonl=data,
        gz_DOT_jsonl_DOT_gz=gzip.compress(data),
        gz2_DOT_jsonl_DOT_gz=gzip.compress(data[:half]) + gzip.compress(data[half:]) + b"\0" * 99,
        zst_DOT_jsonl_DOT_zst=zst.compress(data),
        zst2_DOT_jsonl_DOT_zst=zst.compress(data[: half + 5])
        + b"\x50\x2a\x4d\x18\x05\0\0\0abcde"  # a skippable frame, as parallel writers add
        + zst.compress(data[half + 5 :]),
        crlf_DOT_jsonl=b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n\r\n"),
        noend_DOT_jsonl=data.rstrip(b"\n"),
    )
    parquet(tmp_path / "pq.parquet", text=TEXTS, other=[1] * 4)
    parquet(tmp_path / "parts" / "b" / "1.parquet", text=TEXTS[2:])
    (tmp_path / "parts" / "a.jsonl").write_bytes(jsonl(TEXTS[:2]))
    for i, text in enumerate(TEXTS):
        folder(tmp_path, **{f"txt__{i}_DOT_txt": text.encode()})
    corpus = read_corpus(tmp_path, target="zst")
    assert corpus.names == tuple(sorted(corpus.names))
    assert len(corpus.names) == 10
    assert {name: texts_of(corpus, name) for name in corpus.names} == dict.fromkeys(
        corpus.names, TEXTS
    )


def test_roles_ids_and_meta(tmp_path):
    folder(
        tmp_path,
        web__b_DOT_jsonl=jsonl(["two"], year=2020, tags=["x"], score=0.5),
        web__a__deep_DOT_jsonl=b"\n" + jsonl(["one"]),
        law_DOT_jsonl=jsonl(["three"]),
    )
    corpus = read_corpus(str(tmp_path), target="law")
    assert [(d.name, d.role, d.size, d.tokens) for d in corpus.domains] == [
        ("law", "target", -1, None),
        ("web", "source", -1, None),
    ]
    first, second = corpus.docs("web")
    assert (first.id, first.text, first.domain) == ("web/a/deep.jsonl:2", "one", "web")
    assert (second.id, second.meta) == ("web/b.jsonl:1", {"year": 2020, "score": 0.5})
    assert not read_corpus(tmp_path).has_target


def test_empty_texts_nulls_and_notes_are_passed_over(tmp_path):
    lines = [{"text": ""}, {"text": " \n\t"}, {"text": None}, {"text": "kept"}]
    folder(
        tmp_path,
        a_DOT_jsonl="\n\n".join(map(json.dumps, lines)).encode(),
        README_DOT_md=b"# notes",
        LICENSE=b"free",
        SOURCES_DOT_json=b"{}",
        _DOT_hidden_DOT_jsonl=b"not json",
        a2__notes_DOT_csv=b"1,2",
        a2___DOT_part_DOT_jsonl=b"not json",
        a2__x_DOT_txt=b"kept",
    )
    parquet(tmp_path / "b.parquet", text=["", None, "kept"])
    corpus = read_corpus(tmp_path)
    assert corpus.names == ("a", "a2", "b")
    assert [texts_of(corpus, n) for n in corpus.names] == [["kept"]] * 3


def test_field_and_column_of_another_name(tmp_path):
    folder(tmp_path, a_DOT_jsonl=jsonl(["x y"], field="body", text=3))
    parquet(tmp_path / "b.parquet", body=pa.array(["x y"]).dictionary_encode(), text=[3])
    parquet(tmp_path / "c.parquet", body=pa.array(["x y"], pa.large_string()))
    corpus = read_corpus(tmp_path, text_field="body")
    assert [texts_of(corpus, n) for n in corpus.names] == [["x y"]] * 3


def test_nan_and_lone_surrogates_do_not_stop_reading(tmp_path):
    folder(tmp_path, a_DOT_jsonl=b'{"text": "a", "n": NaN}\n{"text": "b\\ud800c"}\n')
    assert texts_of(read_corpus(tmp_path), "a") == ["a", "b\ufffdc"]


# --- plain text


def test_a_single_text_file_is_cut_at_blank_lines(tmp_path):
    blocks = [f"{i} " + "word " * 150 + "end" for i in range(12)]  # 757 characters or so each
    text = "\n\n".join(blocks)
    folder(tmp_path, a_DOT_txt=text.replace("\n", "\r\n").encode())
    docs = list(read_corpus(tmp_path).docs("a"))
    assert "\n\n".join(d.text for d in docs) == text
    assert [len(d.text) >= 2000 for d in docs] == [True] * 4
    assert [d.id for d in docs] == ["a.txt:1", "a.txt:7", "a.txt:13", "a.txt:19"]


@pytest.mark.parametrize("sep", ["\n", " ", ""])
def test_text_without_blank_lines_is_still_cut(tmp_path, sep):
    text = sep.join(["abcdefghi"] * 9000)
    folder(tmp_path, a_DOT_txt=text.encode())
    got = texts_of(read_corpus(tmp_path), "a")
    assert "".join(got).replace(sep or "\0", "") == text.replace(sep or "\0", "")
    assert len(got) >= 4
    assert max(map(len, got)) <= 20_000
    assert all(g.strip().startswith("abc") and g.strip().endswith("ghi") for g in got) or not sep


def test_cuts_do_not_depend_on_the_block_size(tmp_path, monkeypatch):
    text = "".join(f"né {i}\r\n" + "\n" * (i % 7 == 0) for i in range(4000))
    folder(tmp_path, a_DOT_txt=b"\xef\xbb\xbf" + text.encode())
    want = list(records(tmp_path / "a.txt", cut_text=True))
    assert want[0].text.startswith("né 0")
    for block in (1, 99):
        monkeypatch.setattr(stream, "BLOCK", block)
        assert list(records(tmp_path / "a.txt", cut_text=True)) == want


def test_text_files_in_a_folder_stay_whole(tmp_path):
    text = "\n\n".join(["word " * 700] * 5)
    folder(tmp_path, a__1_DOT_txt=text.encode(), a__2_DOT_txt=b"short")
    assert texts_of(read_corpus(tmp_path), "a") == [text, "short"]


# --- fingerprints, saving


def test_fingerprint_follows_contents_and_nothing_else(tmp_path):
    one = folder(tmp_path / "one", a_DOT_jsonl=jsonl(["x"]), b__c_DOT_txt=b"y", b__d_DOT_txt=b"z")
    corpus = read_corpus(one)
    two = read_corpus(shutil.copytree(one, tmp_path / "two"))  # new times, new place
    assert two.fingerprint == corpus.fingerprint
    assert read_corpus(one, target="a").fingerprint != corpus.fingerprint
    (tmp_path / "two" / "b" / "d.txt").write_text("Z")
    changed = read_corpus(tmp_path / "two")
    assert changed["a"].fingerprint == corpus["a"].fingerprint
    assert changed["b"].fingerprint != corpus["b"].fingerprint
    (tmp_path / "one" / "b" / "c.txt").rename(tmp_path / "one" / "b" / "e.txt")  # another order
    assert read_corpus(one)["b"].fingerprint != corpus["b"].fingerprint


def test_save_and_load(tmp_path, monkeypatch):
    folder(tmp_path / "data", a_DOT_jsonl=jsonl(["x"], field="body"), b_DOT_txt=b"y")
    monkeypatch.chdir(tmp_path)
    read_corpus("data", target="b", text_field="body").save(tmp_path / "corpus.json")
    monkeypatch.chdir("/")
    again = Corpus.load(tmp_path / "corpus.json")
    assert (again.target.name, texts_of(again, "a")) == ("b", ["x"])
    (tmp_path / "data" / "b.txt").write_text("changed")
    with pytest.raises(BadInput, match="has changed"):
        Corpus.load(tmp_path / "corpus.json")


# --- bad input: (files, what the sentence says, what the cure says)

OK = jsonl(["fine"])
TORN_GZ = gzip.compress(jsonl(["x" * 50, *map(str, range(9999))]))[:-30]
TORN_ZST = zstandard.ZstdCompressor().compress(jsonl(map(str, range(9999))))[:-10]
BAD = {
    "json": (OK + b'{"text": "a"\n', r"a\.jsonl:2:13: invalid JSON", "mend"),
    "array": (OK + b'["text"]\n', r"a\.jsonl:2: .* a list, not a JSON object", '"text": "..."'),
    "number": (b"7\n", r"a\.jsonl:1: .* a number, not a JSON object", '"text": "..."'),
    "field": (OK + b'{"id": "7", "body": "long"}', r"a\.jsonl:2: .*'text' is missing.* id, body",
              "--text-field body"),
    "no field": (b'{"n": 7}', r"a\.jsonl:1: .*'text' is missing", "add the field"),
    "type": (OK + b'{"text": [1]}', r"a\.jsonl:2: .*'text' holds a list, not a string", "remove"),
    "bool": (OK + b'{"text": true}', r"a\.jsonl:2: .* holds true or false", "remove"),
    "utf8": (OK + b'{"text": "a\xffb"}', r"a\.jsonl:2: byte 28 is 0xff, which is not UTF-8",
             "iconv"),
    "deep": (b"[" * 99_999, r"a\.jsonl:1: .*nested too deeply", "remove"),
    "empty": (b'\n{"text": " "}\n', "the domain a holds no text", "remove"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_lines(tmp_path, kind):
    data, what, cure = BAD[kind]
    with pytest.raises(BadInput, match=what) as caught:
        read_all(folder(tmp_path, a_DOT_jsonl=data, b_DOT_jsonl=OK))
    assert cure in caught.value.cure
    assert "\n" not in caught.value.what


def read_all(path, **options):
    corpus = read_corpus(path, **options)
    for name in corpus.names:
        for _ in corpus.docs(name):
            pass


@pytest.mark.parametrize(("suffix", "data"), [("gz", TORN_GZ), ("zst", TORN_ZST)])
def test_torn_and_damaged_compression(tmp_path, suffix, data):
    file = tmp_path / f"a.jsonl.{suffix}"
    file.write_bytes(data)
    with pytest.raises(BadInput, match=rf"{suffix}:byte {len(data)}: .* in the middle of its"):
        read_all(tmp_path)
    for good in (b"", (gzip.compress if suffix == "gz" else zstandard.compress)(OK * 9999)):
        file.write_bytes(good + b"\1\2\3 no such magic")
        where = len(good) // stream.BLOCK * stream.BLOCK
        with pytest.raises(BadInput, match=rf"{suffix}:byte {where}: .* damaged"):
            read_all(tmp_path)


def test_flipped_bit_is_found_by_the_checksum(tmp_path):
    data = bytearray(gzip.compress(jsonl(["some text"]), compresslevel=0))
    data[-12] ^= 1
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    with pytest.raises(BadInput, match="damaged"):
        read_all(tmp_path)


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xc3\xbc" * 30_000 + b"caf\xe9 au lait")
    with pytest.raises(BadInput, match=r"a\.txt:byte 60003: 0xe9 is not UTF-8") as caught:
        read_all(tmp_path)
    assert "iconv" in caught.value.cure
    (tmp_path / "a.txt").write_bytes(b"x" * (16 * stream.BLOCK - 1) + b"\xc3")  # torn at the end
    with pytest.raises(BadInput, match=rf"byte {16 * stream.BLOCK - 1}: 0xc3"):
        read_all(tmp_path)
    (tmp_path / "a.txt").rename(tmp_path / "a.jsonl.gz")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(OK + b'{"text": "\xff"}'))
    with pytest.raises(BadInput, match=r"gz:2: byte 27 of the decompressed text"):
        read_all(tmp_path)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "LINE_LIMIT", 1 << 20)
    folder(tmp_path, a_DOT_jsonl=OK + b'{"text": "' + b"x" * (3 << 20) + b'"}')
    with pytest.raises(BadInput, match=r"a\.jsonl:2: the line is longer than 1 MiB"):
        read_all(tmp_path)


def test_bad_parquet(tmp_path):
    file = tmp_path / "a.parquet"
    parquet(file, body=["x"], n=[1])
    with pytest.raises(BadInput, match="'text' is missing; the file has: body, n") as caught:
        read_corpus(tmp_path)
    assert "--text-field body" in caught.value.cure
    with pytest.raises(BadInput, match="'n' holds int64, not strings"):
        read_corpus(tmp_path, text_field="n")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(BadInput, match=r"a\.parquet: cannot be read as parquet"):
        read_corpus(tmp_path, text_field="body")


def test_parquet_text_that_is_not_utf8(tmp_path):
    array = pa.array([b"ok", b"\xff\xfe"], pa.binary()).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"text": array}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"a\.parquet:row 1: .*not UTF-8"):
        read_all(tmp_path)


def test_missing_folder_file_instead_and_nothing_inside(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        read_corpus(tmp_path / "nowhere")
    file = tmp_path / "a.jsonl"
    file.write_bytes(OK)
    with pytest.raises(BadInput, match="is a file, not a folder"):
        read_corpus(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: no file in this folder can be read"):
        read_corpus(tmp_path)
    with pytest.raises(BadInput, match="no domain found"):
        read_corpus(tmp_path / "empty")
    (tmp_path / "empty").rmdir()
    (tmp_path / "law.csv").write_text("a,b")
    with pytest.raises(BadInput, match=r"law\.csv: this kind is not read") as caught:
        read_corpus(tmp_path)
    assert ".parquet" in caught.value.why


def test_two_entries_for_one_domain(tmp_path):
    folder(tmp_path, law_DOT_jsonl=OK, law__x_DOT_jsonl=OK)
    with pytest.raises(BadInput, match=r"domain law: law and law\.jsonl") as caught:
        read_corpus(tmp_path)
    assert "one folder law/" in caught.value.cure


def test_unknown_target_names_the_nearest(tmp_path):
    folder(tmp_path, pubmed_DOT_jsonl=OK, web_DOT_jsonl=OK)
    with pytest.raises(NoTarget, match="did you mean 'pubmed'") as caught:
        read_corpus(tmp_path, target="pubmde")
    assert caught.value.why == "the domains are: pubmed, web."
    assert "--target pubmed" in caught.value.cure
    with pytest.raises(NoTarget, match=r"no domain is called 'zzz'\."):
        read_corpus(tmp_path, target="zzz")


# --- memory


def test_memory_stays_small(tmp_path):
    """60 MB in five formats; what Python itself holds is a few blocks, never a file."""
    words = [f"w{i * 7919 % 99991}" for i in range(2000)]
    docs = [" ".join(words[i % 900 :: 3])[:4000] for i in range(3500)]
    data = jsonl(docs)
    folder(
        tmp_path,
        a_DOT_jsonl=data,
        b_DOT_jsonl_DOT_gz=gzip.compress(data, 1),
        c_DOT_jsonl_DOT_zst=zstandard.compress(data),
        d_DOT_txt="\n\n".join(docs).encode(),
    )
    parquet(tmp_path / "e.parquet", text=docs)
    total = len(data) * 5
    del docs, data
    read_all(tmp_path)  # imports
    tracemalloc.start()
    try:
        read_all(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 55e6
    assert peak < 8e6  # any one of the files is 12 MB


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read the peak")
def test_resident_memory_stays_small(tmp_path):
    """The same for memory outside Python's allocator: a parquet file of one 100 MB row group."""
    docs = [f"{i} " + "word" * 500 for i in range(50_000)]
    pq.write_table(pa.table({"text": docs}), tmp_path / "a.parquet", compression="none",
                   use_dictionary=False, row_group_size=len(docs))  # fmt: skip
    assert (tmp_path / "a.parquet").stat().st_size > 95e6
    program = (
        "import sys, re, pathlib, pyarrow.parquet\n"
        "from ecotone.data.read import read_corpus\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', "
        "pathlib.Path('/proc/self/status').read_text())[1])\n"
        "before = peak(); corpus = read_corpus(sys.argv[1])\n"
        "n = sum(len(d.text) for d in corpus.docs('a')); print(peak() - before, n)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    rise, characters = map(int, done.stdout.split())
    assert characters > 95e6
    assert rise < 40_000  # kB
