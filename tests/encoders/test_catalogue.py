from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys.data.dataset import Dataset
from recsys.encoders import catalogue
from recsys.encoders.catalogue import MultimodalTables, encode_catalogue, encode_items
from recsys.encoders.fitted import FittedEncoder
from recsys.errors import BadData, BadUse
from recsys.settings import EncoderSettings, Settings, TrainingSettings

Shop = Callable[..., Dataset]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _nearest_share(vectors: np.ndarray, topics: np.ndarray, k: int = 5) -> float:
    """Share of each row's k nearest neighbours that have its topic."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argsort(-scores, axis=1)[:, :k]
    return float((topics[nearest] == topics[:, None]).mean())


def test_tables_are_in_the_items_order_and_alike_items_are_near(make_shop: Shop, cache: Path) -> None:
    shop = make_shop(items=90)
    tables = encode_catalogue(shop, Settings(), cache)
    topics = np.arange(90) % 3
    assert tables.image.shape == tables.text.shape == (90, 64)
    assert tables.image.dtype == tables.text.dtype == np.float32
    assert _nearest_share(tables.text, topics) > 0.95
    assert _nearest_share(tables.image, topics) > 0.95
    np.testing.assert_allclose(np.linalg.norm(tables.text, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(tables.image, axis=1), 1, atol=1e-5)
    assert not tables.image_missing.any()


def test_a_missing_and_a_broken_image_are_flagged_and_get_the_mean(make_shop: Shop, cache: Path) -> None:
    shop = make_shop(items=12)
    ids = shop.items["item_id"].tolist()
    folder = shop.path / "item_images"
    (folder / f"{ids[2]}.jpg").unlink()
    whole = (folder / f"{ids[5]}.jpg").read_bytes()
    (folder / f"{ids[5]}.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / f"{ids[7]}.jpg").write_bytes(b"no image at all")

    tables = encode_catalogue(shop, Settings(), cache)

    assert np.flatnonzero(tables.image_missing).tolist() == [2, 5, 7]
    assert set(tables.image_faults) == {ids[5], ids[7]}
    assert "truncated" in tables.image_faults[ids[5]]
    assert tables.image_faults[ids[7]] == "not an image"
    mean = tables.image[~tables.image_missing].mean(axis=0)
    assert np.abs(mean).max() > 1e-3
    for row in (2, 5, 7):
        np.testing.assert_allclose(tables.image[row], mean, atol=1e-6)


def test_a_shop_without_images_or_titles_works(make_shop: Shop, cache: Path) -> None:
    tables = encode_catalogue(make_shop(images=False, titles=False), Settings(), cache)
    assert tables.image_missing.all()
    assert not tables.image.any()
    assert _nearest_share(tables.text, np.arange(30) % 3) > 0.95


@pytest.mark.parametrize("items", [1, 2, 7])
def test_fewer_items_than_dimensions_are_padded_with_zeros(make_shop: Shop, cache: Path, items: int) -> None:
    tables = encode_catalogue(make_shop(items=items), Settings(), cache)
    assert tables.text.shape == (items, 64)
    assert np.isfinite(tables.text).all()
    assert not tables.text[:, items - 1 :].any()
    assert not tables.image[:, items - 1 :].any()


def test_the_cache_follows_content_not_files(
    make_shop: Shop, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop()
    first = encode_catalogue(shop, Settings(), cache)

    fits: list[str] = []
    whole_fit = FittedEncoder.fit

    def counting_fit(kind: str, encoder: object, vectors: np.ndarray) -> FittedEncoder:
        fits.append(kind)
        return whole_fit(kind, encoder, vectors)

    monkeypatch.setattr(catalogue.FittedEncoder, "fit", counting_fit)
    again = encode_catalogue(make_shop(name="copy"), Settings(), cache)
    assert fits == []
    np.testing.assert_array_equal(again.text, first.text)

    descriptions = shop.path / "item_descriptions.parquet"
    frame = pd.read_parquet(descriptions)
    frame.loc[4, "product_description"] = "Entirely another thing"
    frame.to_parquet(descriptions)
    assert not np.array_equal(encode_catalogue(Dataset.open(shop.path), Settings(), cache).text, first.text)
    item = shop.items["item_id"].iloc[0]
    Image.new("RGB", (40, 40), "black").save(shop.path / "item_images" / f"{item}.jpg")
    assert not np.array_equal(encode_catalogue(Dataset.open(shop.path), Settings(), cache).image, first.image)
    encode_catalogue(shop, Settings(training=TrainingSettings(seed=1)), cache)
    assert fits == ["text", "image"] * 3


def test_a_half_written_cache_entry_is_not_used(
    make_shop: Shop, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop()

    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(catalogue.FittedEncoder, "save", full_disk)
        with pytest.raises(OSError, match="No space"):
            encode_catalogue(shop, Settings(), cache)
    assert encode_catalogue(shop, Settings(), cache).text.shape == (30, 64)


def test_two_fits_of_the_same_catalogue_are_equal(make_shop: Shop, tmp_path: Path) -> None:
    shop = make_shop(items=150)
    one, two = (encode_catalogue(shop, Settings(), tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.text, two.text)
    np.testing.assert_array_equal(one.image, two.image)


def test_new_items_get_the_vectors_they_would_have_had(make_shop: Shop, cache: Path, tmp_path: Path) -> None:
    shop = make_shop(items=120)
    tables = encode_catalogue(shop, Settings(), cache)
    tables.save(tmp_path / "release")
    paths = [shop.image_path(item) for item in shop.items["item_id"]]
    paths[3] = None
    new = encode_items(tmp_path / "release", shop.items, shop.descriptions, paths)

    np.testing.assert_allclose(new.text, tables.text, atol=1e-5)
    there = np.arange(120) != 3
    np.testing.assert_allclose(new.image[there], tables.image[there], atol=1e-5)
    assert np.flatnonzero(new.image_missing).tolist() == [3]
    np.testing.assert_allclose(new.image[3], tables.image.mean(axis=0), atol=1e-6)


def test_saved_tables_come_back(make_shop: Shop, cache: Path, tmp_path: Path) -> None:
    tables = encode_catalogue(make_shop(), Settings(), cache)
    tables.save(tmp_path / "release")
    loaded = MultimodalTables.load(tmp_path / "release")
    np.testing.assert_array_equal(loaded.image, tables.image)
    np.testing.assert_array_equal(loaded.image_missing, tables.image_missing)
    assert (tmp_path / "release" / "text_embeddings.npy").is_file()


def test_broken_fitted_encoders_are_named(make_shop: Shop, cache: Path) -> None:
    shop = make_shop()
    folder = encode_catalogue(shop, Settings(), cache).folder
    (folder / "text_encoder.npz").write_bytes(b"PK broken")
    with pytest.raises(BadData, match=r"text_encoder.*Train again"):
        encode_items(folder, shop.items, shop.descriptions, [None] * 30)


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        ({"text": "word2vec"}, r"RECSYS_ENCODERS__TEXT=word2vec: no such text encoder. Use tfidf-svd"),
        ({"image": "tfidf-svd"}, r"RECSYS_ENCODERS__IMAGE=tfidf-svd: no such image encoder. Use color-shape"),
        ({"text": "clip:"}, r"RECSYS_ENCODERS__TEXT=clip:"),
    ],
)
def test_an_unknown_encoder_is_one_line(
    make_shop: Shop, cache: Path, encoders: dict[str, str], message: str
) -> None:
    with pytest.raises(BadUse, match=message):
        encode_catalogue(make_shop(), Settings(encoders=EncoderSettings(**encoders)), cache)
