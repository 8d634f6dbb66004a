"""Trainers that count tokens, or samples of one fixed length: Megatron, OLMo-core, LitGPT."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ecotone.core.errors import BadInput
from ecotone.core.files import write_json, write_text
from ecotone.data.export.plan import Plan, about_line, python_table, token_shares
from ecotone.data.export.yaml_text import number, quoted, unquoted


def write_megatron(plan: Plan, place: Path) -> Path:
    """Write ``blend.txt`` (weight, prefix, weight, prefix ...) and ``blend-per-split.json``.

    The text file cannot hold a comment (it is split at white space); ``about.json`` is beside it.
    The target alone is measured in validation and test.
    """
    words: list[str] = []
    prefixes: dict[str, list[str]] = {}
    for name, share in plan.shares.items():
        prefixes[name] = plan.paths(name)
        for prefix in prefixes[name]:
            # several files of one domain share its weight evenly: their sizes are not known here
            words += [repr(share / len(prefixes[name])), _word(prefix)]
    target = plan.facts.get("target")
    held_out = plan.paths(target) if target else None
    write_json(
        place / "blend-per-split.json", {"train": words, "valid": held_out, "test": held_out}
    )
    write_json(place / "about.json", {**plan.about(), "prefixes": prefixes})
    write_text(place / "blend.txt", " ".join(words) + "\n")
    return place / "blend.txt"


def _word(prefix: str) -> str:
    if not prefix or any(c.isspace() for c in prefix):
        raise BadInput(
            f"--export megatron: {prefix!r} has white space in it.",
            why="the file of --data-args-path is split at white space.",
            cure='rename the domain, or give facts["paths"] a path without white space',
        )
    return prefix


def read_megatron(path: Path) -> dict[str, float]:
    """Return the shares of ``blend.txt`` or of ``train`` in ``blend-per-split.json``."""
    if path.suffix == ".json":
        words = json.loads(path.read_text(encoding="utf-8"))["train"]
    else:
        words = path.read_text(encoding="utf-8").split()
    if len(words) % 2:
        raise ValueError("weights and prefixes do not alternate")
    beside = path.with_name("about.json")
    about = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    names = {p: n for n, prefixes in about.get("prefixes", {}).items() for p in prefixes}
    shares: dict[str, float] = {}
    for weight, prefix in zip(words[::2], words[1::2], strict=True):
        name = names.get(prefix, prefix)
        shares[name] = shares.get(name, 0.0) + float(weight)
    return token_shares(shares, about)


def write_olmo(plan: Plan, place: Path) -> Path:
    """Write ``requested_tokens`` and ``source_list`` of a SourceMixtureDatasetConfig."""
    out = [*plan.header(), *plan.path_note()]
    if plan.budget:
        out.append(f"requested_tokens: {plan.budget}")
    out += ["source_list:", "  sources:"]
    for name, share in plan.shares.items():
        repeat, fraction = _repetition(plan, name)
        out += [
            f"    - source_name: {quoted(name)}",
            f"      target_ratio: {number(share)}",
            "      paths:",
            *(f"        - {quoted(p)}" for p in plan.paths(name)),
            f"      max_repetition_ratio: {number(repeat)}",
            f"      max_source_fraction: {number(fraction)}",
        ]
    path = place.with_name(f"{place.name}.yaml")
    write_text(path, "\n".join(out) + "\n")
    return path


def _repetition(plan: Plan, name: str) -> tuple[float, float]:
    """Return repetitions (1 or more) and usable fraction (at most 1) that a cap in epochs means.

    Without a cap it is as many whole epochs as the budget needs: OLMo-core would refuse less.
    """
    cap = plan.mixture.caps.get(name)
    if cap is None or math.isinf(cap):
        cap = max(1.0, float(math.ceil(plan.epochs(name) or 1.0)))
    return max(1.0, float(cap)), min(1.0, float(cap))


def read_olmo(path: Path) -> dict[str, float]:
    """Return the target ratios."""
    shares: dict[str, float] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.strip().removeprefix("- ").partition(": ")
        if key == "source_name":
            name = unquoted(value)
        elif key == "target_ratio":
            shares[name] = float(value)
    return token_shares(shares, about_line(path))


def write_litgpt(plan: Plan, place: Path) -> Path:
    """Write a module with ``WEIGHTS`` and a function that mixes streaming datasets of tokens."""
    text = "\n".join(
        [
            *plan.header(),
            "",
            f"WEIGHTS = {_table(plan.shares)}",
            "",
            "",
            "def mix(datasets, seed=42):",
            '    """Mix StreamingDatasets over TokensLoader blocks, by name of their domain."""',
            "    from litdata import CombinedStreamingDataset",
            "",
            "    return CombinedStreamingDataset(",
            "        datasets=[datasets[name] for name in WEIGHTS],",
            "        weights=list(WEIGHTS.values()),",
            "        seed=seed,",
            "        iterate_over_all=False,",
            "    )",
            "",
        ]
    )
    path = place.with_name(f"{place.name.replace('-', '_')}_mixture.py")
    write_text(path, text)
    return path


def read_python(path: Path) -> dict[str, float]:
    """Return ``WEIGHTS`` of a module, without running it."""
    return token_shares(python_table(path, "WEIGHTS"), about_line(path))


def _table(shares: dict[str, float]) -> str:
    return "{\n" + "".join(f"    {n!a}: {s!r},\n" for n, s in shares.items()) + "}"
