"""How Feast's Redis online store lays features out (docs.feast.dev, "Online store format").

* One hash an entity, at key `entity key` + `project`, where the entity key is, in serialisation version 3,
  `<I` number of join keys, then per join key `<I` type STRING, `<I` length, name, then per value `<I` type,
  `<I` length, the value (an int64 as `<q`).
* Per feature a field named by the four little-endian bytes of murmur3-32(`view:feature`).
* Its value is a serialised protobuf `feast.types.Value`: one tag byte and a scalar.
* Per view a field `_ts:view`: the rows' time as a protobuf Timestamp in whole seconds.
"""

from __future__ import annotations

import struct
from typing import Final

import mmh3

PROJECT: Final = "recsys"
ENTITY_KEY_VERSION: Final = 3
USER_VIEW: Final = "user_features"
BEHAVIOR_VIEW: Final = "user_behavior_features"
ITEM_VIEW: Final = "item_features"
JOIN_KEYS: Final = {USER_VIEW: "user_id", BEHAVIOR_VIEW: "user_id", ITEM_VIEW: "item_id"}

_STRING, _INT64 = 2, 4  # feast.types.ValueType
# Tag bytes of protobuf fields: field number << 3 | wire type.
_INT_TAGS = frozenset({0x18, 0x20})  # int32_val, int64_val: a varint
_FLOATS = {0x29: struct.Struct("<d"), 0x35: struct.Struct("<f")}  # double_val, float_val
_NULL = b"\x98\x01\x00"  # null_val
_SECONDS = 0x08  # of a Timestamp


def entity_key(join_key: str, entity_id: int, project: str = PROJECT) -> bytes:
    """Key of the hash that holds an entity's features.

    Args:
        join_key: `user_id` or `item_id`.
        entity_id: Any int64.
        project: Feast project.
    """
    return entity_key_prefix(join_key) + struct.pack("<q", entity_id) + project.encode()


def entity_key_prefix(join_key: str) -> bytes:
    """What the keys of one kind of entity begin with.

    Args:
        join_key: `user_id` or `item_id`.
    """
    name = join_key.encode()
    return struct.pack("<III", 1, _STRING, len(name)) + name + struct.pack("<II", _INT64, 8)


def field_name(view: str, feature: str) -> bytes:
    """Name of the hash field that holds one feature of a view.

    Args:
        view: Feature view.
        feature: Feature of that view.
    """
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


def decode_value(value: bytes) -> int | float | None:
    """Reads a serialised `feast.types.Value` that holds a number.

    Args:
        value: The bytes as stored.

    Returns:
        The number; None for Feast's two forms of null.

    Raises:
        ValueError: It is not a number, or not one whole protobuf value.
    """
    if not value or value == _NULL:
        return None
    if value[0] in _INT_TAGS:
        return _decode_varint(value)
    if value[0] in _FLOATS:
        try:
            return float(_FLOATS[value[0]].unpack(value[1:])[0])
        except struct.error as error:
            raise ValueError(str(error)) from error
    raise ValueError(f"tag {value[0]:#x} is not a number's")


def time_field(view: str) -> bytes:
    """Name of the hash field that holds the time of a view's row.

    Args:
        view: Feature view.
    """
    return b"_ts:" + view.encode()


def decode_time(value: bytes | None) -> int | None:
    """Reads a stored time.

    Args:
        value: The bytes as stored; None where there is no row.

    Returns:
        Unix seconds; None where there is no row, or a time that cannot be read, which any row may replace.
    """
    if value is None:
        return None
    if not value:
        return 0
    if value[0] != _SECONDS:
        return None
    try:
        return _decode_varint(value)
    except ValueError:
        return None


def _decode_varint(value: bytes) -> int:
    """The int64 after the tag byte: seven bits a byte, lowest first, two's complement."""
    if len(value) == 2 and value[1] < 0x80:
        return value[1]
    if not 2 <= len(value) <= 11 or value[-1] >= 0x80 or any(byte < 0x80 for byte in value[1:-1]):
        raise ValueError("not one whole varint")
    number = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(value[1:]))
    number &= 0xFFFF_FFFF_FFFF_FFFF
    return number - (1 << 64) if number >> 63 else number
