"""Cold-start masking: training rows that look the way serving sees an unknown visitor."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.settings import TrainingSettings

_KEY_COLUMNS: Final = ("user_id", "item_id", "timestamp", "device_type")


def mask_cold_start(
    frame: pd.DataFrame, mean_age: float, seed: int, settings: TrainingSettings
) -> pd.DataFrame:
    """Hides who the user is in some rows, and the device in some others.

    In `settings.mask_user_share` of the rows `user_id`, `gender` and `top_category` become
    `schema.UNKNOWN` and `age` becomes `mean_age`, which is what serving fills in for an unknown
    user; in `settings.mask_device_share` further rows `device_type` becomes `schema.UNKNOWN`.
    A row's lot depends on its content and the seed alone, not on its place in the frame, so
    shuffling or appending rows changes nothing (rows that are equal share their lot).

    Args:
        frame: Training rows with the columns of `schema.USER_RAW`, `schema.CONTEXT_RAW` and
            `item_id`.
        mean_age: Years; what serving uses where it does not know the age.
        seed: Of the draw.
        settings: The shares.

    Returns:
        A copy of the frame; `age` is float32 (the mean is not a whole number).
    """
    out = frame.copy()
    draw = _uniform([frame[name].to_numpy(np.int64) for name in _KEY_COLUMNS], seed)
    user = draw < settings.mask_user_share
    device = ~user & (draw < settings.mask_user_share + settings.mask_device_share)
    for name in ("user_id", "gender", "top_category"):
        out[name] = np.where(user, schema.UNKNOWN, frame[name].to_numpy()).astype(np.int64)
    out["age"] = np.where(user, mean_age, frame["age"].to_numpy()).astype(np.float32)
    out["device_type"] = np.where(device, schema.UNKNOWN, frame["device_type"].to_numpy()).astype(np.int64)
    return out


def _uniform(columns: list[np.ndarray], seed: int) -> np.ndarray:
    """Hashes rows to float64 in [0, 1): SplitMix64's finaliser (Steele et al., 2014), column by column."""
    state = np.full(len(columns[0]), np.uint64(seed % 2**64), dtype=np.uint64)
    for column in columns:
        state = _mix(state ^ column.view(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mix(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
