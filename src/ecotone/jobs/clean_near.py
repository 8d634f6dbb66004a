"""What one worker does with the signatures of all documents: find those that repeat another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import find
from ecotone.jobs.select_parts import gather, load, save
from ecotone.select._minhash import EMPTY, rows_of, shingle_sets
from ecotone.select._near_pairs import join
from ecotone.select.near_duplicates import SLACK

Ints = NDArray[np.int64]
VERIFIED = 32 << 20  # bytes of possible copies that are compared word by word


def near_copies(
    params: dict[str, Any], parts: list[dict[str, Any]], files: list[str], text_field: str,
    verified: int, folder: str,
) -> dict[str, Any]:  # fmt: skip
    """Write the place of the first document like each into ``near.npz``, as ``first``.

    ``gone.npz`` says which documents are dropped already, ``gone``: they are like nothing.

    Parameters
    ----------
    params : dict
        Options of `NearDuplicates`.
    parts : list of dict
        What one has already, then the pool: places are counted through all of them.
    files : list of str
        What `look_part` wrote of each, without its ending.
    text_field : str
    verified : int
        Bytes of possible copies that are compared word by word at most.
    folder : str

    Returns
    -------
    dict
        ``unverified``: possible copies that were too many, and judged by their signatures.
    """
    place = Path(folder)
    near = find("near_duplicates", "select").load()(**params)
    found = _signatures(place, files, near.permutations)
    first, many = None, 0
    if near.verify != "signatures":
        first, many = _compared(near, found, parts, _sizes(place, files), text_field, verified)
    save(place / "near.npz", first=join(found, near.threshold) if first is None else first)
    return {"unverified": many}


def _compared(
    near: Any, found: NDArray[np.uint32], parts: list[dict[str, Any]],
    sides: tuple[NDArray[np.int32], Ints], text_field: str, verified: int,
) -> tuple[Ints | None, int]:  # fmt: skip
    """Join what may be a copy by its text; None and their number where that are too many."""
    sizes, starts = sides
    first = join(found, near.threshold, slack=SLACK)
    rows = np.flatnonzero(np.bincount(first, minlength=len(first))[first] > 1)
    if sizes[rows].sum() > verified:
        return None, len(rows)
    first = np.arange(len(first))
    sets = shingle_sets(gather(parts, starts, rows, text_field), near.shingle)
    first[rows] = rows[join(rows_of(found, rows), near.threshold, slack=SLACK, sets=sets)]
    return first, 0


def _sizes(place: Path, files: list[str]) -> tuple[NDArray[np.int32], Ints]:
    """Return the bytes of every document, int32, and where each part begins."""
    each = [load(place / f"{f}.npz", "sizes")["sizes"].astype(np.int32) for f in files]
    return np.concatenate(each), np.cumsum([0, *map(len, each)])


def _signatures(place: Path, files: list[str], permutations: int) -> NDArray[np.uint32]:
    """Put all signatures into one file, those of documents that are gone blank, and map it."""
    gone = load(place / "gone.npz")["gone"]
    at = 0
    with (place / "signatures.npy").open("wb") as out:  # mapped, it would count as memory
        about = {"descr": "<u4", "fortran_order": False, "shape": (len(gone), permutations)}
        np.lib.format.write_array_header_2_0(out, about)
        for file in files:
            some = np.load(place / f"{file}.npy")
            some[gone[at : at + len(some)]] = EMPTY
            at += len(some)
            out.write(some.tobytes())
    found: NDArray[np.uint32] = np.load(place / "signatures.npy", mmap_mode="r")
    return found
