from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput
from ecotone.rewrite._programs import Call, Program, execute, parse
from ecotone.rewrite.generators import rule_refiner, scripted
from ecotone.rewrite.prox import Prox, chunks

NOISE = [
    "Home | Products | About us | Contact", "Accept all cookies to continue",
    "Copyright 2019 Example Ltd. All rights reserved.", "Share this on Facebook", "Sign in",
    "Subscribe to our newsletter", "Read more", "Skip to main content", "12 comments", "Menu",
    "We use cookies. By using this site you accept our cookie policy.", "Next page",
    "Posted by admin on Monday", "Log in", "Related articles", "Privacy policy",
]  # fmt: skip


def run_calls(*calls):
    return Program(tuple(Call(n, a) for n, a in calls), 0)


def lines_only(program):
    return Prox(level="lines"), scripted(lambda prompt: program)


def test_an_empty_program_changes_no_byte():
    text = " a\r\n\n\tb \x0b c\u2028d\n"
    assert execute(Program((), 0), text, most_matches=20).text == text


def test_chunks_join_to_the_document_and_stay_within_their_size():
    text = "\n".join("word " * (i % 40) for i in range(1500))
    parts = chunks(text, 200)
    lines = [line for part in parts for line in part.split("\n")]
    assert "\n".join(line.partition("]")[2] for line in lines) == text
    assert [int(line[1:].partition("]")[0]) for line in lines] == list(range(1500))
    assert all(len(p.encode()) <= 800 for p in parts)
    assert len(chunks("x" * 5000 + "\ny", 10)) == 2


def test_intervals_are_joined_and_strings_survive():
    text = "\n".join("abcdefgh")
    cut = run_calls(
        ("remove_lines", {"line_start": 1, "line_end": 3}),
        ("remove_lines", {"line_start": 2, "line_end": 5}),
    )
    assert execute(cut, text, most_matches=20).text == "a\ng\nh"
    awkward = 'f(a, b="c") = [1]; \\ it\'s'
    quoted = awkward.replace("\\", "\\\\").replace('"', '\\"')
    program = parse(f'normalize(source_str="{quoted}", target_str="x")')
    assert program.calls[0].arguments["source_str"] == awkward
    assert execute(program, f"<{awkward}>", most_matches=20).text == "<x>"


def test_lines_go_by_their_numbers_whatever_is_replaced():
    program = parse(
        'normalize(source_str="a\\nb", target_str="")\nremove_lines(line_start=2, line_end=2)'
    )
    assert execute(program, "a\nb\nc\nd", most_matches=20).text == "\nd"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('ls')", "remove_lines(line_start=1", "remove_lines(1, 2)",
        'normalize(source_str="open)', "drop_doc", "remove_lines(line_start=1, line_start=2)",
        "remove_lines(line_start=99999999999)", "exec(source_str='x')",
    ],
)  # fmt: skip
def test_what_is_no_call_is_an_error_and_nothing_else(text):
    program = parse(f"{text}\nkeep_all()")
    assert program.errors == 1
    assert [c.name for c in program.calls] == ["keep_all"]


def test_operations_that_would_do_harm_are_refused():
    text = "\n".join(["e e e e e e"] * 10)
    for call in (
        ("normalize", {"source_str": " "}),
        ("normalize", {"source_str": "e", "target_str": ""}),
        ("normalize", {"source_str": "e e e e e e", "target_str": "a\nb"}),
        ("remove_lines", {"line_start": 5, "line_end": 10}),
        ("remove_lines", {"line_start": 5, "line_end": 4}),
        ("remove_lines", {"line_start": True}),
        ("remove_lines", {}),
    ):
        assert execute(run_calls(call), text, most_matches=20)[::2] == (text, 1)


PIECES = st.lists(
    st.sampled_from(
        [
            "remove_lines(", "line_start=", "line_end=", "normalize(", "source_str=", ")", ",", '"',
            "'", "\\", "\n", "1", "0", "7", "drop_doc()", "keep_all()", "True", "a", " ", "=", ";",
        ]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@settings(max_examples=1000)
@given(PIECES | st.text(max_size=60), st.text(max_size=60))
def test_no_program_raises_or_adds_a_line(program, text):
    done = execute(parse(program), text, most_matches=20)
    assert done.text.count("\n") <= text.count("\n")


def test_ten_thousand_strings_of_noise_parse():
    r = np.random.default_rng(0)
    marks = list("remove_lines(start=,end)\"'\\\n0123 ;normalize")
    for _ in range(10_000):
        parse("".join(r.choice(marks, r.integers(0, 40))))


LONG = "The heart pumps blood through all of the body, beat by beat, by day and by night."


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("remove_lines(line_start=0, line_end=0)", "rewritten"),
        ("keep_all()", "untouched"),
        ("remove_lines(all=True)", "dropped: little is left"),
        ("remove_lines(line_start=1, line_end=2)", "dropped: little is left"),
        ("remove_lines(line_start=0, line_end=0)\nboo\nboo", "untouched"),
        ("remove_lines(line_start=0, line_end=0)\nboo", "rewritten"),
        ("I would remove the first line.", "untouched"),
        ("I'm sorry, but I can't help with that.", "untouched"),
    ],
)
def test_guards(program, outcome, rng):
    method, ask = lines_only(program)
    done = method.run([f"Menu\n{LONG}\n{LONG}"], ask, rng=rng)
    assert done.outcomes[outcome] == 1


def test_a_document_is_dropped_by_a_call_and_not_by_a_word_in_passing(rng):
    def verdict(prompt):
        return "drop_doc()" if "spam" in prompt else "keep_doc()  # do not drop it"

    done = Prox(level="document").run([LONG, "spam spam"], scripted(verdict), rng=rng)
    assert dict(done.dropped) == {"1": "not worth learning from"}
    unsure = scripted(lambda p: "One could keep it or drop it.")
    assert Prox(level="document").run([LONG], unsure, rng=rng).ledger.causes == {"no verdict": 1}


@pytest.fixture(scope="module")
def pages(prose):
    """120 pages of prose with noise between: texts, and the numbers of the noisy lines."""
    r, texts, noisy = np.random.default_rng(0), [], []
    for i in range(120):
        lines = [(p, False) for p in prose[4 * i : 4 * i + 4]]
        for n in r.choice(len(NOISE), 6, replace=False):
            lines.insert(int(r.integers(len(lines) + 1)), (NOISE[n], True))
        texts.append("\n".join(t for t, _ in lines))
        noisy.append({k for k, (_, bad) in enumerate(lines) if bad})
    return texts, noisy


def f1(done, texts, noisy):
    hit = said = 0
    for i, text in enumerate(texts):
        left = done.docs.get(str(i), text).split("\n")
        gone = {k for k, line in enumerate(text.split("\n")) if line not in left}
        hit += len(gone & noisy[i])
        said += len(gone)
    return 2 * hit / (said + sum(map(len, noisy)))


def test_gold_programs_are_carried_out_to_the_line(pages, rng):
    texts, noisy = pages
    answers = {
        "\n".join(f"[{k:03d}]{t}" for k, t in enumerate(text.split("\n"))): "\n".join(
            f"remove_lines(line_start={k}, line_end={k})" for k in bad
        )
        for text, bad in zip(texts, noisy, strict=True)
    }
    ask = scripted(lambda p: answers[p.partition("[doc]\n")[2].partition("\n[/doc]")[0]])
    done = Prox(level="lines", chunk_tokens=10**6).run(texts, ask, rng=rng)
    assert f1(done, texts, noisy) == 1.0


def test_hand_rules_find_the_noise(pages, rng):
    texts, noisy = pages
    done = Prox().run(texts, rule_refiner(), rng=rng)
    assert len(done.dropped) == 0
    assert f1(done, texts, noisy) > 0.8


def test_helps_over_dropping_whole_documents(pages, prose, rng, bigram_loss):
    texts, noisy = pages
    held = prose[520:760]
    refined = list(Prox().run(texts, rule_refiner(), rng=rng).docs.values())
    # the cleaner half, as a filter of documents would keep: by the share of noise in the words
    share = [len(b) / len(t.split()) for t, b in zip(texts, noisy, strict=True)]
    filtered = [texts[i] for i in np.argsort(share)[: len(texts) // 2]]
    raw, kept, mended = (bigram_loss(t, held) for t in (texts, filtered, refined))
    assert mended < raw
    assert mended < kept - 0.05


def test_does_not_touch_clean_documents(prose, rng):
    clean = ["\n".join(prose[i : i + 4]) for i in range(0, 760, 4)]
    done = Prox().run(clean, rule_refiner(), rng=rng)
    assert len(done.untouched) > 0.98 * len(clean)


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(BadInput, match="no level"):
        Prox(level="word")
    with pytest.raises(BadInput, match="no room"):
        Prox(chunk_tokens=0)
