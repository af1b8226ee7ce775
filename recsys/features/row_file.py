"""Training rows on disk: one parquet file, written and read a part at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.errors import BadData

ROWS_FILE: Final = "rows.parquet"
PART_ROWS: Final = 1_000_000
"""Rows held at a time: NVTabular's joins need a multiple of their part's memory."""


@dataclass(frozen=True)
class RowFile:
    """A table of training rows, of `recsys.features.training`, that may be larger than memory.

    Attributes:
        path: The parquet file.
    """

    path: Path

    @classmethod
    def write(cls, path: Path, blocks: Iterable[pd.DataFrame]) -> RowFile:
        """Writes frames of the same columns one after the other.

        Args:
            path: The file; its folder is made.
            blocks: The frames; their indexes are not written.

        Raises:
            BadData: There is no row.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        writer, rows = None, 0
        try:
            for block in blocks:
                table = pa.Table.from_pandas(block, preserve_index=False)
                writer = writer or pq.ParquetWriter(path, table.schema)
                writer.write_table(table, row_group_size=PART_ROWS)
                rows += len(block)
        finally:
            if writer is not None:
                writer.close()
        if not rows:
            raise BadData("training rows", "there are none", "Give days that hold clicks")
        return cls(path)

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def count(self, column: str, value: int) -> int:
        """How many rows hold a value in a column."""
        return sum(
            int(pc.sum(pc.equal(self._groups([group], [column])[column], value)).as_py() or 0)
            for group in range(pq.read_metadata(self.path).num_row_groups)
        )

    def parts(self) -> list[list[int]]:
        """The row groups of each part: neighbours that hold `PART_ROWS` together, or one that holds more."""
        file = pq.read_metadata(self.path)
        parts: list[list[int]] = []
        held = 0
        for group in range(file.num_row_groups):
            rows = file.row_group(group).num_rows
            if not parts or held + rows > PART_ROWS:
                parts.append([])
                held = 0
            parts[-1].append(group)
            held += rows
        return parts

    def read(self, part: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Some columns of a part, all by default."""
        names = None if columns is None else list(columns)
        return self._groups(part, names).to_pandas()

    def frames(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Part after part."""
        for part in self.parts():
            yield self.read(part, columns)

    def newest(self, most: int) -> pd.DataFrame:
        """The last rows of the file, in their order, `most` of them at most."""
        file = pq.read_metadata(self.path)
        first, rows = file.num_row_groups, 0
        while first and rows < most:
            first -= 1
            rows += file.row_group(first).num_rows
        return self.read(range(first, file.num_row_groups)).tail(most).reset_index(drop=True)

    def _groups(self, groups: Sequence[int], columns: list[str] | None) -> pa.Table:
        with pq.ParquetFile(self.path) as file:
            return file.read_row_groups(list(groups), columns=columns)
