from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories.release import make_release
from factories.shop import make_shop

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData
from recsys.release.assemble import REQUIRED
from recsys.release.daily import assemble_daily
from recsys.release.digest import file_sha256


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset.open(make_shop(tmp_path / "shop", rows=100, days=range(5)))


@pytest.fixture
def parent(dataset: Dataset, tmp_path: Path) -> Path:
    folder = make_release(tmp_path / "parent", item_ids=dataset.items["item_id"][::-1].tolist())
    dataset.items.to_parquet(folder / schema.CATALOGUE_FILE)
    (folder / "savedmodels" / "dlrm" / "variables").mkdir(parents=True)
    (folder / "savedmodels" / "dlrm" / "variables" / "old").write_text("old")
    (folder / schema.MANIFEST_FILE).write_text("{}")
    return folder


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """A tuned query tower and ranker: those of another seed."""
    other = make_release(tmp_path / "other", seed=1)
    folders = [tmp_path / "towers", tmp_path / "ranker"]
    for folder, name in zip(folders, (schema.QUERY_TOWER_ONNX, schema.DLRM_ONNX), strict=True):
        (folder / "savedmodels" / Path(name).stem).mkdir(parents=True)
        (folder / "savedmodels" / Path(name).stem / "saved_model.pb").write_text("new")
        (other / name).rename(folder / name)
    return folders


def test_what_learned_is_new_and_the_rest_is_the_parent_s(dataset, parent, parts, tmp_path):
    out = tmp_path / "out"
    assemble_daily(parent, dataset, [3, 4], parts, out)
    for part in parts:
        for source in (p for p in part.rglob("*") if p.is_file()):
            assert (out / source.relative_to(part)).read_bytes() == source.read_bytes()
    same = set(REQUIRED) - {schema.QUERY_TOWER_ONNX, schema.DLRM_ONNX, schema.POPULARITY_FILE}
    for name in same:
        assert file_sha256(out / name) == file_sha256(parent / name), name
    assert not (out / schema.MANIFEST_FILE).exists()
    assert not (out / "savedmodels" / "dlrm" / "variables").exists()


def test_new_clicks_are_added_to_the_popularity_in_the_release_s_order(dataset, parent, parts, tmp_path):
    assemble_daily(parent, dataset, [3, 4], parts, tmp_path / "out")
    added = np.load(tmp_path / "out" / schema.POPULARITY_FILE) - np.load(parent / schema.POPULARITY_FILE)
    assert added.sum() == 200
    first = np.load(parent / schema.ITEM_IDS_FILE)[0]
    assert added[0] == (dataset.interactions([3, 4])["item_id"] == first).sum()


def test_feast_s_rows_are_those_of_the_end_of_the_new_days(dataset, parent, parts, tmp_path):
    assemble_daily(parent, dataset, [3], parts, tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out" / "feast" / "user_behavior_features.parquet")
    last = dataset.interactions(range(4)).groupby("user_id").size()
    assert len(rows) == len(last)
    seconds = pd.to_datetime(rows["event_timestamp"], utc=True).astype("int64") // 10**9
    assert seconds.max() <= dataset.interactions([3])["timestamp"].max() + 1


def test_a_parent_that_lacks_a_file_is_refused(dataset, parent, parts, tmp_path):
    (parent / schema.INDEX_FILE).unlink()
    with pytest.raises(BadData, match=schema.INDEX_FILE):
        assemble_daily(parent, dataset, [3], parts, tmp_path / "out")
