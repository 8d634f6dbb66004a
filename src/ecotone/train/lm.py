"""One tiny decoder, one dial: the trainer behind every proxy and every confirmation."""

from __future__ import annotations

import contextlib
import ctypes
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecotone.core.files import fingerprint
from ecotone.core.mixture import Mixture, Phase
from ecotone.core.seeds import derive
from ecotone.data.tokens import TokenStore
from ecotone.train.checkpoint import keep_state, resume_state, save_model
from ecotone.train.decoder import LMConfig, TinyLM, tiny_lm
from ecotone.train.sampler import Plan, batches, plan


@dataclass(frozen=True)
class Recipe:
    """How the decoder is trained.

    Attributes
    ----------
    tokens : int
        Budget.
    depth, context, batch : int
        Shape of the decoder, tokens per window, windows per step.
    rate : float
        Peak learning rate of AdamW (betas 0.9 and 0.95, weight decay 0.1 on matrices): linear
        warm-up over `warmup` of the steps, then cosine to a tenth.
    horizon : int or None
        Tokens of the training this one stands for (see `ecotone.train.sampler.plan`).
    eval_tokens : int
        Most held-out tokens per domain that losses are measured on.
    """

    tokens: int
    depth: int = 2
    context: int = 128
    batch: int = 4
    rate: float = 5e-3
    warmup: float = 0.05
    horizon: int | None = None
    eval_tokens: int = 32_768

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.tokens // (self.context * self.batch)

    def shape(self, vocab: int) -> LMConfig:
        """Return the shape of the decoder for a vocabulary."""
        return tiny_lm(self.depth, vocab=vocab, context=self.context)


@dataclass
class Trained:
    """What a training gives back.

    Attributes
    ----------
    losses, bits : dict of str to float
        Held-out loss per domain, in nats per token and in bits per byte.
    curve : list of (int, float)
        Tokens seen and training loss (mean since the last point).
    asked_got : list of dict
        Per domain: share asked, share got, tokens, epochs.
    target_windows : list of float
        Loss of each held-out window of the target, for paired comparisons.
    """

    losses: dict[str, float]
    bits: dict[str, float]
    curve: list[tuple[int, float]]
    asked_got: list[dict[str, Any]]
    tokens: int
    parameters: int
    cpu_seconds: float
    wall_seconds: float
    target_windows: list[float] = field(default_factory=list, repr=False)
    model: TinyLM | None = field(default=None, repr=False)


def train(
    store: TokenStore,
    mixture: Mixture,
    recipe: Recipe,
    *,
    seed: int = 0,
    split: str = "dev",
    checkpoint: Path | None = None,
    every: int = 200,
    tick: Callable[[int, int], None] = lambda _step, _steps: None,
) -> Trained:
    """Train a tiny decoder on a mixture and measure its held-out loss on every domain.

    Parameters
    ----------
    store : TokenStore
        Tokens of the corpus.
    mixture : Mixture
        Weights, phases, caps: honoured exactly (see `ecotone.train.sampler`).
    recipe : Recipe
        Budget and shape.
    seed : int
        Decides initial weights and reading order; the same seed gives the same bits.
    split : {"dev", "test"}
        Text that losses are measured on.
    checkpoint : Path, optional
        Folder where the state is kept every `every` steps, and from which a stopped training
        goes on to the same bits.
    tick : callable, optional
        Told step and steps.
    """
    began_cpu, began = time.process_time(), time.monotonic()
    config = recipe.shape(store.vocab)
    reading = plan(
        store, mixture, recipe.tokens,
        context=recipe.context, batch=recipe.batch, seed=seed, horizon=recipe.horizon,
    )  # fmt: skip
    model = TinyLM(config, derive(seed, "init"))
    optimiser = _optimiser(model, recipe)
    state: dict[str, Any] = {"step": 0, "cpu": 0.0, "wall": 0.0, "curve": []}
    identity = fingerprint([store.fingerprint, mixture.fingerprint, asdict(recipe), seed])
    if checkpoint is not None:
        state = resume_state(checkpoint, identity, model, optimiser) or state
    curve, recent = [tuple(c) for c in state["curve"]], torch.zeros(())
    stride = max(1, recipe.steps // 50)
    model.train()
    for step, ids in _numbered(store, reading, recipe.batch, state["step"]):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _schedule(step, recipe)
        loss = model.loss(torch.from_numpy(ids))
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad()
        recent += loss.detach()
        if (step + 1) % stride == 0:
            curve.append(((step + 1) * recipe.batch * recipe.context, float(recent) / stride))
            recent.zero_()
            if checkpoint is not None and (step + 1) // every > (step + 1 - stride) // every:
                used = state["cpu"] + time.process_time() - began_cpu
                spent = state["wall"] + time.monotonic() - began
                facts = {"step": step + 1, "curve": curve, "cpu": used, "wall": spent}
                keep_state(checkpoint, model, optimiser, {**facts, "identity": identity})
        tick(step + 1, recipe.steps)
    windows = {n: window_losses(model, store, n, split, recipe.eval_tokens) for n in store.names}
    losses = {n: float(w.mean()) for n, w in windows.items()}
    bits = {n: v / math.log(2) / store.bytes_per_token(n, split) for n, v in losses.items()}
    return Trained(
        losses, bits, curve, reading.asked_got(mixture),
        recipe.steps * recipe.batch * recipe.context, config.parameters,
        state["cpu"] + time.process_time() - began_cpu,
        state["wall"] + time.monotonic() - began,
        windows[store.target].tolist() if store.target else [], model,
    )  # fmt: skip


def _numbered(
    store: TokenStore, reading: Plan, batch: int, first: int
) -> Iterator[tuple[int, np.ndarray]]:
    return enumerate(batches(store, reading, batch, first), start=first)


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.95), fused=True)


def _schedule(step: int, recipe: Recipe) -> float:
    warm = max(1, round(recipe.warmup * recipe.steps))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, recipe.steps - warm)
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress))


def evaluate(
    model: TinyLM, store: TokenStore, *, split: str = "dev", most: int = 32_768
) -> dict[str, float]:
    """Return the held-out loss per domain, nats per token, on at most `most` tokens each."""
    return {n: float(window_losses(model, store, n, split, most).mean()) for n in store.names}


@torch.no_grad()
def window_losses(
    model: TinyLM, store: TokenStore, name: str, split: str, most: int
) -> NDArray[np.float64]:
    """Return the loss of each held-out window, shape (n_windows,), nats per token.

    The windows are spread evenly over the held-out text; the same ones for every model, so that two
    models can be compared window by window. Text shorter than a window is one short window.
    """
    model.eval()
    context = model.config.context
    ids = np.asarray(store.tokens(name, split), dtype=np.int64)
    have = (len(ids) - 1) // context
    if have < 1:
        return np.array([float(model.loss(torch.from_numpy(ids)[None]))])
    take = min(have, max(1, most // context))
    where = np.unique(np.linspace(0, have - 1, take).astype(np.int64)) * context
    rows = torch.from_numpy(np.stack([ids[w : w + context + 1] for w in where]))
    losses = [model.token_losses(rows[i : i + 16]).mean(1) for i in range(0, len(rows), 16)]
    model.train()
    return torch.cat(losses).double().numpy()


def hold_memory() -> None:
    """Ask the C library to keep freed memory: a training step frees and takes the same blocks.

    Otherwise each step hands megabytes back to the system and has them zeroed again, which costs a
    fifth of the time. Without glibc nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def run_task(
    store: str,
    mixture: dict[str, Any],
    recipe: dict[str, Any],
    seed: int,
    split: str,
    corpus: str,
    checkpoint: str | None = None,
    keep: str | None = None,
    tick: Callable[[int, int], None] = lambda _step, _steps: None,
) -> dict[str, Any]:
    """Train one mixture as a task of the engine; everything that goes in and out is JSON.

    `corpus`, the fingerprint of the tokens, only serves to tell tasks apart; `tick` is told how far
    the training is.
    """
    del corpus
    torch.set_num_threads(1)
    hold_memory()
    phases = tuple(Phase(p["until"], p["weights"]) for p in mixture.get("phases", ()))
    mixed = Mixture(mixture["weights"], phases, mixture.get("caps", {}))
    folder = Path(checkpoint) if checkpoint else None
    result = train(
        TokenStore(Path(store)), mixed, Recipe(**recipe), seed=seed, split=split,
        checkpoint=folder, tick=tick,
    )  # fmt: skip
    if keep and result.model is not None:
        save_model(result.model, Path(keep))
    if folder and folder.exists():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    return {k: v for k, v in vars(result).items() if k != "model"} | {"mixture": mixture["weights"]}
