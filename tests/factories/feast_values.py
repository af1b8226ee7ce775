"""Values in Valkey as Feast's Redis online store writes them, without Feast."""

from __future__ import annotations

import struct

import redis

from recsys.features.feast_layout import BEHAVIOR_VIEW, ITEM_VIEW, USER_VIEW, entity_key, field_name


def put_user(client: redis.Redis, user_id: int, **features: int | float) -> None:
    """Write some of age, gender and top_category of one user."""
    views = {"age": USER_VIEW, "gender": USER_VIEW, "top_category": BEHAVIOR_VIEW}
    for name, value in features.items():
        client.hset(entity_key("user_id", user_id), field_name(views[name], name), _value(value))


def put_item(client: redis.Redis, item_id: int, **features: int | float) -> None:
    """Write price, category_l1, category_l2 and item_gender of one item."""
    for name, value in features.items():
        client.hset(entity_key("item_id", item_id), field_name(ITEM_VIEW, name), _value(value))


def _value(value: int | float) -> bytes:
    """A `feast.types.Value`: tag byte, then a varint or a little-endian double."""
    if isinstance(value, float):
        return b"\x29" + struct.pack("<d", value)
    rest, coded = value & 0xFFFF_FFFF_FFFF_FFFF, bytearray(b"\x20")
    while rest > 0x7F:
        coded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*coded, rest])
