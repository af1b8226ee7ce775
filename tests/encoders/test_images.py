from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from recsys.encoders import images
from recsys.encoders.images import content_hash, read_image, read_images


def test_a_large_jpeg_is_decoded_smaller_but_not_too_small(tmp_path: Path) -> None:
    Image.new("RGB", (1600, 1200), "teal").save(tmp_path / "large.jpg")
    image = read_image(tmp_path / "large.jpg", 128)
    assert image.mode == "RGB"
    assert 128 <= min(image.size) < 1200


def test_faults_are_told_by_position(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    (tmp_path / "text.jpg").write_text("hello")
    found, faults = read_images(
        [None, tmp_path / "grey.png", tmp_path / "text.jpg", tmp_path / "gone.jpg"], 64
    )
    assert list(found) == [1]
    assert faults[2] == "not an image"
    assert "No such file" in faults[3]


def test_too_many_pixels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(images, "_MAX_PIXELS", 399)
    with pytest.raises(ValueError, match="20 x 20 pixels are too many"):
        read_image(tmp_path / "bomb.png", 8)


def test_the_hash_is_of_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "b") != b""
    assert content_hash(None) == b""
