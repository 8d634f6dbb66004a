"""Texts become rows: parts of the archives are found, labelled and named as they should be."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from ecotone.data import labelled_text as lt


@pytest.fixture
def archive(monkeypatch):
    """Let every package hold the given members, and leave texts as the length of each."""
    held: dict[str, bytes] = {}

    def members(_, pattern):
        import re

        return ((n, d) for n, d in held.items() if re.fullmatch(pattern, n))

    monkeypatch.setattr(lt, "fetch", lambda package, cache: None)
    monkeypatch.setattr(lt, "members", members)
    monkeypatch.setattr(lt, "directions", lambda texts: np.array([[float(len(t))] for t in texts]))
    return held


def test_a_sentence_that_says_neither_is_left_out(archive, tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as pack:
        for stem in lt.KINDS.values():
            data = b"7_1\t1.5\tgood\n7_2\t-0.7\tawful\n8_1\t0.4\tso so\n"
            entry = tarfile.TarInfo(f"x/{stem}_GroundTruth.txt")
            entry.size = len(data)
            pack.addfile(entry, io.BytesIO(data))
    archive["v/hutto_ICWSM_2014.tar.gz"] = out.getvalue()
    rows = lt.sentiment(tmp_path)
    assert rows.y.tolist() == [1, 0] * 4
    assert rows.domain.tolist() == [k for k in lt.KINDS for _ in range(2)]
    assert len(set(rows.group.tolist())) == 4  # one document a kind


def test_topics_old_from_the_first_part_and_new_from_the_second(archive, tmp_path):
    groups = sorted({g for sides in lt.QUESTIONS.values() for s in sides for c in s for g in c})
    for part, word in (("train", "a"), ("test", "bb")):
        body = "".join(f"{g}\t{word}\n" for g in groups)
        archive[f"o/20newsgroups-{part}.tab"] = f"h\nh\nh\n{body}".encode()
    rows = lt.topics(tmp_path)
    old = np.char.endswith(rows.domain, "old")
    assert set(rows.X[old, 0]) == {1.0}
    assert set(rows.X[~old, 0]) == {2.0}
    assert {d.rsplit(" ", 1)[0] for d in rows.domain.tolist()} == set(lt.QUESTIONS)


def test_no_group_is_on_both_sides_of_a_question():
    for old, new in lt.QUESTIONS.values():
        assert not {g for c in old for g in c} & {g for c in new for g in c}


def test_copies_and_footers_are_cut_from_mail(archive, tmp_path):
    text = "Subject: x\n\n{}\n_______________________________________________\nlist footer\n"
    for i, kind in enumerate(("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2")):
        for copy in range(2):
            name = f"package/spam-assassin/data/{kind}/{copy}.txt"
            archive[name] = text.format("m" * (i + 1)).encode()
    rows = lt.spam(tmp_path)
    assert rows.y.tolist() == [0, 1] * 3
    assert rows.domain.tolist() == ["easy 1"] * 2 + ["easy 2"] * 2 + ["hard"] * 2
    assert rows.X.max() < 20  # no footer


def test_directions_tell_two_topics_apart():
    words = {0: "motor wheel road brake", 1: "pill doctor fever dose"}
    texts = [f"{words[i % 2]} n{i % 7} m{i % 11} k{i % 13}" for i in range(240)]
    texts += [f"{a} {b}" for a in "qwertyuiop" for b in ("zx", "cv", "bn", "lk", "jh", "gf")] * 3
    X = lt.directions(texts)[:240]
    assert X.shape[1] == lt.DIRECTIONS
    first, second = X[::2, :2], X[1::2, :2]  # the strongest directions
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > 20 * max(first.std(axis=0).max(), second.std(axis=0).max())
