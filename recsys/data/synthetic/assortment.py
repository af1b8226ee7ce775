"""How the synthetic shop is laid out: departments, styles, colours and makers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Department:
    """A top-level category and who shops there, when and on what.

    Attributes:
        name: Category name.
        age: Years of age at which interest peaks; it halves some 20 years to either side.
        female: Lean of interest towards women, -1 to 1.
        devices: Lean of interest on mobile, desktop, tablet, each -1 to 1.
        hour: Hour of the day, UTC, at which interest peaks.
        weekend: Lean of interest towards weekends, -1 to 1.
    """

    name: str
    age: int
    female: float
    devices: tuple[float, float, float]
    hour: int
    weekend: float


@dataclass(frozen=True)
class Style:
    """A taste that products and shoppers have in common; words, colours and patterns show it.

    Attributes:
        name: Its name.
        age: Years of age at which it is most liked.
        adjectives: Words of its products' titles.
        colours: Names of its colours, keys of `COLOURS`.
        patterns: Its patterns, see `images.texture`.
        sentence: A sentence of its products' descriptions.
    """

    name: str
    age: int
    adjectives: tuple[str, ...]
    colours: tuple[str, ...]
    patterns: tuple[str, ...]
    sentence: str


COLOURS: Final = {
    "navy": (38, 55, 98),
    "burgundy": (122, 30, 48),
    "forest green": (40, 92, 66),
    "cream": (238, 226, 200),
    "camel": (190, 146, 94),
    "charcoal": (62, 66, 74),
    "white": (242, 243, 244),
    "slate": (108, 124, 140),
    "teal": (24, 122, 128),
    "black": (38, 38, 42),
    "terracotta": (196, 98, 66),
    "ochre": (206, 152, 52),
    "olive": (118, 122, 62),
    "sand": (214, 192, 156),
    "rust": (160, 74, 40),
    "coral": (248, 122, 104),
    "sunny yellow": (250, 204, 64),
    "turquoise": (56, 190, 192),
    "lilac": (184, 152, 216),
    "mint": (148, 214, 180),
    "ivory": (244, 238, 222),
    "gold": (212, 172, 84),
    "plum": (104, 44, 92),
    "emerald": (20, 128, 94),
    "blush": (232, 180, 176),
    "cobalt": (32, 84, 190),
    "lime": (164, 208, 56),
    "orange": (244, 130, 40),
    "red": (208, 44, 52),
    "graphite": (82, 86, 92),
}

STYLES: Final = (
    Style(
        "classic", 52, ("Classic", "Heritage", "Timeless"),
        ("navy", "burgundy", "forest green", "cream", "camel"), ("plain", "plain", "stripes", "check"),
        "Its lines have been in fashion for decades and will stay there.",
    ),
    Style(
        "modern", 33, ("Modern", "Minimal", "Nordic"),
        ("charcoal", "white", "slate", "teal", "black"), ("plain", "plain", "split"),
        "Clean lines and nothing superfluous make it at home in any modern setting.",
    ),
    Style(
        "rustic", 45, ("Rustic", "Handmade", "Country"),
        ("terracotta", "ochre", "olive", "sand", "rust"), ("plain", "zigzag", "speckle"),
        "Small irregularities show that it was made by hand, no two are quite alike.",
    ),
    Style(
        "playful", 22, ("Playful", "Happy", "Bright"),
        ("coral", "sunny yellow", "turquoise", "lilac", "mint"), ("dots", "zigzag", "stripes", "plain"),
        "Cheerful colours bring a smile to grey mornings.",
    ),
    Style(
        "elegant", 40, ("Elegant", "Refined", "Luxe"),
        ("ivory", "gold", "plum", "emerald", "blush"), ("plain", "plain", "band"),
        "Fine proportions and a quiet sheen give it the air of a special occasion.",
    ),
    Style(
        "sporty", 27, ("Sporty", "Active", "Rugged"),
        ("cobalt", "lime", "orange", "red", "graphite"), ("split", "band", "plain", "stripes"),
        "It is light, tough and ready when you are.",
    ),
)  # fmt: skip

DEPARTMENTS: Final = (
    Department("accessories", 34, 0.3, (0.5, -0.3, 0.0), 18, 0.2),
    Department("apparel", 29, 0.4, (0.6, -0.4, 0.0), 20, 0.1),
    Department("beauty", 27, 0.9, (0.7, -0.5, 0.0), 21, 0.0),
    Department("books", 48, 0.2, (-0.3, -0.2, 0.9), 22, 0.1),
    Department("electronics", 30, -0.7, (-0.4, 0.8, -0.2), 20, -0.1),
    Department("floral", 54, 0.5, (0.0, 0.1, 0.2), 10, 0.5),
    Department("footwear", 28, 0.1, (0.5, -0.2, -0.1), 17, 0.3),
    Department("furniture", 44, 0.1, (-0.7, 0.8, 0.3), 21, 0.7),
    Department("groceries", 42, 0.1, (0.4, -0.1, -0.2), 8, -0.4),
    Department("homedecor", 41, 0.5, (-0.1, 0.2, 0.4), 20, 0.4),
    Department("housewares", 46, 0.3, (0.0, 0.1, 0.2), 11, 0.0),
    Department("instruments", 24, -0.4, (-0.3, 0.6, 0.1), 19, 0.3),
    Department("jewelry", 38, 0.8, (0.3, 0.0, 0.1), 13, -0.2),
    Department("outdoors", 33, -0.3, (0.0, 0.2, 0.0), 12, 0.9),
    Department("seasonal", 50, 0.3, (0.1, 0.0, 0.1), 15, 0.3),
    Department("tools", 49, -0.9, (-0.2, 0.6, -0.1), 9, 0.8),
    Department("toys", 36, 0.2, (0.2, 0.0, 0.3), 16, 0.5),
)

MAKERS: Final = (
    "Alderbrook", "Bellwether", "Corvane", "Dunmore & Lee", "Ellery", "Fennimore",
    "Greyfield", "Halden", "Iverra", "Juniper Row", "Kestrel", "Lowen",
)  # fmt: skip
