"""Product images: each kind's sketch in a product's colours, on a stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from recsys.data.synthetic.assortment import COLOURS, STYLES
from recsys.data.synthetic.catalogue import Catalogue
from recsys.data.synthetic.drawing import adornments, clothing, furniture, gadgets, gifts, kitchen, leisure
from recsys.data.synthetic.drawing.pen import Look, Pen
from recsys.data.synthetic.drawing.stage import BACKDROPS, stage
from recsys.data.synthetic.kinds import KINDS

Sketch = Callable[[Pen], None]

SKETCHES: Final[dict[str, Sketch]] = {
    kind.name: next(
        vars(module)[kind.name]
        for module in (adornments, clothing, furniture, gadgets, gifts, kitchen, leisure)
        if kind.name in vars(module)
    )
    for kind in KINDS
}
"""Kind to the function that draws it: the function of that name in one of `drawing`'s modules."""

_HANGING: Final = frozenset(
    {"shirt", "jacket", "dress", "socks", "sandal", "glasses", "watch", "necklace", "earrings", "cushion"}
    | {"clock", "plate", "pan", "keys", "hammer", "screwdriver", "saw", "wrench", "kite", "bauble", "guitar"}
)
"""Kinds that lie or hang before the wall rather than stand on the floor."""


def draw_images(catalogue: Catalogue, folder: Path, progress: Callable[[float], None]) -> None:
    """Draws every product's image as `<item_id>.jpg`, 256 by 256 pixels.

    Args:
        catalogue: The products.
        folder: Where to; it is made.
        progress: Told the share that is done, 0 to 1.
    """
    folder.mkdir()
    for item, item_id in enumerate(catalogue.frame["item_id"].tolist()):
        draw_product(catalogue, item).save(folder / f"{item_id}.jpg", quality=88)
        if item % 20 == 0:
            progress(item / len(catalogue))


def draw_product(catalogue: Catalogue, item: int) -> Image.Image:
    """Draws one product.

    Args:
        catalogue: The products.
        item: The product's place in it.

    Returns:
        RGB, 256 by 256; the same product always looks the same.
    """
    draw = np.random.default_rng([item, 6])
    kind = KINDS[catalogue.kind[item]].name
    main = catalogue.colour[item]
    others = [colour for colour in STYLES[catalogue.style[item]].colours if colour != main]
    accent = others[item % len(others)]
    look = Look(COLOURS[main], COLOURS[accent], catalogue.pattern[item], catalogue.material[item])
    pen = Pen(look, draw)
    SKETCHES[kind](pen)
    return stage(pen.layer, int(draw.integers(len(BACKDROPS))), kind not in _HANGING)
