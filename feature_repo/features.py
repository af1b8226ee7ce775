"""Feast's definitions: two entities, three feature views, the push source and what serving looks up.

`recsys` applies them (`recsys.features.feast_repo`); so does Feast's own command line, which collects the
objects at the end of this file:

    export RECSYS_HOME=… RECSYS_FEAST_REGISTRY=… RECSYS_FEAST_REDIS=127.0.0.1:6379,db=0
    feast -c feature_repo -f feature_repo/feature_store.local.yaml apply
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_source import DataSource
from feast.types import Float32, Int64

from recsys.features.feast_layout import BEHAVIOR_VIEW, ITEM_VIEW, USER_VIEW
from recsys.settings import Settings, get_settings

BEHAVIOR_PUSH = "behavior_push"
FOREVER = timedelta(0)  # Feast's way to say that a value holds until a newer one comes


def define(settings: Settings) -> list[Any]:
    """Every object of the repository.

    Args:
        settings: The profile says where offline rows lie: files under the home folder, or Athena tables.

    Returns:
        Entities, feature views, the push source and feature services, for `FeatureStore.apply`.
    """
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64, description="A shopper")
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.INT64, description="A product")
    user_features = FeatureView(
        name=USER_VIEW,
        entities=[user],
        ttl=FOREVER,
        schema=[
            Field(name="user_id", dtype=Int64),
            Field(name="age", dtype=Int64, description="years"),
            Field(name="gender", dtype=Int64),
        ],
        source=_offline_source(settings, USER_VIEW),
    )
    behavior_push = PushSource(name=BEHAVIOR_PUSH, batch_source=_offline_source(settings, BEHAVIOR_VIEW))
    user_behavior_features = FeatureView(
        name=BEHAVIOR_VIEW,
        entities=[user],
        ttl=FOREVER,
        schema=[
            Field(name="user_id", dtype=Int64),
            Field(name="top_category", dtype=Int64, description="category_l1 clicked most in the past 24 h"),
        ],
        source=behavior_push,
    )
    item_features = FeatureView(
        name=ITEM_VIEW,
        entities=[item],
        ttl=FOREVER,
        schema=[
            Field(name="item_id", dtype=Int64),
            Field(name="price", dtype=Float32),
            Field(name="category_l1", dtype=Int64),
            Field(name="category_l2", dtype=Int64),
            Field(name="item_gender", dtype=Int64),
        ],
        source=_offline_source(settings, ITEM_VIEW),
    )
    user_lookup = FeatureService(name="user_lookup", features=[user_features, user_behavior_features])
    item_lookup = FeatureService(name="item_lookup", features=[item_features])
    views = [user_features, user_behavior_features, item_features]
    return [user, item, behavior_push, *views, user_lookup, item_lookup]


def _offline_source(settings: Settings, view: str) -> DataSource:
    """A folder of parquet files, so that pushed rows are added as files of their own, or an Athena table."""
    if settings.profile == "eks":
        from feast.infra.offline_stores.contrib.athena_offline_store.athena_source import AthenaSource

        return AthenaSource(
            name=f"{view}_source",
            table=view,
            database=os.environ.get("RECSYS_FEAST_ATHENA_DATABASE", "recsys"),
            data_source=os.environ.get("RECSYS_FEAST_ATHENA_CATALOG", "AwsDataCatalog"),
            timestamp_field="event_timestamp",
        )
    return FileSource(
        name=f"{view}_source",
        path=str(settings.home.resolve() / "feast" / view),
        timestamp_field="event_timestamp",
    )


(
    user,
    item,
    behavior_push,
    user_features,
    user_behavior_features,
    item_features,
    user_lookup,
    item_lookup,
) = define(get_settings())
