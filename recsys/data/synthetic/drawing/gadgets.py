"""Sketches of electronics, instruments and tools."""

from __future__ import annotations

import math

from recsys.data.synthetic.drawing.pen import Pen, mirrored
from recsys.data.synthetic.drawing.texture import (
    BRASS,
    DARK,
    DARK_WOOD,
    PAPER,
    STEEL,
    WHITE,
    WOOD,
    Colour,
    tint,
)


def headphones(pen: Pen) -> None:
    """Headphones from the front."""
    arc = [(20, 62), (20, 38), (32, 18), (50, 12), (68, 18), (80, 38), (80, 62)]
    pen.line(arc, tint(pen.main, 0.7), 7, curved=True)
    pen.line([(x, y - 0.6) for x, y in arc], pen.main, 4.6, curved=True)
    for x, side in ((20, 1), (80, -1)):
        pen.box((x + side * 4 - 7, 50, x + side * 4 + 7, 84), tint(DARK, 1.1), "tube", 6)
        pen.box((x - side * 3 - 7, 48, x - side * 3 + 7, 86), None, "tube", 7)
        pen.oval((x - side * 4, 67), (4, 11), tint(pen.accent, 0.9), "ball")


def camera(pen: Pen) -> None:
    """A camera from the front."""
    pen.box((26, 18, 60, 36), tint(pen.main, 0.8), "sheet", 4)
    pen.box((68, 24, 80, 34), STEEL, "tube", 2)
    pen.box((10, 30, 90, 80), None, "sheet", 6)
    pen.box((10, 40, 90, 70), DARK, "sheet")
    pen.box((62, 33, 72, 39), WHITE, "flat", 1)
    pen.oval((48, 56), 24, STEEL, "ball")
    pen.oval((48, 56), 20, tint(DARK, 0.9), "ball")
    pen.oval((48, 56), 14, (44, 56, 92), "ball")
    pen.oval((48, 56), 7, (22, 26, 44), "ball")
    pen.oval((43, 50), 3, (220, 228, 244), "flat")
    pen.oval((82, 36), 2, (214, 60, 54), "ball")


def laptop(pen: Pen) -> None:
    """An open laptop."""
    pen.box((18, 18, 82, 68), tint(pen.main, 0.85), "sheet", 3)
    pen.box((21, 21, 79, 65), (34, 40, 56), "flat")
    screen = pen.accent
    pen.poly(
        [(21, 65), (21, 48), (38, 38), (54, 52), (68, 34), (79, 44), (79, 65)], tint(screen, 0.8), "flat"
    )
    pen.oval((66, 29), 4.4, (250, 226, 150), "flat")
    pen.poly([(18, 68), (82, 68), (94, 84), (6, 84)], tint(pen.main, 1.1))
    for row in range(3):
        y = 71 + row * 3
        pen.line([(20 - row * 2, y), (80 + row * 2, y)], tint(DARK, 1.15), 1.7)
    pen.poly([(42, 80), (58, 80), (59, 83), (41, 83)], tint(pen.main, 0.82), "flat")
    pen.poly([(6, 84), (94, 84), (92, 87), (8, 87)], tint(pen.main, 0.65), "flat")


def phone(pen: Pen) -> None:
    """A smartphone, front and back."""
    pen.box((44, 10, 82, 86), None, "sheet", 6)
    pen.box((64, 14, 78, 32), tint(pen.main, 0.72), "sheet", 4)
    for y in (19, 27):
        pen.oval((71, y), 3.2, DARK, "ball")
    pen.box((18, 16, 57, 92), DARK, "sheet", 6)
    pen.box((20, 18.5, 55, 89.5), tint(pen.accent, 1.1), "sheet", 4)
    pen.oval((37.5, 22), 1.3, DARK, "flat")
    pen.line([(30, 36), (45, 36)], WHITE, 3)
    for row in range(3):
        for column in range(3):
            x, y = 23.5 + column * 10, 52 + row * 11
            colour = (WHITE, tint(pen.main, 1.2), (250, 206, 96))[(row + column) % 3]
            pen.box((x, y, x + 7.6, y + 7.6), colour, "flat", 2)


def speaker(pen: Pen) -> None:
    """A loudspeaker with two cones."""
    case: Colour | None = (None, WOOD, DARK_WOOD)[pen.pick(3)]
    pen.box((24, 8, 76, 92), case, "sheet", 6)
    pen.box((29, 13, 71, 87), tint(pen.main, 0.6), "sheet", 4)
    for y, r in ((31, 12), (64, 18)):
        pen.oval((50, y), r, tint(DARK, 1.15), "ball")
        pen.oval((50, y), r * 0.78, tint(DARK, 0.8), "ball")
        pen.ring((50, y), r * 0.6, tint(DARK, 1.3), 0.8)
        pen.oval((50, y), r * 0.34, pen.accent, "ball")


def guitar(pen: Pen) -> None:
    """An acoustic guitar."""
    body: Colour = ((206, 142, 74), (160, 88, 46), pen.main)[pen.pick(3)]
    pen.box((46.5, 8, 53.5, 56), DARK_WOOD, "tube")
    pen.poly([(44.5, 2), (55.5, 2), (54, 12), (46, 12)], tint(body, 0.7))
    pen.blob(mirrored([(50, 45), (62, 44), (69, 53), (63, 62), (73, 76), (67, 92), (50, 96)]), body)
    pen.oval((50, 62), 8.6, tint(body, 0.75), "flat")
    pen.oval((50, 62), 7.2, (40, 28, 22), "flat")
    pen.box((39, 80, 61, 84), DARK_WOOD, round_by=1)
    for dx in (-2.2, -0.75, 0.75, 2.2):
        pen.line([(50 + dx, 6), (50 + dx, 81)], (236, 230, 214), 0.4)
    for y in range(16, 48, 6):
        pen.line([(47, y), (53, y)], BRASS, 0.6)


def drum(pen: Pen) -> None:
    """A drum with its sticks."""
    pen.box((16, 40, 84, 82), None, "tube", 3)
    pen.oval((50, 82), (34, 8), tint(pen.main, 0.7), "flat")
    for x0, x1 in ((18, 34), (34, 50), (50, 66), (66, 82)):
        pen.line([(x0, 48), ((x0 + x1) / 2, 82), (x1, 48)], tint(pen.accent, 1.1), 1.6)
    pen.oval((50, 41), (36, 11), STEEL)
    pen.oval((50, 40), (33, 9), PAPER)
    pen.line([(30, 10), (58, 38)], WOOD, 2.6)
    pen.line([(78, 12), (44, 42)], tint(WOOD, 0.85), 2.6)
    pen.oval((58, 38), 2.6, WOOD, "ball")
    pen.oval((44, 42), 2.6, WOOD, "ball")


def keys(pen: Pen) -> None:
    """A keyboard piano seen from above."""
    pen.box((4, 28, 96, 74), None, "sheet", 4)
    pen.box((14, 33, 40, 42), DARK, "flat", 1)
    pen.line([(18, 37.5), (34, 37.5)], (120, 210, 190), 1.4)
    for x in (50, 58, 66, 74, 82):
        pen.oval((x, 37.5), 2.4, tint(pen.accent, 0.95), "ball")
    for i in range(14):
        pen.box((8 + i * 6, 47, 14 + i * 6, 71), (252, 251, 247))
    for i in range(13):
        if i % 7 not in (2, 6):
            pen.box((12 + i * 6, 47, 16 + i * 6, 61), (28, 28, 32), "tube")


def hammer(pen: Pen) -> None:
    """A claw hammer."""
    pen.box((45, 30, 55, 92), WOOD, "tube", 3)
    pen.box((44, 60, 56, 93), None, "tube", 4)
    pen.box((38, 16, 64, 34), STEEL, "sheet", 2)
    pen.box((62, 14, 76, 36), tint(STEEL, 0.9), "tube", 3)
    pen.blob([(40, 17), (30, 18), (18, 24), (10, 36), (20, 31), (30, 30), (40, 33)], tint(STEEL, 0.94))
    pen.line([(12, 33), (27, 24)], tint(STEEL, 0.6), 1)


def screwdriver(pen: Pen) -> None:
    """A screwdriver."""
    pen.box((46.5, 44, 53.5, 88), STEEL, "tube")
    pen.poly([(46, 86), (54, 86), (52.5, 97), (47.5, 97)], tint(STEEL, 0.8))
    pen.box((43, 40, 57, 48), tint(DARK, 1.1), "tube", 1)
    pen.blob(mirrored([(50, 4), (58, 6), (62, 14), (60, 26), (61, 36), (57, 43), (50, 43)]), None, "tube")
    for x in (44, 50, 56):
        pen.line([(x, 11), (x, 36)], tint(pen.accent, 0.85), 1.8)


def saw(pen: Pen) -> None:
    """A hand saw."""
    teeth = []
    for i in range(26):
        teeth += [(92 - i * 2.3, 52 + i * 0.9), (90.8 - i * 2.3, 56 + i * 0.9)]
    pen.poly([(32, 30), (94, 44), (94, 52), *teeth, (32, 76)], STEEL)
    pen.line([(36, 36), (90, 47)], tint(STEEL, 1.5), 0.9)
    pen.blob(
        [(8, 36), (22, 26), (38, 30), (40, 52), (38, 74), (24, 80), (10, 72), (6, 54)],
        None if pen.pick(2) else WOOD,
    )
    pen.blob([(15, 44), (24, 40), (29, 52), (27, 64), (18, 66), (14, 56)], (236, 234, 230), "flat")
    for y in (38, 68):
        pen.oval((34, y), 1.8, BRASS, "ball")


def wrench(pen: Pen) -> None:
    """A combination spanner."""
    metal: Colour = STEEL if pen.pick(3) else tint(pen.main, 1.1)
    pen.line([(30, 70), (72, 28)], tint(metal, 0.66), 12)
    pen.line([(30, 69.4), (72, 27.4)], metal, 9.6)
    pen.line([(36, 64), (66, 34)], pen.main, 4)
    pen.oval((25, 75), 15, metal, "ball")
    pen.poly(
        [(25 + 8 * math.cos(a * math.pi / 3), 75 + 8 * math.sin(a * math.pi / 3)) for a in range(6)],
        (228, 226, 222),
        "flat",
    )
    jaw = [(66, 20), (74, 10), (82, 6), (80, 17), (84, 21), (95, 19), (91, 28), (80, 35), (70, 32)]
    pen.blob(jaw, metal)
