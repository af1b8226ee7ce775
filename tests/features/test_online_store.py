from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recsys.errors import Unavailable
from recsys.features.online_store import (
    BEHAVIOR_VIEW,
    ITEM_VIEW,
    USER_VIEW,
    ItemFeatureReader,
    UserFeatureReader,
    entity_key,
    field_name,
)
from recsys.local.valkey import ValkeyServer
from recsys.settings import Settings, ValkeySettings
from recsys.valkey import connect

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)


def _int_value(number: int) -> bytes:
    from feast.protos.feast.types.Value_pb2 import Value

    return Value(int64_val=number).SerializeToString()


def _put(client: redis.Redis, user_id: int, view: str, **values: bytes) -> None:
    client.hset(
        entity_key("user_id", user_id),
        mapping={field_name(view, name): value for name, value in values.items()},
    )


@pytest.fixture(scope="module")
def feast_settings(
    valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A Feast repository of its own, in a database of the test run's server that no other test empties."""
    from recsys.features import feast_repo
    from recsys.features.feast_store import forget_stores

    url = valkey_server.url.removesuffix("/0") + "/9"
    settings = Settings(home=tmp_path_factory.mktemp("home"), valkey=ValkeySettings(url=url, timeout_s=5))
    feast_repo.apply(settings)
    yield settings
    forget_stores()


@given(
    rows=st.dictionaries(INT64, st.tuples(INT64, INT64, INT64 | st.none()), min_size=1, max_size=8),
    unknown=st.lists(INT64, max_size=4),
)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_users_equal_what_the_feast_sdk_reads(
    feast_settings: Settings, rows: dict[int, tuple[int, int, int | None]], unknown: list[int]
) -> None:
    from recsys.features.feast_store import open_store

    connect(feast_settings.valkey).flushdb()
    store = open_store(feast_settings)
    now = pd.Timestamp("2025-08-10", tz="UTC")
    ids, values = list(rows), list(rows.values())
    users = pd.DataFrame(
        {
            "user_id": ids,
            "age": [v[0] for v in values],
            "gender": [v[1] for v in values],
            "event_timestamp": now,
        }
    )
    store.write_to_online_store(USER_VIEW, users)
    behaving = {key: value[2] for key, value in rows.items() if value[2] is not None}
    if behaving:
        pushed = pd.DataFrame({"user_id": list(behaving), "top_category": list(behaving.values())})
        store.write_to_online_store(BEHAVIOR_VIEW, pushed.assign(event_timestamp=now))

    asked = [*ids, *unknown]
    references = [f"{USER_VIEW}:age", f"{USER_VIEW}:gender", f"{BEHAVIOR_VIEW}:top_category"]
    sdk = store.get_online_features(
        features=references, entity_rows=[{"user_id": key} for key in asked]
    ).to_dict()
    reader = UserFeatureReader(connect(feast_settings.valkey))
    ours = reader.read(np.array(asked))

    assert ours.found.tolist() == [age is not None for age in sdk["age"]]
    np.testing.assert_array_equal(
        ours.age, np.array([np.nan if age is None else age for age in sdk["age"]], "float32")
    )
    assert ours.gender.tolist() == [-1 if value is None else value for value in sdk["gender"]]
    assert ours.top_category.tolist() == [-1 if value is None else value for value in sdk["top_category"]]
    assert reader.malformed == 0


@given(
    rows=st.dictionaries(INT64, st.tuples(FLOAT32, INT64, INT64, INT64), min_size=1, max_size=7),
    unknown=st.lists(INT64, max_size=3),
)
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_items_equal_what_the_feast_sdk_reads(
    feast_settings: Settings, rows: dict[int, tuple[float, int, int, int]], unknown: list[int]
) -> None:
    from recsys.features.feast_store import open_store

    connect(feast_settings.valkey).flushdb()
    store = open_store(feast_settings)
    names = ["price", "category_l1", "category_l2", "item_gender"]
    frame = pd.DataFrame(rows.values(), columns=names).astype({"price": "float32"})
    frame = frame.assign(item_id=list(rows), event_timestamp=pd.Timestamp("2025-08-10", tz="UTC"))
    store.write_to_online_store(ITEM_VIEW, frame)

    asked = [*rows, *unknown]
    sdk = store.get_online_features(
        features=[f"{ITEM_VIEW}:{name}" for name in names], entity_rows=[{"item_id": key} for key in asked]
    ).to_dict()
    ours = ItemFeatureReader(connect(feast_settings.valkey), chunk=3).read(asked)

    np.testing.assert_array_equal(
        ours.price, np.array([np.nan if price is None else price for price in sdk["price"]], "float32")
    )
    for name in names[1:]:
        assert getattr(ours, name).tolist() == [-1 if value is None else value for value in sdk[name]]


def test_a_whole_batch_is_one_round_trip(valkey: redis.Redis) -> None:
    _put(valkey, 7, USER_VIEW, age=_int_value(30))
    reader = UserFeatureReader(valkey)
    reader.read([7])
    before = valkey.info("stats")["total_reads_processed"]
    reader.read(np.arange(64).reshape(64, 1))
    after = valkey.info("stats")["total_reads_processed"]
    assert after - before <= 2  # the batch, and the second INFO


def test_a_visitor_with_behaviour_only_keeps_it(valkey: redis.Redis) -> None:
    _put(valkey, 10**12, BEHAVIOR_VIEW, top_category=_int_value(4))
    features = UserFeatureReader(valkey).read([10**12])
    assert features.top_category.tolist() == [4]
    assert not features.found[0]
    assert np.isnan(features.age[0])
    assert features.gender.tolist() == [-1]


def test_dtypes_and_an_empty_batch(valkey: redis.Redis) -> None:
    users = UserFeatureReader(valkey).read(np.empty((0, 1), dtype=np.int64))
    assert [users.age.dtype, users.gender.dtype, users.top_category.dtype, users.found.dtype] == [
        np.float32,
        np.int64,
        np.int64,
        np.bool_,
    ]
    items = ItemFeatureReader(valkey).read([])
    assert [len(items.price), items.category_l2.dtype] == [0, np.int64]


@pytest.mark.parametrize(
    "broken",
    [
        b"\x20",
        b"\x20\x80",
        b"\x20\x05\x05",
        b"\x20" + b"\x80" * 10 + b"\x01",
        b"\x29\x00",
        b"\x35" + b"\x00" * 5,
        b"\x12\x03abc",
        b"\xff" * 40,
        b"nonsense",
    ],
)
def test_a_malformed_value_is_counted_and_missing(valkey: redis.Redis, broken: bytes) -> None:
    _put(valkey, 1, USER_VIEW, age=broken, gender=_int_value(1))
    reader = UserFeatureReader(valkey)
    features = reader.read([1])
    assert np.isnan(features.age[0])
    assert features.gender.tolist() == [1]
    assert reader.malformed == 1


def test_a_float_where_a_code_belongs_is_malformed(valkey: redis.Redis) -> None:
    _put(valkey, 1, USER_VIEW, gender=b"\x35" + struct.pack("<f", 1.0))
    reader = UserFeatureReader(valkey)
    assert reader.read([1]).gender.tolist() == [-1]
    assert reader.malformed == 1


def test_a_key_of_another_type_spoils_only_its_own_row(valkey: redis.Redis) -> None:
    valkey.set(entity_key("user_id", 1), b"not a hash")
    _put(valkey, 2, USER_VIEW, age=_int_value(40))
    reader = UserFeatureReader(valkey)
    assert reader.read([1, 2]).found.tolist() == [False, True]
    assert reader.malformed == 1


def test_a_refused_connection_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{free.getsockname()[1]}/0"
    with pytest.raises(Unavailable, match=r"^Valkey: .*RECSYS_VALKEY__URL"):
        UserFeatureReader(connect(ValkeySettings(url=url))).read([1])


def test_a_hung_server_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"redis://127.0.0.1:{hung.getsockname()[1]}/0"
        with pytest.raises(Unavailable, match="Timeout"):
            ItemFeatureReader(connect(ValkeySettings(url=url, timeout_s=0.05))).read([1])


def test_a_server_that_refuses_the_command_is_unavailable(valkey: redis.Redis) -> None:
    valkey.acl_setuser("pinger", enabled=True, nopass=True, commands=["+ping"], keys=["*"])
    options = valkey.connection_pool.connection_kwargs | {"username": "pinger", "password": "any"}
    pinger = redis.Redis(**options)
    try:
        with pytest.raises(Unavailable, match="permissions"):
            UserFeatureReader(pinger).read([1])
    finally:
        pinger.close()
        valkey.acl_deluser("pinger")


def test_nothing_heavy_is_imported() -> None:
    blocked = ["feast", "tensorflow", "nvtabular", "merlin", "dask", "pandas"]
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked})); import recsys.features.online_store"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
