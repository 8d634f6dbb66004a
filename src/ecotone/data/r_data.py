"""Data frames in R's ``.rda`` files (format 2, XDR), read without R."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ecotone.core.errors import BadInput

_SYMBOL, _PAIRS, _CHARS = 1, 2, 9
_NUMBERS = {10: ">i4", 13: ">i4", 14: ">f8"}
_STRINGS, _LIST = 16, 19
_NIL, _AGAIN = 254, 255


def data_frame(data: bytes) -> dict[str, Any]:
    """Return the columns of the first data frame of an unpacked ``.rda`` file.

    Factors become the strings of their levels where those are no numbers.

    Raises
    ------
    BadInput
        Another format.
    """
    if not data.startswith(b"RDX2\nX\n"):
        raise BadInput("not an R data file of format 2.", cure="save it in R with version = 2")
    found = _Reader(data[19:]).item()
    value, facts = found[0][1]
    names = dict(facts)["names"][0]
    return {n: _column(c) for n, c in zip(names, value, strict=True)}


def _column(item: Any) -> Any:
    values, facts = item
    levels = dict(facts).get("levels")
    if levels is None:
        return values
    words = [levels[0][v - 1] for v in values.tolist()]
    return values - 1 if not all(w.lstrip("-").isdigit() for w in words) else list(map(int, words))


class _Reader:
    """A recursive reader of R's serialised objects: values with their attributes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.symbols: list[str] = []

    def _int(self) -> int:
        (value,) = struct.unpack_from(">i", self.data, self.at)
        self.at += 4
        return int(value)

    def item(self) -> Any:
        flags = self._int()
        kind, tagged = flags & 0xFF, bool(flags >> 10 & 1)
        if kind == _NIL:
            return []
        if kind == _AGAIN:
            return self.symbols[(flags >> 8) - 1]
        if kind == _SYMBOL:
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == _CHARS:
            return self._text()
        if kind == _PAIRS:
            facts = self.item() if flags >> 9 & 1 else []
            del facts
            tag = self.item() if tagged else ""
            head = self.item()
            return [(tag, head), *self.item()]
        value = self._vector(kind)
        return value, self.item() if flags >> 9 & 1 else []

    def _text(self) -> str:
        size = max(self._int(), 0)
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "replace")

    def _vector(self, kind: int) -> Any:
        size = self._int()
        if kind in _NUMBERS:
            out = np.frombuffer(self.data, _NUMBERS[kind], size, self.at)
            self.at += out.nbytes
            return out.astype(out.dtype.newbyteorder("="))
        if kind in (_STRINGS, _LIST):
            return [self.item() for _ in range(size)]
        raise BadInput(f"an R object of type {kind} is not read here.", cure="save a data frame")
