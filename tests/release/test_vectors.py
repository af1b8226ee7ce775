from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from factories.release import make_release
from onnx import numpy_helper

from recsys import schema
from recsys.errors import BadData
from recsys.features.arrays import ArrayWorkflow
from recsys.release import vectors
from recsys.release.vectors import item_vectors


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return make_release(tmp_path / "release", items=50)


def _of(release: Path, rows: slice = slice(None)) -> np.ndarray:
    with np.load(release / schema.ITEM_FEATURES_FILE) as archive:
        items = pd.DataFrame({name: archive[name] for name in schema.ITEM_RAW})
    return item_vectors(
        release / schema.CANDIDATE_TOWER_ONNX,
        ArrayWorkflow.load(release, schema.ITEM_WORKFLOW),
        items[rows],
        np.load(release / schema.IMAGE_EMBEDDINGS_FILE)[rows],
        np.load(release / schema.TEXT_EMBEDDINGS_FILE)[rows],
    )


def test_each_item_gets_its_own_row(release: Path) -> None:
    every = _of(release)
    assert (every.shape, every.dtype) == ((50, schema.EMBEDDING_DIM), np.float32)
    np.testing.assert_allclose(_of(release, slice(17, 18))[0], every[17], rtol=1e-5, atol=1e-6)
    assert len(np.unique(every, axis=0)) == 50


def test_blocks_do_not_change_the_rows(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _of(release)
    monkeypatch.setattr(vectors, "_ROWS", 7)
    np.testing.assert_allclose(_of(release), whole, rtol=1e-5, atol=1e-6)


def test_tower_that_gives_nan_is_refused(release: Path) -> None:
    path = release / schema.CANDIDATE_TOWER_ONNX
    model = onnx.load(path)
    weights = model.graph.initializer
    for one in weights:
        array = numpy_helper.to_array(one)
        if array.dtype == np.float32:
            one.CopyFrom(numpy_helper.from_array(array * np.float32("nan"), one.name))
    onnx.save(model, path)
    with pytest.raises(BadData, match="not finite"):
        _of(release)
