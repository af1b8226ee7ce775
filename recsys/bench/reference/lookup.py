"""Users and items looked up through Feast's SDK, every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.features.feast_layout import BEHAVIOR_VIEW, ITEM_VIEW, USER_VIEW
from recsys.schema import (
    ITEM_COLUMNS,
    ITEM_POPULARITY,
    ITEM_RAW,
    NO_ITEM,
    RECENT_CLICKS,
    RECENT_FEATURES,
    UNKNOWN,
    Degraded,
)
from recsys.serving.catalogue import Catalogue
from recsys.serving.stage import Arrays
from recsys.serving.stages.feast_user_lookup import load as load_defaults
from recsys.settings import Settings

_USER: Final = {"age": USER_VIEW, "gender": USER_VIEW, "top_category": BEHAVIOR_VIEW}
_ITEM: Final = ("price", "category_l1", "category_l2", "item_gender")


@dataclass(frozen=True)
class SdkUserLookup:
    """The users' features by `FeatureStore.get_online_features`.

    Attributes:
        store: Feast's store.
        mean_age: Stands in where the age is missing.
    """

    store: Any
    mean_age: float

    def run(self, inputs: Arrays) -> Arrays:
        """Look up.

        Args:
            inputs: user_id int64 [B, 1].

        Returns:
            age float32, gender, top_category int64 and user_flags int32, [B, 1] each; and no newest clicks,
            of which the published design knows nothing: recent_items int64 and recent_ages float32, pads.
        """
        users = inputs["user_id"]
        clicks = (len(users), RECENT_CLICKS)
        wanted = [f"{view}:{name}" for name, view in _USER.items()]
        found = _online(self.store, wanted, "user_id", users.reshape(-1).tolist())
        return {
            "age": _column(found["age"], self.mean_age, np.float32).reshape(-1, 1),
            "gender": _column(found["gender"], UNKNOWN, np.int64).reshape(-1, 1),
            "top_category": _column(found["top_category"], UNKNOWN, np.int64).reshape(-1, 1),
            "recent_items": np.full(clicks, NO_ITEM, RECENT_FEATURES["recent_items"]),
            "recent_ages": np.zeros(clicks, RECENT_FEATURES["recent_ages"]),
            "user_flags": np.zeros((len(users), 1), np.int32),
        }


@dataclass(frozen=True)
class SdkItemLookup:
    """The candidates' features by `FeatureStore.get_online_features`, 300 for each user of each request.

    Attributes:
        store: Feast's store.
        catalogue: The shop's ids.
    """

    store: Any
    catalogue: Catalogue

    def run(self, inputs: Arrays) -> Arrays:
        """Look up.

        Args:
            inputs: items int64 [B, K], item indexes, -1 for none.

        Returns:
            `schema.ITEM_RAW` [B, K] each and item_flags int32 [B, 1]; and `schema.ITEM_POPULARITY`, zero:
            the published design knows nothing of it.
        """
        ids = self.catalogue.decode(inputs["items"])
        wanted = [f"{ITEM_VIEW}:{name}" for name in _ITEM]
        found = _online(self.store, wanted, "item_id", ids.reshape(-1).tolist())
        columns = {"item_id": ids}
        for name in _ITEM:
            missing = 0.0 if name == "price" else UNKNOWN
            columns[name] = _column(found[name], missing, ITEM_COLUMNS[name]).reshape(ids.shape)
        flags = np.full((len(ids), 1), Degraded.NONE, np.int32)
        popular = np.zeros(ids.shape, np.float32)
        return {name: columns[name] for name in ITEM_RAW} | {ITEM_POPULARITY: popular, "item_flags": flags}


def load(name: str, artefacts: Path, settings: Settings) -> SdkUserLookup | SdkItemLookup:
    """Open Feast's store.

    Args:
        name: The model's name: feast_user_lookup or feast_item_lookup.
        artefacts: Folder of the release.
        settings: Home of Feast's registry, and Valkey's URL.
    """
    from recsys.features.feast_store import open_store

    store = open_store(settings)
    if name == "feast_user_lookup":
        return SdkUserLookup(store, float(load_defaults(artefacts, {}, None).mean_age))
    return SdkItemLookup(store, Catalogue.load(artefacts))


def _online(store: Any, wanted: list[str], key: str, values: list[int]) -> dict[str, list[Any]]:
    rows = [{key: value} for value in values]
    found: dict[str, list[Any]] = store.get_online_features(features=wanted, entity_rows=rows).to_dict()
    return found


def _column(values: Sequence[Any], missing: float, dtype: Any) -> np.ndarray:
    return np.array([missing if value is None else value for value in values], dtype)
