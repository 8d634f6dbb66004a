"""The text column of a parquet file, in small batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecotone.core.errors import BadInput
from ecotone.data.stream import AGAIN


def parquet_texts(path: Path, text_field: str) -> Iterator[tuple[int, str]]:
    """Stream ``(row from 1, text)`` of one column; a null is no document."""
    import pyarrow as pa  # not at the top: it takes longer to import than all of ecotone
    import pyarrow.parquet as pq

    row = 0
    try:
        # without buffer_size a whole column chunk is read at once
        with pq.ParquetFile(path, buffer_size=1 << 18, pre_buffer=False) as file:
            check_column(path, file.schema_arrow, text_field)
            # one column: more threads only hold more buffers
            for batch in file.iter_batches(64, columns=[text_field], use_threads=False):
                for text in batch.column(0).to_pylist():
                    row += 1
                    if text is not None:
                        yield row, text
    except UnicodeDecodeError:
        raise BadInput.at(
            path, f"row {row + 1}", "the text of this row or soon after is not UTF-8.", cure=AGAIN
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path}: cannot be read as parquet ({str(error).partition(chr(10))[0]}).", cure=AGAIN
        ) from None


def check_column(path: Path, schema: Any, text_field: str) -> None:
    """Refuse a file whose column of texts is missing or holds no strings."""
    import pyarrow as pa

    def is_text(kind: Any) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))

    texts = [f.name for f in schema if is_text(f.type) and f.name != text_field]
    other = f"pass text_field={texts[0]!r} (--text-field {texts[0]})" if texts else ""
    if text_field not in schema.names:
        raise BadInput(
            f"{path}: the column {text_field!r} is missing; the file has: "
            f"{', '.join(schema.names)}.",
            cure=other or f"write the text as a column {text_field!r}",
        )
    kind = schema.field(text_field).type
    if not is_text(kind):
        raise BadInput(
            f"{path}: the column {text_field!r} holds {kind}, not strings.",
            cure=other or f"cast the column {text_field!r} to strings",
        )
