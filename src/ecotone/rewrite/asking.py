r"""`Ask`: what stands between a method and a generator.

A generator may be slow, dear, rude and unreliable. `Ask` asks nothing twice, waits where it must,
tries again where that can help, and says of every answer what became of it. A run that is killed
goes on where it stopped: answers are on disk batch by batch.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.files import fingerprint
from ecotone.rewrite._cache import AnswerCache
from ecotone.rewrite._pace import Clock, Pace, SystemClock

Generator = Callable[[list[str]], list[str]]
BYTES_A_TOKEN = 4  # a rough mean over English tokenisers; only the rate limit looks at it

# how a refusal begins; an answer that merely quotes one further on is no refusal
REFUSALS = (
    r"(i'?m|i am) (really |very |so )?sorry,? (but )?i",
    r"(sorry|apologies|i apologi[sz]e),? (but )?(i|this|that)\b",
    r"(unfortunately,? )?i (can ?not|can'?t|won'?t|will not|am (unable|not able)( to)?"
    r"|'?m (unable|not able)( to)?) (be able to )?"
    r"(help|assist|provide|comply|fulfil|answer|generate|create|write|do (that|this)|continue"
    r"|discuss|support|engage)",
    r"as an? (ai|artificial|(large )?language model)\b",
)


class Answer(NamedTuple):
    """One answer: its text, or None and why; and whether it had been given before."""

    text: str | None
    cause: str
    cached: bool


class GeneratorFailed(EcotoneError):
    """A generator gave no answer, again and again."""


class TryAgain(Exception):
    """Raised by a generator when asking again later may help.

    Parameters
    ----------
    why : str
        One sentence.
    after : float
        Seconds that the other side asks us to wait; 0 when it does not say.
    """

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Ask:
    """A generator with a memory, patience and a ledger's conscience.

    Parameters
    ----------
    generator : callable
        ``list[str] -> list[str]``. If it has a method ``draw(prompts, numbers)``, that is called
        instead, with the number of the sample of each prompt.
    name : str
        What the cache calls it; two generators with one name share their answers. Default: the
        generator's own ``name``.
    cache : path, optional
        SQLite file that keeps the answers; made when missing. None: nothing is kept.
    batch : int
        Most prompts in one call.
    retries : int
        Calls of a batch after the first one fails; then each of its prompts is tried once alone.
    backoff : float
        Seconds before the second call; doubles each time.
    requests_a_minute, tokens_a_minute : int, optional
        Limits over any 60 seconds. A prompt is a request; tokens are bytes / 4, prompt and answer.
    timeout : float, optional
        Seconds that a call may take. A call in Python cannot be ended from outside: it is left
        behind in a thread of its own, and what it returns later is not looked at.
    give_up : int
        Batches in a row without any answer after which `GeneratorFailed` is raised.
    refusals : sequence of str
        Regular expressions of how a refusal begins.
    clock : Clock, optional
        For tests.

    Examples
    --------
    >>> ask = Ask(lambda prompts: [p.upper() for p in prompts])
    >>> [a.text for a in ask(["one", "two", "one"])]
    ['ONE', 'TWO', 'ONE']
    """

    def __init__(
        self,
        generator: Generator,
        *,
        name: str = "",
        cache: Path | str | None = None,
        batch: int = 16,
        retries: int = 3,
        backoff: float = 1.0,
        requests_a_minute: int | None = None,
        tokens_a_minute: int | None = None,
        timeout: float | None = None,
        give_up: int = 3,
        refusals: Sequence[str] = REFUSALS,
        clock: Clock | None = None,
    ) -> None:
        if not callable(generator):
            raise BadInput(
                f"a generator is {type(generator).__name__}, which cannot be called.",
                cure="pass a function list[str] -> list[str]",
            )
        if batch < 1 or retries < 0 or give_up < 1:
            raise BadInput(
                f"Ask: batch={batch}, retries={retries}, give_up={give_up} make no sense.",
                cure="batch=16, retries=3, give_up=3",
            )
        self.name = name or str(getattr(generator, "name", ""))
        if cache is not None and not self.name:
            raise BadInput(
                "a cache needs the name of its generator.",
                why="answers of two generators would be taken for each other.",
                cure='Ask(generator, name="model-and-settings", cache=path)',
            )
        self.generator, self.batch = generator, batch
        self.retries, self.backoff, self.give_up = retries, backoff, give_up
        self.timeout = timeout
        self.clock = clock or SystemClock()
        self._pace = Pace(self.clock, requests_a_minute, tokens_a_minute)
        self._refusal = re.compile(f"\\s*[\"'*]*(?:{'|'.join(refusals) or '(?!)'})", re.I)
        self._cache = AnswerCache(None if cache is None else Path(cache))

    def __call__(self, prompts: Sequence[str], draws: Sequence[int] | None = None) -> list[Answer]:
        """Return one `Answer` for each prompt, in order; equal prompts are asked once.

        Parameters
        ----------
        prompts : sequence of str
            What to ask.
        draws : sequence of int, optional
            Number of the sample, for prompts that are asked more than once on purpose.
        """
        prompts, numbers = self._checked(prompts, draws)
        keys = [self._key(p, n) for p, n in zip(prompts, numbers, strict=True)]
        known = self._cache.get(keys)
        todo = {k: (p, n) for k, p, n in zip(keys, prompts, numbers, strict=True) if k not in known}
        new = self._fetch(todo)
        out, seen = [], set[str]()
        for key in keys:
            # the second of two equal prompts is an answer given before, like one from the disk
            cached = key in known or (key in seen and key in new)
            seen.add(key)
            out.append(self._answer(known, new, key, cached))
        return out

    @staticmethod
    def _checked(
        prompts: Sequence[str], draws: Sequence[int] | None
    ) -> tuple[list[str], list[int]]:
        if isinstance(prompts, str) or any(not isinstance(p, str) for p in prompts):
            raise BadInput("prompts are not a list of strings.", cure="ask([prompt])")
        numbers = [0] * len(prompts) if draws is None else [int(n) for n in draws]
        if len(numbers) != len(prompts):
            raise BadInput(
                f"{len(prompts)} prompts but {len(numbers)} draws.", cure="give each its number"
            )
        # half of a surrogate pair, as some JSON has, can neither be hashed nor sent
        return [p.encode("utf-8", "replace").decode() for p in prompts], numbers

    def _key(self, prompt: str, number: int) -> str:
        return fingerprint([self.name, prompt, number]) + fingerprint([number, prompt, self.name])

    def _answer(
        self, known: dict[str, str | None], new: dict[str, str | None], key: str, cached: bool
    ) -> Answer:
        if key not in known and key not in new:
            return Answer(None, "failed", False)
        text = known[key] if key in known else new[key]
        if text is None or not text.strip():
            return Answer(None, "empty answer", cached)
        if self._refusal.match(text[:400]):
            return Answer(None, "refused", cached)
        return Answer(text, "", cached)

    def _fetch(self, todo: dict[str, tuple[str, int]]) -> dict[str, str | None]:
        """Ask what is not known yet, batch by batch, and put every batch on disk."""
        out: dict[str, str | None] = {}
        silent, left = 0, list(todo.items())
        while left:
            size = min(self.batch, self._pace.most)
            part, left = left[:size], left[size:]
            got, trouble = self._batch([job for _, job in part])
            new = {key: text for (key, _), (there, text) in zip(part, got, strict=True) if there}
            self._cache.put(new)
            out |= new
            silent = 0 if new else silent + 1
            if silent >= self.give_up:
                raise GeneratorFailed(
                    f"the generator gave no answer to {silent} batches in a row: {trouble}",
                    why="going on would drop every document.",
                    cure="mend the generator and run again: what was answered is kept",
                )
        return out

    def _batch(self, jobs: list[tuple[str, int]]) -> tuple[list[tuple[bool, str | None]], str]:
        """Return (whether there is an answer, the answer) for each job, and the last trouble."""
        trouble = ""
        for attempt in range(self.retries + 1):
            try:
                return [(True, t) for t in self._call(jobs)], ""
            except EcotoneError:
                raise
            except Exception as error:  # noqa: BLE001  a generator may raise what it likes
                trouble = f"{type(error).__name__}: {error}"
                if attempt < self.retries:
                    wait = max(self.backoff * 2**attempt, getattr(error, "after", 0.0))
                    self.clock.sleep(wait)
        if len(jobs) == 1:
            return [(False, None)], trouble
        alone = []
        for job in jobs:  # one prompt may be what all calls stumbled over
            try:
                alone.append((True, self._call([job])[0]))
            except EcotoneError:
                raise
            except Exception as error:  # noqa: BLE001  as above
                trouble = f"{type(error).__name__}: {error}"
                alone.append((False, None))
        return alone, trouble

    def _call(self, jobs: list[tuple[str, int]]) -> list[str | None]:
        """Call the generator once, within the limits, and check the form of what it returns."""
        prompts, numbers = [p for p, _ in jobs], [n for _, n in jobs]
        self._pace.wait(len(prompts), sum(map(_tokens, prompts)))
        draw = getattr(self.generator, "draw", None)
        call = (lambda: draw(prompts, numbers)) if draw else (lambda: self.generator(prompts))
        got = call() if self.timeout is None else _within(call, self.timeout)
        if isinstance(got, str | bytes | dict) or not isinstance(got, Sequence):
            raise BadInput(
                f"the generator returned {type(got).__name__}, not a list of answers.",
                cure="return one string for each prompt, in order",
            )
        if len(got) != len(prompts):
            raise BadInput(
                f"the generator returned {len(got)} answers to {len(prompts)} prompts.",
                why="nobody can say which answer belongs to which prompt.",
                cure="return one string for each prompt, in order; None where there is none",
            )
        texts = [_clean(t) if isinstance(t, str) else None for t in got]
        self._pace.spent(sum(_tokens(t) for t in texts if t))
        return texts


def asking(ask: Ask | Generator) -> Ask:
    """Return an `Ask`; a bare generator is put into one without a cache."""
    return ask if isinstance(ask, Ask) else Ask(ask)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _tokens(text: str) -> int:
    return len(text.encode()) // BYTES_A_TOKEN + 1


def _within(call: Callable[[], Any], seconds: float) -> Any:
    """Return what `call` returns, or raise `TimeoutError` after so many seconds."""
    box: list[tuple[bool, Any]] = []

    def work() -> None:
        try:
            box.append((True, call()))
        except BaseException as error:  # noqa: BLE001  handed to the caller's thread
            box.append((False, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not box:
        raise TimeoutError(f"no answer within {seconds} seconds")
    fine, value = box[0]
    if not fine:
        raise value
    return value
