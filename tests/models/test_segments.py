from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from recsys.models.metrics import summary
from recsys.models.segment_tables import tables
from recsys.models.segments import Segmentation, head_items, segment


def labels(found: Segmentation) -> list[str]:
    return [found.labels[code] for code in found.code]


def test_the_head_is_the_fewest_items_with_half_of_the_clicks():
    assert head_items(np.array([1, 5, 0, 3, 1])).tolist() == [False, True, False, False, False]
    assert head_items(np.array([1, 4, 0, 4, 1])).tolist() == [False, True, False, True, False]
    assert not head_items(np.zeros(3, np.int64)).any()


def test_rows_are_sorted_by_who_how_and_what():
    items = pd.DataFrame(
        {"item_id": [10, 11, 12], "category_l1": [1, 2, 2], "category_l1_name": ["a", "b", "b"]}
    )
    users = [1] * 1 + [2] * 3 + [3] * 9
    clicks = pd.DataFrame({"user_id": users, "item_id": [10] * 9 + [11] * 4})
    rows = pd.DataFrame({"user_id": [1, 2, 3, 4], "device_type": [0, 2, -1, 1], "category_l1": [1, 2, 2, 2]})
    found = segment(
        SimpleNamespace(items=items),
        rows,
        np.array([0, 1, 2, 1]),
        clicks,
        np.array([True, False, False, False]),
    )
    assert labels(found["user"]) == ["light", "regular", "heavy", "new"]
    assert labels(found["device"]) == ["mobile", "tablet", "unknown", "desktop"]
    assert labels(found["item"]) == ["head", "tail", "new", "tail"]
    assert labels(found["repeat"]) == ["clicked before", *["new to the user"] * 3]
    assert labels(found["taste"]) == ["usual category", "new category", "usual category", "new category"]
    assert labels(found["category"]) == ["a", "b", "b", "b"]


def test_a_segment_is_measured_on_its_rows_alone():
    code = np.array([0, 0, 2, 2, 2])
    ranks = {"chain": np.array([1, 50, 3, 3, 3]), "retrieval": np.arange(1, 6), "als": np.full(5, 7)}
    found = tables({"user": Segmentation(("new", "light", "heavy"), code)}, np.arange(5), ranks)["user"]
    assert found.keys() == {"new", "heavy"}
    assert found["new"]["rows"] == found["new"]["users"] == 2
    assert found["new"]["chain"] == summary(np.array([1, 50]))
    assert found["heavy"]["baselines"] == {"als": summary(np.full(3, 7))}
    low, high = found["new"]["interval"]["chain"]["hit@10"]
    assert (low, high) == (0, 1)
    assert found["heavy"]["interval"]["chain"]["hit@10"] == [1, 1]
