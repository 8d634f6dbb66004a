"""Each extractor on a tiny file of its kind, with the awkward parts of the real ones."""

import io
import tarfile

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
