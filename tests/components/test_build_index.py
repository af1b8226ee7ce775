from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from factories.release import make_release
from factories.shop import make_shop
from kfp.dsl import Dataset, Metrics, Model

from components.build_index import build_index
from recsys import schema
from recsys.data.dataset import Dataset as ShopData
from recsys.features.arrays import ArrayWorkflow
from recsys.index import Index
from recsys.release.vectors import item_vectors


def test_index_finds_each_item_by_its_own_vector(tmp_path: Path, artefact: Any) -> None:
    shop = make_shop(tmp_path / "shop", days=range(1))
    items = ShopData.open(shop).items
    release = make_release(tmp_path / "release", items=len(items), item_ids=items["item_id"])
    index, metrics = artefact(Model, "index"), artefact(Metrics, "metrics")
    build_index.python_func(
        data=artefact(Dataset, "d", shop),
        serving=artefact(Model, "s", release),
        tables=artefact(Dataset, "t", release),
        towers=artefact(Model, "m", release),
        index=index,
        metrics=metrics,
    )
    vectors = item_vectors(
        release / schema.CANDIDATE_TOWER_ONNX,
        ArrayWorkflow.load(release, schema.ITEM_WORKFLOW),
        items,
        np.load(release / schema.IMAGE_EMBEDDINGS_FILE),
        np.load(release / schema.TEXT_EMBEDDINGS_FILE),
    )
    _, found = Index.load(Path(index.path)).search(vectors, 1)
    np.testing.assert_array_equal(found[:, 0], np.argmax(vectors @ vectors.T, axis=1))
    assert metrics.metadata["items"] == len(items)
