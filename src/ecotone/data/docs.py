"""`Docs`: many documents as one run of bytes, the form that fast passes over text work on.

A list of a hundred thousand strings costs more to walk through than to read. Here the texts of a
batch lie one after the other in one array of bytes, and `starts` says where each begins, as in an
Arrow column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Docs:
    """A batch of documents.

    Attributes
    ----------
    data : ndarray of uint8
        UTF-8 bytes of all texts, one after the other.
    starts : ndarray of int64, shape (n + 1,)
        Document i is ``data[starts[i]:starts[i + 1]]``.
    ids : sequence of str, length n
        Where each stands, such as ``law/a.jsonl:12``.

    Examples
    --------
    >>> batch = Docs.of(["one", "zwölf"])
    >>> len(batch), batch[1], batch.sizes.tolist()
    (2, 'zwölf', [3, 6])
    """

    data: Bytes
    starts: Places
    ids: Sequence[str]

    @classmethod
    def of(cls, texts: Sequence[str], ids: Sequence[str] | None = None) -> Docs:
        """Make a batch of strings; ids are their places unless given."""
        parts = [_encoded(t, i) for i, t in enumerate(texts)]
        return cls.of_bytes(parts, [str(i) for i in range(len(parts))] if ids is None else ids)

    @classmethod
    def of_bytes(cls, parts: Sequence[bytes], ids: Sequence[str]) -> Docs:
        """Make a batch of UTF-8 texts."""
        starts = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(p) for p in parts], out=starts[1:])
        return cls(np.frombuffer(b"".join(parts), dtype=np.uint8), starts, ids)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> str:
        if not 0 <= i < len(self):
            raise IndexError(i)
        return self.data[self.starts[i] : self.starts[i + 1]].tobytes().decode()

    @property
    def sizes(self) -> Places:
        """Bytes of each document, shape (n,)."""
        return np.diff(self.starts)

    def texts(self) -> list[str]:
        """Return the documents as strings."""
        return [self[i] for i in range(len(self))]

    def fingerprints(self) -> NDArray[np.uint64]:
        """Return 64 bits of BLAKE2 of each text, shape (n,): the same for the same text."""
        view, ends = self.data.data, self.starts.tolist()
        found = b"".join(
            hashlib.blake2b(view[i:j], digest_size=8).digest() for i, j in pairwise(ends)
        )
        return np.frombuffer(found, dtype="<u8").astype(np.uint64)

    def pieces(self, size: int = 1 << 20, most: int | None = None) -> Iterator[Docs]:
        """Cut into batches of about `size` bytes and at most `most` documents, as views.

        For what takes many times the memory of its text.
        """
        at = 0
        while at < len(self):
            end = int(np.searchsorted(self.starts, self.starts[at] + size, side="right")) - 1
            end = min(max(end, at + 1), len(self) if most is None else at + most)
            starts = self.starts[at : end + 1]
            yield Docs(self.data[starts[0] : starts[-1]], starts - starts[0], self.ids[at:end])
            at = end

    def take(self, rows: NDArray[Any]) -> Docs:
        """Return some of the documents, in the order of `rows`."""
        parts = [self.data[self.starts[i] : self.starts[i + 1]].tobytes() for i in rows.tolist()]
        return Docs.of_bytes(parts, [self.ids[i] for i in rows.tolist()])


def _encoded(text: str, place: int) -> bytes:
    if not isinstance(text, str):
        raise BadInput(
            f"document {place} is {type(text).__name__}, not a string.",
            cure="pass a list of strings",
        )
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as some JSON has
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def as_docs(texts: Any, what: str = "docs") -> Iterable[Docs]:
    """Return any form of texts as batches that can be walked through again and again.

    Parameters
    ----------
    texts : sequence of str, Docs, Corpus domain, or an iterable of Docs
        An iterable must give its batches anew each time: a generator is refused.
    what : str
        How a message calls them.

    Raises
    ------
    BadInput
        One string, a generator, or nothing at all.

    Examples
    --------
    >>> [len(batch) for batch in as_docs(["a", "b"])]
    [2]
    """
    if isinstance(texts, Docs):
        return [texts]
    if isinstance(texts, str | bytes):
        raise BadInput(f"{what} is one string.", cure=f"pass a list: {what}=[text, ...]")
    if isinstance(texts, Iterator):
        raise BadInput(
            f"{what} is a generator, which can be read once only.",
            why="a method reads its texts more than once.",
            cure=f"pass {what}=list({what}), or ecotone.data.doc_files.DocFiles(path)",
        )
    if isinstance(texts, np.ndarray):
        texts = texts.tolist()
    if isinstance(texts, Sequence):
        if texts and isinstance(texts[0], Docs):
            return list(texts)
        return [Docs.of(texts)]
    if not hasattr(texts, "__iter__"):
        raise BadInput(f"{what} is {type(texts).__name__}.", cure="pass a list of strings")
    return texts  # batches, as the caller says


def joined(texts: Any, what: str = "docs", least: int = 0) -> Docs:
    """Return any form of texts as one batch in memory.

    Raises
    ------
    BadInput
        Fewer than `least` documents.
    """
    batches = list(as_docs(texts, what))
    if len(batches) == 1:
        whole = batches[0]
    else:
        sizes = [np.zeros(1, dtype=np.int64), *(b.sizes for b in batches)]
        data = [b.data for b in batches] or [np.zeros(0, dtype=np.uint8)]
        whole = Docs(np.concatenate(data), np.cumsum(np.concatenate(sizes)),
                     [i for b in batches for i in b.ids])  # fmt: skip
    if len(whole) < least:
        raise empty(what) if len(whole) == 0 else BadInput(
            f"{what} has {len(whole)} documents, at least {least} are needed.",
            cure="pass more documents",
        )  # fmt: skip
    return whole


def empty(what: str) -> BadInput:
    """Return the error for texts without a single document."""
    return BadInput(f"{what} holds no document.", cure=f"pass texts: {what}=[text, ...]")
