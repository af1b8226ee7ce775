"""Sketches of cosmetics, books, flowers and seasonal goods."""

from __future__ import annotations

import math

from recsys.data.synthetic.drawing.pen import Pen, mirrored
from recsys.data.synthetic.drawing.texture import (
    BRASS,
    DARK,
    DEEP_LEAF,
    LEAF,
    PAPER,
    STEEL,
    WHITE,
    Colour,
    tint,
)


def lipstick(pen: Pen) -> None:
    """An open lipstick beside its cap."""
    case = (DARK, BRASS, STEEL)[pen.pick(3)]
    pen.poly([(31, 46), (31, 22), (36, 14), (49, 26), (49, 46)], pen.main, "tube")
    pen.poly([(31, 22), (36, 14), (49, 26), (42, 26)], tint(pen.main, 1.25), "flat")
    pen.box((28, 44, 52, 60), BRASS, "tube", 1)
    pen.box((25, 58, 55, 90), case, "tube", 2)
    pen.box((64, 52, 84, 90), case, "tube", 2)
    pen.box((64, 84, 84, 87), BRASS, "tube")


def perfume(pen: Pen) -> None:
    """A bottle of perfume."""
    liquid = tint(pen.main, 1.35)
    pen.box((40, 8, 60, 26), (BRASS, DARK, STEEL)[pen.pick(3)], "tube", 2)
    pen.box((44, 26, 56, 33), STEEL, "tube")
    if pen.pick(2):
        pen.box((20, 32, 80, 90), tint(liquid, 1.3), "sheet", 8)
        pen.box((26, 44, 74, 85), liquid, "tube", 5)
    else:
        pen.oval((50, 61), (33, 29), tint(liquid, 1.3), "ball")
        pen.oval((50, 64), (28, 23), liquid, "ball")
    pen.box((35, 56, 65, 72), PAPER, "sheet", 1)
    pen.line([(40, 62), (60, 62)], tint(pen.main, 0.7), 1.8)
    pen.line([(44, 67), (56, 67)], tint(pen.main, 0.8), 1.1)


def cream(pen: Pen) -> None:
    """An open jar of cream, its lid leaning against it."""
    pen.oval((73, 62), (17, 24), tint(pen.accent, 0.92), "ball")
    pen.oval((73, 62), (13, 20), tint(pen.accent, 1.15))
    pen.box((14, 48, 70, 86), None, "tube", 8)
    pen.oval((42, 48), (28, 7), tint(pen.main, 0.8))
    pen.oval((42, 48), (24, 5.2), WHITE)
    pen.blob([(28, 47), (36, 40), (44, 42), (42, 36), (50, 42), (56, 47), (42, 51)], (254, 252, 246))
    pen.box((26, 61, 58, 76), PAPER, "sheet", 2)
    pen.line([(32, 68), (52, 68)], tint(pen.main, 0.7), 1.8)


def novel(pen: Pen) -> None:
    """A standing book with a drawn cover."""
    _book(pen)
    scene = pen.pick(3)
    if scene == 0:
        pen.oval((56, 38), 10, tint(pen.accent, 1.2), "flat")
        pen.poly([(33, 70), (48, 46), (58, 60), (66, 50), (79, 70)], tint(pen.main, 0.6), "flat")
    elif scene == 1:
        for i in range(4):
            pen.ring((56, 46), 5 + 4 * i, tint(pen.accent, 0.95), 1.6)
    else:
        pen.line([(40, 68), (52, 52), (58, 40), (72, 32)], tint(pen.accent, 1.1), 3, curved=True)
        pen.oval((72, 32), 4, tint(pen.accent, 1.3), "flat")


def cookbook(pen: Pen) -> None:
    """A standing book with a dish on its cover."""
    _book(pen)
    pen.oval((56, 48), 16, WHITE, "flat")
    pen.oval((56, 48), 12, tint(pen.accent, 0.95), "ball")
    for x, y in ((51, 45), (60, 44), (57, 53)):
        pen.oval((x, y), 2.6, ((200, 60, 50), LEAF, (240, 190, 70))[pen.pick(3)], "ball")
    pen.line([(36, 38), (36, 60)], WHITE, 1.6)
    pen.line([(76, 38), (76, 60)], WHITE, 1.6)


def bouquet(pen: Pen) -> None:
    """Flowers wrapped in paper."""
    heads = [(32, 30), (50, 20), (68, 30), (40, 42), (60, 42), (50, 33), (26, 44), (74, 44)]
    for x, y in heads:
        pen.line([(x, y), (50, 74)], DEEP_LEAF, 1.6)
    for x, y in ((22, 34), (78, 34), (40, 14), (62, 15), (18, 50), (82, 50)):
        pen.blob([(50, 50), (x - 3, y + 4), (x, y - 3), (x + 4, y + 4)], LEAF)
    sort = ("daisy", "rose", "tulip").index(pen.material)
    for i, (x, y) in enumerate(heads):
        _flower(pen, x, y, (pen.main, pen.accent, tint(pen.main, 1.4))[i % 3], sort)
    pen.poly([(24, 48), (38, 56), (50, 52), (62, 56), (76, 48), (58, 92), (42, 92)], PAPER)
    pen.poly([(24, 48), (50, 62), (45, 92), (42, 92)], tint(PAPER, 0.88))
    pen.box((41, 73, 59, 79), pen.accent, "tube", 1)


def plant(pen: Pen) -> None:
    """A leafy plant in a pot."""
    for angle in (-72, -48, -24, 0, 24, 48, 72):
        a = math.radians(angle + pen.vary(-6, 6))
        length = pen.vary(36, 48)
        tip = (50 + length * math.sin(a), 62 - length * math.cos(a))
        side = (math.cos(a) * 7.5, math.sin(a) * 7.5)
        middle = (50 + 0.66 * (tip[0] - 50), 62 + 0.66 * (tip[1] - 62))
        leaf = [
            (50, 62),
            (middle[0] - side[0], middle[1] - side[1]),
            tip,
            (middle[0] + side[0], middle[1] + side[1]),
        ]
        pen.blob(leaf, LEAF if angle % 48 else DEEP_LEAF)
        pen.line([(50, 62), tip], tint(LEAF, 1.4), 0.9)
    _pot(pen, 60)


def cactus(pen: Pen) -> None:
    """A cactus in a pot."""
    green: Colour = ((92, 150, 96), (70, 132, 104), (120, 158, 90))[pen.pick(3)]
    if pen.pick(2):
        pen.line([(48, 50), (30, 48), (28, 34)], green, 9, curved=True)
        pen.line([(52, 44), (70, 42), (72, 28)], green, 9, curved=True)
        pen.box((39, 14, 61, 72), green, "tube", 11)
        for x in (45, 50, 55):
            pen.line([(x, 20), (x, 64)], tint(green, 0.8), 0.9)
    else:
        pen.oval((50, 44), (26, 24), green, "ball")
        for dx in (-16, -8, 0, 8, 16):
            pen.line(
                [(50 + dx * 0.5, 22), (50 + dx, 44), (50 + dx * 0.6, 64)], tint(green, 0.76), 1, curved=True
            )
    _flower(pen, 50, 15 if pen.pick(2) else 18, pen.accent, 0)
    _pot(pen, 60)


def bauble(pen: Pen) -> None:
    """A Christmas bauble on a string."""
    pen.line([(50, 2), (50, 14)], BRASS, 1.3)
    pen.ring((50, 16), 3.6, BRASS, 1.5)
    pen.oval((50, 57), 34, None, "ball")
    pen.box((43, 18, 57, 27), BRASS, "tube", 2)
    for x in (26, 38, 50, 62, 74):
        pen.poly([(x, 52), (x + 3.4, 58), (x, 64), (x - 3.4, 58)], tint(pen.accent, 1.1), "flat")


def pumpkin(pen: Pen) -> None:
    """A pumpkin, with or without a face."""
    skin: Colour = (232, 124, 36) if pen.pick(3) else pen.main
    pen.line([(50, 32), (49, 22), (56, 15)], (92, 112, 60), 6, curved=True)
    for x, r in ((26, 17), (74, 17), (36, 19), (64, 19), (50, 19)):
        pen.oval((x, 58), (r, 28 - abs(x - 50) * 0.14), skin, "ball")
    if pen.pick(2):
        dark: Colour = (70, 36, 20)
        for x in (38, 62):
            pen.poly([(x, 46), (x + 6, 56), (x - 6, 56)], dark, "flat")
        pen.poly(
            [(30, 64), (38, 68), (44, 65), (50, 69), (56, 65), (62, 68), (70, 64), (60, 76), (40, 76)],
            dark,
            "flat",
        )


def gift(pen: Pen) -> None:
    """A wrapped box with a bow."""
    pen.box((18, 44, 82, 88))
    pen.box((14, 34, 86, 48), tint(pen.main, 0.9), "sheet", 1)
    pen.box((44, 34, 56, 88), pen.accent, "tube")
    for side in (-1, 1):
        pen.blob(
            [
                (50, 33),
                (50 + 10 * side, 16),
                (50 + 24 * side, 14),
                (50 + 25 * side, 26),
                (50 + 12 * side, 33),
            ],
            pen.accent,
        )
        pen.blob(
            [(50, 33), (50 + 12 * side, 22), (50 + 20 * side, 20), (50 + 13 * side, 29)],
            tint(pen.accent, 0.65),
            "flat",
        )
    pen.oval((50, 31), 5, tint(pen.accent, 0.9), "ball")


def _book(pen: Pen) -> None:
    pen.poly([(28, 12), (78, 12), (84, 16), (84, 90), (34, 90), (28, 88)], tint(PAPER, 0.9), "flat")
    for x in (80, 82):
        pen.line([(x, 15), (x, 88)], tint(PAPER, 0.78), 0.5)
    pen.box((24, 10, 80, 88), None, "sheet", 1)
    pen.box((24, 10, 30, 88), tint(pen.main, 0.7), "tube")
    pen.box((34, 16, 76, 26), tint(PAPER, 1.0), "flat", 1)
    pen.line([(39, 21), (70, 21)], DARK, 1.8)
    pen.line([(44, 80), (68, 80)], tint(PAPER, 1.0), 1.6)


def _flower(pen: Pen, x: float, y: float, colour: Colour, sort: int) -> None:
    if sort == 0:
        for angle in range(0, 360, 60):
            a = math.radians(angle)
            pen.oval((x + 4.4 * math.cos(a), y + 4.4 * math.sin(a)), 3.8, colour)
        pen.oval((x, y), 3, (246, 200, 70), "ball")
    elif sort == 1:
        pen.oval((x, y), 8, colour, "ball")
        pen.ring((x, y), 4.6, tint(colour, 0.75), 0.9)
        pen.ring((x + 0.6, y), 2, tint(colour, 0.65), 0.9)
    else:
        pen.blob(
            [
                (x - 6, y - 6),
                (x - 2, y - 3),
                (x, y - 8),
                (x + 2, y - 3),
                (x + 6, y - 6),
                (x + 5, y + 5),
                (x, y + 8),
                (x - 5, y + 5),
            ],
            colour,
            "ball",
        )


def _pot(pen: Pen, top: float) -> None:
    pen.poly(mirrored([(50, top + 4), (72, top + 4), (66, 90), (63, 92), (50, 92)]), None, "tube")
    pen.box((26, top, 74, top + 8), tint(pen.main, 0.9), "tube", 1.5)
