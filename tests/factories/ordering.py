"""What the last stages are asked to order."""

from __future__ import annotations

import numpy as np
from factories.inputs import left_out

from recsys.serving.graph import CHOICE_INPUTS

FLAGS = ("user_flags", "retrieval_flags", "filter_flags", "item_flags")


def ask(items: list[list[int]], clicks: list[list[float]], user: int = 1) -> dict[str, np.ndarray]:
    """Inputs of `softmax_sampling`.

    Args:
        items: Item indexes [B, K], -1 for none, in retrieval's order.
        clicks: The ranker's scores [B, K], NaN where it failed.
        user: The first row's; the others follow.
    """
    rows = len(items)
    return {
        "user_id": np.arange(user, user + rows).reshape(-1, 1),
        "context_time": np.full((rows, 1), 1_700_000_000),
        "items": np.array(items),
        "retrieval_scores": -np.arange(len(items[0]), dtype=np.float32)[None].repeat(rows, 0),
        "click_scores": np.array(clicks, np.float32),
        "item_sources": np.array(items, np.int32) % 8,
        **{name: np.zeros((rows, 1), np.int32) for name in FLAGS},
        **left_out(CHOICE_INPUTS, rows),
    }
