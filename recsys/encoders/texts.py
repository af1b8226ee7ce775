"""What there is to read about an item, as one text."""

from __future__ import annotations

import pandas as pd

_COLUMNS = ("title", "category_l1_name", "category_l2_name")


def item_texts(items: pd.DataFrame, descriptions: pd.DataFrame | None = None) -> list[str]:
    """Title, category names and description of each item, as far as there are any.

    Args:
        items: item_id and any of title, category_l1_name, category_l2_name.
        descriptions: item_id and product_description; items may be missing from it.

    Returns:
        One text an item, in the order of `items`; empty where nothing is known.
    """
    columns = [items[name] for name in _COLUMNS if name in items]
    if descriptions is not None:
        by_item = descriptions.set_index("item_id")["product_description"]
        columns.append(by_item.reindex(items["item_id"]))
    parts = [column.fillna("").astype(str).str.strip().tolist() for column in columns]
    return (
        [". ".join(filter(None, words)) for words in zip(*parts, strict=True)] if parts else [""] * len(items)
    )
