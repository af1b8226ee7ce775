"""Sketches of clothes and shoes."""

from __future__ import annotations

from recsys.data.synthetic.drawing.pen import Pen, mirrored
from recsys.data.synthetic.drawing.texture import DARK, STEEL, WHITE, tint


def shirt(pen: Pen) -> None:
    """A T-shirt laid out flat."""
    sleeve = pen.vary(44, 52)
    pen.blob([(40, 16), (50, 20), (60, 16), (60, 24), (50, 28), (40, 24)], tint(pen.main, 0.6), "flat")
    pen.poly(
        mirrored(
            [
                (50, 26),
                (56, 23),
                (60, 15),
                (70, 18),
                (92, sleeve - 8),
                (82, sleeve + 2),
                (73, 40),
                (73, 86),
                (50, 87),
            ]
        )
    )
    pen.line([(40, 16), (44, 23), (50, 26), (56, 23), (60, 16)], tint(pen.main, 0.78), 1.8, curved=True)
    for x in (27, 73):
        pen.line([(x, 40), (x, 62)], tint(pen.main, 0.74), 0.8)
    if pen.pick(3) == 0:
        pen.box((56, 38, 67, 50), tint(pen.accent, 0.95), round_by=1)


def jacket(pen: Pen) -> None:
    """A jacket with a zip, pockets and a collar."""
    pen.poly([(28, 22), (9, 70), (20, 77), (33, 46)], tint(pen.main, 0.86))
    pen.poly([(72, 22), (91, 70), (80, 77), (67, 46)], tint(pen.main, 0.86))
    for x in (8, 80):
        pen.poly(
            [(x + 1, 68), (x + 12, 75), (x + 10, 81), (x - 1, 75)]
            if x < 50
            else [(91, 68), (80, 75), (82, 81), (93, 75)],
            pen.accent,
        )
    pen.poly(mirrored([(50, 18), (60, 16), (73, 22), (75, 82), (50, 84)]))
    pen.box((25, 80, 75, 87), pen.accent, round_by=2)
    pen.poly([(50, 30), (37, 13), (44, 11), (50, 18)], tint(pen.main, 0.72))
    pen.poly([(50, 30), (63, 13), (56, 11), (50, 18)], tint(pen.main, 0.72))
    pen.line([(50, 29), (50, 86)], tint(STEEL, 0.8), 1.6)
    pen.oval((50, 34), 1.6, STEEL)
    for x0, x1 in ((31, 43), (69, 57)):
        pen.line([(x0, 68), (x1, 60)], tint(pen.main, 0.6), 1.4)


def dress(pen: Pen) -> None:
    """A sleeveless dress with a belt."""
    hem = pen.vary(70, 80)
    pen.line([(41, 10), (40, 24)], tint(pen.main, 0.85), 3)
    pen.line([(59, 10), (60, 24)], tint(pen.main, 0.85), 3)
    pen.poly(mirrored([(50, 26), (56, 23), (61, 18), (65, 26), (60, 46), (50, 47)]))
    pen.poly(mirrored([(50, 46), (60, 46), (hem, 86), (64, 90), (50, 91)]))
    for x in (40, 47, 54, 61):
        pen.line([(50 + (x - 50) * 0.5, 52), (50 + (x - 50) * 1.6, 86)], tint(pen.main, 0.82), 0.8)
    pen.box((39.5, 43, 60.5, 49), pen.accent, round_by=1)


def hat(pen: Pen) -> None:
    """A knitted hat with a bobble."""
    pen.oval((50, 20), 11, pen.accent, "ball")
    for a in (-6, -2, 2, 6):
        pen.line([(50 + a, 13), (50 + a * 1.3, 26)], tint(pen.accent, 0.82), 0.9)
    pen.blob([(20, 68), (22, 46), (35, 30), (50, 26), (65, 30), (78, 46), (80, 68), (50, 71)], None, "ball")
    pen.box((15, 62, 85, 82), tint(pen.accent, 0.98), round_by=7)
    for x in range(20, 84, 6):
        pen.line([(x, 64), (x, 80)], tint(pen.accent, 0.8), 1.1)


def socks(pen: Pen) -> None:
    """A pair of socks, one behind the other."""
    for dx, dy, dark in ((14, -5, 0.8), (0, 0, 1.0)):
        outline = [
            (28, 14),
            (48, 14),
            (47, 52),
            (52, 60),
            (68, 68),
            (72, 78),
            (66, 86),
            (50, 85),
            (30, 74),
            (26, 62),
            (28, 44),
        ]
        pen.blob([(x + dx, y + dy) for x, y in outline], None if dark == 1 else tint(pen.main, dark), "tube")
        pen.box((26.5 + dx, 10 + dy, 49.5 + dx, 20 + dy), tint(pen.accent, dark), round_by=2)
        pen.blob(
            [
                (58 + dx, 66 + dy),
                (70 + dx, 70 + dy),
                (72 + dx, 79 + dy),
                (66 + dx, 86 + dy),
                (57 + dx, 84 + dy),
            ],
            tint(pen.accent, dark),
        )
        pen.blob(
            [(27 + dx, 58 + dy), (37 + dx, 64 + dy), (38 + dx, 76 + dy), (29 + dx, 72 + dy)],
            tint(pen.accent, dark),
        )


def sneaker(pen: Pen) -> None:
    """A running shoe from the side."""
    pen.blob([(8, 72), (10, 80), (30, 82), (60, 82), (90, 80), (94, 72), (60, 70), (30, 72)], WHITE)
    pen.blob(
        [
            (10, 72),
            (9, 54),
            (13, 38),
            (26, 40),
            (36, 42),
            (48, 42),
            (62, 56),
            (84, 62),
            (92, 72),
            (60, 74),
            (30, 74),
        ]
    )
    pen.blob([(72, 60), (86, 63), (92, 72), (76, 74), (66, 70)], tint(pen.main, 0.8))
    pen.blob([(9, 54), (12, 40), (20, 42), (22, 60), (20, 73), (10, 72)], pen.accent)
    pen.blob([(36, 40), (44, 30), (50, 34), (66, 56), (58, 58)], tint(pen.main, 1.35))
    for i in range(4):
        pen.line([(41 + 6 * i, 48 + 3.6 * i), (50 + 5.5 * i, 39 + 5.4 * i)], WHITE, 2)
    pen.line([(26, 66), (40, 58), (56, 67)], pen.accent, 4, curved=True)
    pen.line([(10, 78), (50, 79), (92, 77)], pen.accent, 1.6, curved=True)


def boot(pen: Pen) -> None:
    """An ankle boot with a heel."""
    top = pen.vary(14, 26)
    pen.poly([(20, 80), (22, 88), (42, 88), (44, 80)], DARK)
    pen.blob([(24, 80), (60, 82), (88, 80), (90, 86), (60, 87), (40, 84)], DARK)
    pen.blob(
        [(27, top), (55, top), (56, 48), (64, 60), (84, 66), (90, 80), (60, 83), (22, 82), (24, 56)],
        None,
        "tube",
    )
    pen.blob([(70, 63), (84, 66), (90, 80), (72, 82), (66, 72)], tint(pen.main, 0.85))
    pen.box((25, top - 3, 57, top + 5), tint(pen.accent, 0.9), round_by=2)
    for i in range(5):
        y = top + 13 + i * (42 - top * 0.5) / 5
        pen.line([(47, y), (57 + i, y + 2)], tint(pen.accent, 1.1), 1.8)
    pen.line([(31, top + 4), (31, top - 5)], tint(pen.accent, 0.7), 2)


def sandal(pen: Pen) -> None:
    """A pair of sandals from above."""
    for dx, lean in ((0, -1), (40, 1)):
        cx = 30 + dx
        sole = [
            (cx, 12),
            (cx + 13, 20),
            (cx + 13, 40),
            (cx + 9, 58),
            (cx + 11, 78),
            (cx, 89),
            (cx - 11, 78),
            (cx - 9, 58),
            (cx - 13, 40),
            (cx - 13, 20),
        ]
        pen.blob([(x + 1.5 * lean, y + 2) for x, y in sole], tint(pen.main, 0.55), "flat")
        pen.blob(sole, (206, 172, 128))
        pen.blob([(cx - 15, 30), (cx, 24), (cx + 15, 30), (cx + 14, 42), (cx, 36), (cx - 14, 42)])
        pen.blob([(cx - 12, 60), (cx, 56), (cx + 12, 60), (cx + 12, 66), (cx, 62), (cx - 12, 66)], pen.accent)
        pen.oval((cx + 9 * lean, 63), 2, STEEL)
