"""Sketches of tableware and groceries."""

from __future__ import annotations

import math

from recsys.data.synthetic.drawing.pen import Pen, mirrored
from recsys.data.synthetic.drawing.texture import DARK, LEAF, PAPER, STEEL, WOOD, Colour, tint


def mug(pen: Pen) -> None:
    """A mug with something hot in it."""
    half, top = pen.vary(22, 27), pen.vary(26, 34)
    x = 44.0
    handle = [(x + half - 2, top + 12), (x + half + 17, top + 11), (x + half + 18, 62), (x + half - 3, 70)]
    pen.line(handle, tint(pen.main, 0.66), 7.2, curved=True)
    pen.line([(a - 0.5, b - 0.7) for a, b in handle], tint(pen.main, 0.95), 4.8, curved=True)
    pen.poly(
        [
            (x - half, top),
            (x + half, top),
            (x + half - 1.5, 82),
            (x + half - 6, 87),
            (x - half + 6, 87),
            (x - half + 1.5, 82),
        ],
        None,
        "tube",
    )
    pen.oval((x, top), (half, 5.6), tint(pen.main, 1.3))
    pen.oval((x, top + 0.8), (half - 2.4, 4.2), (94, 58, 38), "flat")
    for dx in (-8, 4):
        pen.line(
            [(x + dx, top - 6), (x + dx + 3, top - 11), (x + dx - 1, top - 15), (x + dx + 2, top - 20)],
            (226, 222, 218),
            1.6,
            curved=True,
        )


def plate(pen: Pen) -> None:
    """A plate from above."""
    pen.oval((50, 50), 39)
    pen.oval((50, 50), 37, tint(pen.main, 1.15) if pen.pick(2) else None)
    pen.ring((50, 50), 34.5, tint(pen.accent, 0.95), 1.6)
    pen.oval((50, 50), 25, tint(pen.main, 0.9))
    pen.oval((50, 50.6), 24, tint(pen.main, 1.25))
    if pen.pick(2):
        for angle in range(0, 360, 30):
            a = math.radians(angle)
            pen.oval((50 + 30 * math.cos(a), 50 + 30 * math.sin(a)), 1.7, pen.accent, "flat")


def pan(pen: Pen) -> None:
    """A frying pan from above."""
    pen.line([(60, 40), (93, 9)], tint(WOOD, 0.7), 7.4)
    pen.line([(66, 34), (92, 10)], WOOD, 5)
    pen.oval((89.5, 12.5), 1.5, DARK, "flat")
    pen.oval((40, 59), 34)
    pen.oval((40, 59), 30, tint(DARK, 1.1), "ball")
    pen.ring((40, 59), 24, tint(DARK, 1.22), 0.8)
    if pen.pick(3) == 0:
        pen.blob([(30, 50), (44, 45), (54, 56), (50, 68), (37, 72), (27, 62)], (252, 250, 244), "flat")
        pen.oval((41, 58), 6.5, (250, 190, 60), "ball")


def teapot(pen: Pen) -> None:
    """A teapot from the side."""
    handle = [(74, 44), (92, 42), (90, 66), (72, 72)]
    pen.line(handle, tint(pen.main, 0.68), 6, curved=True)
    pen.line([(x - 0.4, y - 0.6) for x, y in handle], tint(pen.main, 0.96), 3.8, curved=True)
    pen.blob(
        [(28, 70), (14, 58), (10, 42), (5, 36), (14, 34), (19, 46), (32, 52)], tint(pen.main, 0.9), "tube"
    )
    pen.blob(
        [(26, 58), (36, 42), (50, 38), (64, 42), (76, 58), (72, 76), (60, 84), (40, 84), (29, 76)],
        None,
        "ball",
    )
    pen.box((38, 83, 62, 88), tint(pen.main, 0.75), "tube", 2)
    pen.blob([(33, 42), (42, 35), (50, 33), (58, 35), (67, 42), (50, 45)], tint(pen.accent, 0.95), "ball")
    pen.oval((50, 29), 4.6, tint(pen.accent, 0.85), "ball")


def bottle(pen: Pen) -> None:
    """A drinking bottle with a screw top."""
    half = pen.vary(13, 17)
    pen.box((42, 8, 58, 20), DARK if pen.pick(2) else STEEL, "tube", 3)
    if pen.pick(2):
        pen.ring((50, 8), 5, tint(DARK, 1.1), 2)
    pen.poly(
        mirrored(
            [(50, 19), (56, 19), (57, 24), (50 + half, 34), (50 + half, 86), (50 + half - 3, 91), (50, 91)]
        ),
        None,
        "tube",
    )
    pen.line([(50 - half, 84), (50 + half, 84)], tint(pen.main, 0.75), 1)
    pen.oval((50, 56), 5.5, tint(pen.accent, 0.98), "flat")


def fruit(pen: Pen) -> None:
    """Apples: one, or three of them."""
    colours: tuple[Colour, ...] = ((200, 44, 48), (156, 48, 50), (214, 196, 84))
    colour = colours[("gala", "braeburn", "golden").index(pen.material)]
    if pen.pick(2):
        _apple(pen, 33, 56, 22, tint(colour, 0.86))
        _apple(pen, 68, 55, 22, tint(colour, 0.94))
        _apple(pen, 50, 65, 24, colour)
    else:
        _apple(pen, 50, 54, 34, colour)


def bread(pen: Pen) -> None:
    """A crusty loaf."""
    crust: Colour = {"rye": (134, 84, 50), "spelt": (166, 106, 58)}.get(pen.material, (194, 130, 70))
    pen.blob(
        [(8, 66), (14, 46), (34, 34), (60, 32), (84, 42), (93, 62), (86, 76), (50, 80), (16, 78)],
        crust,
        "ball",
    )
    for x in (28, 43, 58, 73):
        pen.blob(
            [(x - 6, 64), (x - 1, 50), (x + 6, 38), (x + 9, 40), (x + 4, 54), (x - 2, 66)],
            (240, 212, 160),
            "sheet",
        )
    for i in range(16):
        pen.oval((20 + i * 4 + pen.vary(-2, 2), pen.vary(44, 72)), 0.7, (250, 240, 220), "flat")


def cheese(pen: Pen) -> None:
    """A wedge of cheese with holes."""
    pale: Colour = (250, 214, 110) if pen.material == "cow's milk" else (248, 236, 200)
    pen.poly([(8, 52), (72, 26), (93, 44), (30, 58)], tint(pale, 1.3))
    pen.poly([(8, 52), (93, 44), (93, 70), (8, 82)], pale)
    pen.poly([(8, 78), (93, 67), (93, 71), (8, 83)], pen.main, "flat")
    for x, y, r in ((22, 66, 4.4), (40, 72, 3), (50, 58, 4.6), (68, 64, 5), (84, 54, 3.2), (32, 60, 2.2)):
        pen.oval((x, y), (r, r * 0.9), tint(pale, 0.78), "flat")
        pen.oval((x + 0.6, y + 0.7), (r * 0.75, r * 0.65), tint(pale, 0.88), "flat")


def coffee(pen: Pen) -> None:
    """A bag of coffee with beans before it."""
    pen.poly([(28, 16), (72, 16), (76, 28), (75, 86), (25, 86), (24, 28)], None, "tube")
    pen.box((27, 10, 73, 18), tint(pen.main, 0.7), "sheet", 1)
    pen.box((32, 38, 68, 70), PAPER, "sheet", 2)
    _bean(pen, 50, 51, 8, (104, 62, 38))
    pen.line([(38, 65), (62, 65)], tint(pen.accent, 0.7), 2)
    for x, y in ((15, 86), (24, 90), (80, 87), (71, 91), (88, 90)):
        _bean(pen, x, y, 4.4, (88, 52, 32))


def jam(pen: Pen) -> None:
    """A jar of jam with a cloth lid."""
    filling: Colour = {"strawberry": (176, 30, 48), "apricot": (238, 160, 60)}.get(
        pen.material, (214, 96, 30)
    )
    pen.box((24, 32, 76, 88), (232, 236, 236), "tube", 9)
    pen.box((27, 38, 73, 85), filling, "tube", 7)
    pen.box((33, 50, 67, 74), PAPER, "sheet", 3)
    pen.oval((50, 62), 6, filling, "ball")
    pen.blob([(50, 57), (54, 52), (58, 53), (53, 58)], LEAF)
    pen.poly([(20, 34), (27, 16), (73, 16), (80, 34), (71, 31), (62, 35), (50, 31), (38, 35), (29, 31)])
    pen.line([(26, 27), (50, 30), (74, 27)], tint(pen.accent, 0.8), 1.8, curved=True)


def _apple(pen: Pen, x: float, y: float, r: float, colour: Colour) -> None:
    pen.line([(x, y - r * 0.7), (x + r * 0.12, y - r * 1.15)], (104, 70, 44), r * 0.1)
    outline = [
        (0, -0.78),
        (0.42, -0.95),
        (0.9, -0.62),
        (1, 0),
        (0.72, 0.72),
        (0.26, 0.98),
        (0, 0.9),
        (-0.26, 0.98),
        (-0.72, 0.72),
        (-1, 0),
        (-0.9, -0.62),
        (-0.42, -0.95),
    ]
    pen.blob([(x + a * r, y + b * r) for a, b in outline], colour, "ball")
    leaf = [(0.1, -0.95), (0.35, -1.25), (0.72, -1.2), (0.5, -0.95)]
    pen.blob([(x + a * r, y + b * r) for a, b in leaf], LEAF)


def _bean(pen: Pen, x: float, y: float, r: float, colour: Colour) -> None:
    pen.oval((x, y), (r, r * 0.72), colour, "ball")
    pen.line(
        [(x - r * 0.8, y + r * 0.1), (x, y - r * 0.12), (x + r * 0.8, y + r * 0.1)],
        tint(colour, 0.5),
        r * 0.16,
        curved=True,
    )
