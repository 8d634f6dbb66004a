"""One line per running job, with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO


def span(seconds: float) -> str:
    """Write a duration: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    s = round(max(seconds, 0.0))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60:02d} s"
    return f"{s // 3600} h {s % 3600 // 60:02d} min"


class Progress:
    """A progress line with time left; in a log, one line a minute.

    Parameters
    ----------
    title : str
        What is being done.
    total : float
        Amount of work, in any unit.
    file : TextIO, optional
        Where to write; standard error by default. Nothing is written before `patience` seconds.
    clock : callable, optional
        Seconds; replaced in tests.
    """

    def __init__(
        self,
        title: str,
        total: float,
        *,
        file: TextIO | None = None,
        patience: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self.total = title, max(total, 1e-9)
        self.file = file if file is not None else sys.stderr
        self.patience, self.clock = patience, clock
        self.start = self.shown = clock()
        self.at = self.began = 0.0
        self.live = self.file.isatty()
        self.wrote = False

    def begin(self, done: float) -> None:
        """Say how much was done before this start: it does not count for the speed."""
        self.at = self.began = done

    def update(self, done: float, note: str = "") -> None:
        """Say how much is done, and show it when it is time to."""
        self.at = done
        now = self.clock()
        pause = 0.2 if self.live else 60.0
        first = not self.wrote and now - self.start >= self.patience
        if first or (self.wrote and now - self.shown >= pause):
            self._show(now, note)

    def _show(self, now: float, note: str) -> None:
        self.shown, self.wrote = now, True
        share = min(self.at / self.total, 1.0)
        gone = now - self.start
        fresh = self.at - self.began
        left = span(gone * (self.total - self.at) / fresh) + " left" if fresh > 0 else "starting"
        width = 24
        bar = "█" * int(share * width) + "░" * (width - int(share * width))
        text = f"{self.title}  {bar} {share:4.0%}  {left}" + (f"  {note}" if note else "")
        self.file.write(f"\r\x1b[2K{text}" if self.live else f"{text}\n")
        self.file.flush()

    def close(self) -> None:
        """End the line and say how long it took, if anything was shown."""
        if self.wrote:
            text = f"{self.title}  done in {span(self.clock() - self.start)}"
            self.file.write(f"\r\x1b[2K{text}\n" if self.live else f"{text}\n")
            self.file.flush()
