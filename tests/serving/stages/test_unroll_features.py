"""Each user's features, once for all candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys.schema import CONTEXT_FEATURES, USER_FEATURES
from recsys.serving.stages.unroll_features import load


def test_hands_on_without_a_copy() -> None:
    names = (USER_FEATURES | CONTEXT_FEATURES).items()
    inputs = {f"{name}_feature": np.array([[1], [2]]).astype(dtype) for name, dtype in names}
    out = load(Path(), {}).run(inputs)
    assert set(out) == {f"{name}_tiled" for name, _ in names}
    for name, _ in names:
        assert out[f"{name}_tiled"] is inputs[f"{name}_feature"]
