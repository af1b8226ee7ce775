"""Each user's features, once for each candidate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys.schema import CONTEXT_FEATURES, USER_FEATURES
from recsys.serving.stages.unroll_features import load


def test_repeats_without_mixing_users() -> None:
    names = (USER_FEATURES | CONTEXT_FEATURES).items()
    inputs = {f"{name}_feature": np.array([[1], [2]]).astype(dtype) for name, dtype in names}
    out = load(Path(), {"ranked": "3"}).run(inputs)
    assert set(out) == {f"{name}_tiled" for name, _ in names}
    for name, dtype in names:
        assert out[f"{name}_tiled"].tolist() == [[1, 1, 1], [2, 2, 2]]
        assert out[f"{name}_tiled"].dtype == dtype
