"""Run tasks in local processes, one thread each; go on where an earlier start was stopped.

A task is a function ``module:name`` from a JSON-like input to a JSON-like result. Its result is
kept in the run folder under a hash of task and input, written whole: a task that is done is never
done again, and how many workers there are changes no bit.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.files import fingerprint
from ecotone.core.run import Run
from ecotone.engine.progress import Progress

SLOTS = 1 << 12  # tasks whose progress is told apart
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


class TaskFailed(EcotoneError):
    """A task stopped with an error that is not the user's input."""


def task_name(task: str, given: Mapping[str, Any]) -> str:
    """Return the name under which a result is kept.

    Entries of `given` that begin with an underscore say how to run, not what, and do not count.
    """
    counted = {k: v for k, v in given.items() if not k.startswith("_")}
    return fingerprint([task, counted])


def map(  # the one face of every engine
    task: str,
    inputs: Sequence[Mapping[str, Any]],
    run: Run,
    *,
    workers: int | None = None,
    title: str = "",
    work: Sequence[float] | None = None,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Run `task` on every input; return the results in the order of the inputs.

    A task with a parameter ``tick`` is given a function ``tick(done, total)`` and may call it as
    often as it likes: the time left then moves inside long tasks too.

    Parameters
    ----------
    task : str
        ``module:function``, importable by a fresh process.
    inputs : sequence of mappings
        JSON-like; equal inputs are run once.
    run : Run
        Where results are kept.
    workers : int, optional
        Processes; default: the cores this process may use.
    title : str, optional
        Shown with the progress.
    work : sequence of float, optional
        Amount of work of each input, for the time left; default 1 each.
    quiet : bool, optional
        Show no progress.

    Raises
    ------
    TaskFailed
        The first task that failed; the finished ones are kept.
    BadInput
        Fewer than one worker.
    """
    if workers is not None and workers < 1:
        raise BadInput(f"{workers} workers can do nothing.", cure="--workers 1")
    names = [task_name(task, i) for i in inputs]
    amounts = dict(zip(names, [1.0] * len(names) if work is None else work, strict=True))
    todo = {n: i for n, i in zip(names, inputs, strict=True) if not run.done(n)}
    if todo:
        progress = Progress(
            title or task, sum(amounts.values()), patience=float("inf") if quiet else 3.0
        )
        progress.begin(sum(amounts.values()) - sum(amounts[n] for n in todo))
        try:
            _run(task, todo, run, min(workers or _cores(), len(todo)), progress, amounts)
        finally:
            progress.close()
    return [run.result(n) for n in names]


def _cores() -> int:
    """Return how many cores this process may use: in a container, fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Workers:
    """Processes that run tasks, started when the first task asks for them.

    Parameters
    ----------
    number : int
        Of processes.
    """

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.shares = context.RawArray("d", SLOTS)  # how much of each task is done
        start = (list(sys.path), os.getpid(), self.shares)
        self.pool = ProcessPoolExecutor(number, context, _start, start)

    def submit(self, task: str, given: Mapping[str, Any], slot: int) -> Future[dict[str, Any]]:
        """Hand in a task; the progress of slot i stands in ``shares[i % SLOTS]``."""
        self.shares[slot % SLOTS] = 0.0
        return self.pool.submit(_call, task, dict(given), slot % SLOTS)

    def end(self) -> None:
        """End the processes when they have nothing more to do."""
        self.pool.shutdown()

    def kill(self) -> None:
        """End them now: to wait for what still runs would let a second Ctrl-C leave orphans."""
        for process in list(getattr(self.pool, "_processes", None) or {}):
            self.pool._processes[process].terminate()
        self.pool.shutdown(wait=False, cancel_futures=True)


_kept: list[_Workers] = []  # of the `kept` blocks that are open


@contextlib.contextmanager
def kept(workers: int | None = None) -> Iterator[None]:
    """Let every `map` inside use the same processes: to start one takes as long as 100 MB of text.

    Parameters
    ----------
    workers : int, optional
        Processes; default: the cores this process may use. Those of the maps do not count.
    """
    _kept.append(_Workers(max(workers or _cores(), 1)))
    try:
        yield
    finally:
        _kept.pop().end()


def _run(
    task: str,
    todo: Mapping[str, Mapping[str, Any]],
    run: Run,
    workers: int,
    progress: Progress,
    amounts: Mapping[str, float],
) -> None:
    here = _kept[-1] if _kept else _Workers(workers)
    waiting: dict[Future[dict[str, Any]], tuple[str, int]] = {}
    try:
        with _one_thread_each(), _main_left_alone():
            for slot, (name, given) in enumerate(todo.items()):
                waiting[here.submit(task, given, slot)] = name, slot % SLOTS
        done = progress.at
        while waiting:
            finished, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            # whole results first: an error must not lose what finished beside it
            for future in sorted(finished, key=lambda f: f.exception() is not None):
                name, _ = waiting.pop(future)
                run.finish_task(name, future.result())
                done += amounts[name]
            progress.update(done + sum(amounts[n] * here.shares[i] for n, i in waiting.values()))
    except BrokenProcessPool:
        raise TaskFailed(
            f"a worker of {task} was killed.",
            why="the system may have run out of memory.",
            cure="run the same command with --workers 1; finished tasks are kept",
        ) from None
    except BaseException:
        here.kill()
        raise
    if not _kept:
        here.end()


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """Start workers that do not import the user's script again.

    A fresh process imports ``__main__`` of its parent; a script without the usual guard would start
    the whole job once more in every worker. Tasks are named by module, so nobody needs it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the children, which start with a copy of the environment, use one thread."""
    before = {k: os.environ.get(k) for k in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


class _Worker:
    """What a worker process was given when it started."""

    shares: Any = None


def _start(path: list[str], parent: int, shares: Any) -> None:
    """Prepare a worker: Ctrl-C is for the parent, and no worker outlives it."""
    sys.path[:] = path
    _Worker.shares = shares
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _call(task: str, given: dict[str, Any], slot: int) -> dict[str, Any]:
    module, name = task.split(":")
    function = getattr(importlib.import_module(module), name)
    words = {k.lstrip("_"): v for k, v in given.items()}
    if "tick" in inspect.signature(function).parameters:
        words["tick"] = lambda done, total: _tell(slot, done, total)
    try:
        return function(**words)
    except EcotoneError:
        raise
    except Exception as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        raise TaskFailed(
            f"{task} stopped: {type(error).__name__}: {error}",
            why=f"at {where.filename}:{where.lineno}.",
            cure="this is a fault of ecotone: please report it with this message",
        ) from error
    finally:
        _give_back()


def _give_back() -> None:
    """Return to the system what a task has freed: the next may need it in other pieces.

    Takes a millisecond or so with the GNU C library; elsewhere nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _tell(slot: int, done: float, total: float) -> None:
    """Leave word of how much of a task is done where the parent looks for it."""
    _Worker.shares[slot] = min(done / total, 1.0) if total > 0 else 0.0
