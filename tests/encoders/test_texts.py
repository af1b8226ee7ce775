from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.encoders.texts import item_texts


def test_all_that_is_known_is_joined() -> None:
    items = pd.DataFrame(
        {
            "item_id": [3, 1, 2],
            "title": ["Hose", None, "  "],
            "category_l1_name": ["garden", "office", np.nan],
            "category_l2_name": ["water", "chairs", None],
        }
    )
    descriptions = pd.DataFrame({"item_id": [1, 3], "product_description": ["To sit on", "Ten metres"]})
    assert item_texts(items, descriptions) == [
        "Hose. garden. water. Ten metres",
        "office. chairs. To sit on",
        "",
    ]


def test_items_without_any_text_column() -> None:
    assert item_texts(pd.DataFrame({"item_id": [1, 2]})) == ["", ""]
