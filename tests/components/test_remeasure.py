from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories.matching import make_matching_release
from factories.shop import make_shop
from kfp.dsl import Artifact, Dataset, Model

from components.remeasure import remeasure
from components.take_current import take_current
from recsys.data.dataset import Dataset as ShopData
from recsys.models.outcomes import Outcomes
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore

_SIZES = {"evaluation": {"rows": 200, "auc_rows": 200}}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop")


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


def _run(artefact: Any, store: ReleaseStore, shop: Path) -> tuple[Path, Path]:
    """Folders of the current release and of what it scored."""
    current, evaluation = artefact(Model, "current"), artefact(Artifact, "evaluation")
    take_current.python_func(store=str(store.root), current=current)
    data = artefact(Dataset, "data", shop)
    remeasure.python_func(current=current, data=data, sizes=_SIZES, evaluation=evaluation)
    return Path(current.path), Path(evaluation.path)


def test_first_release_has_nothing_to_be_compared_with(
    artefact: Any, store: ReleaseStore, shop: Path
) -> None:
    for folder in _run(artefact, store, shop):
        assert not list(folder.iterdir())


def test_current_release_is_measured_on_the_rows_of_the_data(
    artefact: Any, store: ReleaseStore, shop: Path, tmp_path: Path
) -> None:
    release = make_matching_release(tmp_path / "release", ShopData.open(shop))
    number = store.publish(release, data=DataWindow(fingerprint="f", days=(0,)), metrics={})
    store.set_current(number)
    current, evaluation = _run(artefact, store, shop)
    assert (current / "manifest.json").read_bytes() == (store.path(number) / "manifest.json").read_bytes()
    assert len(Outcomes.load(evaluation)["row"]) == 200


def test_items_that_the_release_does_not_hold_count_as_missed(
    artefact: Any, store: ReleaseStore, shop: Path, tmp_path: Path
) -> None:
    dataset = ShopData.open(shop)
    older = tmp_path / "older"
    make_shop(older)
    kept = dataset.items.iloc[::2]
    kept.to_parquet(older / "items.parquet")
    release = make_matching_release(tmp_path / "release", ShopData.open(older))
    store.set_current(store.publish(release, data=DataWindow(fingerprint="f", days=(0,)), metrics={}))
    found = Outcomes.load(_run(artefact, store, shop)[1])
    assert np.mean(found["retrieval_rank"] == 0) > 0.2
    assert len(found["item_id"]) == len(kept)
    assert 0 < len(found["pair_row"]) < 200
