from __future__ import annotations

import struct

import pytest
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Null, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from recsys.features.feast_layout import (
    ENTITY_KEY_VERSION,
    PROJECT,
    decode_time,
    decode_value,
    entity_key,
    entity_key_prefix,
    field_name,
)

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(entity_id=INT64, join_key=st.sampled_from(["user_id", "item_id"]))
def test_keys_are_feasts(entity_id: int, join_key: str) -> None:
    key = EntityKey(join_keys=[join_key], entity_values=[Value(int64_val=entity_id)])
    feasts = _redis_key(PROJECT, key, ENTITY_KEY_VERSION)
    assert entity_key(join_key, entity_id) == feasts
    assert feasts.startswith(entity_key_prefix(join_key))


@given(view=st.text(max_size=20), feature=st.text(max_size=20))
def test_field_names_are_feasts(view: str, feature: str) -> None:
    assert field_name(view, feature) == _mmh3(f"{view}:{feature}")


@given(number=INT64)
def test_integers_decode_as_protobuf_encodes_them(number: int) -> None:
    assert decode_value(Value(int64_val=number).SerializeToString()) == number


@given(number=st.integers(-(2**31), 2**31 - 1))
def test_small_integers_decode_as_protobuf_encodes_them(number: int) -> None:
    assert decode_value(Value(int32_val=number).SerializeToString()) == number


@given(number=st.floats(allow_nan=False))
def test_doubles_decode_as_protobuf_encodes_them(number: float) -> None:
    assert decode_value(Value(double_val=number).SerializeToString()) == number


@given(number=st.floats(width=32, allow_nan=False))
def test_floats_decode_as_protobuf_encodes_them(number: float) -> None:
    assert decode_value(Value(float_val=number).SerializeToString()) == number


def test_both_forms_of_null_are_missing() -> None:
    assert decode_value(Value().SerializeToString()) is None
    assert decode_value(Value(null_val=Null.NULL).SerializeToString()) is None


@given(value=st.binary(max_size=16))
def test_any_bytes_are_a_number_or_a_value_error(value: bytes) -> None:
    try:
        number = decode_value(value)
    except ValueError:
        return
    assert number is None or isinstance(number, int | float)


def test_a_text_is_no_number() -> None:
    with pytest.raises(ValueError, match="tag 0x12"):
        decode_value(Value(string_val="12").SerializeToString())


@given(seconds=st.integers(0, 2**40))
def test_times_decode_as_protobuf_encodes_them(seconds: int) -> None:
    assert decode_time(Timestamp(seconds=seconds).SerializeToString()) == seconds


@pytest.mark.parametrize("value", [None, b"\x08", b"\x10\x01", struct.pack("<q", 5)])
def test_no_time_and_a_broken_one_are_none(value: bytes | None) -> None:
    assert decode_time(value) is None
