from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.data.dataset import Dataset
from recsys.encoders.catalogue import encode_catalogue, encode_items
from recsys.errors import BadData, BadUse
from recsys.settings import EncoderSettings, Settings

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from recsys.encoders.clip import ClipEncoder  # noqa: E402

WIDTH = 24


def _save_clip(folder: Path, seed: int) -> Path:
    """A small CLIP of random weights, saved as a real one is."""
    torch.manual_seed(seed)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    layer = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = layer | {
        "vocab_size": len(tokens),
        "max_position_embeddings": 16,
        "bos_token_id": len(tokens) - 2,
        "eos_token_id": len(tokens) - 1,
        "pad_token_id": len(tokens) - 1,
    }
    vision = layer | {"image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    folder.mkdir()
    transformers.CLIPModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: code for code, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(folder, model_max_length=16)
    pixels = transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    transformers.CLIPProcessor(image_processor=pixels, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save_clip(tmp_path_factory.mktemp("models") / "clip", seed=0)


def test_images_go_through_the_models_own_processor(
    clip: Path, shape: Callable[[int, int], Image.Image]
) -> None:
    images = [shape(0, 40), shape(1, 60), shape(0, 40)]
    vectors = ClipEncoder(str(clip), "image").encode(images)
    assert vectors.shape == (3, WIDTH)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3

    model = transformers.CLIPModel.from_pretrained(clip).eval()
    processor = transformers.CLIPProcessor.from_pretrained(clip)
    with torch.inference_mode():
        expected = model.get_image_features(**processor(images=images, return_tensors="pt"))
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-6)


def test_padding_and_cutting_do_not_change_a_text(clip: Path) -> None:
    encoder = ClipEncoder(str(clip), "text")
    alone = encoder.encode(["a hose"])
    long = "an endless list of words that goes far beyond the window of the model"
    together = encoder.encode(["a hose", long, ""])
    assert together.shape == (3, WIDTH)
    np.testing.assert_allclose(together[0], alone[0], atol=1e-5)
    assert np.isfinite(together).all()


def test_nothing_to_encode(clip: Path) -> None:
    assert ClipEncoder(str(clip), "text").encode([]).shape == (0, WIDTH)


def test_a_catalogue_by_clip_and_new_items(
    make_shop: Callable[..., Dataset], clip: Path, tmp_path: Path
) -> None:
    shop = make_shop(items=12)
    settings = Settings(encoders=EncoderSettings(text=f"clip:{clip}", image=f"clip:{clip}"))
    tables = encode_catalogue(shop, settings, tmp_path / "cache")
    paths = [shop.image_path(item) for item in shop.items["item_id"].iloc[:3]]
    new = encode_items(tables.folder, shop.items.iloc[:3], shop.descriptions, paths)
    np.testing.assert_allclose(new.image, tables.image[:3], atol=1e-5)
    np.testing.assert_allclose(new.text, tables.text[:3], atol=1e-5)


def test_exchanged_weights_are_noticed(make_shop: Callable[..., Dataset], tmp_path: Path) -> None:
    shop = make_shop(items=6)
    model = _save_clip(tmp_path / "model", seed=1)
    settings = Settings(encoders=EncoderSettings(image=f"clip:{model}"))
    folder = encode_catalogue(shop, settings, tmp_path / "cache").folder
    _save_clip(tmp_path / "other", seed=2)
    (tmp_path / "other" / "model.safetensors").replace(model / "model.safetensors")
    assert encode_catalogue(shop, settings, tmp_path / "cache").folder != folder
    with pytest.raises(BadData, match="is not what it was"):
        encode_items(folder, shop.items, shop.descriptions, [None] * 6)


def test_a_folder_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="encoder clip:") as caught:
        ClipEncoder(str(tmp_path), "image").encode([Image.new("RGB", (8, 8))])
    assert "\n" not in str(caught.value)
