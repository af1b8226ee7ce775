"""Sketches of furniture and decoration."""

from __future__ import annotations

import math

from recsys.data.synthetic.drawing.pen import Pen, mirrored
from recsys.data.synthetic.drawing.texture import BRASS, DARK, DARK_WOOD, LEAF, PAPER, WOOD, Colour, tint


def chair(pen: Pen) -> None:
    """A dining chair, seen a little from the side."""
    wood = _wood(pen)
    for x0, x1, y in ((36, 33, 82), (70, 74, 82)):
        pen.line([(x0, 58), (x1, y)], tint(wood, 0.7), 3)
    pen.line([(32, 14), (30, 58)], wood, 3.6)
    pen.line([(66, 12), (66, 56)], wood, 3.6)
    pen.box((30, 12, 68, 30), None, "sheet", 5)
    for x in (40, 49, 58):
        pen.line([(x, 30), (x, 54)], tint(wood, 0.88), 2)
    pen.poly([(28, 54), (68, 52), (80, 62), (24, 64)])
    pen.poly([(24, 64), (80, 62), (80, 66), (24, 68)], tint(pen.main, 0.7), "flat")
    pen.line([(27, 67), (24, 92)], wood, 3.8)
    pen.line([(77, 66), (80, 91)], wood, 3.8)


def sofa(pen: Pen) -> None:
    """A sofa with cushions."""
    for x in (18, 82):
        pen.line([(x, 76), (x + (2 if x > 50 else -2), 85)], DARK_WOOD, 3.4)
    pen.box((14, 30, 86, 64), None, "sheet", 10)
    pen.box((12, 58, 88, 78), tint(pen.main, 0.85), "sheet", 4)
    for left in (20, 50.5):
        pen.box((left, 52, left + 29.5, 66), None, "sheet", 5)
    pen.box((7, 44, 22, 79), tint(pen.main, 0.93), "tube", 7)
    pen.box((78, 44, 93, 79), tint(pen.main, 0.93), "tube", 7)
    pen.blob([(25, 40), (33, 37), (41, 40), (42, 48), (40, 56), (33, 55), (25, 56), (24, 48)], pen.accent)
    if pen.pick(2):
        pen.blob(
            [(60, 40), (68, 37), (75, 40), (76, 48), (74, 56), (67, 55), (60, 56), (59, 48)],
            tint(pen.accent, 1.4),
        )
    pen.line([(50, 33), (50, 51)], tint(pen.main, 0.76), 0.9)


def table(pen: Pen) -> None:
    """A table, with a vase or a bowl on it."""
    wood = _wood(pen)
    for x, lean in ((24, -2), (76, 2)):
        pen.line([(x, 46), (x + lean, 76)], tint(wood, 0.62), 3.2)
    if pen.pick(3):
        pen.oval((50, 42), (72 / 2 + 4, 8), wood)
        pen.blob([(10, 42), (50, 51), (90, 42), (90, 45), (50, 54), (10, 45)], tint(wood, 0.72))
    else:
        pen.poly([(22, 36), (84, 36), (94, 48), (8, 48)], wood)
        pen.poly([(8, 48), (94, 48), (94, 52), (8, 52)], tint(wood, 0.7), "flat")
    pen.line([(16, 50), (12, 90)], tint(wood, 0.9), 4.4)
    pen.line([(84, 50), (88, 90)], tint(wood, 0.9), 4.4)
    pen.blob(mirrored([(50, 18), (54, 18), (54, 24), (59, 31), (58, 39), (50, 41)]), None, "tube")
    for dx in (-7, 0, 7):
        pen.line([(50 + dx * 0.3, 18), (50 + dx, 6)], LEAF, 1.2)
        pen.oval((50 + dx, 6), 3, pen.accent, "ball")


def bookshelf(pen: Pen) -> None:
    """A bookcase with books."""
    wood = _wood(pen)
    pen.box((20, 8, 80, 92), tint(wood, 0.5), "flat", 1)
    spines: list[Colour] = [
        pen.main,
        pen.accent,
        tint(pen.main, 0.7),
        PAPER,
        tint(pen.accent, 0.75),
        (150, 66, 60),
    ]
    for shelf in (31, 53, 75):
        x = 25.0
        while x < 70:
            wide, high = pen.vary(3.2, 6), pen.vary(11, 16.5)
            pen.box((x, shelf - high, x + wide, shelf), spines[pen.pick(len(spines))], "tube")
            x += wide + (0 if pen.pick(5) else 7)
        pen.box((22, shelf, 78, shelf + 3), wood)
    pen.box((19, 6, 24, 93), wood, "tube")
    pen.box((76, 6, 81, 93), wood, "tube")
    pen.box((18, 5, 82, 9), tint(wood, 1.15))
    pen.box((22, 88, 78, 93), tint(wood, 0.85))


def lamp(pen: Pen) -> None:
    """A table lamp, lit."""
    base = (BRASS, pen.accent, WOOD, DARK)[pen.pick(4)]
    shade = pen.vary(13, 20)
    pen.line([(50, 46), (50, 60)], BRASS, 2)
    pen.blob(mirrored([(50, 56), (55, 58), (61, 70), (57, 82), (52, 86), (50, 86)]), base, "ball")
    pen.box((34, 85, 66, 91), tint(base, 0.85), "tube", 3)
    pen.oval((50, 50), (27, 4), (255, 236, 176), "flat")
    pen.poly([(50 - shade, 12), (50 + shade, 12), (78, 50), (22, 50)], None, "tube")
    pen.line([(22, 50), (78, 50)], tint(pen.main, 0.7), 1.4)
    pen.line([(66, 50), (66, 60)], BRASS, 0.9)
    pen.oval((66, 61), 1.4, BRASS, "ball")


def vase(pen: Pen) -> None:
    """A vase with a few stems."""
    belly, neck = pen.vary(17, 25), pen.vary(6, 10)
    for dx, top in ((-16, 16), (0, 8), (14, 18)):
        pen.line([(50, 42), (50 + dx * 0.5, 28), (50 + dx, top)], tint(LEAF, 0.85), 1.5, curved=True)
        for side in (-1, 1):
            pen.blob(
                [(50 + dx * 0.6, 28), (50 + dx * 0.6 + 7 * side, 22), (50 + dx * 0.6 + 9 * side, 16)], LEAF
            )
        pen.oval((50 + dx, top), 4.2, pen.accent, "ball")
    pen.blob(
        mirrored(
            [
                (50, 38),
                (50 + neck, 38),
                (50 + neck * 0.8, 46),
                (50 + belly, 66),
                (50 + belly * 0.8, 84),
                (58, 91),
                (50, 91),
            ]
        ),
        None,
        "tube",
    )
    pen.oval((50, 39), (neck, 1.8), tint(pen.main, 0.5), "flat")


def cushion(pen: Pen) -> None:
    """A square cushion with piping."""
    outline = [
        (14, 18),
        (32, 22),
        (50, 21),
        (68, 22),
        (86, 18),
        (82, 34),
        (83, 50),
        (82, 66),
        (86, 83),
        (68, 79),
        (50, 80),
        (32, 79),
        (14, 83),
        (18, 66),
        (17, 50),
        (18, 34),
    ]
    pen.blob(outline)
    pen.line([*outline, outline[0]], tint(pen.accent, 0.9), 1.8, curved=True)
    if pen.pick(2):
        pen.oval((50, 50), 3.2, pen.accent, "ball")
        for angle in range(0, 360, 60):
            a = math.radians(angle)
            pen.line(
                [
                    (50 + 5 * math.cos(a), 50 + 5 * math.sin(a)),
                    (50 + 13 * math.cos(a), 50 + 13 * math.sin(a)),
                ],
                tint(pen.main, 0.75),
                0.9,
            )


def clock(pen: Pen) -> None:
    """A round wall clock."""
    pen.oval((50, 50), 38, None, "ball")
    pen.oval((50, 50), 31, PAPER)
    for hour in range(12):
        a = hour * math.pi / 6
        inner = 24 if hour % 3 == 0 else 26.5
        pen.line(
            [
                (50 + inner * math.cos(a), 50 + inner * math.sin(a)),
                (50 + 28.5 * math.cos(a), 50 + 28.5 * math.sin(a)),
            ],
            DARK,
            2 if hour % 3 == 0 else 1.2,
        )
    hour_hand, minute_hand = pen.vary(0, 6.28), pen.vary(0, 6.28)
    pen.line([(50, 50), (50 + 15 * math.cos(hour_hand), 50 + 15 * math.sin(hour_hand))], DARK, 2.6)
    pen.line([(50, 50), (50 + 23 * math.cos(minute_hand), 50 + 23 * math.sin(minute_hand))], DARK, 1.8)
    pen.oval((50, 50), 3, pen.accent, "ball")


def candle(pen: Pen) -> None:
    """A burning candle in a glass or on a dish."""
    top = pen.vary(36, 46)
    pen.oval((50, 84), (31, 6.5), tint(pen.accent, 0.9))
    pen.oval((50, 82), (25, 4.5), tint(pen.accent, 0.7), "flat")
    pen.box((34, top, 66, 84), None, "tube", 2)
    pen.oval((50, 84), (16, 3), tint(pen.main, 0.75), "flat")
    pen.oval((50, top), (16, 3.6), tint(pen.main, 1.35), "flat")
    pen.line([(50, top), (50.6, top - 6)], DARK, 1.3)
    pen.blob(
        [(50, top - 24), (56, top - 11), (53, top - 4), (50, top - 3), (46, top - 5), (45, top - 11)],
        (255, 186, 60),
        "flat",
    )
    pen.blob([(50, top - 16), (53, top - 9), (50, top - 4), (47, top - 9)], (255, 240, 180), "flat")


def _wood(pen: Pen) -> Colour:
    return (WOOD, DARK_WOOD, (214, 178, 128), tint(pen.main, 0.95))[pen.pick(4)]
