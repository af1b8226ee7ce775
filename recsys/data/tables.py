"""Parquet files in and out, in the schema's dtypes, with errors that name file, column and row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import schema
from recsys.errors import BadData

_EXACT_FLOAT = 2.0**53 - 1  # a larger float64 may stand for more than one integer


@dataclass(frozen=True)
class TableSchema:
    """The columns a file must have and those it may have, each with its dtype."""

    required: Mapping[str, np.dtype]
    optional: Mapping[str, np.dtype]

    def present(self, names: list[str]) -> dict[str, np.dtype]:
        """Returns the schema's columns that are among `names`, in the schema's order."""
        return {c: d for c, d in {**self.required, **self.optional}.items() if c in names}


ITEMS = TableSchema(schema.ITEM_COLUMNS, schema.ITEM_OPTIONAL_COLUMNS)
DESCRIPTIONS = TableSchema(schema.DESCRIPTION_COLUMNS, {})
USERS = TableSchema(schema.USER_COLUMNS, {})
DAY = TableSchema(schema.DAY_COLUMNS, schema.DAY_OPTIONAL_COLUMNS)


@dataclass(frozen=True)
class Converted:
    """One column in its schema dtype.

    Attributes:
        values: [n] in the schema's dtype; rows of `bad` hold a placeholder.
        bad: bool [n], rows whose value is missing or does not fit the dtype.
        reason: Why a bad row is bad, for the whole column.
        raw: The column as it was read, an Arrow chunked array.
    """

    values: np.ndarray
    bad: np.ndarray
    reason: str
    raw: Any


def check_schema(path: Path, table: TableSchema) -> None:
    """Reads only a parquet file's footer and checks its columns.

    Args:
        path: The file.
        table: What it should hold.

    Raises:
        BadData: The file is absent, unreadable, or a column is missing or of another kind.
    """
    _check_arrow_schema(path, _open(path).schema_arrow, table)


def read_converted(path: Path, table: TableSchema) -> dict[str, Converted]:
    """Reads the schema's columns of a file and keeps account of the rows that do not fit.

    Args:
        path: The parquet file.
        table: What it should hold; columns that the schema does not name are left unread.

    Returns:
        Column name to converted values, all of the same length, in the file's row order.

    Raises:
        BadData: The file is absent, unreadable, or a column is missing or of another kind.
    """
    file = _open(path)
    _check_arrow_schema(path, file.schema_arrow, table)
    wanted = table.present(file.schema_arrow.names)
    try:
        data = file.read(columns=list(wanted))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    return {
        name: _convert(data.column(name), dtype, name in table.required) for name, dtype in wanted.items()
    }


def read_table(path: Path, table: TableSchema) -> pd.DataFrame:
    """Reads a file that must be clean.

    Args:
        path: The parquet file.
        table: What it should hold.

    Returns:
        A frame with the schema's columns and dtypes in the file's row order.

    Raises:
        BadData: As `read_converted`, or a row holds a missing value or one that does not fit.
    """
    columns = read_converted(path, table)
    for name, column in columns.items():
        if column.bad.any():
            row = int(np.argmax(column.bad))
            raise BadData(
                f"{path} column {name} row {row}",
                column.reason,
                "Run `recsys data validate` to set bad rows aside.",
            )
    return pd.DataFrame({name: column.values for name, column in columns.items()}, copy=False)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Writes a frame as parquet, byte for byte the same for the same content.

    Args:
        frame: The table; its index is not written.
        path: Where to; an existing file is replaced.
    """
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, compression="zstd")


def _open(path: Path) -> Any:
    if not path.is_file():
        raise BadData(str(path), "the file does not exist", "A data set needs it; export it again.")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadData:
    cause = str(error).splitlines()[0].rstrip(".")
    return BadData(str(path), f"not a whole parquet file ({cause})", "Copy or export it again.")


def _check_arrow_schema(path: Path, arrow: Any, table: TableSchema) -> None:
    for name in table.required:
        if name not in arrow.names:
            raise BadData(
                f"{path} column {name}", "the column is missing", f"Needed are {', '.join(table.required)}."
            )
    for name, dtype in table.present(arrow.names).items():
        if arrow.names.count(name) > 1:
            raise BadData(f"{path} column {name}", "the column is there twice", "Keep one of them.")
        found = arrow.field(name).type
        if not _fits(found, dtype):
            kind = "text" if dtype.kind == "O" else str(dtype)
            raise BadData(
                f"{path} column {name}", f"holds {found}, not {kind}", f"Convert the column to {kind}."
            )


def _fits(found: Any, dtype: np.dtype) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True  # nothing but missing values: the rows tell
    if dtype.kind == "O":
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    # Integers with a missing value come out of pandas as floats, so those are let in and checked by row.
    return bool(pa.types.is_integer(found) or pa.types.is_floating(found))


def _convert(column: Any, dtype: np.dtype, required: bool) -> Converted:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        column = column.cast(pa.string() if dtype.kind == "O" else pa.from_numpy_dtype(dtype))
    missing = pc.is_null(column).to_numpy()
    if dtype.kind == "O":
        # Text is never worth refusing a file for: "" is a product without it.
        values = column.fill_null("").to_pandas().to_numpy(dtype=object)
        return Converted(values, np.zeros(len(values), dtype=bool), "", column)
    values = column.fill_null(0).to_numpy()
    if dtype.kind == "f":
        with np.errstate(over="ignore"):  # what overflows float32 is not finite, and so bad
            narrow = values.astype(dtype)
        return Converted(narrow, missing | ~np.isfinite(narrow), "the value is missing or not finite", column)
    whole = _is_whole(values, dtype)
    if values.dtype.kind == "f":
        missing = missing | np.isnan(values)
    bad = missing | ~whole
    out = np.where(bad, schema.UNKNOWN, values).astype(dtype)
    if not required and dtype == np.int64:
        bad = ~missing & ~whole  # a count that is not known stays UNKNOWN
    return Converted(out, bad, f"the value is missing or not a whole {dtype} number", column)


def _is_whole(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    if values.dtype.kind == "f":
        wide = values.astype(np.float64)
        limit = min(_EXACT_FLOAT, float(limits.max))
        return np.asarray((wide == np.floor(wide)) & (np.abs(wide) <= limit))
    if values.dtype.kind == "u":
        return np.asarray(values <= np.uint64(limits.max))
    return np.asarray((values >= limits.min) & (values <= limits.max))
