"""Trainers that count samples, which are documents unless they are packed."""

from __future__ import annotations

from pathlib import Path

from ecotone.core.errors import BadInput
from ecotone.core.files import write_text
from ecotone.data.export.plan import MARK, Plan, about_line, python_table, token_shares
from ecotone.data.export.yaml_text import number, quoted, unquoted


def write_mosaicml(plan: Plan, place: Path) -> Path:
    """Write ``streams`` with one proportion each."""
    out = [*plan.header(), *plan.path_note(), "streams:"]
    for name, share in plan.shares.items():
        remote = plan.paths(name)
        if len(remote) > 1:
            raise BadInput(
                f"--export mosaicml: {name} has {len(remote)} paths; a stream has one.",
                cure=f'give facts["paths"] one folder for {name}',
            )
        out += [
            f"  {quoted(name)}:",
            f"    remote: {quoted(remote[0])}",
            "    split: train",
            f"    proportion: {number(share)}",
        ]
    path = place.with_name(f"{place.name}.yaml")
    write_text(path, "\n".join(out) + "\n")
    return path


def read_mosaicml(path: Path) -> dict[str, float]:
    """Return token shares from the proportions of the streams."""
    shares: dict[str, float] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith('  "') and line.endswith(":"):
            name = unquoted(line[2:-1])
        elif line.startswith("    proportion: "):
            shares[name] = float(line.partition(": ")[2])
    return token_shares(shares, about_line(path))


def write_hf(plan: Plan, place: Path) -> Path:
    """Write a module with ``PROBABILITIES`` and a function that calls interleave_datasets."""
    body = [
        'def mix(datasets, seed=42, stopping_strategy="all_exhausted"):',
        '    """Interleave datasets given by name of their domain.',
        "",
        "    all_exhausted repeats the short ones until each has been read once; first_exhausted",
        "    stops at the first end and repeats nothing.",
        '    """',
        "    from datasets import interleave_datasets",
        "",
        "    return interleave_datasets(",
        "        [datasets[name] for name in PROBABILITIES],",
        "        probabilities=list(PROBABILITIES.values()),",
        "        seed=seed,",
        "        stopping_strategy=stopping_strategy,",
        "    )",
    ]
    return _module(plan, place, "PROBABILITIES", body)


def write_torchtitan(plan: Plan, place: Path) -> Path:
    """Write a module with ``WEIGHTS`` and a function that builds a DatasetMixConfig."""
    body = [
        "def mix(datasets):",
        '    """Mix dataset configs given by name of their domain; repeat them one by one."""',
        "    from torchtitan.components.data import DatasetMixConfig, WeightedDataset",
        "",
        "    return DatasetMixConfig(",
        "        datasets=tuple(",
        "            WeightedDataset(dataset=datasets[name], weight=weight)",
        "            for name, weight in WEIGHTS.items()",
        "        )",
        "    )",
    ]
    return _module(plan, place, "WEIGHTS", body)


def _module(plan: Plan, place: Path, table: str, body: list[str]) -> Path:
    rows = [f"    {n!a}: {s!r}," for n, s in plan.shares.items()]
    lines = [*plan.header(), "", f"{table} = {{", *rows, "}", "", "", *body, ""]
    path = place.with_name(f"{place.name.replace('-', '_')}_mixture.py")
    write_text(path, "\n".join(lines))
    return path


def read_python(path: Path) -> dict[str, float]:
    """Return token shares from the table of a module, without running it."""
    try:
        shares = python_table(path, "PROBABILITIES")
    except KeyError:
        shares = python_table(path, "WEIGHTS")
    return token_shares(shares, about_line(path))


def write_llama_factory(plan: Plan, place: Path) -> Path:
    """Write the three lines that a training file of LLaMA-Factory needs."""
    for name in plan.shares:
        if "," in name or name != name.strip():
            raise BadInput(
                f"--export llama-factory: {name!r} cannot stand in a list with commas.",
                cure="rename the domain",
            )
    note = (
        "# LLaMA-Factory mixes examples before it packs them: packing: true changes no unit here."
    )
    lines = [
        *plan.header(),
        note,
        f"dataset: {quoted(','.join(plan.shares))}",
        "mix_strategy: interleave_over",
        f"interleave_probs: {quoted(','.join(repr(s) for s in plan.shares.values()))}",
    ]
    path = place.with_name(f"{place.name}.yaml")
    write_text(path, "\n".join(lines) + "\n")
    return path


def read_llama_factory(path: Path) -> dict[str, float]:
    """Return token shares from the two lists."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, sign, value = line.partition(": ")
        if sign and MARK not in line and not line.startswith("#"):
            found[key] = value
    names = unquoted(found["dataset"]).split(",")
    values = [float(v) for v in unquoted(found["interleave_probs"]).split(",")]
    return token_shares(dict(zip(names, values, strict=True)), about_line(path))
