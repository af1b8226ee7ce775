"""A file of items that a shop wants to add, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from recsys import schema
from recsys.data.checks import check_items
from recsys.data.tables import TableSchema, read_converted
from recsys.encoders.images import content_hash
from recsys.errors import BadData, BadUse
from recsys.release.digest import json_sha256

DESCRIPTION: Final = "product_description"
_COLUMNS: Final = TableSchema(
    schema.ITEM_COLUMNS, {**schema.ITEM_OPTIONAL_COLUMNS, DESCRIPTION: np.dtype("O")}
)


@dataclass(frozen=True)
class ItemFile:
    """Items to add, m of them.

    Attributes:
        items: Columns of `schema.ITEM_COLUMNS`, those of `ITEM_OPTIONAL_COLUMNS` that the file has, and
            `product_description` where it has that.
        pictures: An image file of each item; None where there is none.
    """

    items: pd.DataFrame
    pictures: tuple[Path | None, ...]

    @property
    def ids(self) -> np.ndarray:
        """The shop's ids, int64 [m]."""
        found: np.ndarray = self.items["item_id"].to_numpy(np.int64)
        return found

    @property
    def descriptions(self) -> pd.DataFrame | None:
        """item_id and product_description, None where the file has none."""
        return self.items[["item_id", DESCRIPTION]] if DESCRIPTION in self.items else None

    def fingerprint(self) -> str:
        """Hex sha256 over all values and all pictures' bytes, whatever the file's format or name."""
        columns = {name: self.items[name].tolist() for name in sorted(self.items)}
        pictures = [(content_hash(path) or b"").hex() for path in self.pictures]
        return json_sha256({"items": columns, "pictures": pictures})


def read_item_file(path: Path, images: Path | None = None) -> ItemFile:
    """Reads a parquet or CSV file of items.

    Nothing is set aside: one bad row and the file is refused, for what is half added is hard to find again.

    Args:
        path: Columns item_id, price, category_l1, category_l2, item_gender; optionally sku, title,
            category_l1_name, category_l2_name, current_stock and product_description.
        images: Folder with `<item_id>.jpg` of some of them.

    Raises:
        BadUse: There is no such file, or it is of another kind, or there is no such folder of images.
        BadData: It cannot be read, or a column or row cannot be used; names it.
    """
    if images is not None and not images.is_dir():
        raise BadUse(str(images), "there is no such folder", "Give the folder that holds <item_id>.jpg")
    if path.suffix not in (".parquet", ".csv"):
        raise BadUse(str(path), f"{path.suffix or 'no suffix'} is neither .parquet nor .csv", "Convert it")
    if not path.is_file():
        raise BadUse(str(path), "there is no such file", "Give a .parquet or .csv of items")
    if path.suffix == ".parquet":
        items = _read(path, str(path))
    else:
        with TemporaryDirectory() as folder:
            copy = Path(folder, "items.parquet")
            pq.write_table(_from_csv(path), copy)
            items = _read(copy, str(path))
    if items.empty:
        raise BadData(str(path), "holds no items", "Give at least one")
    found = (images / f"{item}.jpg" if images is not None else None for item in items["item_id"].tolist())
    return ItemFile(items, tuple(one if one is not None and one.is_file() else None for one in found))


def _read(path: Path, name: str) -> pd.DataFrame:
    """The checked table; errors speak of `name`."""
    try:
        columns = read_converted(path, _COLUMNS)
        marks = check_items(columns, name)
    except BadData as error:
        raise BadData(error.thing.replace(str(path), name), error.cause, error.fix) from None
    for column, values in columns.items():
        if values.bad.any():
            row = int(np.argmax(values.bad))
            raise BadData(
                f"{name} column {column} row {row}", values.reason, "Correct the row, or leave it out"
            )
    if not marks.good.all():
        row = int(np.argmin(marks.good))
        reason = marks.reasons[marks.codes[row] - 1]
        raise BadData(f"{name} row {row}", reason, "Correct the row, or leave it out")
    return pd.DataFrame({column: values.values for column, values in columns.items()})


def _from_csv(path: Path) -> pa.Table:
    text = {
        name: pa.string() for name, dtype in _COLUMNS.present(list(_names())).items() if dtype.kind == "O"
    }
    options = pyarrow.csv.ConvertOptions(column_types=text, strings_can_be_null=True)
    try:
        table = pyarrow.csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        cause = str(error).splitlines()[0].rstrip(".")
        raise BadData(str(path), f"not a CSV file ({cause})", "Export it again") from error
    for name, dtype in _COLUMNS.present(table.column_names).items():
        if dtype.kind != "O" and pa.types.is_string(table[name].type):
            _refuse_words(path, name, table[name].to_pandas())
    return table


def _refuse_words(path: Path, column: str, values: pd.Series) -> None:
    """Names the row for which a column of numbers was read as text.

    Raises:
        BadData: There is one.
    """
    words = (pd.to_numeric(values, errors="coerce").isna() & values.notna()).to_numpy()
    if words.any():
        row = int(np.argmax(words))
        said = f"holds {values[row]!r}, which is no number"
        raise BadData(f"{path} column {column} row {row}", said, "Correct the row, or leave it out")


def _names() -> tuple[str, ...]:
    return (*_COLUMNS.required, *_COLUMNS.optional)
