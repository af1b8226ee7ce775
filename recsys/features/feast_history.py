"""Features as they were: Feast's point-in-time join over the offline store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from recsys.features.feast_layout import BEHAVIOR_VIEW, ITEM_VIEW, JOIN_KEYS, USER_VIEW
from recsys.features.feast_offline import EVENT_TIMESTAMP
from recsys.features.feast_store import check_columns, one_line_errors, open_store
from recsys.schema import UNKNOWN
from recsys.settings import Settings

HISTORICAL_FEATURES: Final = (
    f"{USER_VIEW}:age",
    f"{USER_VIEW}:gender",
    f"{BEHAVIOR_VIEW}:top_category",
    f"{ITEM_VIEW}:price",
    f"{ITEM_VIEW}:category_l1",
    f"{ITEM_VIEW}:category_l2",
    f"{ITEM_VIEW}:item_gender",
)
_ENTITY_COLUMNS = ("user_id", "item_id", "timestamp")
_ROWS_A_JOIN = 100_000  # the file store's join holds all past rows of all these rows' entities at once


def historical(
    settings: Settings, entities: pd.DataFrame, features: Sequence[str] = HISTORICAL_FEATURES
) -> pd.DataFrame:
    """Features as they were at each row's time, by Feast's point-in-time join.

    Args:
        settings: Profile and home folder.
        entities: user_id, item_id, timestamp (int64, unix seconds); any order, repeats allowed.
        features: `view:feature` names.

    Returns:
        `entities` in its order and index, with one column a feature: int64 with -1 where nothing was known
        yet; age and price float32 with NaN there.

    Raises:
        BadUse: A column is missing.
        RecsysError: The registry is missing: `apply` comes first.
    """
    check_columns("entity rows", entities, _ENTITY_COLUMNS)
    keys = entities[list(_ENTITY_COLUMNS)].astype("int64")
    answers = {}
    for view in dict.fromkeys(feature.split(":")[0] for feature in features):
        names = [feature.split(":")[1] for feature in features if feature.startswith(f"{view}:")]
        joined = _join(settings, keys[[JOIN_KEYS[view], "timestamp"]], view, names)
        answers.update({name: _column(name, joined[name]) for name in names})
    return entities.assign(**answers)


def _join(settings: Settings, keys: pd.DataFrame, view: str, names: Sequence[str]) -> pd.DataFrame:
    """One view's features for each row of `keys`, in its order.

    Feast's file store drops repeated rows, sorts, and drops a row altogether when one of several views knows
    its entity only later. So it is asked view by view, once for each distinct row; the answers are spread.
    """
    asked = keys.drop_duplicates(ignore_index=True)
    times = pd.to_datetime(asked["timestamp"], unit="s", utc=True)
    asked = asked.assign(**{EVENT_TIMESTAMP: times})
    references = [f"{view}:{name}" for name in names]
    parts = []
    with one_line_errors(settings):
        store = open_store(settings)
        for start in range(0, max(len(asked), 1), _ROWS_A_JOIN):
            chunk = asked.iloc[start : start + _ROWS_A_JOIN]
            parts.append(store.get_historical_features(entity_df=chunk, features=references).to_df())
    return keys.merge(pd.concat(parts), how="left", on=list(keys.columns))


def _column(name: str, values: pd.Series) -> np.ndarray:
    dtype = "float32" if name in ("age", "price") else "int64"
    filled = values if dtype == "float32" else values.fillna(UNKNOWN)
    return np.asarray(filled, dtype=dtype)
