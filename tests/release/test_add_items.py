from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories.item_release import FIRST_NEW, make_item_release, new_items
from factories.shop import make_shop
from PIL import Image

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadUse
from recsys.release.add_items import Added, add_items
from recsys.release.item_file import ItemFile, read_item_file
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore
from recsys.serving.chain import Chain
from recsys.settings import ServingSettings, Settings

SETTINGS = Settings(serving=ServingSettings(retrieved=60, ranked=50, returned=45))
CATEGORY = 1


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = make_shop(tmp_path_factory.mktemp("shop"))
    (folder / schema.IMAGES_DIR).mkdir()
    for number, item in enumerate(Dataset.open(folder).items["item_id"].tolist()):
        picture = Image.new("RGB", (32, 32), (number * 6, 255 - number * 6, number * 37 % 256))
        picture.save(folder / schema.IMAGES_DIR / f"{item}.jpg")
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    return make_item_release(tmp_path_factory.mktemp("release"), dataset)


@pytest.fixture
def store(tmp_path: Path, release: Path) -> ReleaseStore:
    """Holds release 1, of 40 items."""
    store = ReleaseStore(tmp_path / "releases")
    store.publish(
        release, data=DataWindow(fingerprint="f", days=(0,), items=40), metrics={"chain": {"mrr": 1}}
    )
    store.set_current(1)
    return store


def _file(frame: pd.DataFrame, folder: Path, images: Path | None = None) -> ItemFile:
    frame.to_parquet(folder / "items.parquet")
    return read_item_file(folder / "items.parquet", images)


def _answers(folder: Path, category: int = CATEGORY, users: int = 6) -> dict[str, np.ndarray]:
    """What users whose top category this is are recommended."""
    chain = Chain(folder, SETTINGS)
    known = np.arange(users, dtype=np.int64)
    given = {
        "age": np.full(users, 30.0, np.float32),
        "gender": known % 2,
        "top_category": np.full(users, category),
        "recent_items": np.full((users, schema.RECENT_CLICKS), schema.NO_ITEM, np.int64),
        "recent_ages": np.zeros((users, schema.RECENT_CLICKS), np.float32),
    }
    request = {"user_id": known, "device_type": known % 3, "timestamp": known + 1_755_000_000}
    try:
        return chain.run(request, given)
    finally:
        chain.close()


def test_new_items_are_recommended_and_carry_their_own_ids(store: ReleaseStore, tmp_path: Path) -> None:
    done = add_items(store, _file(new_items(), tmp_path), parent=1)
    assert done == Added(2, 1, added=3, images_missing=3)
    found = _answers(store.path(2))
    wanted = FIRST_NEW + np.arange(3)
    for row in range(6):
        ids = found["ordered_ids"][row]
        matching = np.isin(ids, wanted)
        assert matching.sum() == 3  # each once
        assert ids.tolist().count(schema.NO_ITEM) == 2  # 43 items, 45 asked for
        items = found["ordered_items"][row][matching]
        assert sorted(items.tolist()) == [40, 41, 42]
        assert (items - 40 + FIRST_NEW).tolist() == ids[matching].tolist()
    scores = found["click_scores"][found["items"] >= 40]
    others = found["click_scores"][(found["items"] >= 0) & (found["items"] < 40)]
    assert scores.min() >= np.quantile(others, 0.8)  # the ranker sees that the category matches


def test_old_items_keep_their_rows_scores_and_order(store: ReleaseStore, tmp_path: Path) -> None:
    add_items(store, _file(new_items(), tmp_path), parent=1)
    before, after = _answers(store.path(1)), _answers(store.path(2))
    np.testing.assert_array_equal(after["user_embedding"], before["user_embedding"])
    for ranked, scores in (("candidates", "candidate_scores"), ("items", "retrieval_scores")):
        for row in range(6):
            old = (after[ranked][row] >= 0) & (after[ranked][row] < 40)
            there = before[ranked][row] >= 0
            assert after[ranked][row][old].tolist() == before[ranked][row][there].tolist()
            assert after[scores][row][old].tolist() == before[scores][row][there].tolist()
    old = np.isin(after["ordered_ids"], np.load(store.path(1) / schema.ITEM_IDS_FILE))
    for row in range(6):
        kept = before["ordered_ids"][row] != schema.NO_ITEM
        assert after["ordered_ids"][row][old[row]].tolist() == before["ordered_ids"][row][kept].tolist()


def test_release_shares_models_with_its_parent_and_says_what_it_is(
    store: ReleaseStore, tmp_path: Path
) -> None:
    add_items(store, _file(new_items(), tmp_path), parent=1)
    parent, child = store.show(1), store.show(2)
    assert (child.kind, child.parent, child.data.items) == ("items", 1, 43)
    assert (child.metrics, child.gate.passed) == (parent.metrics, True)
    assert child.gate.report["note"] == "models of release 1; 3 items added, 0 updated"
    changed = {name for name, entry in child.files.items() if parent.files[name] != entry}
    models = {schema.QUERY_TOWER_ONNX, schema.CANDIDATE_TOWER_ONNX, schema.DLRM_ONNX}
    assert not changed & models
    assert {schema.INDEX_FILE, schema.CATALOGUE_FILE, "feast/item_features.parquet"} <= changed
    assert set(child.files) == set(parent.files)
    store.verify(1)
    store.verify(2)
    assert store.current() == 1


def test_tables_hold_what_the_file_says(store: ReleaseStore, tmp_path: Path) -> None:
    add_items(store, _file(new_items(current_stock=[4, 0, 9]), tmp_path), parent=1)
    shown = pd.read_parquet(store.path(2) / schema.CATALOGUE_FILE)
    assert shown["title"].tolist()[-3:] == [f"red wool coat {number}" for number in range(3)]
    assert shown["current_stock"].tolist()[-4:] == [-1, 4, 0, 9]
    feast = pd.read_parquet(store.path(2) / "feast" / "item_features.parquet").set_index("item_id")
    assert feast.loc[FIRST_NEW, "price"] == 10
    assert feast["event_timestamp"].nunique() == 1
    assert np.load(store.path(2) / schema.POPULARITY_FILE)[-3:].tolist() == [0, 0, 0]
    text = np.load(store.path(2) / schema.TEXT_EMBEDDINGS_FILE)
    assert np.linalg.norm(text[-3:], axis=1) == pytest.approx(1, abs=1e-5)


def test_adding_again_does_nothing(store: ReleaseStore, tmp_path: Path) -> None:
    given = _file(new_items(), tmp_path)
    assert add_items(store, given, parent=1).release == 2
    assert add_items(store, given, parent=1).release == 2  # not promoted meanwhile
    assert add_items(store, given, parent=2) == Added(2, 2)
    more = _file(new_items(item_id=FIRST_NEW + 10 + np.arange(3)), tmp_path)
    assert add_items(store, more, parent=2).release == 3
    assert add_items(store, given, parent=3) == Added(3, 3)
    assert store.numbers() == (1, 2, 3)


def test_item_that_is_there_is_refused(store: ReleaseStore, dataset: Dataset, tmp_path: Path) -> None:
    held = dataset.items["item_id"].iloc[[7, 9]].tolist()
    given = _file(new_items(item_id=[held[0], FIRST_NEW, held[1]]), tmp_path)
    with pytest.raises(BadUse, match=rf"item {held[0]}, and 1 more: release 1 holds it already"):
        add_items(store, given, parent=1)
    assert store.numbers() == (1,)


def test_update_changes_what_the_file_says_and_nothing_else(
    store: ReleaseStore, dataset: Dataset, tmp_path: Path
) -> None:
    held = int(dataset.items["item_id"].iloc[7])
    given = _file(new_items(1, category=3, item_id=[held], price=[777.0]), tmp_path)
    assert add_items(store, given, parent=1, update=True) == Added(2, 1, updated=1, unknown_categories=1)
    before, after = (np.load(store.path(n) / schema.ITEM_FEATURES_FILE) for n in (1, 2))
    assert (after["price"][7], after["category_l1"][7]) == (777, 3)
    for name in schema.ITEM_RAW:
        np.testing.assert_array_equal(np.delete(after[name], 7), np.delete(before[name], 7))
    for file in (schema.POPULARITY_FILE, schema.IMAGE_EMBEDDINGS_FILE):
        np.testing.assert_array_equal(np.load(store.path(1) / file), np.load(store.path(2) / file))
    feast = pd.read_parquet(store.path(2) / "feast" / "item_features.parquet")
    assert feast["item_id"].is_unique
    assert feast.set_index("item_id").loc[held, "price"] == 777
    found = _answers(store.path(2), category=3)
    assert (found["ordered_ids"] == held).any(axis=1).all()


def test_pictures_and_unknown_categories(store: ReleaseStore, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (64, 64), "red").save(images / f"{FIRST_NEW}.jpg")
    (images / f"{FIRST_NEW + 1}.jpg").write_bytes(b"no picture")
    done = add_items(store, _file(new_items(category_l2=[10, 999, 10]), tmp_path, images), parent=1)
    assert (done.unknown_categories, done.images_missing) == (1, 2)
    image = np.load(store.path(2) / schema.IMAGE_EMBEDDINGS_FILE)
    assert not np.allclose(image[40], image[42])
    faults = json.loads((store.path(2) / "image_faults.json").read_text())
    assert list(faults) == [str(FIRST_NEW + 1)]


def test_same_item_is_placed_where_its_twin_is_but_for_the_id(
    store: ReleaseStore, dataset: Dataset, tmp_path: Path
) -> None:
    """The code of what is out of vocabulary is all that tells a copy from an item that was trained."""
    twin = dataset.items.iloc[[5]].assign(item_id=FIRST_NEW)
    words = dataset.descriptions.set_index("item_id")["product_description"]
    original = int(dataset.items["item_id"].iloc[5])
    twin = twin.assign(product_description=words[original])
    images = tmp_path / "images"
    images.mkdir()
    picture = dataset.image_path(original)
    assert picture is not None
    (images / f"{FIRST_NEW}.jpg").write_bytes(picture.read_bytes())
    add_items(store, _file(twin, tmp_path, images), parent=1)
    for file in (schema.TEXT_EMBEDDINGS_FILE, schema.IMAGE_EMBEDDINGS_FILE):
        table = np.load(store.path(2) / file)
        np.testing.assert_allclose(table[40], table[5], atol=1e-6)
    found = _answers(store.path(2), category=int(twin["category_l1"].iloc[0]))
    where = {item: np.flatnonzero(found["items"][0] == item)[0] for item in (5, 40)}
    assert found["click_scores"][0][where[5]] == pytest.approx(found["click_scores"][0][where[40]], abs=1e-6)
