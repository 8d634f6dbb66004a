"""Each extractor on a tiny file of its kind, with the awkward parts of the real ones."""

import io
import struct
import tarfile
import zlib

from ecotone.data import extract

OBO = """format-version: 1.2
remark: name: not a term

[Term]
id: HP:1
name: Gout
alt_id: HP:7
def: "Pain in the \\"great\\" toe." [ref:1, "x"]
comment: Often at night
synonym: "Podagra" EXACT []
synonym: "Gout" EXACT layperson []
is_a: HP:0 ! Something else

[Term]
id: HP:2
name: Old word
is_obsolete: true

[Typedef]
id: part_of
name: part of

[Term]
id: HP:3
name: Why?
"""


def test_ontology_terms():
    assert list(extract.ontology_terms(OBO)) == [
        'Gout. Pain in the "great" toe. Often at night. Podagra.',
        "Why?",
    ]


def test_diagnoses_keep_the_notes_of_each_block_apart():
    xml = b"""<?xml version="1.0" encoding="utf-8"?><ICD10CM.tabular>
    <introduction><note>left out</note></introduction>
    <chapter><name>1</name><desc>left out</desc><section id="A00-A09">
      <diag><name>A00</name><desc>Cholera</desc>
        <includes><note>first</note><note>second,
           line</note></includes>
        <diag><name>A00.0</name><desc>Cholera classica</desc>
          <inclusionTerm><note>Classical</note></inclusionTerm></diag>
        <excludes1><note>third</note></excludes1>
      </diag></section></chapter></ICD10CM.tabular>"""
    assert list(extract.diagnoses(xml)) == [
        "A00.0 Cholera classica; Classical",
        "A00 Cholera; first; second, line; third",
    ]


def test_table_column_skips_the_header_and_broken_lines():
    table = "Category\tText\r\nd\tstring\nclass\t\nsci.med\tthe first post\r\nnothing\n"
    assert list(extract.table_column(table, header=3)) == ["the first post"]


def test_rated_snippets_join_sentences_of_one_document():
    files = {
        "x/b_GroundTruth.txt": "1_1\t-0.5\tcaf\xe9 one.\r\n1_2\t1\ttwo.\n2_1\t0\tthree\twith tab\n",
        "x/a_GroundTruth.txt": "1\t0.1\ttweet\n2\t0.2\tanother\n\nbroken\n",
        "x/a_anonDataRatings.txt": "1\t2\tnot this\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as pack:
        for name, text in files.items():
            data = text.encode("latin-1")
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            pack.addfile(entry, io.BytesIO(data))
    assert list(extract.rated_snippets(packed.getvalue())) == [
        "tweet",
        "another",
        "caf\xe9 one. two.",
        "three",
    ]


def test_front_matter():
    assert extract.after_front_matter("---\r\nkey: x\r\n---\r\nText\r\n---\r\nmore") == (
        "Text\r\n---\r\nmore"
    )
    assert extract.after_front_matter("Text\n---\nkey\n---\n") == "Text\n---\nkey\n---"
    assert extract.after_front_matter("---\nnever closed") == "---\nnever closed"


def test_dictionary_entries():
    text = (
        "\n00-database-url\n   ftp://x\n\n00-database-info\n   notes\n\n"
        "Dog \\Dog\\, n.\n   1. A beast.\n\n   2. A fellow.\n\nDog days\n   In July.\n"
    )
    assert list(extract.dictionary_entries(text)) == [
        "Dog \\Dog\\, n.\n   1. A beast.\n\n   2. A fellow.",
        "Dog days\n   In July.",
    ]


def test_glosses():
    many = " ".join(f"word_{i} 0" for i in range(11))
    text = (
        "  1 This software is licensed | to you\n"
        '00001740 00 a 02 able(p) 0 fit 1 005 = 05200169 n 0000 | having power; "able to swim"  \n'
        f"00002 04 n 0b {many} 000 | eleven, b in hexadecimal  \n"
    )
    assert list(extract.glosses(text)) == [
        'able, fit: having power; "able to swim"',
        ", ".join(f"word {i}" for i in range(11)) + ": eleven, b in hexadecimal",
    ]


def r_chunk(strings, version=3, kind=0x10):
    """Serialise a character vector as R does, in its binary format."""
    head = b"X\n" + struct.pack(">III", version, 0x30600, 0x30500)
    if version == 3:
        head += struct.pack(">I", 5) + b"UTF-8"
    body = struct.pack(">II", kind, len(strings))
    for text in strings:
        flag = 0x40009 if text is None or text.isascii() else 0x8009
        data = b"" if text is None else text.encode()
        body += struct.pack(">Ii", flag, -1 if text is None else len(data)) + data
    whole = head + body
    return struct.pack(">I", len(whole)) + zlib.compress(whole)


def test_r_lines():
    first, second = ["EMMA", "", None, "na\u00efve \t\0"], ["x" * 70_000]
    data = r_chunk(first) + r_chunk([], kind=0x0D) + r_chunk(second, version=2)
    assert list(extract.r_lines(data)) == [["EMMA", "", "", "na\u00efve \t\0"], second]
    assert list(extract.r_lines(b"")) == []


def test_commentary_blocks():
    texts = ["<div type='x'>Psalm &amp; <hi>song</hi></div>\nnext", "", "second"]
    packed = [zlib.compress(t.encode()) if t else b"" for t in texts]
    offsets = [sum(map(len, packed[:i])) for i in range(3)]
    index = b"".join(
        struct.pack("<III", o, len(p), len(t))
        for o, p, t in zip(offsets, packed, texts, strict=True)
    )
    got = list(extract.commentary_blocks(index, b"".join(packed)))
    assert got == ["Psalm & song \nnext", "second"]


def test_pieces():
    text = "word " * 10_000
    cut = list(extract.pieces(text, 1000))
    assert all(500 <= len(piece) <= 1000 for piece in cut[:-1])
    assert " ".join(cut).split() == text.split()
    assert list(extract.pieces("x" * 25, 10)) == ["x" * 10, "x" * 10, "x" * 5]
    assert list(extract.pieces("short", 10)) == ["short"]
