"""What a release knows of its items for display: titles, category names, prices."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from recsys import schema
from recsys.errors import BadData

_NAMES = ("category_l1_name", "category_l2_name")


class ItemCards:
    """The items of one release by the shop's id.

    Args:
        rows: Item id to its columns.
    """

    def __init__(self, rows: dict[int, dict[str, Any]]) -> None:
        self._rows = rows

    @classmethod
    def load(cls, release_dir: Path) -> ItemCards:
        """Read the catalogue of a release.

        Raises:
            BadData: The release has none, or it cannot be read.
        """
        return _load(release_dir / schema.CATALOGUE_FILE)

    def describe(self, item_id: int) -> dict[str, Any]:
        """Title, category and price of an item; None for what is not known.

        Args:
            item_id: The shop's id.
        """
        row = self._rows.get(item_id, {})
        names = [row[name] for name in _NAMES if row.get(name)]
        return {
            "title": row.get("title"),
            "category": " / ".join(names) if names else _code(row.get("category_l1")),
            "price": None if row.get("price") is None else round(float(row["price"]), 2),
        }


def _code(category: Any) -> str | None:
    return None if category is None else f"category {category}"


@lru_cache(maxsize=2)
def _load(path: Path) -> ItemCards:
    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow raises both for a file that is not parquet.
        raise BadData(str(path), "cannot be read", "Publish the release again") from error
    return ItemCards({row["item_id"]: row for row in rows})
