r"""Ratings of a document by fourteen criteria and its domain: what is asked, and how it is read.

An answer is a line a criterion, ``[k]name: s/5``, and a line ``Domain: X``. What is missing, out of
range or said twice in two ways is None: a rating nobody gave is no low rating. What is rated best
is then taken until a budget is spent.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ecotone.core.seeds import stream

CRITERIA = {
    "accuracy": "few mistakes of fact, spelling or grammar",
    "coherence": "one thought leads to the next",
    "language_consistency": "one language throughout, not a patchwork",
    "semantic_density": "much is said in few words",
    "knowledge_novelty": "tells what not everybody knows",
    "topic_focus": "stays with its subject",
    "creativity": "ideas or wording of its own",
    "professionalism": "the depth and the terms of somebody who knows the field",
    "style_consistency": "one tone and one manner",
    "grammatical_diversity": "sentences of many builds, all of them sound",
    "structural_standardisation": "headings, lists and paragraphs where they belong",
    "originality": "no repeated lines, no boilerplate",
    "sensitivity": "delicate matters are handled with care",
    "overall_score": "how much a reader learns from it, all in all",
}
DOMAINS = dict(
    zip(
        "ABCDEFGHIJKLMNO",
        ("medicine", "finance", "law", "education", "technology", "entertainment", "mathematics",
         "coding", "government", "culture", "transportation", "retail/e-commerce",
         "telecommunication", "agriculture", "other"),
        strict=True,
    )
)  # fmt: skip
OPENING = "Judge the text below as material that a language model would be trained on."
FORM = """
Give every criterion a whole number from 1 (poor) to 5 (excellent), one line each:
{criteria}
Then name the letter of its subject:
{domains}
Answer in this form, with nothing else:
[1]accuracy: s/5
...
[14]overall_score: s/5
Domain: X
[text]
{text}
[/text]"""
_LINE = re.compile(
    r"[^\w\[]*(?:\[?\s*(?P<number>\d{1,2})\s*[\].)]\s*)?(?P<name>[A-Za-z][A-Za-z _()-]*?)?"
    r"[\s*_`]*[:=][\s*_`]*(?P<value>\S.*)$"
)
# a number, its scale, and no sign that it is the first end of a range
_SCORE = re.compile(
    r"(\d+(?:\.\d+)?)(?:\s*(?:/|out of)\s*(\d+))?(?!\s*(?:[-–~/.]|to|or)\s*\d|\s*%)"
)
_LETTER = re.compile(r"\W*([A-O])(?:\W*$|[).:,]|\W+(?P<said>[a-z].*))", re.IGNORECASE)


class Ratings(NamedTuple):
    """Scores by criterion, 1 to 5 or None, and the name of a domain or None."""

    scores: dict[str, int | None]
    domain: str | None


def rating_prompt(text: str) -> str:
    """Return what a rater reads for a text."""
    criteria = "\n".join(f"[{i}]{n}: {says}" for i, (n, says) in enumerate(CRITERIA.items(), 1))
    domains = "\n".join(f"{letter} {name}" for letter, name in DOMAINS.items())
    return OPENING + FORM.format(criteria=criteria, domains=domains, text=text)


def read_ratings(text: str) -> Ratings:
    r"""Return what an answer says; the order of its lines does not matter.

    Examples
    --------
    >>> found = read_ratings("[2]Coherence: 4/5\n[1]Accuracy: 7/5\nDomain: C")
    >>> found.scores["coherence"], found.scores["accuracy"], found.domain
    (4, None, 'law')
    """
    said: dict[str, set[int | None]] = {}
    domains: set[str | None] = set()
    for line in re.split(r"\n|(?=\[\d{1,2}\]|\bDomain\s*:)", text):
        found = _LINE.match(line)
        if not found:
            continue
        name = _squashed(found["name"] or "")
        if name == "domain":
            domains.add(_domain(found["value"]))
            continue
        key = _KEYS.get(name) if name else _NUMBERED.get(found["number"] or "")
        if key:
            said.setdefault(key, set()).add(_score(found["value"]))
    scores = {key: _only(said.get(key, set())) for key in CRITERIA}
    return Ratings(scores, _only(domains))


def ratings_of(meta: Mapping[str, Any]) -> Ratings | None:
    """Return the ratings that a document brings along in ``meta["ratings"]``, if it has any.

    They are an answer as `read_ratings` knows it, or a mapping from criteria, and ``domain``, to
    what is said of them.
    """
    given = meta.get("ratings")
    if isinstance(given, str):
        return read_ratings(given)
    if not isinstance(given, Mapping):
        return None
    # JSON writers make 4.0 of a 4
    plain = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in given.items()}
    return read_ratings("\n".join(f"{name}: {value}" for name, value in plain.items()))


def _only(said: set[Any]) -> Any:
    """Return what was said, if it was one thing."""
    return next(iter(said)) if len(said) == 1 else None


def _squashed(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower()).replace("z", "s")


_KEYS = {_squashed(name): name for name in CRITERIA} | {"overall": "overall_score"}
_NUMBERED = {str(i): name for i, name in enumerate(CRITERIA, 1)}


def _score(value: str) -> int | None:
    found = _SCORE.match(value)
    if not found or found[1] not in ("1", "2", "3", "4", "5") or found[2] not in (None, "5"):
        return None
    return int(found[1])


def _domain(value: str) -> str | None:
    found = _LETTER.match(value)
    if found:
        name = DOMAINS[found[1].upper()]
        # "a mix of law and finance" begins with no letter of ours
        if not found["said"] or name.split()[0] in found["said"].lower():
            return name
    plain = _squashed(value)
    return next((n for n in DOMAINS.values() if plain and plain == _squashed(n)), None)


class Candidate(NamedTuple):
    """A rated document: what it costs, how good it is, and with whom it shares a budget."""

    id: str
    tokens: int
    score: float
    group: str


def budgets(candidates: Sequence[Candidate], tokens: int, *, equal: bool) -> dict[str, float]:
    """Share a budget among groups: equally, or in proportion to their tokens."""
    sizes = Counter[str]()
    for c in candidates:
        sizes[c.group] += c.tokens
    whole = max(sizes.total(), 1)
    return {g: tokens / len(sizes) if equal else tokens * n / whole for g, n in sizes.items()}


def best(
    candidates: Sequence[Candidate],
    limits: Mapping[str, float],
    temperature: float = 0.0,
    *,
    upsample: bool = False,
    seed: int = 0,
) -> Counter[str]:
    r"""Take the best of each group until its budget is spent; return how often each one counts.

    Candidates are ranked by score plus `temperature` times Gumbel noise, equals by the noise alone,
    which hangs on seed and id. The last one of a group may pass its budget. With `upsample`, a
    group that is spent too soon is drawn from again, with replacement.

    Examples
    --------
    >>> pool = [Candidate("a", 10, 1.0, ""), Candidate("b", 10, 5.0, "")]
    >>> dict(best(pool, {"": 5.0}))
    {'b': 1}
    """
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for c in candidates:
        groups[c.group].append(c)
    copies = Counter[str]()
    for group, mine in groups.items():
        noise = {c.id: _gumbel(seed, c.id) for c in mine}
        keys = {c.id: (c.score + temperature * noise[c.id], noise[c.id], c.id) for c in mine}
        mine.sort(key=lambda c: keys[c.id], reverse=True)
        left = limits[group]
        for c in mine:
            if left > 0:
                copies[c.id] += 1
                left -= c.tokens
        again = stream(seed, "again", group)
        while upsample and left > 0:
            c = mine[int(again.integers(len(mine)))]
            copies[c.id] += 1
            left -= c.tokens
    return copies


def _gumbel(seed: int, name: str) -> float:
    u = stream(seed, "order", name).random()
    return -math.log(-math.log(min(max(u, 1e-300), 1 - 1e-16)))
