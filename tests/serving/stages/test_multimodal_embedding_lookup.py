"""Embeddings: each item its own, zeros for a pad."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadData
from recsys.serving.stages.multimodal_embedding_lookup import load


def test_each_item_its_own_and_zeros_for_a_pad(release: Path) -> None:
    out = load(release, {}).run({"items": np.array([[5, -1], [0, 120]])})
    image = np.load(release / schema.IMAGE_EMBEDDINGS_FILE)
    text = np.load(release / schema.TEXT_EMBEDDINGS_FILE)
    assert out["image_embedding"].shape == (2, 2, 64)
    assert np.array_equal(out["image_embedding"][:, 0], image[[5, 0]])
    assert np.array_equal(out["text_embedding"][:, 0], text[[5, 0]])
    assert not out["image_embedding"][:, 1].any()
    assert not out["text_embedding"][:, 1].any()


def test_a_table_of_another_catalogue_is_refused(release: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(release, tmp_path / "copy"))
    np.save(copy / schema.TEXT_EMBEDDINGS_FILE, np.zeros((3, 64), np.float32))
    with pytest.raises(BadData, match=r"text_embeddings\.npy: holds float32 \[3, 64\]"):
        load(copy, {})
