"""A home with one release in it, ready for `recsys up`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from factories.release import make_release

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.synthetic import generate
from recsys.release.assemble import FEAST_DIR, write_feast_sources
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore


def make_home(home: Path) -> Path:
    """A release of random models over a synthetic shop of 120 items and 50 users."""
    shop, staging = home / "shop", home / "staging"
    generate(shop, users=50, items=120, rows=2_000, images=False)
    dataset = Dataset.open(shop)
    make_release(staging, item_ids=dataset.items["item_id"].tolist())
    _items_as_in(dataset, staging)
    write_feast_sources(dataset, [0, 1, 2], staging / FEAST_DIR)
    dataset.items.to_parquet(staging / schema.CATALOGUE_FILE)
    store = ReleaseStore(home / "releases")
    store.set_current(store.publish(staging, data=DataWindow(fingerprint="tiny", days=(0, 1, 2)), metrics={}))
    return home


def _items_as_in(dataset: Dataset, staging: Path) -> None:
    np.savez(
        staging / schema.ITEM_FEATURES_FILE,
        **{name: dataset.items[name].to_numpy() for name in schema.ITEM_RAW},
    )
