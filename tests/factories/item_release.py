"""A release to which items can be added: encoders fitted on a shop, an index of what its tower says."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from factories.matching import make_matching_release

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.encoders.catalogue import encode_catalogue
from recsys.features.arrays import ArrayWorkflow
from recsys.index import build
from recsys.release.assemble import FEAST_DIR, popularity, write_feast_sources
from recsys.release.vectors import item_vectors
from recsys.settings import Settings

FIRST_NEW = 2_000_000_001


def make_item_release(folder: Path, dataset: Dataset) -> Path:
    """A matching release whose tables, index and Feast rows come from the shop's items.

    Args:
        folder: Made if absent.
        dataset: Of `factories.shop`.
    """
    make_matching_release(folder, dataset)
    with TemporaryDirectory() as cache:
        tables = encode_catalogue(dataset, Settings(), Path(cache))
        tables.save(folder)
    vectors = item_vectors(
        folder / schema.CANDIDATE_TOWER_ONNX,
        ArrayWorkflow.load(folder, schema.ITEM_WORKFLOW),
        dataset.items,
        tables.image,
        tables.text,
    )
    build(vectors).save(folder)
    np.save(folder / schema.POPULARITY_FILE, popularity(dataset, dataset.days))
    write_feast_sources(dataset, dataset.days[:3], folder / FEAST_DIR)
    return folder


def new_items(count: int = 3, category: int = 1, **columns: object) -> pd.DataFrame:
    """Items that no shop holds yet; ids from `FIRST_NEW`, all of one category.

    Args:
        count: How many.
        category: Their first category.
        columns: Takes the place of, or adds, whole columns.
    """
    return pd.DataFrame(
        {
            "item_id": FIRST_NEW + np.arange(count),
            "price": np.linspace(10, 50, count),
            "category_l1": category,
            "category_l2": category * 10,
            "item_gender": 0,
            "title": [f"red wool coat {number}" for number in range(count)],
            "product_description": "A warm red coat.",
            **columns,
        }
    )
