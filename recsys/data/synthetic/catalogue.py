"""The synthetic catalogue: what each product is called, costs and looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from recsys.data.synthetic.assortment import DEPARTMENTS, STYLES
from recsys.data.synthetic.kinds import KINDS
from recsys.data.synthetic.words import Product, describe_product

L1_NAMES: Final = sorted(department.name for department in DEPARTMENTS)
L2_NAMES: Final = sorted(kind.name for kind in KINDS)
TASTE_DIM: Final = 6
"""Width of the hidden taste that no column shows; only behaviour gives it away."""

_GENDERS: Final = {"F": 0, "M": 1, "any": 2}


@dataclass(frozen=True)
class Catalogue:
    """The products, one array entry each; n of them.

    Attributes:
        frame: The catalogue as `items.parquet` holds it.
        descriptions: The texts as `item_descriptions.parquet` holds them.
        kind: int16 [n], place in `KINDS`.
        style: int8 [n], place in `STYLES`.
        colour: Names of colours, keys of `COLOURS`.
        pattern: Names of patterns.
        material: What they are made of.
        gender: int8 [n], 0 women, 1 men, 2 any.
        tier: float32 [n], place of the price in its kind's range, 0 to 1.
        quality: float32 [n], what all shoppers agree on.
        taste: float32 [n, TASTE_DIM], hidden traits.
        members: int32 [kinds, most items of a kind], item places by kind, padded with -1.
        slot: int32 [n], an item's column in `members`.
    """

    frame: pd.DataFrame
    descriptions: pd.DataFrame
    kind: np.ndarray
    style: np.ndarray
    colour: list[str]
    pattern: list[str]
    material: list[str]
    gender: np.ndarray
    tier: np.ndarray
    quality: np.ndarray
    taste: np.ndarray
    members: np.ndarray
    slot: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)


def make_catalogue(items: int, seed: int) -> Catalogue:
    """Draws a catalogue.

    Args:
        items: How many products; with fewer than there are kinds, some kinds stay empty.
        seed: Of the draw.

    Returns:
        The catalogue; item ids are 1 to `items`, and a kind's products are not neighbours.
    """
    draw = np.random.default_rng([seed, 1])
    kind = _spread(len(KINDS), items, draw)
    style = _spread(len(STYLES), items, draw).astype(np.int8)
    palette = [STYLES[s].colours[draw.integers(len(STYLES[s].colours))] for s in style]
    pattern = [STYLES[s].patterns[draw.integers(len(STYLES[s].patterns))] for s in style]
    gender = np.array([_gender(KINDS[k].gender, draw) for k in kind], dtype=np.int8)
    tier = draw.beta(1.6, 2.2, items).astype(np.float32)
    members, slot = _members(kind)
    material = [KINDS[k].materials[draw.integers(len(KINDS[k].materials))] for k in kind]
    products = [
        Product(KINDS[k], STYLES[s], c, p, m, int(g))
        for k, s, c, p, m, g in zip(kind, style, palette, pattern, material, gender, strict=True)
    ]
    titles, texts = zip(*(describe_product(product, draw) for product in products), strict=True)
    frame = _frame(products, titles, _prices(kind, tier), draw)
    return Catalogue(
        frame=frame,
        descriptions=pd.DataFrame({"item_id": frame["item_id"], "product_description": texts}),
        kind=kind,
        style=style,
        colour=palette,
        pattern=pattern,
        material=material,
        gender=gender,
        tier=tier,
        quality=draw.normal(0, 1, items).astype(np.float32),
        taste=draw.normal(0, 1, (items, TASTE_DIM)).astype(np.float32),
        members=members,
        slot=slot,
    )


def _frame(
    products: list[Product], titles: tuple[str, ...], prices: np.ndarray, draw: np.random.Generator
) -> pd.DataFrame:
    """The catalogue as `items.parquet` holds it."""
    ids = np.arange(1, len(products) + 1, dtype=np.int64)
    l1 = [product.kind.department for product in products]
    l2 = [product.kind.name for product in products]
    return pd.DataFrame(
        {
            "item_id": ids,
            "sku": [f"{name[:3].upper()}-{item_id:06d}" for name, item_id in zip(l2, ids, strict=True)],
            "title": titles,
            "category_l1": np.array([L1_NAMES.index(name) for name in l1], dtype=np.int64),
            "category_l2": np.array([L2_NAMES.index(name) for name in l2], dtype=np.int64),
            "category_l1_name": l1,
            "category_l2_name": l2,
            "price": prices,
            "item_gender": np.array([product.gender for product in products], dtype=np.int64),
            "current_stock": draw.poisson(14, len(products)).astype(np.int64),
        }
    )


def _spread(choices: int, items: int, draw: np.random.Generator) -> np.ndarray:
    """Deals `choices` out evenly over items, shuffled: int16 [items]."""
    dealt = np.concatenate([draw.permutation(choices) for _ in range(items // choices + 1)])[:items]
    return draw.permutation(dealt).astype(np.int16)


def _gender(whom: str, draw: np.random.Generator) -> int:
    return int(draw.integers(3)) if whom == "mixed" else _GENDERS[whom]


def _members(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = np.bincount(kind, minlength=len(KINDS))
    members = np.full((len(KINDS), sizes.max()), -1, dtype=np.int32)
    slot = np.empty(len(kind), dtype=np.int32)
    for k in range(len(KINDS)):
        places = np.flatnonzero(kind == k)
        members[k, : len(places)] = places
        slot[places] = np.arange(len(places))
    return members, slot


def _prices(kind: np.ndarray, tier: np.ndarray) -> np.ndarray:
    """Prices on a log scale between the kind's lowest and highest, ending in .99 or .49: float32 [n]."""
    low, high = np.array([KINDS[k].prices for k in kind]).T
    price = low * (high / low) ** tier
    return np.asarray(np.floor(price) + np.where(price < 20, 0.49, 0.99), dtype=np.float32)
