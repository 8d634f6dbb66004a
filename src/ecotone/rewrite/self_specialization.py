"""Self-specialization: a few tasks of a domain become many, answered from its own text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._pairs import Pair, pieces, supported
from ecotone.rewrite._retrieval import Passages, distinct
from ecotone.rewrite._similarity import HeldOut, Novelty
from ecotone.rewrite._tasks import Task, alphabets_of, checked_answer, checked_task, task_of
from ecotone.rewrite.result import Rewritten

ASK = """These are tasks of {domain}. Write one more, of another kind or about another matter. Begin
with its instruction; what it is to be applied to, if anything, follows as its input.

{shown}

Task {number}
Instruction:"""
ANSWER = """Do the last of these tasks of {domain} as the others are done.{passages}

{shown}

{task}
Answer:"""
FROM_PASSAGES = " Answer from these passages:"
ROUND = 16  # tasks asked for before the pool is looked at again
WITHHELD = "withheld: few tasks are answered from passages"


class _Job(NamedTuple):
    """A task to be answered: the passages for it, and the document its best one comes from."""

    task: Task
    passages: list[str]
    source: Doc


@method(name="self_specialization", paper="kang2024self", needs={"text_model"}, handles=set())
class SelfSpecialization:
    """Let a generator write tasks of a domain after a few seeds, and answer them from its text.

    Documents with ``meta["answer"]`` are seeds: the text is an instruction, ``meta["input"]`` what
    it is applied to. All others are text of the domain. First new tasks are asked for, each after
    seeds and tasks made so far; those that are no tasks or too much like one in the pool are
    dropped. Then each task is answered, with the passages that BM25 finds for it, and an answer
    enters when passages or input support it (see `ecotone.rewrite.transform_llm`, words of four
    letters and more). Where few answers are supported, the generator does not know the domain:
    no pair enters, and a finding says so. Documents stay as they are; pairs are the examples.

    Parameters
    ----------
    wanted : int, default 100
        New tasks.
    most : int, default 4
        Tasks asked for at most, for each one wanted.
    seeds_shown : int, default 6
        Seeds in a prompt.
    own_shown : int, default 2
        Tasks made so far in a prompt for another one.
    passages : int, default 5
        Passages in a prompt; 0: none are looked up.
    passage_tokens : int, default 200
        Most tokens (bytes / 4) of a passage; documents are cut.
    likeness : float, default 0.7
        ROUGE-L, of instruction and input, from which a task is no new one.
    least_support : float, default 0.6
        Support that an answer needs; 0 for open tasks, which no passage answers.
    least_grounded : float, default 0.3
        Share of answers with support below which nothing enters.
    domain : str, default "one domain"
        Its name, for the prompts.
    held_out : sequence of str, default ()
        Texts of the evaluation; a task that shares 13 words in a row with one is dropped.

    Examples
    --------
    >>> seeds = [Doc("s", "Where does the river Ilm end?", "", {"answer": "in the Saale"})]
    >>> text = [Doc("t", "The river Wipper flows into the Unstrut near Sachsenburg.", "", {})]
    >>> def model(prompts):
    ...     task = "Where does the river Wipper flow to?"
    ...     return ["into the Unstrut" if p.endswith("Answer:") else task for p in prompts]
    >>> made = SelfSpecialization(wanted=1).run(seeds + text, model, rng=np.random.default_rng(0))
    >>> [(e.source, e.response) for e in made.examples]
    [('t', 'into the Unstrut')]
    """

    def __init__(
        self,
        *,
        wanted: int = 100,
        most: int = 4,
        seeds_shown: int = 6,
        own_shown: int = 2,
        passages: int = 5,
        passage_tokens: int = 200,
        likeness: float = 0.7,
        least_support: float = 0.6,
        least_grounded: float = 0.3,
        domain: str = "one domain",
        held_out: Sequence[str] = (),
    ) -> None:
        shares = (likeness, least_support, least_grounded)
        if (
            min(wanted, most, seeds_shown, passage_tokens) < 1
            or min(own_shown, passages) < 0
            or not (likeness and all(0 <= s <= 1 for s in shares))
        ):
            raise BadInput(
                "self_specialization: counts are at least 1, shares lie in [0, 1].",
                cure="-p wanted=100 -p seeds_shown=6 -p likeness=0.7 -p least_support=0.6",
            )
        self.wanted = wanted
        self.most = most
        self.seeds_shown = seeds_shown
        self.own_shown = own_shown
        self.passages = passages
        self.passage_tokens = passage_tokens
        self.likeness = likeness
        self.least_support = least_support
        self.least_grounded = least_grounded
        self.domain = domain
        self.held_out = held_out

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Write tasks round by round, answer them at once; drawn by seed, not by order."""
        run_seed = int(rng.integers(2**62))
        book = Book("self_specialization", docs, ask)
        for doc in book.docs:
            book.keep(doc)
        ordered = sorted(book.docs, key=lambda d: d.id)
        seeds = [d for d in ordered if str(d.meta.get("answer", "")).strip()]
        if not seeds:
            raise BadInput(
                "self_specialization: no document has an answer, so there is no seed.",
                cure='add some Doc(id, instruction, domain, {"input": "...", "answer": "..."})',
            )
        tasks = self._tasks(book, seeds, run_seed)
        self._answers(book, seeds, self._jobs(ordered, seeds, tasks), run_seed)
        return book.close()

    def _tasks(self, book: Book, seeds: list[Doc], run_seed: int) -> list[Task]:
        """Return new tasks; a round asks for as many as are still wanted, 16 at most."""
        pool, held, alphabets = Novelty(self.likeness), HeldOut(self.held_out), alphabets_of(seeds)
        for doc in seeds:
            pool.add(str(task_of(doc)))
        made: list[Task] = []

        def check(_: int, text: str) -> Task:
            task = checked_task(text, alphabets)
            if held.in_text(str(task)):
                raise Unfit("shares text with the evaluation")
            if pool.like(str(task)):
                raise Unfit("like a task of the pool")
            pool.add(str(task))
            return task

        asked, times = 0, Counter[str]()
        while (left := min(self.wanted - len(made), self.most * self.wanted - asked)) > 0:
            prompts, draws = [], []
            for i in range(asked, asked + min(left, ROUND)):
                prompt = self._ask(seeds, made, stream(run_seed, "task", i))
                prompts.append(prompt)
                draws.append(times[prompt])  # with few seeds a prompt comes again
                times[prompt] += 1
            given = book.answers(prompts, check, draws)
            made += [g.value for g in given if g.value is not None]
            asked += len(prompts)
        book.notes |= {"tasks asked": asked, "tasks": len(made)}
        return made

    def _ask(self, seeds: list[Doc], made: list[Task], rng: np.random.Generator) -> str:
        tasks = [task_of(d) for d in _some(seeds, self.seeds_shown, rng)]
        tasks += _some(made, self.own_shown, rng)
        mixed = [tasks[i] for i in rng.permutation(len(tasks))]
        shown = "\n\n".join(f"Task {i + 1}\nInstruction: {t}" for i, t in enumerate(mixed))
        return ASK.format(domain=self.domain, shown=shown, number=len(tasks) + 1)

    def _jobs(self, docs: list[Doc], seeds: list[Doc], tasks: list[Task]) -> list[_Job]:
        """Look up passages for each task."""
        ids = {d.id for d in seeds}
        cut = [(d, p) for d in docs if d.id not in ids for p in pieces(d.text, self.passage_tokens)]
        index = Passages([p for _, p in cut])
        jobs = []
        for task in tasks:
            best = [cut[i] for i in index.best(str(task), self.passages)]
            source, texts = best[0][0] if best else seeds[0], [p.strip() for _, p in best]
            jobs.append(_Job(task, texts, source))
        return jobs

    def _answers(self, book: Book, seeds: list[Doc], jobs: list[_Job], run_seed: int) -> None:
        """Answer every task; enter the pairs, or none when few are answered from passages."""
        alphabets, lost = alphabets_of(seeds), 0

        def check(i: int, text: str) -> str:
            nonlocal lost
            task, passages, _ = jobs[i]
            answer = checked_answer(text, task, alphabets)
            known = "\n".join([*passages, task.given])
            if supported(Pair(str(task), answer), known, 1) < self.least_support:
                lost += 1
                raise Unfit("not supported by the passages")
            return answer

        prompts = [self._prompt(seeds, j, stream(run_seed, "answer", j.task)) for j in jobs]
        given = book.answers(prompts, check)
        kept = [(job, g.value) for job, g in zip(jobs, given, strict=True) if g.value is not None]
        share = len(kept) / max(len(kept) + lost, 1)
        book.notes |= {"grounded": share, "distinct": distinct([str(j.task) for j, _ in kept])}
        if lost and share < self.least_grounded:
            _withhold(book, len(kept), lost)
            return
        for job, answer in kept:
            book.add(job.source, "task", str(job.task), answer)

    def _prompt(self, seeds: list[Doc], job: _Job, rng: np.random.Generator) -> str:
        drawn = _some(seeds, self.seeds_shown, rng)
        shown = "\n\n".join(f"{task_of(d)}\nAnswer: {d.meta['answer']}" for d in drawn)
        passages = "\n- ".join([FROM_PASSAGES, *job.passages]) if job.passages else ""
        return ANSWER.format(domain=self.domain, passages=passages, shown=shown, task=job.task)


def _some(things: list[Any], many: int, rng: np.random.Generator) -> list[Any]:
    return [things[i] for i in rng.permutation(len(things))[:many].tolist()]


def _withhold(book: Book, kept: int, lost: int) -> None:
    """Count answers that had passed as invalid after all, and say why nothing enters."""
    book.withdraw({WITHHELD: kept} if kept else {})
    book.findings.append(
        Finding(
            "W503",
            f"few tasks are answered from passages: {lost} of {kept + lost} are not; none is used.",
            "add text of the domain, another generator, or -p least_support=0 for open tasks",
        )
    )
