from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.online import bloom

INT64 = st.integers(-(2**63), 2**63 - 1)


def reference_position(item_id: int, number: int, bits: int) -> int:
    """The same arithmetic in Python's unbounded integers."""
    mask, hashes = 2**64 - 1, []
    for step in (1, 2):
        value = (item_id + step * 0x9E3779B97F4A7C15) & mask
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
        value ^= value >> 31
        hashes += [value & 0xFFFFFFFF, value >> 32]
    return (hashes[0] + number * hashes[1] + number * (number - 1) // 2 * hashes[2]) % bits


def blob(items: list[int], capacity: int, hashes: int) -> bytes:
    """A one-layer filter, written bit by bit."""
    layer = bloom.layers(capacity, hashes)[0]
    memory = bytearray(layer.bits // 8)
    for item in items:
        for number in range(layer.hashes):
            bit = reference_position(item, number, layer.bits)
            memory[bit // 8] |= 1 << (7 - bit % 8)
    return struct.pack("<III", len(items), capacity, hashes) + bytes(memory)


@given(INT64, st.integers(0, 30), st.integers(8, 2**31))
def test_positions_are_the_reference_arithmetic(item: int, number: int, bits: int) -> None:
    hashes = bloom.item_hashes(np.array([item]))
    assert bloom.positions(hashes, number, bits).tolist() == [reference_position(item, number, bits)]


@given(st.lists(INT64, max_size=30, unique=True), st.lists(INT64, min_size=1, max_size=30))
def test_contains_is_the_reference_filter(stored: list[int], asked: list[int]) -> None:
    filled = blob(stored, 20, 7)
    layer = bloom.layers(20, 7)[0]
    expected = [
        all(
            filled[12 + bit // 8] & (1 << (7 - bit % 8))
            for bit in (reference_position(item, number, layer.bits) for number in range(7))
        )
        for item in asked
    ]
    found = bloom.contains([filled, None], np.array([0, 1]), np.array([asked, asked]))
    assert found[0].tolist() == expected
    assert not found[1].any()


def test_a_row_may_own_several_filters_of_different_layouts() -> None:
    filters = [blob([1], 20, 7), blob([2], 50, 9), blob([3], 20, 7)]
    found = bloom.contains(filters, np.array([0, 0, 1]), np.array([[1, 2, 3], [1, 2, 3]]))
    assert found.tolist() == [[True, True, False], [False, False, True]]


@pytest.mark.parametrize("broken", [b"", b"short", struct.pack("<III", 1, 20, 7), blob([1], 20, 7)[:-1]])
def test_a_cut_off_string_holds_nothing(broken: bytes) -> None:
    assert not bloom.contains([broken], np.array([0]), np.array([[1, 2]])).any()


@pytest.mark.parametrize("error_rate", [0.5, 0.01, 1e-6])
def test_rates_of_all_layers_sum_to_less_than_asked(error_rate: float) -> None:
    hashes = bloom.hashes_for(error_rate)
    total = 0.0
    for number, layer in enumerate(bloom.layers(62, hashes)):
        items = 62 * bloom.GROWTH**number
        total += (1 - np.exp(-layer.hashes * items / layer.bits)) ** layer.hashes
    assert total <= error_rate * 1.001
