"""How fast to ask: a clock, and limits over any minute."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

from ecotone.core.errors import BadInput


class Clock(Protocol):
    """Tells and passes the time, in seconds; tests bring one that only counts."""

    def now(self) -> float:
        """Return seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Pace:
    """Keeps requests and tokens of any 60 seconds under their limits."""

    def __init__(self, clock: Clock, requests: int | None, tokens: int | None) -> None:
        for what, limit in (("requests_a_minute", requests), ("tokens_a_minute", tokens)):
            if limit is not None and limit < 1:
                raise BadInput(f"Ask: {what} is {limit}.", cure=f"{what}=60, or leave it out")
        self.clock, self.requests, self.tokens = clock, requests, tokens
        self.past: deque[tuple[float, int, int]] = deque()

    @property
    def most(self) -> int:
        """Most prompts that one call may hold."""
        return self.requests or 1 << 30

    def wait(self, requests: int, tokens: int) -> None:
        """Sleep until the call fits; what exceeds a limit by itself waits for an empty minute."""
        while self.past:
            now = self.clock.now()
            while self.past and self.past[0][0] <= now - 60:
                self.past.popleft()
            if self._fits(requests, tokens):
                break
            self.clock.sleep(max(self.past[0][0] + 60 - now, 1e-3))
        self.past.append((self.clock.now(), requests, tokens))

    def _fits(self, requests: int, tokens: int) -> bool:
        if not self.past:
            return True
        had = sum(r for _, r, _ in self.past), sum(t for _, _, t in self.past)
        return (self.requests is None or had[0] + requests <= self.requests) and (
            self.tokens is None or had[1] + tokens <= self.tokens
        )

    def spent(self, tokens: int) -> None:
        """Count the tokens of answers."""
        self.past.append((self.clock.now(), 0, tokens))
