"""A mixture as the file that a trainer reads, in the unit that the trainer counts.

Our weights are shares of training *tokens*. Some trainers count documents instead: shares are then
divided by the mean length of each domain's documents, or the trainer would read too much of the
domains with long ones. Every file says its unit and what was converted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ecotone.core.errors import BadInput
from ecotone.core.mixture import Mixture
from ecotone.data.export import by_documents, by_tokens, neutral
from ecotone.data.export.plan import Plan, plan_of


class Format(NamedTuple):
    """One way to write a mixture."""

    line: str
    write: Callable[[Plan, Path], Path]
    read: Callable[[Path], dict[str, float]]
    counts_documents: bool = False
    schedules: bool = False


_FORMATS = {
    "json": Format(
        "everything that is known, for programs: shares, caps, epochs, schedule, provenance",
        neutral.write, neutral.read, schedules=True,
    ),
    "megatron": Format(
        "Megatron-LM, Megatron-Bridge, NeMo: --data-args-path, --per-split-data-args-path",
        by_tokens.write_megatron, by_tokens.read_megatron,
    ),
    "olmo-core": Format(
        "OLMo-core: sources of a SourceMixtureDatasetConfig (YAML)",
        by_tokens.write_olmo, by_tokens.read_olmo,
    ),
    "litgpt": Format(
        "LitGPT, litdata: weights of a CombinedStreamingDataset over token blocks (Python)",
        by_tokens.write_litgpt, by_tokens.read_python,
    ),
    "mosaicml": Format(
        "MosaicML Streaming, llm-foundry: streams with proportions (YAML)",
        by_documents.write_mosaicml, by_documents.read_mosaicml, counts_documents=True,
    ),
    "hf": Format(
        "Hugging Face datasets: probabilities of interleave_datasets (Python)",
        by_documents.write_hf, by_documents.read_python, counts_documents=True,
    ),
    "torchtitan": Format(
        "torchtitan: a DatasetMixConfig of WeightedDatasets (Python)",
        by_documents.write_torchtitan, by_documents.read_python, counts_documents=True,
    ),
    "llama-factory": Format(
        "LLaMA-Factory: dataset, mix_strategy, interleave_probs (YAML)",
        by_documents.write_llama_factory, by_documents.read_llama_factory, counts_documents=True,
    ),
}  # fmt: skip

FORMATS: Mapping[str, str] = MappingProxyType({name: f.line for name, f in _FORMATS.items()})
"""Name of each format, and what it is for."""


def write(
    mixture: Mixture,
    format: str,
    folder: Path | str,
    facts: Mapping[str, Any] | None = None,
    *,
    packed: bool = False,
    phase: int | None = None,
) -> Path:
    r"""Write a mixture for a trainer.

    Where the trainer counts documents, a domain with the token share :math:`w_i` and documents of
    :math:`\bar t_i` tokens on average gets the share

    .. math:: s_i = \frac{w_i / \bar t_i}{\sum_j w_j / \bar t_j}

    Domains without a share are left out, as most trainers refuse them.

    Parameters
    ----------
    mixture : Mixture
        Shares of the training tokens.
    format : str
        One of `FORMATS`, with ``:packed`` and ``:phaseN`` behind it for the two options below.
    folder : path
        Where to write; one file, or one folder of files, named after the format.
    facts : mapping, optional
        The analysis of a run. Used when present: ``domains`` (``name``, ``tokens_per_document``, or
        else ``tokens`` and ``documents``), ``budget``, ``paths`` (domain -> path or paths, as the
        trainer will find them), ``target``, ``cv``, ``verdict``, ``advice``.
    packed : bool
        The trainer's samples are already cut to a fixed number of tokens: one unit is as long as
        the other, and token shares are written as they are.
    phase : int, optional
        From 1: write this phase of a mixture with phases.

    Returns
    -------
    Path
        The file the trainer is given.

    Raises
    ------
    BadInput
        An unknown format; a mixture with phases where the trainer knows no schedule; a trainer
        that counts documents and a domain whose documents were not counted.

    Examples
    --------
    >>> import tempfile
    >>> path = write(Mixture({"law": 0.25, "web": 0.75}), "megatron", tempfile.mkdtemp())
    >>> path.read_text()
    '0.25 law 0.75 web\n'
    >>> read(path, "megatron")
    {'law': 0.25, 'web': 0.75}
    """
    name, options = _parse(format)
    packed = packed or "packed" in options
    phase = next((int(o[5:]) for o in options if o.startswith("phase")), phase)
    kind = _FORMATS[name]
    weights = _weights(mixture, name, kind, phase)
    plan = plan_of(mixture, weights, facts or {}, kind.counts_documents and not packed, name)
    suffix = ("-packed" if packed else "") + (f"-phase{phase}" if phase else "")
    return kind.write(plan, Path(folder) / f"{name}{suffix}")


def read(path: Path | str, format: str) -> dict[str, float]:
    """Read the token shares back from what `write` returned.

    Parameters
    ----------
    path : path
        The file.
    format : str
        As it was written.

    Returns
    -------
    dict of str to float
        Shares of the training tokens; domains without a share are 0 where the file names them.

    Raises
    ------
    BadInput
        An unknown format, or a file of another kind.
    """
    name, _ = _parse(format)
    path = Path(path)
    try:
        weights = _FORMATS[name].read(path)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}).", cure=f'ls -l "{path}"'
        ) from None
    except (ValueError, KeyError, TypeError, SyntaxError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{path}: not a mixture in the format {name} as this version writes it ({error}).",
            cure="write it again with ecotone mix ... --export " + name,
        ) from None
    total = math.fsum(weights.values())
    if not total > 0:
        raise BadInput(f"{path}: no domain has a share.", cure="export the mixture again")
    return {n: w / total for n, w in weights.items()}


def _parse(format: str) -> tuple[str, list[str]]:
    name, *options = format.split(":")
    if name not in _FORMATS:
        lines = "\n".join(f"{n:<14} {line}" for n, line in FORMATS.items())
        raise BadInput(f"no export format is called {name!r}.", cure=f"use one of\n{lines}")
    for option in options:
        if option != "packed" and not re.fullmatch(r"phase[1-9]\d{0,5}", option):
            raise BadInput(
                f"--export {format}: no option is called {option!r}.",
                cure=f"--export {name}, {name}:packed or {name}:phase1",
            )
    return name, options


def _weights(mixture: Mixture, name: str, kind: Format, phase: int | None) -> dict[str, float]:
    """Return the shares to write: of one phase, or of the whole training."""
    count = len(mixture.phases)
    if phase is not None and not 1 <= phase <= count:
        raise BadInput(
            f"--export {name}:phase{phase}: the mixture has {count or 'no'} phases.",
            cure=f"--export {name}" if not count else f"phase1 to phase{count}",
        )
    if phase is not None:
        return dict(mixture.phases[phase - 1].weights)
    if count and not kind.schedules:
        each = " ".join(f"--export {name}:phase{i + 1}" for i in range(count))
        raise BadInput(
            f"the mixture changes {count - 1} time(s) during the training, which the format {name} "
            "cannot say.",
            why="the average over time is another mixture than the one that was recommended.",
            cure=f"--export json, or one file for each phase: {each}",
        )
    return dict(mixture.weights)
