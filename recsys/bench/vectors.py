"""Item and user vectors as towers make them, in any number, in a file that is larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

WIDTH: Final = 64
SHAPES: Final = ("clustered", "gaussian")
_BLOCK: Final = 262_144
_GROUPS: Final = 64
_MEMBERS: Final = 32
_LIKED: Final = 3


def write_items(path: Path, count: int, seed: int = 0, shape: str = "clustered") -> np.ndarray:
    """Write items block by block.

    Args:
        path: A new .npy file.
        count: How many.
        seed: Of the draw.
        shape: clustered: in 64 groups of 32 clusters, as categories make them, of varying lengths; gaussian:
            all directions alike, which no learned embedding is and approximate indexes find hardest.

    Returns:
        float32 [count, 64], mapped from the file.
    """
    items: Any = np.lib.format.open_memmap(path, "w+", np.float32, (count, WIDTH))
    centres = _centres(seed)
    for at in range(0, count, _BLOCK):
        rng = np.random.default_rng([seed, at])
        size = min(_BLOCK, count - at)
        block = rng.normal(size=(size, WIDTH))
        if shape == "clustered":
            lengths = rng.lognormal(0, 0.2, (size, 1))
            block = (centres[rng.integers(0, len(centres), size)] + 0.5 * block) * lengths
        items[at : at + size] = block
    items.flush()
    written: np.ndarray = items
    return written


def users_of(items: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    """Users who like a few items: the mean of these, and some noise.

    Args:
        items: float32 [n, 64].
        count: How many.
        seed: Of the draw.

    Returns:
        float32 [count, 64].
    """
    rng = np.random.default_rng(seed)
    liked = np.asarray(items[np.sort(rng.integers(0, len(items), count * _LIKED))])
    means = rng.permutation(liked).reshape(count, _LIKED, WIDTH).mean(axis=1)
    return np.ascontiguousarray(means + 0.2 * rng.normal(size=(count, WIDTH)), np.float32)


def mask_of(items: np.ndarray, share: float, seed: int = 2) -> np.ndarray:
    """Which items a rule allows.

    Half of them lie anywhere, as what is in stock, and half together in space, as a category does.

    Args:
        items: float32 [n, 64].
        share: Of the items, above 0.
        seed: Of the draw.

    Returns:
        bool [n], about `share` of them true.
    """
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=WIDTH).astype(np.float32)
    along = np.concatenate([items[at : at + _BLOCK] @ direction for at in range(0, len(items), _BLOCK)])
    allowed: np.ndarray = along >= np.quantile(along, 1 - share / 2)
    allowed |= rng.random(len(items)) < share / 2
    return allowed


def _centres(seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed])
    groups = rng.normal(size=(_GROUPS, 1, WIDTH))
    centres: np.ndarray = (groups + 0.7 * rng.normal(size=(_GROUPS, _MEMBERS, WIDTH))).reshape(-1, WIDTH)
    return centres
