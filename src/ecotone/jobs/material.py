"""A mixture as documents: shuffled shards that any trainer can read, and a ledger that adds up."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.files import fingerprint, fingerprint_file, write_json
from ecotone.core.mixture import Mixture
from ecotone.core.run import Run
from ecotone.data.tokens import Sides, TokenOptions, TokenStore
from ecotone.jobs._copies import Planned, asked_parts, measure, planned
from ecotone.jobs._shards import shard_path, write_shards
from ecotone.jobs.choose import Chosen

FORMAT = "ecotone.material/1"


def materialise(
    chosen: Chosen, tokens: int, *, seed: int = 0, shard_tokens: int = 10_000_000
) -> Path:
    """Write a sample of this many tokens in the chosen mixture into the run's artifacts.

    Parameters
    ----------
    chosen : Chosen
        From `ecotone.jobs.choose.choose`; its corpus must still be where it was.
    tokens, seed, shard_tokens
        As for `write_material`.

    Returns
    -------
    Path
        The folder.
    """
    corpus, store, options = reopened(chosen.run)
    what = [chosen.mixture.fingerprint, tokens, seed, shard_tokens]
    folder = chosen.run.artifacts / f"material-{fingerprint(what)[:8]}"
    return write_material(
        chosen.mixture, corpus, store, options, tokens, folder, seed=seed, shard_tokens=shard_tokens
    )


def reopened(run: Run) -> tuple[Corpus, TokenStore, TokenOptions]:
    """Open the corpus of a run of ``ecotone mix`` again, and its token files."""
    params = run.manifest.params
    if "origin" not in params or "opener" not in params["origin"]:
        raise BadInput(
            f"{run.path.name} was made from finished trials: there are no documents to write.",
            cure="ecotone mix CORPUS --target NAME --materialise 10M",
        )
    origin = dict(params["origin"])
    module, name = origin.pop("opener").split(":")
    corpus: Corpus = getattr(importlib.import_module(module), name)(**origin)
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in params["options"].items()
    }
    return corpus, store_of(run), TokenOptions(**given)


def store_of(run: Run) -> TokenStore:
    """Find the token files that a run of ``ecotone mix`` was computed on, among its neighbours."""
    want = run.manifest.inputs.get("tokens")
    for file in sorted(run.path.parent.glob("tokens-*/tokens/tokens.json")):
        store = TokenStore(file.parent)
        if store.fingerprint == want:
            return store
    raise BadInput(
        f"{run.path.parent}: the token files of {run.path.name} are gone.",
        cure=run.manifest.command or "run ecotone mix on the corpus again",
    )


def with_document_lengths(chosen: Chosen) -> dict[str, Any]:
    """Return the analysis with the mean tokens of a training document of every domain.

    Total tokens over documents would be wrong: the tokens are those of training text, the
    documents all there are, and a small target keeps most of its documents for measuring.
    """
    if "tokens" not in chosen.run.manifest.inputs:
        return chosen.analysis
    facts = store_of(chosen.run).meta["domains"]
    rows = []
    for row in chosen.analysis["domains"]:
        train = facts[row["name"]]["splits"]["train"]
        rows.append({**row, "tokens_per_document": train["tokens"] / train["documents"]})
    return {**chosen.analysis, "domains": rows}


def write_material(
    mixture: Mixture,
    corpus: Corpus,
    store: TokenStore,
    options: TokenOptions,
    tokens: int,
    folder: Path,
    *,
    seed: int = 0,
    shard_tokens: int = 10_000_000,
) -> Path:
    """Write shards of whole training documents in the proportions of a mixture.

    Every domain's documents are shuffled, repeated as often as needed (each epoch in another order,
    one epoch after the other) and spread evenly over the training: at every point, what has been
    read has the shares of the mixture to within a document per domain. Phases follow each other.
    Documents are not cut, so a domain gets what it was asked for to within half of one document.
    Held-out documents are never written.

    Parameters
    ----------
    mixture : Mixture
        Shares, phases and caps.
    corpus : Corpus
        The one `store` was made from.
    store : TokenStore
        Its tokeniser counts; a document is its tokens and one end mark.
    options : TokenOptions
        How `store` was made.
    tokens : int
        How much to write.
    folder : path
        Gets ``train/00000.jsonl.zst`` ... and, last, ``ledger.json``. A run that was stopped goes
        on with the shard it was at; one that had finished is left as it is.
    seed : int
        Decides the order.
    shard_tokens : int
        Tokens of a shard; one shard's text is held in memory.

    Returns
    -------
    Path
        `folder`, which `ecotone.read_corpus` reads as one domain ``train``; fields ``domain``,
        ``source`` (the document's id) and ``epoch`` tell where a document comes from.

    Raises
    ------
    Infeasible
        A domain would be repeated more often than its cap.
    BadInput
        The corpus has changed, or the folder holds other material.
    """
    folder = Path(folder)
    mixture.tokens(tokens, store.counted(corpus))  # refuses what is over a cap
    recipe = [FORMAT, mixture.fingerprint, tokens, seed, shard_tokens, store.fingerprint]
    identity = fingerprint(recipe)
    if _finished(folder, identity):
        return folder
    sides = Sides.of(corpus, store, options)
    tokenizer = _tokenizer(store)
    names, parts = asked_parts(mixture, tokens)
    asked = dict(zip(names, parts.sum(axis=0).tolist(), strict=True))
    found = {
        n: measure(corpus, sides, store, tokenizer, n, part, seed) for n, part in asked.items()
    }
    plan = planned(names, parts, found, mixture.caps, seed, shard_tokens)
    if not len(plan):
        raise BadInput(
            f"no document fits into {tokens:,} tokens.", cure="ask for more with --materialise"
        )
    write_json(folder / "plan.json", {"format": FORMAT, "identity": identity})
    write_shards(plan, corpus, sides, folder)
    ledger = {
        "format": FORMAT, "identity": identity,
        "unit": "tokens; each document is its tokens and one end mark",
        "mixture": mixture.weights, "made_by": mixture.made_by, "seed": seed,
        "tokenizer": store.meta["tokenizer"], "asked": tokens, "got": int(plan.tokens.sum()),
        "documents": len(plan), "domains": _by_domain(plan, asked, store),
        "shards": _by_shard(plan, folder),
    }  # fmt: skip
    write_json(folder / "ledger.json", ledger)
    (folder / "plan.json").unlink()
    return folder


def _finished(folder: Path, identity: str) -> bool:
    """Whether the ledger is there; refuses a folder that holds something else."""
    for name in ("ledger.json", "plan.json"):
        file = folder / name
        if not file.exists():
            continue
        if json.loads(file.read_text()).get("identity") != identity:
            raise BadInput(
                f"{folder}: holds material of another mixture, size, seed or corpus.",
                cure=f'another folder, or: rm -r "{folder}"',
            )
        if name == "ledger.json":
            return True
    return False


def _tokenizer(store: TokenStore) -> Any:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        raise MissingExtra.of("lm", "tokenizers", "counting tokens") from None
    tokenizer = Tokenizer.from_file(str(store.path / "tokenizer.json"))
    # a mark that stands in a text is text, as when the token files were made
    tokenizer.encode_special_tokens = True
    return tokenizer


def _by_domain(
    plan: Planned, asked: dict[str, int], store: TokenStore
) -> dict[str, dict[str, float]]:
    """Return one row per domain; epochs are of the domain's training tokens."""
    out: dict[str, dict[str, float]] = {}
    for d, name in enumerate(plan.names):
        mine = plan.domain == d
        got = int(plan.tokens[mine].sum())
        copies = np.unique(plan.number[mine], return_counts=True)[1]
        out[name] = {
            "asked": asked[name],
            "got": got,
            "share": got / int(plan.tokens.sum()),
            "documents": int(mine.sum()),
            "different": len(copies),
            "repeated": int((copies > 1).sum()),
            "most_copies": int(copies.max(initial=0)),
            "epochs": got / max(store.full_count(name), 1),
            "longest": int(plan.tokens[mine].max(initial=0)),
        }
    return out


def _by_shard(plan: Planned, folder: Path) -> list[dict[str, Any]]:
    rows = []
    for i in range(int(plan.shard[-1]) + 1):
        file = shard_path(folder, i)
        mine = plan.shard == i
        rows.append(
            {
                "file": file.relative_to(folder).as_posix(),
                "documents": int(mine.sum()),
                "tokens": int(plan.tokens[mine].sum()),
                "bytes": file.stat().st_size,
                "blake2b": fingerprint_file(file),
            }
        )
    return rows
