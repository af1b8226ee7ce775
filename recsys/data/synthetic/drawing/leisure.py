"""Sketches of outdoor goods and toys."""

from __future__ import annotations

import math

from recsys.data.synthetic.drawing.pen import Pen
from recsys.data.synthetic.drawing.texture import DARK, STEEL, WHITE, WOOD, Colour, tint


def tent(pen: Pen) -> None:
    """A ridge tent on grass."""
    pen.oval((50, 84), (44, 6), (142, 170, 108), "flat")
    pen.poly([(46, 20), (64, 16), (95, 80), (74, 85)], tint(pen.main, 0.72))
    pen.poly([(46, 20), (8, 84), (76, 85)])
    pen.poly([(46, 24), (34, 84), (58, 84)], (56, 48, 46), "flat")
    pen.poly([(46, 24), (34, 84), (26, 84)], tint(pen.accent, 0.98))
    pen.poly([(46, 24), (58, 84), (66, 84)], tint(pen.accent, 0.86))
    for x0, x1 in ((8, 3), (95, 99)):
        pen.line([(x0, 82), (x1, 88)], DARK, 0.9)


def lantern(pen: Pen) -> None:
    """A camping lantern, lit."""
    pen.line([(32, 28), (34, 10), (50, 5), (66, 10), (68, 28)], STEEL, 1.8, curved=True)
    pen.box((36, 16, 64, 24), tint(pen.main, 0.85), "tube", 3)
    pen.box((28, 22, 72, 32), None, "tube", 3)
    pen.box((32, 32, 68, 72), (255, 240, 196), "tube", 2)
    pen.blob([(50, 40), (57, 52), (55, 62), (50, 65), (45, 62), (43, 52)], (255, 190, 70), "flat")
    pen.blob([(50, 50), (53, 57), (50, 63), (47, 57)], (255, 246, 210), "flat")
    for x in (33, 67):
        pen.line([(x, 32), (x, 72)], tint(STEEL, 0.8), 1.8)
    pen.box((26, 72, 74, 90), None, "tube", 4)
    pen.oval((50, 81), 3.4, pen.accent, "ball")


def bicycle(pen: Pen) -> None:
    """A bicycle from the side."""
    for x in (24, 76):
        pen.ring((x, 66), 18, DARK, 2.4)
        pen.ring((x, 66), 16, STEEL, 0.8)
        for angle in range(0, 180, 30):
            a = math.radians(angle)
            dx, dy = 16 * math.cos(a), 16 * math.sin(a)
            pen.line([(x - dx, 66 - dy), (x + dx, 66 + dy)], tint(STEEL, 0.95), 0.4)
        pen.oval((x, 66), 2, STEEL, "ball")
    frame = tint(pen.main, 0.96)
    for path in (
        [(24, 66), (40, 42), (66, 40), (48, 67), (24, 66)],
        [(37, 36), (48, 67)],
        [(64, 33), (76, 66)],
    ):
        pen.line(path, frame, 3)
    pen.line([(62, 28), (70, 25), (75, 29)], DARK, 2.4, curved=True)
    pen.line([(64, 34), (63, 28)], STEEL, 2)
    pen.blob([(29, 34), (38, 32), (46, 34), (38, 37)], pen.accent)
    pen.ring((48, 67), 5, STEEL, 1.6)
    pen.line([(48, 67), (54, 76)], DARK, 1.8)
    pen.line([(51, 77), (58, 76)], DARK, 2)


def ball(pen: Pen) -> None:
    """A football."""
    ground = WHITE if sum(pen.main) < 600 else tint(pen.main, 0.95)
    patch = pen.main if sum(pen.main) < 600 else DARK
    pen.oval((50, 52), 38, ground, "ball")
    pen.poly(_pentagon(50, 52, 13, -90), patch)
    for i in range(5):
        a = math.radians(-90 + 72 * i)
        pen.line(
            [(50 + 13 * math.cos(a), 52 + 13 * math.sin(a)), (50 + 24 * math.cos(a), 52 + 24 * math.sin(a))],
            tint(patch, 0.8),
            1.3,
        )
        b = math.radians(-90 + 72 * i)
        rim = [
            (50 + r * math.cos(b + t), 52 + r * math.sin(b + t))
            for r, t in ((24, 0), (31, -0.3), (37.4, -0.26), (37.8, 0), (37.4, 0.26), (31, 0.3))
        ]
        pen.poly(rim, pen.accent if pen.pick(2) else patch)
    for i in range(5):
        a, b = math.radians(-90 + 72 * i + 17), math.radians(-90 + 72 * (i + 1) - 17)
        pen.line(
            [(50 + 31 * math.cos(a), 52 + 31 * math.sin(a)), (50 + 31 * math.cos(b), 52 + 31 * math.sin(b))],
            tint(patch, 0.8),
            1.1,
        )


def bear(pen: Pen) -> None:
    """A sitting teddy bear."""
    fur: Colour = ((176, 122, 76), (206, 170, 124), tint(pen.main, 1.05))[pen.pick(3)]
    for x in (32, 68):
        pen.oval((x, 16), 9, fur, "ball")
        pen.oval((x, 16), 5, tint(fur, 1.4), "flat")
        pen.oval((x + (x - 50) * 0.5, 62), (9, 14), tint(fur, 0.9), "ball")
    pen.oval((50, 68), (24, 23), fur, "ball")
    pen.oval((50, 70), (14, 15), tint(fur, 1.35), "flat")
    for x in (30, 70):
        pen.oval((x, 86), (13, 10), fur, "ball")
        pen.oval((x, 87), (7, 5.5), tint(fur, 1.4), "flat")
    pen.oval((50, 31), (24, 21), fur, "ball")
    pen.oval((50, 38), (11, 8.5), tint(fur, 1.45), "flat")
    for x in (41, 59):
        pen.oval((x, 28), 2.5, DARK, "ball")
    pen.oval((50, 35), (4, 2.8), (60, 40, 34), "ball")
    pen.line([(45, 41), (50, 43), (55, 41)], (90, 60, 46), 1.2, curved=True)
    for side in (-1, 1):
        pen.poly([(50, 53), (50 + 13 * side, 48), (50 + 13 * side, 58)], pen.accent)
    pen.oval((50, 53), 3, tint(pen.accent, 0.85), "ball")


def blocks(pen: Pen) -> None:
    """A small tower of building blocks."""
    colours: list[Colour] = [pen.main, pen.accent, (232, 182, 74), WOOD, (96, 150, 190)]
    for i, (x, y) in enumerate(((10, 64), (37, 64), (64, 64), (24, 38), (51, 38))):
        _cube(pen, x, y, 24, colours[(i + pen.pick(2)) % 5])
    if pen.pick(2):
        pen.poly([(50, 12), (66, 35), (34, 35)], colours[pen.pick(5)])
    else:
        pen.oval((50, 26), 11, colours[pen.pick(5)], "ball")


def car(pen: Pen) -> None:
    """A toy car from the side."""
    pen.blob([(28, 50), (36, 32), (50, 28), (64, 32), (74, 50), (50, 52)], tint(pen.main, 0.92))
    pen.poly([(36, 48), (41, 36), (50, 34), (50, 48)], (204, 226, 236))
    pen.poly([(53, 48), (53, 34), (62, 37), (68, 48)], (204, 226, 236))
    pen.box((8, 47, 92, 70), None, "sheet", 10)
    pen.line([(12, 60), (88, 60)], tint(pen.accent, 0.98), 4)
    pen.oval((89, 54), 3, (255, 236, 160), "ball")
    pen.oval((11, 54), 2.6, (210, 50, 46), "ball")
    for x in (28, 72):
        pen.oval((x, 70), 12, DARK, "ball")
        pen.oval((x, 70), 6.5, tint(STEEL, 1.2), "ball")
        pen.oval((x, 70), 2, DARK, "flat")


def kite(pen: Pen) -> None:
    """A kite with a tail."""
    tail = [(44, 68), (36, 76), (44, 84), (36, 92), (28, 96)]
    pen.line(tail, DARK, 0.9, curved=True)
    for x, y in tail[1:4]:
        for side in (-1, 1):
            pen.poly(
                [(x, y), (x + 6 * side, y - 4), (x + 6 * side, y + 4)],
                pen.accent if side > 0 else tint(pen.main, 0.9),
            )
    top, right, bottom, left, middle = (62, 6), (86, 36), (44, 70), (32, 24), (57, 31)
    pen.poly([top, right, middle], tint(pen.main, 0.98))
    pen.poly([right, bottom, middle], tint(pen.accent, 0.95))
    pen.poly([bottom, left, middle])
    pen.poly([left, top, middle], tint(pen.accent, 1.2))
    pen.line([top, bottom], WOOD, 1.1)
    pen.line([left, right], WOOD, 1.1)


def _pentagon(x: float, y: float, r: float, start: float) -> list[tuple[float, float]]:
    angles = [math.radians(start + 72 * i) for i in range(5)]
    return [(x + r * math.cos(a), y + r * math.sin(a)) for a in angles]


def _cube(pen: Pen, x: float, y: float, size: float, colour: Colour) -> None:
    pen.poly([(x, y), (x + 4, y - 4), (x + size + 4, y - 4), (x + size, y)], tint(colour, 1.3), "flat")
    pen.poly(
        [(x + size, y), (x + size + 4, y - 4), (x + size + 4, y + size - 4), (x + size, y + size)],
        tint(colour, 0.68),
        "flat",
    )
    pen.box((x, y, x + size, y + size), colour)
    pen.box((x + 5, y + 5, x + size - 5, y + size - 5), tint(colour, 1.35), "flat", 2)
