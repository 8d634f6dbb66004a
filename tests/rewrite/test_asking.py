from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from ecotone.core.errors import BadInput, OtherVersion
from ecotone.rewrite.asking import Ask, GeneratorFailed, TryAgain
from ecotone.rewrite.generators import scripted
from ecotone.rewrite.result import Ledger


def upper():
    return scripted(lambda p: p.upper())


def texts(answers):
    return [a.text for a in answers]


def test_nothing_is_asked_twice(tmp_path):
    script = upper()
    ask = Ask(script, cache=tmp_path / "answers.db", batch=2)
    assert texts(ask(["a", "b", "a"])) == ["A", "B", "A"]
    assert script.calls == 2
    again = upper()
    answers = Ask(again, cache=tmp_path / "answers.db")(["b", "c", "a"])
    assert texts(answers) == ["B", "C", "A"]
    assert [a.cached for a in answers] == [True, False, True]
    assert again.calls == 1


def test_another_name_has_other_answers_and_a_name_is_needed(tmp_path):
    db = tmp_path / "answers.db"
    Ask(lambda p: ["one"] * len(p), name="one", cache=db)(["q"])
    assert texts(Ask(lambda p: ["two"] * len(p), name="two", cache=db)(["q"])) == ["two"]
    with pytest.raises(BadInput, match="needs the name"):
        Ask(lambda p: p, cache=db)


def test_samples_of_one_prompt_are_kept_apart(tmp_path):
    script = scripted(lambda p, n: f"{p}{n}")
    ask = Ask(script, cache=tmp_path / "answers.db")
    assert texts(ask(["q", "q", "q"], draws=[0, 1, 2])) == ["q0", "q1", "q2"]
    assert texts(ask(["q"], draws=[1])) == ["q1"]
    assert script.calls == 3


SLOW = """
import sys, time
from ecotone.rewrite.asking import Ask
def slow(prompts):
    if prompts[0] == "p6":
        print("ready", flush=True)
        time.sleep(60)
    return [p.upper() for p in prompts]
Ask(slow, name="slow", cache=sys.argv[1], batch=2)([f"p{i}" for i in range(10)])
"""


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    db = tmp_path / "answers.db"
    run = subprocess.Popen([sys.executable, "-c", SLOW, str(db)], stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"ready\n"
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    script = upper()
    answers = Ask(script, name="slow", cache=db)([f"p{i}" for i in range(10)])
    assert texts(answers) == [f"P{i}" for i in range(10)]
    assert script.calls == 4


def test_a_transaction_cut_short_leaves_whole_answers(tmp_path):
    db = tmp_path / "answers.db"
    code = (
        "import sqlite3, os, sys\ndb = sqlite3.connect(sys.argv[1])\n"
        "db.execute('PRAGMA cache_size = 1')\n"
        "db.executemany('INSERT INTO answers VALUES (?, ?)',"
        " [(str(i), 'x' * 5000) for i in range(500)])\nos.kill(os.getpid(), 9)"
    )
    ask = Ask(upper(), cache=db)
    ask(["a"])
    assert subprocess.run([sys.executable, "-c", code, str(db)], check=False).returncode == -9
    with sqlite3.connect(db) as table:
        assert table.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    table.close()
    assert ask(["a"])[0].cached


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    (tmp_path / "notes").write_text("no database at all, " * 20)
    with pytest.raises(BadInput, match="no cache of answers"):
        Ask(upper(), cache=tmp_path / "notes")
    table = sqlite3.connect(tmp_path / "newer")
    table.execute("PRAGMA user_version = 9")
    table.close()
    with pytest.raises(OtherVersion, match="format 9"):
        Ask(upper(), cache=tmp_path / "newer")


def test_retries_wait_twice_as_long_each_time_or_as_long_as_they_are_told(clock):
    troubles = [OSError("busy"), TryAgain("busy", after=7.0), OSError("busy")]

    def moody(prompts):
        if troubles:
            raise troubles.pop(0)
        return prompts

    assert texts(Ask(moody, clock=clock)(["a"])) == ["a"]
    assert clock.naps == [1.0, 7.0, 4.0]


def test_one_poisoned_prompt_does_not_take_its_batch_along(clock, tmp_path):
    def picky(prompts):
        if "poison" in prompts:
            raise ValueError("no")
        return prompts

    ask = Ask(picky, name="picky", cache=tmp_path / "a.db", clock=clock, retries=1)
    answers = ask(["a", "poison", "b"])
    assert texts(answers) == ["a", None, "b"]
    assert answers[1].cause == "failed"
    # what failed is no answer: it is asked again, the others are not
    assert [a.cached for a in ask(["a", "poison", "b"])] == [True, False, True]


def test_a_dead_generator_ends_the_run_with_its_reason(clock):
    def dead(prompts):
        raise OSError("nobody listens")

    with pytest.raises(GeneratorFailed, match="nobody listens"):
        Ask(dead, batch=1, clock=clock)([str(i) for i in range(50)])
    assert len(clock.naps) == 9  # three batches of three pauses, not fifty


def test_limits_hold_over_every_minute(clock):
    calls = []

    def busy(prompts):
        calls.append((clock.now(), len(prompts)))
        return ["x" * 36 for _ in prompts]

    ask = Ask(busy, batch=4, requests_a_minute=10, clock=clock)
    ask([f"{i:03d}" for i in range(40)])
    for start, _ in calls:
        assert sum(n for t, n in calls if start <= t < start + 60) <= 10
    assert clock.now() < 300


def test_tokens_of_prompts_and_answers_count(clock):
    calls = []

    def wordy(prompts):
        calls.append(clock.now())
        return ["x" * 360]  # 91 tokens

    Ask(wordy, batch=1, tokens_a_minute=200, clock=clock)([f"{i:036d}" for i in range(6)])
    assert all(sum(s <= t < s + 60 for t in calls) <= 2 for s in calls)
    # a prompt over the limit by itself goes through alone instead of never
    assert texts(Ask(wordy, tokens_a_minute=5, clock=clock)(["y" * 400])) == ["x" * 360]


def test_a_call_that_hangs_is_left_behind(clock):
    free = threading.Event()

    def hangs(prompts):
        if not free.is_set():
            free.wait(5)
        return prompts

    ask = Ask(hangs, timeout=0.05, retries=0, clock=clock, give_up=2)
    start = time.monotonic()
    assert ask(["a"])[0].cause == "failed"
    assert time.monotonic() - start < 4
    free.set()
    assert texts(ask(["a"])) == ["a"]


REFUSED = [
    "I'm sorry, but I can't help with that.",
    "I am really sorry but I cannot do it.",
    "Sorry, I am not able to answer.",
    "As an AI language model, I have no opinion.",
    "I cannot assist with this request.",
    "Unfortunately, I am unable to provide this.",
]
FINE = [
    "I cannot be divided by two, said the prime.",
    "Sorry is a word of regret.",
    "As an aid to memory, count the bones.",
    "The patient said: I'm sorry, but I can't walk.",
    "I will not go into detail here.",
]


def test_refusals_are_told_from_answers():
    ask = Ask(scripted(lambda p: p))
    assert {a.cause for a in ask(REFUSED)} == {"refused"}
    assert {a.cause for a in ask(FINE)} == {""}


def test_garbage_is_counted_and_wrong_shapes_are_refused():
    answers = Ask(lambda p: [None, 3, "  ", "\ud800x"])(["a", "b", "c", "d"])
    assert [a.cause for a in answers] == ["empty answer"] * 3 + [""]
    assert answers[3].text == "?x"
    for bad, what in (("one", "returned str"), (None, "NoneType"), (["x"] * 3, "3 answers to 2")):
        with pytest.raises(BadInput, match=what):
            Ask(lambda p, bad=bad: bad)(["a", "b"])
    with pytest.raises(BadInput, match="cannot be called"):
        Ask("model")
    with pytest.raises(BadInput, match="list of strings"):
        Ask(upper())("one")


def test_a_ledger_that_does_not_add_up_is_not_made():
    both = Ledger(asked=2, kept=1, invalid=1, causes={"short": 1}) + Ledger(asked=1, refused=1)
    assert (both.asked, both.kept, both.refused, both.causes) == (3, 1, 1, {"short": 1})
    with pytest.raises(ValueError, match="add up"):
        Ledger(asked=2, kept=1)
    with pytest.raises(ValueError, match="add up"):
        Ledger(asked=1, invalid=1)
