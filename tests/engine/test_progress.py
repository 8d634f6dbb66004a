"""What the progress line says, with a clock of our own."""

from __future__ import annotations

import io

import pytest

from ecotone.engine.progress import Progress, span


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
     (3599.7, "1 h 00 min"), (7500, "2 h 05 min")],
)  # fmt: skip
def test_durations_are_written_for_people(seconds, text):
    assert span(seconds) == text


def test_a_log_gets_a_line_a_minute_and_the_time_left():
    clock, file = Clock(), io.StringIO()
    line = Progress("training", 10, file=file, clock=clock)
    for second in range(181):
        clock.now = float(second)
        line.update(second / 30)
    line.close()
    lines = file.getvalue().splitlines()
    assert len(lines) == 4  # at 3, 63 and 123 seconds, and the end
    assert lines[0].endswith("1%  4 min 57 s left")
    assert lines[1].endswith("21%  3 min 57 s left")
    assert lines[-1] == "training  done in 3 min 00 s"


def test_what_was_done_before_does_not_count_for_the_speed():
    clock, file = Clock(), io.StringIO()
    line = Progress("training", 100, file=file, clock=clock, patience=0.0)
    line.begin(50)
    clock.now = 10.0
    line.update(60)
    assert "60%  40 s left" in file.getvalue()


def test_before_anything_is_done_it_is_starting():
    clock, file = Clock(), io.StringIO()
    line = Progress("training", 4, file=file, clock=clock)
    clock.now = 5.0
    line.update(0.0)
    assert file.getvalue().endswith("0%  starting\n")


def test_short_work_writes_nothing():
    clock, file = Clock(), io.StringIO()
    line = Progress("training", 1, file=file, clock=clock)
    clock.now = 2.9
    line.update(1.0)
    line.close()
    assert file.getvalue() == ""


def test_a_terminal_has_one_line_that_is_rewritten():
    clock, file = Clock(), Terminal()
    line = Progress("training", 2, file=file, clock=clock)
    for clock.now in (3.0, 3.1, 3.3):
        line.update(1.0, note="loss 2.5")
    line.close()
    text = file.getvalue()
    assert text.count("\r\x1b[2K") == 3  # 3.1 comes too soon
    assert text.count("\n") == 1
    assert "loss 2.5" in text
    assert "█" * 12 + "░" * 12 in text
