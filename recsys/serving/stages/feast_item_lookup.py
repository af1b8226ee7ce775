"""Looks up the candidates' values in an in-memory cache of Feast's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from recsys.features.online_store import ItemFeatureReader
from recsys.schema import ITEM_POPULARITY, ITEM_RAW, UNKNOWN, Degraded
from recsys.serving.catalogue import Catalogue
from recsys.serving.item_cache import ItemCache
from recsys.serving.measurements import Measurement
from recsys.serving.stage import Arrays
from recsys.serving.store import Store

_PAD_PRICE: Final = 0.0  # a pad is masked later; its price must only have a logarithm of price + 1


class FeastItemLookup:
    """Item index -> raw item columns.

    Args:
        catalogue: Size and ids of the catalogue.
        cache: The values.
    """

    def __init__(self, catalogue: Catalogue, cache: ItemCache) -> None:
        self._catalogue = catalogue
        self._cache = cache
        self._served = {"feast": 0, "release": 0}

    def run(self, inputs: Arrays) -> Arrays:
        """Look up.

        Args:
            inputs: items int64 [B, K], item indexes, -1 for none.

        Returns:
            item_id (the shop's), category_l1, category_l2, item_gender int64 and price float32, [B, K]
            each; -1, and price 0, where there is no item: never another item's values. item_popularity
            float32 [B, K], 0 where there is no item or nothing is known. item_flags int32 [B, 1] says whether
            any value comes from the release instead of Feast.
        """
        items = inputs["items"]
        values = self._cache.values
        there = self._catalogue.holds(items)
        rows = np.where(there, items, 0)
        columns = {
            name: np.where(there, values.columns[name][rows], _PAD_PRICE if name == "price" else UNKNOWN)
            for name in ITEM_RAW
        }
        columns["price"] = columns["price"].astype(np.float32, copy=False)
        columns[ITEM_POPULARITY] = np.where(there, values.popularity[rows], np.float32(0))
        stale = there & ~values.from_feast[rows]
        missed = int(stale.sum())
        self._served["release"] += missed
        self._served["feast"] += int(there.sum()) - missed
        flags = np.where(stale.any(axis=1, keepdims=True), Degraded.ITEM_FEATURES, Degraded.NONE)
        return columns | {"item_flags": flags.astype(np.int32)}

    def measurements(self) -> list[Measurement]:
        """The cache's hits, refreshes and age, for Triton's `/metrics`."""
        served = "Items looked up, by whose values were there: Feast's or only the release's"
        refreshed = "Times that Feast's item values were read, by outcome"
        read_at = "When Feast's item values were read last, Unix seconds; 0: never"
        return [
            *(
                Measurement("recsys_item_cache_items_total", served, count, (("source", source),))
                for source, count in self._served.items()
            ),
            *(
                Measurement("recsys_item_cache_refreshes_total", refreshed, count, (("outcome", outcome),))
                for outcome, count in self._cache.refreshes.items()
            ),
            Measurement("recsys_item_cache_read_timestamp_seconds", read_at, self._cache.read_at),
        ]

    def close(self) -> None:
        """Stop refreshing."""
        self._cache.close()


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FeastItemLookup:
    """Load the release's item values and start refreshing them from Feast.

    Raises:
        BadData: A file is missing or damaged.
    """
    catalogue = Catalogue.load(artefacts)
    columns = catalogue.features(artefacts)
    cache = ItemCache(columns, None)
    if store is not None:
        cache = ItemCache(columns, ItemFeatureReader(store.client), popular=store.popularity())
        cache.start(float(parameters["item_refresh_s"]))
    return FeastItemLookup(catalogue, cache)
