"""Product images read from files, and what is wrong with those that cannot be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_MAX_PIXELS = 100_000_000
"""An image of more pixels than this is refused: a small file can hold gigabytes of them."""


def read_image(path: Path, size: int) -> Image.Image:
    """Reads one image as RGB.

    Args:
        path: The file.
        size: The shorter side needed, in pixels; a larger JPEG is decoded at a fraction of its size, no
            smaller than this, which is several times faster.

    Returns:
        The image.

    Raises:
        ValueError: It is no image, is cut off, or has too many pixels; the message is one line.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            image.draft("RGB", (size, size))
            return image.convert("RGB")
    except UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow's words for a broken file
        raise ValueError(" ".join(str(error).split()) or "cannot be read") from error


def read_images(paths: Sequence[Path | None], size: int) -> tuple[dict[int, Image.Image], dict[int, str]]:
    """Reads the images that there are.

    Args:
        paths: n files; None where there is none.
        size: See `read_image`.

    Returns:
        The images, and the faults of files that could not be read; both by position in `paths`.
    """
    images: dict[int, Image.Image] = {}
    faults: dict[int, str] = {}
    for position, path in enumerate(paths):
        if path is None:
            continue
        try:
            images[position] = read_image(path, size)
        except ValueError as error:
            faults[position] = str(error)
    return images, faults


def content_hash(path: Path | None) -> bytes:
    """sha256 of a file's bytes; empty where there is no file."""
    return b"" if path is None else hashlib.sha256(path.read_bytes()).digest()
