"""Train small models on many mixtures: `try_mixtures`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.mixture import Mixture
from ecotone.core.run import Manifest, Run
from ecotone.core.trials import Trials
from ecotone.data.tokens import TokenOptions, TokenStore, prepare
from ecotone.engine import pool

Array = NDArray[np.float64]
Design = Array | Sequence[Mixture] | Callable[[Array], Array]


def tokenised(
    corpus: Corpus,
    out: Path | str = "runs",
    options: TokenOptions | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> TokenStore:
    """Tokenise a corpus into a run folder of its own under `out`, once."""
    options = options or TokenOptions()
    given = Path(options.tokenizer).read_text() if options.tokenizer else None
    manifest = Manifest(
        "tokens", "bpe" if given is None else "given", {**asdict(options), "tokenizer": given},
        {"corpus": corpus.fingerprint}, options.seed,
    )  # fmt: skip
    run = Run.open(out, manifest)
    store = prepare(corpus, run.path / "tokens", options, progress=progress)
    if run.manifest.status != "done":
        run.close()
    return store


def natural_shares(store: TokenStore) -> Array:
    """Return the shares of the domains' training tokens, in the order of the store."""
    sizes = np.array([store.full_count(n) for n in store.names], dtype=np.float64)
    return sizes / sizes.sum()


def try_mixtures(
    corpus: Corpus | TokenStore,
    design: Design,
    *,
    trainer: str = "tiny-lm",
    tokens: int = 400_000,
    horizon: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    out: Path | str = "runs",
    caps: float | dict[str, float] | None = None,
    split: str = "dev",
    recipe: dict[str, Any] | None = None,
    options: TokenOptions | None = None,
    title: str = "training proxies",
    quiet: bool = False,
) -> Trials:
    """Train one small model per mixture and measure its held-out loss on every domain.

    Finished trials are kept under `out`: the same call, or one with a longer design, does not do
    them again. The number of workers changes no bit of the result.

    Parameters
    ----------
    corpus : Corpus or TokenStore
        Where the text is.
    design : ndarray (n, k), sequence of Mixture, or callable
        Which mixtures; columns in the order of the corpus. A callable is given the natural
        shares and returns the array.
    trainer : {"tiny-lm"}
        The reference trainer.
    tokens : int
        Training tokens of each trial.
    horizon : int, optional
        Tokens of the training the trials stand for (see `ecotone.train.sampler.plan`).
    seed : int
        All trials share it: the same first weights and the same order of each domain's text, so
        that losses differ by the mixture.
    workers : int, optional
        Processes; default all cores.
    out : Path
        Where runs are kept.
    caps : float or dict, optional
        Most epochs of a domain.
    recipe : dict, optional
        Other fields of `ecotone.train.lm.Recipe`, such as ``depth``.

    Returns
    -------
    Trials
        Scores in nats per token, one target per domain.
    """
    if trainer != "tiny-lm":
        raise BadInput(f"no trainer is called {trainer!r}.", cure='trainer="tiny-lm"')
    store = corpus if isinstance(corpus, TokenStore) else tokenised(corpus, out, options=options)
    mixtures = _mixtures(design, store, caps)
    settings = {"tokens": tokens, "horizon": horizon, **(recipe or {})}
    results = train_all(
        store, mixtures, [seed] * len(mixtures), settings,
        out=out, split=split, workers=workers, title=title, quiet=quiet,
    )  # fmt: skip
    about = {
        "seed": [seed] * len(results),
        "tokens": [r["tokens"] for r in results],
        "parameters": [r["parameters"] for r in results],
        "cpu_seconds": [r["cpu_seconds"] for r in results],
        "wall_seconds": [r["wall_seconds"] for r in results],
    }
    weights = np.array([[m.weights.get(n, 0.0) for n in store.names] for m in mixtures])
    scores = np.array([[r["losses"][n] for n in store.names] for r in results])
    return Trials(weights, scores, store.names, store.names, about)


def train_all(
    store: TokenStore,
    mixtures: Sequence[Mixture],
    seeds: Sequence[int],
    settings: dict[str, Any],
    *,
    out: Path | str,
    split: str,
    workers: int | None = None,
    title: str = "training",
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Train each mixture with its seed; return what the trainer gave, in order."""
    try:
        from ecotone.train.lm import Recipe
    except ModuleNotFoundError as error:
        raise MissingExtra.of("lm", error.name or "torch", "training") from None
    recipe = asdict(Recipe(**settings))
    manifest = Manifest(
        "trials", "tiny-lm", {"recipe": recipe, "split": split}, {"tokens": store.fingerprint}, 0
    )
    run = Run.open(out, manifest)
    given = [
        {
            "mixture": {
                "weights": m.weights,
                "phases": [asdict(p) for p in m.phases],
                "caps": m.caps,
            },
            "recipe": recipe,
            "seed": s,
            "split": split,
            "corpus": store.fingerprint,
            "_store": str(store.path),
        }
        for m, s in zip(mixtures, seeds, strict=True)
    ]
    task = "ecotone.train.lm:run_task"
    for g in given:
        g["_checkpoint"] = str(run.path / "checkpoints" / pool.task_name(task, g))
    results = pool.map(task, given, run, workers=workers, title=title, quiet=quiet)
    if run.manifest.status != "done":
        run.close()
    return results


def _mixtures(
    design: Design, store: TokenStore, caps: float | dict[str, float] | None
) -> list[Mixture]:
    names = store.names
    limits = dict.fromkeys(names, caps) if isinstance(caps, int | float) else dict(caps or {})
    if callable(design):
        design = design(natural_shares(store))
    if isinstance(design, np.ndarray):
        if design.ndim != 2 or design.shape[1] != len(names):
            raise BadInput(
                f"the design has the shape {design.shape}, not (n, {len(names)}).",
                cure=f"one column per domain, in this order: {', '.join(names)}",
            )
        return [
            Mixture(dict(zip(names, map(float, row), strict=True)), (), limits, "design")
            for row in design
        ]
    return list(design)
