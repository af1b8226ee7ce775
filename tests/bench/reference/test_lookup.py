"""The reference's look-ups give what the project's own give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys.bench.reference.lookup import SdkItemLookup, SdkUserLookup
from recsys.serving.catalogue import Catalogue
from recsys.serving.graph import model
from recsys.serving.tensors import TENSORS


class Feast:
    """As much of Feast's store as is asked."""

    def __init__(self, values: dict[int, dict[str, Any]]) -> None:
        self._values = values

    def get_online_features(self, features: Sequence[str], entity_rows: list[dict[str, int]]) -> Feast:
        names = [name.partition(":")[2] for name in features]
        rows = [self._values.get(next(iter(row.values())), {}) for row in entity_rows]
        self._found = {name: [row.get(name) for row in rows] for name in names}
        return self

    def to_dict(self) -> dict[str, list[Any]]:
        return self._found


def test_they_make_all_that_the_models_they_replace_make() -> None:
    """Triton leaves out what a model does not make, and the next model refuses the request."""
    user = SdkUserLookup(Feast({}), 40.0).run({"user_id": np.array([[7]])})
    item = SdkItemLookup(Feast({}), Catalogue(np.array([50]))).run({"items": np.array([[0]])})
    for name, made in (("feast_user_lookup", user), ("feast_item_lookup", item)):
        tensors = model(name).outputs
        assert made.keys() == tensors.keys()
        assert {port: array.dtype for port, array in made.items()} == {
            port: TENSORS[tensor].dtype for port, tensor in tensors.items()
        }


def test_an_unknown_user_is_a_cold_start() -> None:
    store = Feast({7: {"age": 30, "gender": 1, "top_category": 4}, 8: {"top_category": 2}})
    found = SdkUserLookup(store, 41.5).run({"user_id": np.array([[7], [8], [9]])})
    assert found["age"].tolist() == [[30.0], [41.5], [41.5]]
    assert found["gender"].tolist() == [[1], [-1], [-1]]
    assert found["top_category"].tolist() == [[4], [2], [-1]]
    assert (found["age"].dtype, found["user_flags"].dtype) == (np.float32, np.int32)


def test_a_pad_is_no_item() -> None:
    item = {"price": 9.5, "category_l1": 1, "category_l2": 2, "item_gender": 0}
    lookup = SdkItemLookup(Feast({100: item}), Catalogue(np.array([50, 100])))
    found = lookup.run({"items": np.array([[1, -1]])})
    assert found["item_id"].tolist() == [[100, -1]]
    assert found["price"].tolist() == [[9.5, 0.0]]
    assert found["category_l2"].tolist() == [[2, -1]]
    assert found["price"].dtype == np.float32
