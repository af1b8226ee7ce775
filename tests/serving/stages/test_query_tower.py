"""The tower embeds each user; when it fails it says so instead of raising."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.release import make_degenerate_model

from recsys import schema
from recsys.errors import BadData
from recsys.serving.stages.query_tower import load

PORTS = schema.USER_FEATURES | schema.CONTEXT_FEATURES
INPUTS = {name: np.full((2, 1), 3).astype(dtype) for name, dtype in PORTS.items()}
RECENTS = {name: np.zeros((2, schema.RECENT_CLICKS), dtype) for name, dtype in schema.RECENT_FEATURES.items()}
INPUTS |= RECENTS | {"timestamp": np.full((2, 1), 1_754_000_000)}


def test_an_embedding_for_each_user(release: Path) -> None:
    out = load(release, {}).run(INPUTS)["user_embedding"]
    assert (out.shape, out.dtype) == ((2, 64), np.float32)
    assert np.isfinite(out).all()
    assert np.array_equal(out[0], out[1])


def test_a_failing_model_gives_nan(tmp_path: Path) -> None:
    inputs = {name: (dtype, 1) for name, dtype in schema.USER_FEATURES.items()}
    make_degenerate_model(tmp_path / schema.QUERY_TOWER_ONNX, inputs, "user_embedding")
    out = load(tmp_path, {}).run(INPUTS)["user_embedding"]
    assert out.shape == (2, 64)
    assert np.isnan(out).all()


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"query_tower\.onnx"):
        load(tmp_path, {})
