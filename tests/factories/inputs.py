"""The ensemble's optional inputs as a request stands for that gives none of them."""

from __future__ import annotations

import numpy as np

from recsys.serving.tensors import TENSORS


def left_out(names: tuple[str, ...], rows: int) -> dict[str, np.ndarray]:
    """Each input's default, [rows, width]."""
    return {name: TENSORS[name].neutral(rows, tuple(map(int, TENSORS[name].shape))) for name in names}
