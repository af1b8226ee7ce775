"""Sketches of bags, glasses, watches, umbrellas and jewelry."""

from __future__ import annotations

import itertools
import math

from recsys.data.synthetic.drawing.pen import Pen, mirrored
from recsys.data.synthetic.drawing.texture import BRASS, DARK, STEEL, WHITE, Colour, tint


def handbag(pen: Pen) -> None:
    """A handbag with a flap and a clasp."""
    pen.line([(34, 44), (36, 20), (50, 11), (64, 20), (66, 44)], tint(pen.main, 0.7), 3.4, curved=True)
    pen.poly(mirrored([(50, 40), (74, 40), (84, 80), (79, 86), (50, 87)]))
    pen.blob(mirrored([(50, 38), (74, 39), (73, 54), (50, 66)]), tint(pen.accent, 0.95))
    pen.box((45.5, 59, 54.5, 69), BRASS, round_by=2)
    pen.oval((50, 64), 1.8, tint(BRASS, 0.7))
    for x in (34, 66):
        pen.oval((x, 44), 2.4, BRASS, "ball")


def backpack(pen: Pen) -> None:
    """A backpack from the front."""
    pen.line([(42, 16), (44, 9), (56, 9), (58, 16)], tint(pen.main, 0.65), 3, curved=True)
    for x in (18, 82):
        pen.box((x - 6, 48, x + 6, 78), tint(pen.main, 0.7), "tube", 4)
    pen.box((22, 14, 78, 90), None, "tube", 20)
    pen.box((28, 54, 72, 85), tint(pen.accent, 0.96), "sheet", 7)
    pen.line([(31, 61), (69, 61)], tint(pen.accent, 0.66), 1.6)
    pen.line([(64, 61), (64, 67)], STEEL, 1.8)
    pen.line([(28, 44), (34, 26), (50, 21), (66, 26), (72, 44)], tint(pen.main, 0.62), 1.6, curved=True)
    pen.box((43, 32, 57, 42), BRASS if pen.pick(2) else WHITE, round_by=2)


def glasses(pen: Pen) -> None:
    """Sunglasses from the front."""
    lens = ((52, 58, 70), (96, 66, 44), (44, 84, 76))[pen.pick(3)]
    rx, ry = pen.vary(16, 19), pen.vary(13, 17)
    for x, out in ((29, -1), (71, 1)):
        pen.line(
            [(x + out * 16, 44), (x + out * 20, 42), (x + out * 19, 62)], tint(pen.main, 0.7), 3, curved=True
        )
        pen.oval((x, 50), (rx, ry))
        pen.oval((x, 50), (rx - 3.4, ry - 3.4), lens, "ball")
        pen.line([(x - 8, 46), (x - 2, 42)], (214, 222, 228), 1.8)
    pen.line([(44, 47), (50, 44), (56, 47)], pen.main, 4, curved=True)


def watch(pen: Pen) -> None:
    """A wristwatch on its strap."""
    pen.poly([(38, 32), (41, 6), (59, 6), (62, 32)], None, "tube")
    pen.poly([(38, 68), (41, 95), (59, 95), (62, 68)], None, "tube")
    metal = BRASS if pen.pick(2) else STEEL
    pen.box((74, 46, 79, 54), metal, round_by=1)
    pen.oval((50, 50), 26, metal, "ball")
    pen.oval((50, 50), 21, (248, 247, 243) if sum(pen.main) < 480 else DARK)
    hand = DARK if sum(pen.main) < 480 else WHITE
    for hour in range(12):
        a = hour * math.pi / 6
        pen.line(
            [
                (50 + 16 * math.cos(a), 50 + 16 * math.sin(a)),
                (50 + 18.5 * math.cos(a), 50 + 18.5 * math.sin(a)),
            ],
            hand,
            1.3,
        )
    pen.line([(50, 50), (50, 37)], hand, 2)
    pen.line([(50, 50), (60, 55)], hand, 1.6)
    pen.oval((50, 50), 2, pen.accent, "flat")


def umbrella(pen: Pen) -> None:
    """An open umbrella."""
    pen.line([(50, 10), (50, 80), (53, 88), (60, 89), (64, 82)], (120, 82, 54), 2.6, curved=True)
    ribs = [8, 29, 50, 71, 92]
    for i, (left, right) in enumerate(itertools.pairwise(ribs)):
        top, middle = (50, 13), (left + right) / 2
        panel = [
            top,
            (50 + (left - 50) * 0.72, 27),
            (left, 52),
            (middle, 46),
            (right, 52),
            (50 + (right - 50) * 0.72, 27),
        ]
        pen.poly(panel, None if i % 2 == 0 else tint(pen.accent, 0.96))
    pen.line([(50, 8), (50, 14)], DARK, 2)


def ring(pen: Pen) -> None:
    """A ring with a cut stone."""
    metal = _metal(pen)
    pen.ring((50, 62), 25, tint(metal, 0.72), 7)
    pen.ring((50, 61.3), 25, metal, 4.6)
    pen.ring((49.4, 60.4), 25, tint(metal, 1.6), 1)
    pen.poly([(38, 37), (62, 37), (56, 44), (44, 44)], tint(metal, 0.8))
    _gem(pen, 50, 26, 17)


def necklace(pen: Pen) -> None:
    """A chain with a pendant."""
    metal = _metal(pen)
    chain = [(22, 12), (24, 34), (36, 54), (50, 62), (64, 54), (76, 34), (78, 12)]
    pen.line(chain, tint(metal, 0.75), 2.4, curved=True)
    pen.line([(x - 0.4, y - 0.4) for x, y in chain], tint(metal, 1.35), 0.9, curved=True)
    pen.ring((50, 64), 2.6, metal, 1.3)
    if pen.pick(2):
        pen.blob([(50, 66), (57, 74), (58, 83), (50, 89), (42, 83), (43, 74)], pen.main, "ball")
    else:
        _gem(pen, 50, 78, 12)


def earrings(pen: Pen) -> None:
    """A pair of drop earrings."""
    metal = _metal(pen)
    drop = pen.pick(2)
    for x in (32, 68):
        pen.line([(x - 4, 24), (x - 3, 14), (x + 3, 13), (x + 3, 24), (x, 34)], metal, 1.8, curved=True)
        pen.oval((x, 38), 4.6, metal, "ball")
        pen.line([(x, 42), (x, 50)], metal, 1.5)
        if drop:
            pen.blob([(x, 48), (x + 9, 64), (x + 9, 76), (x, 83), (x - 9, 76), (x - 9, 64)], pen.main, "ball")
        else:
            _gem(pen, x, 64, 13)


def _metal(pen: Pen) -> Colour:
    return {"gold": BRASS, "rose gold": (222, 168, 150)}.get(pen.material, STEEL)


def _gem(pen: Pen, x: float, y: float, r: float) -> None:
    """A brilliant cut seen from the side."""
    colour = pen.main if sum(pen.main) > 130 else (120, 150, 200)
    girdle = [
        (x - r, y - r * 0.15),
        (x - r * 0.55, y - r * 0.7),
        (x + r * 0.55, y - r * 0.7),
        (x + r, y - r * 0.15),
    ]
    pen.poly([*girdle, (x, y + r * 0.95)], colour)
    for i, factor in enumerate((1.55, 1.2, 1.75)):
        left = x - r + i * r * 2 / 3
        pen.poly(
            [(left, y - r * 0.15), (left + r * 2 / 3, y - r * 0.15), (x, y + r * 0.95)],
            tint(colour, factor - 0.25),
            "flat",
        )
    pen.poly(
        [girdle[1], girdle[2], (x + r / 3, y - r * 0.15), (x - r / 3, y - r * 0.15)],
        tint(colour, 1.6),
        "flat",
    )
