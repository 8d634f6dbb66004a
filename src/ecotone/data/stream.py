"""A file as a stream of bytes, lines or decoded text; gzip and zstandard are unpacked on the way.

Nothing here holds a file in memory. A damaged or truncated file is a `BadInput` that names the
byte where it goes wrong.
"""

from __future__ import annotations

import codecs
import io
import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zstandard

from ecotone.core.errors import BadInput

LINE_LIMIT = 1 << 26  # bytes: a longer line is no record but a missing line end
BLOCK = 1 << 12  # bytes read at a time: gzip expands them at most 1,032 times, so to 4 MB
RECODE = "convert the file to UTF-8, for instance: iconv -f LATIN1 -t UTF-8 OLD > NEW"
AGAIN = "fetch or compress the file again"


def blocks(path: Path) -> Iterator[bytes]:
    """Stream the bytes of a file, decompressed when its name ends in ``.gz`` or ``.zst``."""
    try:
        if path.suffix.lower() == ".gz":
            yield from _inflate(path, "gzip", lambda: zlib.decompressobj(wbits=31))
        elif path.suffix.lower() == ".zst":
            unpack = zstandard.ZstdDecompressor(max_window_size=1 << 31)
            yield from _inflate(path, "zstd", unpack.decompressobj)
        else:
            with path.open("rb") as file:
                while block := file.read(16 * BLOCK):
                    yield block
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}).", cure=f'ls -l "{path}"'
        ) from None


def _inflate(path: Path, kind: str, start: Callable[[], Any]) -> Iterator[bytes]:
    """Decompress a file of one or more frames, and see to it that the last one is whole.

    zstandard's own stream reader ends quietly where a truncated file ends, hence this loop.
    """
    frame: Any = None
    offset = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            while block:
                if frame is None:
                    if kind == "gzip" and not block.strip(b"\0"):
                        break  # zero padding after the last member is allowed
                    frame = start()
                try:
                    yield frame.decompress(block)
                except (zlib.error, zstandard.ZstdError) as error:
                    raise BadInput.at(
                        path,
                        f"byte {offset}",
                        f"the {kind} data is damaged in the {BLOCK} bytes from here ({error}).",
                        cure=AGAIN,
                    ) from None
                block = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
            offset = file.tell()
    if frame is not None:
        raise BadInput.at(
            path, f"byte {offset}", f"the file ends in the middle of its {kind} data.", cure=AGAIN
        )


def lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Stream ``(line number from 1, byte offset, line without its end)`` of a file."""
    number, offset, held = 1, 0, bytearray()
    for block in blocks(path):
        *whole, rest = block.split(b"\n")
        for line in whole:
            held += line
            yield number, offset, bytes(held)
            number, offset = number + 1, offset + len(held) + 1
            held.clear()
        held += rest
        if len(held) > LINE_LIMIT:
            raise BadInput.at(
                path,
                number,
                f"the line is longer than {LINE_LIMIT >> 20} MiB.",
                cure="write one document a line, each line ended by a line feed",
            )
    if held:
        yield number, offset, bytes(held)


def decoded(path: Path) -> Iterator[str]:
    """Decode UTF-8 without its byte order mark, line ends turned into line feeds."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    newline = io.IncrementalNewlineDecoder(None, translate=True)
    offset = 0
    for block in itertools.chain(blocks(path), [b""]):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = offset - pending + error.start
            raise BadInput.at(
                path,
                f"byte {at}",
                f"0x{error.object[error.start]:02x} is not UTF-8.",
                cure=RECODE,
            ) from None
        text = text.removeprefix("\ufeff") if offset == 0 else text
        offset += len(block)
        yield newline.decode(text, final=not block)
