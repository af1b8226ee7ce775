from __future__ import annotations

import numpy as np
from PIL import Image

from recsys.data.synthetic.drawing.stage import SIZE, stage


def _layer(box: tuple[int, int, int, int] | None) -> Image.Image:
    layer = Image.new("RGBA", (3 * SIZE, 3 * SIZE))
    if box:
        layer.paste((200, 40, 40, 255), box)
    return layer


def test_a_product_throws_a_shadow_to_the_lower_right():
    empty = np.asarray(stage(_layer(None), 0, stands=False), int)
    scene = np.asarray(stage(_layer((300, 300, 480, 480)), 0, stands=False), int)
    darker = (empty - scene).sum(axis=2)
    assert scene.shape == (SIZE, SIZE, 3)
    assert darker[164, 150] > 15  # below it
    assert darker[130, 164] > 15  # to its right
    assert abs(darker[92, 130]) < darker[168, 130]  # less above than below
    assert abs(darker[10, 10]) == 0


def test_what_stands_touches_the_floor():
    box = (300, 300, 480, 480)
    hangs = np.asarray(stage(_layer(box), 1, stands=False), int)
    stands = np.asarray(stage(_layer(box), 1, stands=True), int)
    assert stands[161, 130].sum() < hangs[161, 130].sum() - 30
