"""What every exporter works from: shares in the trainer's unit, and what is known about them."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone._version import __version__
from ecotone.core.errors import BadInput
from ecotone.core.files import plain
from ecotone.core.mixture import Mixture

MARK = "ecotone-export:"  # begins the one line of JSON that `read` needs


@dataclass(frozen=True)
class Plan:
    """One export.

    Attributes
    ----------
    mixture : Mixture
        What is exported.
    weights : dict of str to float
        Shares of the training tokens, zeros included.
    shares : dict of str to float
        In the trainer's unit, above 0; `math.fsum` of them is exactly 1.
    lengths : dict of str to float
        Mean tokens of a document of the domains in `shares`; empty when nothing was converted.
    facts : Mapping
        The analysis.
    """

    mixture: Mixture
    weights: dict[str, float]
    shares: dict[str, float]
    lengths: dict[str, float]
    facts: Mapping[str, Any]

    @property
    def unit(self) -> str:
        """What the shares count, in words."""
        return "documents" if self.lengths else "tokens"

    @property
    def budget(self) -> int | None:
        """Training tokens of the real run."""
        return (self.facts.get("budget") or {}).get("tokens")

    def paths(self, name: str) -> list[str]:
        """Return where the trainer finds a domain: its name when nothing else was said."""
        given = (self.facts.get("paths") or {}).get(name, name)
        return [given] if isinstance(given, str) else [str(p) for p in given]

    def path_note(self) -> list[str]:
        """Return a comment line when names stand for paths."""
        missing = [n for n in self.shares if n not in (self.facts.get("paths") or {})]
        return ["# Names of domains stand for paths: put yours in their place."] if missing else []

    def epochs(self, name: str) -> float | None:
        """Return how often the real run reads a domain; None when its size is not known."""
        have = next((d.get("tokens") for d in self._domains if d.get("name") == name), None)
        if not have or not self.budget:
            return None
        return self.weights[name] * self.budget / float(have)

    @property
    def _domains(self) -> list[Mapping[str, Any]]:
        return list(self.facts.get("domains") or ())

    def about(self) -> dict[str, Any]:
        """Return what `read` needs to find the token shares again, and where they come from."""
        return {
            "unit": self.unit,
            "made_by": self.mixture.made_by,
            "mixture": self.mixture.fingerprint,
            "ecotone": __version__,
            "left_out": [n for n in self.weights if n not in self.shares],
            "tokens_per_document": self.lengths,
        }

    def header(self) -> list[str]:
        """Return comment lines: the unit, what was converted, and `about` as one line."""
        made_by = one_line(self.mixture.made_by)
        told = [f"Mixture of {len(self.shares)} domains by ecotone; made by {made_by}."]
        if self.lengths:
            told += [
                "Unit: documents (samples). Shares of training tokens were divided by the mean",
                "tokens of a document. Right only while a sample is one whole document: where",
                "samples are cut to a fixed length before they are mixed, export with :packed.",
            ]
        else:
            told += ["Unit: tokens. Right where one sample is as many tokens as another."]
        return [f"# {line}" for line in [*told, MARK + " " + one_line(self.about())]]


def one_line(value: object) -> str:
    """Return JSON on one line, in ASCII: no name can end a comment or break an encoding."""
    return json.dumps(plain(value), ensure_ascii=True)


def exact(shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares above 0 scaled so that `math.fsum` of them is 1.0, to the last bit.

    Examples
    --------
    >>> tenth = exact({name: 0.1 for name in "abcdefghij"})
    >>> math.fsum(tenth.values())
    1.0
    """
    kept = {n: w for n, w in shares.items() if w > 0}
    total = math.fsum(kept.values())
    scaled = {n: w / total for n, w in kept.items()}
    largest = max(scaled, key=scaled.__getitem__)
    # rounded once, so that the sum, rounded once, is 1: 1 - fsum(rest) would be rounded twice
    scaled[largest] = math.fsum([1.0, *(-w for n, w in scaled.items() if n != largest)])
    return scaled


def plan_of(
    mixture: Mixture,
    weights: dict[str, float],
    facts: Mapping[str, Any],
    by_documents: bool,
    format: str,
) -> Plan:
    """Turn token shares into shares of the trainer's unit."""
    if not by_documents:
        return Plan(mixture, weights, exact(weights), {}, facts)
    lengths = _lengths([n for n, w in weights.items() if w > 0], facts, format)
    shares = exact({n: weights[n] / lengths[n] for n in lengths})
    return Plan(mixture, weights, shares, lengths, facts)


def _lengths(names: list[str], facts: Mapping[str, Any], format: str) -> dict[str, float]:
    """Return the mean tokens of a document, by domain.

    ``tokens_per_document`` wins: it is measured on training documents, whereas ``documents`` may
    count held-out ones that ``tokens`` does not.
    """
    rows = {d["name"]: d for d in facts.get("domains") or ()}
    lengths = {}
    for name in names:
        row = rows.get(name, {})
        tokens, documents = row.get("tokens") or 0, row.get("documents") or 0
        length = row.get("tokens_per_document")
        if length is None and tokens > 0 and documents > 0:
            length = tokens / documents
        if length is None or not (math.isfinite(length) and length > 0):
            raise BadInput(
                f"--export {format}: how long the documents of {name} are is not known.",
                why="this trainer counts documents; without their mean length a share of tokens "
                "cannot be turned into a share of documents.",
                cure=f"--export {format}:packed where samples are packed to a fixed length, or "
                'give facts["domains"] with "tokens_per_document"',
            )
        lengths[name] = float(length)
    return lengths


def token_shares(shares: Mapping[str, float], about: Mapping[str, Any]) -> dict[str, float]:
    """Turn shares in a trainer's unit back into shares of tokens (not normalised)."""
    lengths = about.get("tokens_per_document") or {}
    back = {n: float(s) * float(lengths.get(n, 1.0)) for n, s in shares.items()}
    return back | {n: 0.0 for n in about.get("left_out", ()) if n not in back}


def about_line(path: Path) -> dict[str, Any]:
    """Read the line of JSON from the comments of a file; empty when there is none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        head, mark, rest = line.partition(MARK)
        if mark and head.strip() in ("#", ""):
            found: dict[str, Any] = json.loads(rest)
            return found
    return {}


def python_table(path: Path, name: str) -> dict[str, float]:
    """Read the dictionary assigned to `name` in a Python file, without running the file."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]:
            return {str(k): float(v) for k, v in ast.literal_eval(node.value).items()}
    raise KeyError(f"no {name} = {{...}}")
