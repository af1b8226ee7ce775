"""The words for a synthetic product: its title and description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recsys.data.synthetic.assortment import MAKERS, Style
from recsys.data.synthetic.kinds import Kind


@dataclass(frozen=True)
class Product:
    """What the words are about; `gender` is 0 women, 1 men, 2 any."""

    kind: Kind
    style: Style
    colour: str
    pattern: str
    material: str
    gender: int


_PATTERN_WORDS: Final = {
    "plain": "",
    "stripes": "striped",
    "check": "checked",
    "dots": "dotted",
    "zigzag": "zigzag",
    "speckle": "speckled",
    "split": "two-tone",
    "band": "banded",
}
_TITLE: Final = "{adjective} {look} {whom}{noun}"
_TITLES: Final = {
    "fruit": "{adjective} {material} {noun}",
    "bread": "{adjective} {material} {noun}",
    "cheese": "{adjective} {material} {noun}",
    "coffee": "{adjective} {material} {noun}",
    "jam": "{adjective} {material} {noun}",
    "perfume": "{adjective} {material} {whom}{noun}",
    "cream": "{adjective} {material} {whom}{noun}",
    "lipstick": "{adjective} {material} {noun} in {colour}",
    "bouquet": "{adjective} {material} {noun} in {colour}",
    "plant": "{adjective} {noun} in a {look} pot",
    "cactus": "{adjective} {noun} in a {look} pot",
    "ring": "{adjective} {material} {whom}{noun} with {colour} stone",
    "necklace": "{adjective} {material} {noun} with {colour} stone",
    "earrings": "{adjective} {material} {noun} with {colour} stones",
}
_DETAIL: Final = "Look closer and you find {material} in {look}, finished with care."
_DETAILS: Final = {
    "groceries": "It comes from a small producer who takes {material} seriously, and little else.",
    "floral": "Tended by hand and sent the day you order, it keeps for as long as you look after it.",
    "beauty": "The {material} formula feels light, and no animal had to try it first.",
    "books": "Bound in {look} and printed on {material} that is a pleasure to leaf through.",
    "jewelry": "The {colour} is set in {material} by a goldsmith with forty years at the bench.",
    "electronics": "The {material} housing in {look} hides up-to-date technology and a battery that lasts.",
}
_CLOSINGS: Final = (
    "It arrives in recycled packaging, ready to be given away.",
    "Goes well with the other pieces of the collection.",
    "A favourite of our regular customers.",
    "Back in stock after many requests.",
    "Send it back within thirty days should you not love it.",
)
_SMALL: Final = frozenset({"in", "a", "with", "and", "de", "of"})


def describe_product(product: Product, draw: np.random.Generator) -> tuple[str, str]:
    """Finds words for a product.

    Args:
        product: What it is.
        draw: Source of the choice among words.

    Returns:
        Its title, and a description of four sentences.
    """
    kind, style = product.kind, product.style
    maker, closing = (options[draw.integers(len(options))] for options in (MAKERS, _CLOSINGS))
    words = {
        "adjective": style.adjectives[draw.integers(len(style.adjectives))],
        "noun": kind.nouns[draw.integers(len(kind.nouns))],
        "colour": product.colour,
        "look": f"{_PATTERN_WORDS[product.pattern]} {product.colour}".strip(),
        "material": product.material,
        "whom": ("women's ", "men's ", "")[product.gender] if kind.gender == "mixed" else "",
    }
    title = _capitals(_TITLES.get(kind.name, _TITLE).format(**words))
    detail = _DETAILS.get(kind.department, _DETAIL).format(**words)
    verb = "are" if words["noun"].endswith("s") and not words["noun"].endswith("ss") else "is"
    text = f"The {title} by {maker} {verb} made for {kind.use}. {detail} {style.sentence} {closing}"
    return title, text


def _capitals(text: str) -> str:
    return " ".join(word if word in _SMALL else word[:1].upper() + word[1:] for word in text.split())
