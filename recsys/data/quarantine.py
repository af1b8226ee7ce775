"""The quarantine file: bad rows, kept with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.checks import Marks
from recsys.data.tables import Converted

_SCHEMA: Final = pa.schema(
    [("table", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("record", pa.string())]
)


class Quarantine:
    """Writes bad rows to a parquet file, table by table, so that memory holds one table at most.

    The file's columns are `table` (the file the row came from), `row` (its number there, from 0),
    `reason`, and `record` (the row as it was, a JSON object).

    Args:
        path: The file to write.
    """

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, table: str, columns: Mapping[str, Converted], marks: Marks) -> None:
        """Sets a table's marked rows aside.

        Args:
            table: The file's name.
            columns: The table as it was read.
            marks: Which rows are bad and why.
        """
        rows = np.flatnonzero(~marks.good)
        if len(rows) == 0:
            return
        values = [columns[name].raw.take(pa.array(rows)).to_pylist() for name in columns]
        records = [json.dumps(dict(zip(columns, row, strict=True))) for row in zip(*values, strict=True)]
        reasons = [marks.reasons[code - 1] for code in marks.codes[rows]]
        self._write(table, rows, reasons, records)

    def add_images(self, reasons: Mapping[int, str]) -> None:
        """Sets images aside.

        Args:
            reasons: Item id to why its image is bad; the id stands in the file's `record`.
        """
        records = [json.dumps({"item_id": item_id}) for item_id in reasons]
        self._write("item_images", np.arange(len(reasons)), list(reasons.values()), records)

    def _write(self, table: str, rows: np.ndarray, reasons: list[str], records: list[str]) -> None:
        if not reasons:
            return
        frame = pd.DataFrame({"table": table, "row": rows, "reason": reasons, "record": records})
        self._writer.write_table(pa.Table.from_pandas(frame, schema=_SCHEMA, preserve_index=False))
