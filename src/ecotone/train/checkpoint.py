"""What a training leaves on disk: its state, to go on from, and the finished model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ecotone.core.files import replacing, write_json
from ecotone.train.decoder import LMConfig, TinyLM


def keep_state(
    folder: Path, model: nn.Module, optimiser: torch.optim.AdamW, facts: dict[str, Any]
) -> None:
    """Write weights and optimiser state as safetensors; the newest state replaces the last."""
    from safetensors.torch import save_file

    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, p in enumerate(p for g in optimiser.param_groups for p in g["params"]):
        for key in ("exp_avg", "exp_avg_sq", "step"):
            tensors[f"adam.{i}.{key}"] = optimiser.state[p][key]
    with replacing(folder / "state.safetensors") as part:
        save_file(tensors, part, metadata={"facts": json.dumps(facts)})


def resume_state(
    folder: Path, identity: str, model: nn.Module, optimiser: torch.optim.AdamW
) -> dict[str, Any] | None:
    """Load the newest state into model and optimiser.

    Returns None, and loads nothing, when there is none or it is of another training.
    """
    from safetensors import safe_open

    file = folder / "state.safetensors"
    if not file.exists():
        return None
    with safe_open(file, framework="pt") as kept:
        facts: dict[str, Any] = json.loads(kept.metadata()["facts"])
        if facts["identity"] != identity:
            return None
        model.load_state_dict(
            {k[6:]: kept.get_tensor(k) for k in kept.keys() if k.startswith("model.")}  # noqa: SIM118
        )
        for i, p in enumerate(p for g in optimiser.param_groups for p in g["params"]):
            optimiser.state[p] = {
                key: kept.get_tensor(f"adam.{i}.{key}") for key in ("exp_avg", "exp_avg_sq", "step")
            }
    return facts


def save_model(model: TinyLM, folder: Path) -> None:
    """Write ``model.safetensors`` and ``config.json``."""
    from safetensors.torch import save_file

    write_json(folder / "config.json", asdict(model.config))
    with replacing(folder / "model.safetensors") as part:
        save_file(model.state_dict(), part)


def load_model(folder: Path | str) -> TinyLM:
    """Read what `save_model` wrote."""
    from safetensors.torch import load_file

    folder = Path(folder)
    model = TinyLM(LMConfig(**json.loads((folder / "config.json").read_text())))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model
