"""The default image encoder: colours, their layout, edges and the object's outline; it needs no weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recsys.encoders.encoder import ReadyWeights
from recsys.encoders.projection import unit_length

_SIDE = 64  # pixels: each image is scaled to a square of this side
_LEVELS = 4  # per colour channel of the histograms
_GRID = 4  # cells a side of the colour layout
_CELL = 8  # pixels a side of a cell of edge directions
_DIRECTIONS = 8  # edge directions between 0 and 180 degrees
_BACKGROUND = 0.12  # colour distance to the border's median below which a pixel is background
_BATCH = 256

Floats = NDArray[np.float32]


class ColorShapeEncoder(ReadyWeights):
    """Five groups of statistics, each of length 1, so that none drowns the others.

    Colour histograms of the whole image and of its middle; mean and spread of colour on a 4 x 4 grid;
    histograms of oriented gradients (Dalal & Triggs, 2005); area, place, extent and tilt of what differs
    from the border's colour.
    """

    spec = "color-shape"
    image_size = 2 * _SIDE

    def identity(self) -> str:
        """Name, version of the recipe and its parameters."""
        return f"color-shape/1 side={_SIDE} levels={_LEVELS} grid={_GRID} cell={_CELL} turns={_DIRECTIONS}"

    def encode(self, inputs: Sequence[Image.Image]) -> Floats:
        """Encodes images.

        Args:
            inputs: n images of any size and mode.

        Returns:
            float32 [n, 745].
        """
        batches = [
            _features(_pixels(inputs[start : start + _BATCH])) for start in range(0, len(inputs), _BATCH)
        ]
        return np.concatenate(batches) if batches else _features(np.zeros((0, _SIDE, _SIDE, 3), "float32"))


def _pixels(images: Sequence[Image.Image]) -> Floats:
    """float32 [n, 64, 64, 3] in 0..1."""
    small = [image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR) for image in images]
    return np.stack([np.asarray(image, dtype=np.float32) for image in small]) / 255.0


def _features(pixels: Floats) -> Floats:
    quarter = _SIDE // 4
    middle = pixels[:, quarter:-quarter, quarter:-quarter]
    groups = [_histogram(pixels), _histogram(middle), _layout(pixels), _edges(pixels), _outline(pixels)]
    return np.concatenate([unit_length(group.astype(np.float32)) for group in groups], axis=1)


def _histogram(pixels: Floats) -> Floats:
    """Square roots of a joint RGB histogram's shares: [n, 64]; their inner product is Bhattacharyya's."""
    bins = _LEVELS**3
    levels = np.minimum((pixels * _LEVELS).astype(np.int64), _LEVELS - 1)
    codes = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    flat = codes.reshape(len(pixels), pixels.shape[1] * pixels.shape[2])
    offsets = np.arange(len(pixels))[:, None] * bins
    counts = np.bincount((flat + offsets).ravel(), minlength=len(pixels) * bins).reshape(-1, bins)
    return np.asarray(np.sqrt(counts / flat.shape[1]), dtype=np.float32)


def _layout(pixels: Floats) -> Floats:
    """Mean and standard deviation of each channel in each cell of a 4 x 4 grid: [n, 96]."""
    cell = _SIDE // _GRID
    cells = pixels.reshape(len(pixels), _GRID, cell, _GRID, cell, 3)
    parts = [cells.mean(axis=(2, 4)), cells.std(axis=(2, 4))]
    return np.concatenate([part.reshape(len(pixels), 3 * _GRID**2) for part in parts], axis=1)


def _edges(pixels: Floats) -> Floats:
    """Histograms of oriented gradients on an 8 x 8 grid of cells: [n, 512]."""
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    down, across = np.gradient(grey, axis=(1, 2)) if len(grey) else (grey, grey)
    strength = np.hypot(down, across)
    turn = np.floor((np.arctan2(down, across) % np.pi) * (_DIRECTIONS / np.pi)).astype(np.int64) % _DIRECTIONS
    side = _SIDE // _CELL
    rows = np.arange(_SIDE) // _CELL
    cells = rows[:, None] * side + rows[None, :]
    size = side * side * _DIRECTIONS
    codes = cells * _DIRECTIONS + turn + np.arange(len(pixels))[:, None, None] * size
    sums = np.bincount(codes.ravel(), weights=strength.ravel(), minlength=len(pixels) * size)
    # A square root keeps one hard edge from hiding all soft ones.
    return np.asarray(np.sqrt(sums.reshape(len(pixels), size)), dtype=np.float32)


def _outline(pixels: Floats) -> Floats:
    """What differs from the border's colour: area, centre, spreads, tilt, box and how full it is: [n, 9]."""
    n = len(pixels)
    border = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    ground = np.median(border, axis=1) if n else np.zeros((0, 3), dtype=np.float32)
    mask = np.linalg.norm(pixels - ground[:, None, None], axis=-1) > _BACKGROUND
    mass = mask / np.maximum(mask.sum(axis=(1, 2), keepdims=True), 1)  # [n, 64, 64], sums to 1 (or 0)
    rows, columns = mass.sum(axis=2), mass.sum(axis=1)
    position = (np.arange(_SIDE) + 0.5) / _SIDE
    middle_y, middle_x = rows @ position, columns @ position
    y, x = position - middle_y[:, None], position - middle_x[:, None]
    spread_y, spread_x = np.sqrt((rows * y**2).sum(axis=1)), np.sqrt((columns * x**2).sum(axis=1))
    tilt = np.einsum("nyx,ny,nx->n", mass, y, x)
    height, width = (rows > 0).mean(axis=1), (columns > 0).mean(axis=1)
    area = mask.mean(axis=(1, 2))
    filled = area / np.maximum(height * width, 1 / _SIDE**2)
    values = (area, middle_y, middle_x, spread_y, spread_x, tilt, height, width, filled)
    return np.asarray(np.stack(values, axis=1), dtype=np.float32)
