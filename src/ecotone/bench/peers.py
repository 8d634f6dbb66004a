"""The proxy trainer against Hugging Face's `Trainer`, in one run on one machine."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecotone.core.mixture import Mixture
from ecotone.core.run import Manifest, Run
from ecotone.data.tokens import TokenStore
from ecotone.engine import pool
from ecotone.jobs.trials import natural_shares
from ecotone.train.lm import LMConfig, Recipe, hold_memory, tiny_lm, train

Rows = list[dict[str, Any]]


def matmul_rate(threads: int) -> float:
    """Return this machine's float32 matrix product rate, in GFLOP/s."""
    torch.set_num_threads(threads)
    a = torch.randn(1024, 1024)
    for _ in range(3):
        a @ a
    began = time.perf_counter()
    for _ in range(20):
        a @ a
    return 20 * 2 * 1024**3 / (time.perf_counter() - began) / 1e9


def flops_per_token(config: LMConfig) -> float:
    """Return the FLOPs of forward and backward of one token: 6 per weight, plus attention."""
    matrices = config.layers * 12 * config.width**2 + config.vocab * config.width
    return 6 * matrices + 12 * config.layers * config.context * config.width / 2


def trainer_speed(store: TokenStore, tokens: int = 200_000, repeats: int = 3) -> Rows:
    """Tokens per second on two cores: a pool of two one-thread trainings against `Trainer`.

    Same shape, batch, optimiser and learning rate. `Trainer` trains one model with two threads (its
    way to use two cores) and also two processes of one thread each, so that the gain of the
    pool and of the code can be told apart.
    """
    recipe = Recipe(tokens=tokens)
    config = tiny_lm(recipe.depth, vocab=store.vocab, context=recipe.context)
    peak = {n: matmul_rate(n) for n in (1, 2)}
    rates: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, seconds in (
            ("ecotone, pool of 2", _pooled("ecotone.bench.peers:ours_task", store, tokens)),
            ("Trainer, 2 processes", _pooled("ecotone.bench.peers:theirs_task", store, tokens)),
            ("Trainer, 2 threads", _threads(store, tokens)),
        ):
            models = 1 if name.endswith("threads") else 2
            rates.setdefault(name, []).append(models * recipe.steps * _batch(recipe) / seconds)
    best = {n: float(np.median(r)) for n, r in rates.items()}
    ours = best["ecotone, pool of 2"]
    return [
        {
            "trainer": name,
            "tokens/s": rate,
            "share of matmul rate": rate * flops_per_token(config) / peak[2] / 1e9,
            "ecotone is faster by": ours / rate,
        }
        for name, rate in best.items()
    ]


def _batch(recipe: Recipe) -> int:
    return recipe.batch * recipe.context


def _pooled(task: str, store: TokenStore, tokens: int) -> float:
    """Run two trainings in the pool; return the seconds of the slower one, start-up left out."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(folder, Manifest("bench", "trainer", {}, {}, 0))
        given = [{"store": str(store.path), "tokens": tokens, "seed": s} for s in range(2)]
        results = pool.map(task, given, run, workers=2, quiet=True)
    return max(r["seconds"] for r in results)


def _threads(store: TokenStore, tokens: int) -> float:
    torch.set_num_threads(2)
    try:
        return theirs(store, tokens, 0)
    finally:
        torch.set_num_threads(1)


def ours_task(store: str, tokens: int, seed: int) -> dict[str, float]:
    """Train ours, as a task."""
    torch.set_num_threads(1)
    hold_memory()
    at = TokenStore(Path(store))
    shares = dict(zip(at.names, map(float, natural_shares(at)), strict=True))
    began = time.perf_counter()
    train(at, Mixture(shares), Recipe(tokens=tokens, eval_tokens=128), seed=seed)
    return {"seconds": time.perf_counter() - began}


def theirs_task(store: str, tokens: int, seed: int) -> dict[str, float]:
    """Train theirs, as a task."""
    torch.set_num_threads(1)
    return {"seconds": theirs(TokenStore(Path(store)), tokens, seed)}


def theirs(store: TokenStore, tokens: int, seed: int) -> float:
    """Train the same shape with Hugging Face's Trainer; return its training seconds."""
    from torch.utils.data import Dataset
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    recipe = Recipe(tokens=tokens)
    c = tiny_lm(recipe.depth, vocab=store.vocab, context=recipe.context)
    ids = np.asarray(store.tokens(store.names[-1]), dtype=np.int64)

    class Windows(Dataset):
        def __len__(self) -> int:
            return recipe.steps * recipe.batch

        def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
            at = i * c.context % (len(ids) - c.context)
            row = torch.from_numpy(ids[at : at + c.context])
            return {"input_ids": row, "labels": row}

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=c.vocab, n_positions=c.context, n_embd=c.width, n_layer=c.layers,
            n_head=c.heads, activation_function="relu", resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder, max_steps=recipe.steps, per_device_train_batch_size=recipe.batch,
            learning_rate=recipe.rate, seed=seed, weight_decay=0.1, adam_beta2=0.95,
            max_grad_norm=0.0, lr_scheduler_type="cosine",
            warmup_steps=recipe.steps // 20, report_to=[],
            save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=True,
        )  # fmt: skip
        trainer = Trainer(model=model, args=args, train_dataset=Windows())
        began = time.perf_counter()
        trainer.train()
    return time.perf_counter() - began
