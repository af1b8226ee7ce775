"""A tiny illustrated shop, made by the tests themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from recsys.data.dataset import Dataset

TOPICS = ("garden hose and sprinkler", "leather office chair", "running shoe with foam sole")
COLORS = ("red", "green", "blue")


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[..., Dataset]:
    """Writes a data set: item i has topic i % 3 and, with images, a shape in the topic's colour."""

    def make(items: int = 30, images: bool = True, name: str = "shop", titles: bool = True) -> Dataset:
        folder = tmp_path / name
        folder.mkdir()
        ids = np.arange(items) * 11 + 5
        frame = pd.DataFrame(
            {
                "item_id": ids,
                "price": np.full(items, 9.5, dtype="float32"),
                "category_l1": np.arange(items) % 3,
                "category_l2": np.arange(items) % 5,
                "item_gender": np.zeros(items, dtype="int64"),
            }
        )
        if titles:
            frame["title"] = [f"{TOPICS[row % 3].split()[0]} number {row}" for row in range(items)]
        frame.to_parquet(folder / "items.parquet")
        text = [f"A fine {TOPICS[row % 3]} of series {row // 3}" for row in range(items)]
        pd.DataFrame({"item_id": ids, "product_description": text}).to_parquet(
            folder / "item_descriptions.parquet"
        )
        users = {"user_id": [1], "age": [30], "gender": [0]}
        pd.DataFrame(users).to_parquet(folder / "users.parquet")
        day = {"user_id": [1], "item_id": [5], "timestamp": [1_754_006_400], "device_type": [0]}
        pd.DataFrame(day).to_parquet(folder / "day_00.parquet")
        if images:
            (folder / "item_images").mkdir()
            for row, item in enumerate(ids):
                draw_shape(row % 3, 20 + row).save(folder / "item_images" / f"{item}.jpg")
        return Dataset.open(folder)

    return make


def draw_shape(topic: int, size: int) -> Image.Image:
    """A square, disc or triangle on white."""
    image = Image.new("RGB", (160, 120), "white")
    box = (60 - size // 2, 60 - size // 2, 60 + size // 2, 60 + size // 2)
    pen = ImageDraw.Draw(image)
    if topic == 0:
        pen.rectangle(box, fill=COLORS[0])
    elif topic == 1:
        pen.ellipse(box, fill=COLORS[1])
    else:
        pen.polygon([(box[0], box[3]), (box[2], box[3]), (60, box[1])], fill=COLORS[2])
    return image


@pytest.fixture
def shape() -> Callable[[int, int], Image.Image]:
    """`draw_shape`."""
    return draw_shape
