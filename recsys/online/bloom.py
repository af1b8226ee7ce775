"""Bloom filters as plain byte strings, written by a Lua script and read by NumPy.

A filter is a chain of layers (a scalable Bloom filter: Almeida et al. 2007, "Scalable Bloom Filters").
Layer j holds `capacity * GROWTH**j` items with `hashes + j` hash functions, so its false positive rate is
half that of the layer before it and the chain's rate stays below twice the first layer's. Hash function i of
an item is a quadratic in i over three hashes, modulo the layer's size: the double hashing of Kirsch and
Mitzenmacher 2006 ("Less Hashing, Same Performance: Building a Better Bloom Filter") with one hash more,
because two modulo a small layer's size coincide too often.

The string says what it is: a header of three little-endian uint32 (items in the last layer, capacity of the
first layer, hashes of the first layer), then the layers. All sizes are integer arithmetic, so Lua and NumPy
agree to the bit, and a change of settings leaves the filters that are already stored readable.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GROWTH = 4
"""How many times larger a layer is than the one before it."""

MAX_LAYERS = 5
"""Growth stops there: 341 first layers' worth of items, after which the false positive rate rises."""

HEADER_BYTES = 12

_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = np.uint64(0xFFFFFFFF)


class Layer(NamedTuple):
    """One layer: its first byte in the string, its size in bits, and its hash functions."""

    start: int
    bits: int
    hashes: int


@lru_cache(maxsize=64)
def layers(capacity: int, hashes: int) -> tuple[Layer, ...]:
    """All the layers that a filter may grow to.

    Bits per item are `hashes / ln 2`, the optimum, rounded up (1443 / 1000 > 1 / ln 2).

    Args:
        capacity: Items of the first layer.
        hashes: Hash functions of the first layer.
    """
    found, start = [], HEADER_BYTES
    for number in range(MAX_LAYERS):
        size = -(-capacity * GROWTH**number * (hashes + number) * 1443 // 8000)
        found.append(Layer(start, 8 * size, hashes + number))
        start += size
    return tuple(found)


def hashes_for(error_rate: float) -> int:
    """Hash functions of the first layer for a chain whose whole false positive rate is at most `error_rate`.

    The chain's rate is the sum of its layers', each half the one before: below twice the first layer's.
    """
    return max(1, math.ceil(math.log2(2.0 / error_rate)))


def item_hashes(item_ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Three 32-bit hashes of each item, from two steps of SplitMix64 (Steele et al. 2014).

    Args:
        item_ids: int64, any shape.

    Returns:
        uint64 [3, *shape], values below 2**32.
    """
    state = np.asarray(item_ids, dtype=np.int64).view(np.uint64)
    hashes = []
    for _ in range(2):
        state = state + _GOLDEN  # uint64 arrays wrap, which is what SplitMix64 wants
        value = (state ^ (state >> np.uint64(30))) * _MULTIPLIERS[0]
        value = (value ^ (value >> np.uint64(27))) * _MULTIPLIERS[1]
        value ^= value >> np.uint64(31)
        hashes += [value & _MASK, value >> np.uint64(32)]
    return np.stack(hashes[:3])


def positions(hashes: NDArray[np.uint64], number: int, bits: int) -> NDArray[np.int64]:
    """The bit that hash function `number` gives each item in a layer of `bits` bits.

    Args:
        hashes: uint64 [3, ...] of `item_hashes`.
        number: Which hash function, from 0.
        bits: Size of the layer.

    Returns:
        int64 [...], 0 .. bits - 1.
    """
    first, second, third = hashes
    value = first + np.uint64(number) * second + np.uint64(number * (number - 1) // 2) * third
    bit: NDArray[np.int64] = (value % np.uint64(bits)).astype(np.int64)
    return bit


def contains(
    blobs: list[bytes | None], owners: NDArray[np.int64], item_ids: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which items each row's filters hold.

    Args:
        blobs: Filters as read from Valkey; None is an empty one.
        owners: int64 [len(blobs)], the row of `item_ids` that a filter belongs to; a row may own several.
        item_ids: int64 [B, R].

    Returns:
        bool [B, R], True where any of the row's filters may hold the item.
    """
    found = np.zeros(item_ids.shape, dtype=np.bool_)
    chains: dict[tuple[int, int], list[int]] = {}
    for number, blob in enumerate(blobs):
        if blob is not None and len(blob) > HEADER_BYTES:
            _, capacity, hashes = np.frombuffer(blob, dtype="<u4", count=3)
            chains.setdefault((int(capacity), int(hashes)), []).append(number)
    if not chains:
        return found
    hashes_of = item_hashes(item_ids).reshape(3, -1)
    for (capacity, hashes), members in chains.items():
        sizes = np.array([len(blobs[number] or b"") for number in members])
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        memory = np.frombuffer(b"".join(blobs[number] or b"" for number in members), dtype=np.uint8)
        for layer in layers(capacity, hashes):
            grown = sizes >= layer.start + layer.bits // 8
            if not grown.any():
                break
            _search_layer(found, memory, layer, (starts[grown], owners[members][grown]), hashes_of)
    return found


def _search_layer(
    found: NDArray[np.bool_],
    memory: NDArray[np.uint8],
    layer: Layer,
    filters: tuple[NDArray[np.int64], NDArray[np.int64]],
    hashes: NDArray[np.uint64],
) -> None:
    """Mark in `found` what one layer of several filters holds; a candidate drops out at a zero bit."""
    starts, owners = filters
    width = found.shape[1]
    cells = (owners[:, None] * width + np.arange(width)).ravel()
    bases = np.repeat(starts + layer.start, width)
    for number in range(layer.hashes):
        bit = positions(hashes[:, cells], number, layer.bits)
        byte = memory[bases + (bit >> 3)]
        # SETBIT counts from the most significant bit of the first byte.
        alive = (byte >> (7 - (bit & 7)).astype(np.uint8)) & 1 == 1
        cells, bases = cells[alive], bases[alive]
        if not len(cells):
            return
    found.ravel()[cells] = True
